/*
 * ELF programs: System V ABI chapters 4 and 5, and its supplements for AMD64 and i386. Static ones
 * only, fixed or position independent. What has an interpreter (is dynamically linked) is refused.
 */
#include "exec/elf.h"
#include "core/error.h"
#include "exec/space.h"
#include <errno.h>
#include <string.h>

#define ET_EXEC      2
#define ET_DYN       3
#define EM_386       3
#define EM_X86_64    62
#define PT_LOAD      1
#define PT_INTERP    3
#define PT_PHDR      6
#define PT_GNU_STACK 0x6474e551u
#define PF_X         1u
#define PF_W         2u
#define PF_R         4u
#define PHNUM_MAX    64

#define ADDR_MAX64 0x7fffffff0000ull
#define ADDR_MAX32 0xffff0000ull

struct phdr {
    uint32_t type, flags;
    uint64_t offset, vaddr, filesz, memsz;
};

static int no(struct error *err, const char *why)
{
    return error_set(err, -ENOEXEC, "%s", why);
}

static int head_judge(const uint8_t *p, size_t len, struct error *err)
{
    unsigned machine, type;

    if (len < 52 || memcmp(p, "\177ELF", 4))
        return no(err, "it is not an ELF file");
    machine = le16_get(p + 18);
    type = le16_get(p + 16);
    if (p[5] != 1 || p[6] != 1)
        return no(err, "it is not a little-endian ELF file of version 1");
    if (!(p[4] == 2 && machine == EM_X86_64) && !(p[4] == 1 && machine == EM_386))
        return no(err, "it is neither an x86-64 nor an i386 program");
    if (p[4] == 2 && len < 64)
        return no(err, "its header is cut off");
    if (type != ET_EXEC && type != ET_DYN)
        return no(err, "it is no executable, but an object or core file");
    return 0;
}

static struct phdr phdr_get(const uint8_t *p, bool is64)
{
    if (is64)
        return (struct phdr){le32_get(p),      le32_get(p + 4),  le64_get(p + 8),
                             le64_get(p + 16), le64_get(p + 32), le64_get(p + 40)};
    return (struct phdr){le32_get(p),     le32_get(p + 24), le32_get(p + 4),
                         le32_get(p + 8), le32_get(p + 16), le32_get(p + 20)};
}

static int seg_judge(const struct elf *e, const struct phdr *h, uint64_t size, struct error *err)
{
    uint64_t max = e->is64 ? ADDR_MAX64 : ADDR_MAX32;

    if (h->filesz > h->memsz || !range_in(h->offset, h->filesz, 0, size))
        return no(err, "a segment lies outside the file");
    if (!range_in(h->vaddr, h->memsz, 0, max))
        return no(err, "a segment lies outside a program's addresses");
    if (!e->moves && h->vaddr < SPACE_PAGE * 16)
        return no(err, "a segment wants addresses below 64 KiB");
    if (h->filesz && h->vaddr % SPACE_PAGE != h->offset % SPACE_PAGE)
        return no(err, "a segment's address and file offset don't fit a page");
    if (e->segs == ELF_SEGS_MAX)
        return no(err, "it has too many segments");
    if (e->segs &&
        h->vaddr / SPACE_PAGE * SPACE_PAGE < e->seg[e->segs - 1].addr + e->seg[e->segs - 1].memsz)
        return no(err, "its segments overlap, share a page or are not in order");
    return 0;
}

static int seg_add(struct elf *e, const struct phdr *h, uint64_t size, struct error *err)
{
    struct elf_seg *s = &e->seg[e->segs];
    uint64_t end;
    int code;

    if (!h->memsz)
        return 0;
    code = seg_judge(e, h, size, err);
    if (code)
        return code;
    *s = (struct elf_seg){h->offset, h->vaddr, h->filesz, h->memsz, 0};
    s->prot = (h->flags & PF_R ? SPACE_READ : 0u) | (h->flags & PF_W ? SPACE_WRITE : 0u) |
              (h->flags & PF_X ? SPACE_EXEC : 0u);
    end = (h->vaddr + h->memsz + SPACE_PAGE - 1) / SPACE_PAGE * SPACE_PAGE;
    if (!e->segs)
        e->low = h->vaddr / SPACE_PAGE * SPACE_PAGE;
    e->high = end;
    e->segs++;
    return 0;
}

/* Where the headers at phoff are in memory. */
static void phdr_find(struct elf *e, uint64_t phoff)
{
    for (unsigned i = 0; i < e->segs; i++)
        if (range_in(phoff, (uint64_t)e->phnum * e->phent, e->seg[i].offset, e->seg[i].filesz))
            e->phdr = e->seg[i].addr + (phoff - e->seg[i].offset);
}

static int phdrs_take(struct elf *e, const uint8_t *p, uint64_t size, struct error *err)
{
    for (unsigned i = 0; i < e->phnum; i++) { /* at most PHNUM_MAX */
        struct phdr h = phdr_get(p + (size_t)i * e->phent, e->is64);
        int code = 0;

        if (h.type == PT_INTERP)
            code = no(err, "it is dynamically linked; link it with -static or -static-pie");
        else if (h.type == PT_LOAD)
            code = seg_add(e, &h, size, err);
        else if (h.type == PT_GNU_STACK)
            e->exec_stack = h.flags & PF_X;
        if (code)
            return code;
    }
    return 0;
}

int elf_parse(struct elf *e, const uint8_t *head, size_t len, uint64_t size, struct error *err)
{
    int code = head_judge(head, len, err);
    uint64_t phoff;
    bool in = false;

    if (code)
        return code;
    *e = (struct elf){.is64 = head[4] == 2, .moves = le16_get(head + 16) == ET_DYN};
    e->entry = e->is64 ? le64_get(head + 24) : le32_get(head + 24);
    phoff = e->is64 ? le64_get(head + 32) : le32_get(head + 28);
    e->phent = le16_get(head + (e->is64 ? 54 : 42));
    e->phnum = le16_get(head + (e->is64 ? 56 : 44));
    if (e->phent != (e->is64 ? 56 : 32) || !e->phnum || e->phnum > PHNUM_MAX ||
        !range_in(phoff, (uint64_t)e->phnum * e->phent, 0, len))
        return no(err, "its program headers are missing, odd, or not in its first 4 KiB");
    code = phdrs_take(e, head + phoff, size, err);
    if (code)
        return code;
    for (unsigned i = 0; i < e->segs; i++)
        in |= range_in(e->entry, 1, e->seg[i].addr, e->seg[i].memsz);
    if (!in)
        return no(err, "its entry point lies in no segment");
    phdr_find(e, phoff);
    return 0;
}
