/* Guest memory that a peer lent: lent.h tells. */
#include "mem/lent.h"
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum { WORD = 16 }; /* what is aligned for the guest is so for us: ring words are atomic */

/* What a mapping of this file starts at multiples of: huge pages have their own. */
static size_t file_unit(int fd)
{
    struct statfs fs;

    if (fstatfs(fd, &fs) || fs.f_type != HUGETLBFS_MAGIC || fs.f_bsize < (long)RAM_PAGE_SIZE)
        return RAM_PAGE_SIZE;
    return (size_t)fs.f_bsize;
}

int lent_map(struct lent_map *map, uint8_t **at, int fd, uint64_t offset, uint64_t len)
{
    struct stat st;
    uint64_t skip, whole;
    void *host;

    if (fstat(fd, &st))
        return -errno;
    if (!S_ISREG(st.st_mode) || !len)
        return -EINVAL;
    if (!range_in(offset, len, 0, (uint64_t)st.st_size))
        return -ERANGE;
    map->unit = file_unit(fd);
    skip = offset % map->unit;
    whole = len + skip; /* no overflow: both lie in a file */
    whole += (map->unit - whole % map->unit) % map->unit;
    host = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
                (off_t)(offset - skip));
    if (host == MAP_FAILED)
        return -errno;
    map->host = host;
    map->len = whole;
    *at = map->host + skip;
    return 0;
}

void lent_unmap(struct lent_map *map)
{
    if (map->host)
        munmap(map->host, map->len);
    memset(map, 0, sizeof(*map));
}

void lent_init(struct lent *m)
{
    memset(m, 0, sizeof(*m));
    m->ram.fd = -1;
}

static bool overlaps(const struct ram *ram, const struct lent_region *r)
{
    for (unsigned i = 0; i < ram->slots; i++) {
        const struct ram_slot *s = &ram->slot[i];

        if (range_in(r->gpa, 1, s->gpa, s->len) || range_in(s->gpa, 1, r->gpa, r->len))
            return true;
    }
    return false;
}

int lent_add(struct lent *m, const struct lent_region *r, int fd)
{
    struct ram *ram = &m->ram;
    uint8_t *host;
    int err;

    if (!r->len || r->len - 1 > UINT64_MAX - r->gpa || (r->gpa - r->offset) % WORD)
        return -EINVAL;
    if (overlaps(ram, r))
        return -EEXIST;
    if (ram->slots == RAM_SLOTS_MAX)
        return -ENOSPC;
    err = lent_map(&m->slot[ram->slots], &host, fd, r->offset, r->len);
    if (err)
        return err;
    ram->slot[ram->slots++] = (struct ram_slot){.gpa = r->gpa, .len = r->len, .host = host};
    ram->size += r->len;
    return 0;
}

int lent_remove(struct lent *m, gpa_t gpa, uint64_t len)
{
    struct ram *ram = &m->ram;

    for (unsigned i = 0; i < ram->slots; i++) {
        unsigned last = ram->slots - 1;

        if (ram->slot[i].gpa != gpa || ram->slot[i].len != len)
            continue;
        lent_unmap(&m->slot[i]);
        ram->slot[i] = ram->slot[last];
        m->slot[i] = m->slot[last];
        memset(&m->slot[last], 0, sizeof(m->slot[last]));
        ram->slots = last;
        ram->size -= len;
        return 0;
    }
    return -ENOENT;
}

void lent_clear(struct lent *m)
{
    while (m->ram.slots)
        lent_remove(m, m->ram.slot[0].gpa, m->ram.slot[0].len);
    lent_log(m, -1, 0, 0);
    lent_unmap(&m->record);
    m->ram.log = NULL;
    m->lost = false;
}

int lent_log(struct lent *m, int fd, uint64_t offset, uint64_t len)
{
    struct lent_map map = {0};
    uint8_t *at = NULL;
    int err = fd < 0 ? 0 : lent_map(&map, &at, fd, offset, len);

    if (err)
        return err;
    lent_unmap(&m->log);
    m->log = map;
    m->log_at = at;
    m->ram.log = m->ram.log ? at : NULL;
    m->ram.log_len = at ? len : 0;
    return 0;
}

int lent_record(struct lent *m, uint8_t **at, int fd, uint64_t offset, uint64_t len)
{
    struct lent_map map = {0};
    int err = fd < 0 ? 0 : lent_map(&map, at, fd, offset, len);

    if (err)
        return err;
    lent_unmap(&m->record);
    m->record = map;
    return 0;
}

void lent_log_on(struct lent *m, bool on)
{
    m->ram.log = on ? m->log_at : NULL;
}
