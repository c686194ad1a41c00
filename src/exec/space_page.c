/*
 * Pages of guest RAM, and the page tables made of them: SDM volume 3, 4.5 (4-level paging), 4 KiB
 * pages only. A page that the program may not touch (PROT_NONE) keeps its frame in an entry that is
 * not present.
 */
#include "exec/space_impl.h"
#include "mem/ram.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS  4
#define PTE_IDX 511u

/* Memory for page tables: a part of all, so that the rest alone can be shown to a program. */
#define TABLES_PART 32u
#define TABLES_MIN  128u

uint8_t *space_host(const struct space *s, uint64_t gpa)
{
    return ram_ptr(s->ram, gpa, SPACE_PAGE);
}

static uint64_t page_gpa(const struct space *s, uint32_t page)
{
    uint64_t at = (uint64_t)page * SPACE_PAGE, low = s->ram->slot[0].len;

    return at < low ? at : s->ram->slot[1].gpa + (at - low);
}

static uint32_t page_number(const struct space *s, uint64_t gpa)
{
    return (uint32_t)ram_page(s->ram, gpa);
}

uint64_t space_page(struct space *s)
{
    uint64_t gpa;

    if (s->frees) {
        gpa = page_gpa(s, s->free[--s->frees]);
        memset(space_host(s, gpa), 0, SPACE_PAGE);
        ram_written(s->ram, gpa, SPACE_PAGE);
        return gpa;
    }
    if (s->fresh == s->pages)
        return 0;
    return page_gpa(s, s->fresh++); /* a new memory file's pages are zeroes */
}

uint64_t space_table(struct space *s)
{
    return s->tables < s->low ? page_gpa(s, s->tables++) : 0;
}

void space_page_put(struct space *s, uint64_t gpa)
{
    s->free[s->frees++] = page_number(s, gpa);
}

uint64_t *space_pte(struct space *s, uint64_t at, bool make)
{
    uint64_t table = s->root;

    for (unsigned level = LEVELS - 1; level; level--) {
        uint64_t *e = (uint64_t *)(void *)space_host(s, table) + (at >> (12 + 9 * level) & PTE_IDX);

        if (!(*e & PTE_P)) {
            uint64_t page = make ? space_table(s) : 0;

            if (!page)
                return NULL;
            *e = page | PTE_P | PTE_W | PTE_U | PTE_A;
        }
        table = *e & PTE_FRAME;
    }
    return (uint64_t *)(void *)space_host(s, table) + (at >> 12 & PTE_IDX);
}

uint64_t space_pte_bits(unsigned prot)
{
    uint64_t bits = PTE_HELD | PTE_U | PTE_A;

    if (prot)
        bits |= PTE_P;
    if (prot & SPACE_WRITE)
        bits |= PTE_W | PTE_D;
    if (!(prot & SPACE_EXEC))
        bits |= PTE_NX;
    return bits;
}

int space_map_system(struct space *s, uint64_t at, uint64_t gpa, bool write)
{
    uint64_t *e = space_pte(s, at, true);

    if (!e)
        return -ENOMEM;
    *e = gpa | PTE_P | PTE_A | PTE_NX | (write ? PTE_W | PTE_D : 0);
    return 0;
}

int space_poke(struct space *s, uint64_t gpa, const void *buf, size_t len)
{
    uint8_t *p = ram_ptr(s->ram, gpa, len);

    if (!p)
        return -EFAULT;
    memcpy(p, buf, len);
    ram_written(s->ram, gpa, len);
    return 0;
}

int space_open(struct space *s, struct ram *ram, uint64_t floor, uint64_t top)
{
    memset(s, 0, sizeof(*s));
    s->ram = ram;
    s->floor = floor;
    s->top = top;
    s->pages = (uint32_t)(ram->size / SPACE_PAGE);
    s->tables = 1; /* 0 means none */
    s->low = s->pages / TABLES_PART > TABLES_MIN ? s->pages / TABLES_PART : TABLES_MIN;
    s->fresh = s->low;
    s->free = malloc(s->pages * sizeof(*s->free));
    s->area = calloc(SPACE_AREAS_MAX, sizeof(*s->area));
    s->root = s->free && s->area ? space_table(s) : 0;
    if (s->root)
        return 0;
    space_close(s);
    return -ENOMEM;
}
