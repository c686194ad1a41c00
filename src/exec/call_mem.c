/* Memory: mmap(2) and its kin. Pages are given on first use (space.h). */
#include "exec/call.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#define MAP_KNOWN                                                                                  \
    (MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_DENYWRITE |        \
     MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK |       \
     MAP_FIXED_NOREPLACE | 0x40)

static uint64_t page_up(uint64_t v)
{
    return (v + SPACE_PAGE - 1) & ~(SPACE_PAGE - 1);
}

/* a[3] to a[5] of mmap: flags, descriptor, offset; of len bytes */
static int64_t file_for(struct prog *p, struct area *m, const uint64_t a[6], uint64_t len)
{
    unsigned flags = (unsigned)a[3];
    uint64_t off = a[5];
    struct file *f;

    if (flags & MAP_ANONYMOUS)
        return 0;
    f = prog_file(p, a[4]);
    if (!f)
        return -EBADF;
    if (off % SPACE_PAGE)
        return -EINVAL;
    if (off > INT64_MAX - len)
        return -EOVERFLOW;
    if ((f->flags & O_ACCMODE) == O_WRONLY || (f->flags & O_PATH))
        return -EACCES;
    if (f->dir || f->stream)
        return -ENODEV;
    if ((flags & MAP_SHARED) && (m->prot & SPACE_WRITE)) /* nothing would write it back */
        return prog_refuse(p, prog_nr(p), "a shared writable mapping of a file", -ENODEV);
    m->file = f;
    m->offset = off;
    return 0;
}

/* Where a mapping of that length goes: 0, or -errno. */
static int place(struct prog *p, struct area *a, uint64_t at, uint64_t len, unsigned flags)
{
    const struct space *s = &p->space;
    bool fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);

    if (fixed && at % SPACE_PAGE)
        return -EINVAL;
    at &= ~(SPACE_PAGE - 1);
    if (fixed && !range_in(at, len, s->floor, s->top - s->floor))
        return at < s->floor ? -EPERM : -ENOMEM;
    if ((flags & MAP_FIXED_NOREPLACE) && !space_free_at(s, at, len))
        return -EEXIST;
    if (!fixed && (!at || !space_free_at(s, at, len)))
        at = space_find(s, len);
    a->at = at;
    a->end = at + len;
    return at ? 0 : -ENOMEM;
}

int64_t call_mmap(struct prog *p, const uint64_t a[6])
{
    unsigned flags = (unsigned)a[3], share = flags & MAP_TYPE;
    struct area m = {.prot = (unsigned)a[2] & 7, .file_end = UINT64_MAX};
    uint64_t len;
    int64_t err;

    if (!a[1] || (flags & ~(unsigned)(MAP_KNOWN | MAP_TYPE)) || (a[2] & ~7ull))
        return -EINVAL;
    if (share != MAP_SHARED && share != MAP_PRIVATE && share != MAP_SHARED_VALIDATE)
        return -EINVAL;
    len = page_up(a[1]);
    if (!len || len > p->space.top || (m.prot && len > p->ram.size))
        return -ENOMEM;
    err = file_for(p, &m, a, len);
    if (!err)
        err = place(p, &m, a[0], len, flags);
    if (err)
        return err;
    file_get(m.file);
    err = space_map(&p->space, &m);
    if (err)
        file_put(m.file);
    return err ? err : (int64_t)m.at;
}

int64_t call_munmap(struct prog *p, const uint64_t a[6])
{
    return space_unmap(&p->space, a[0], page_up(a[1]));
}

int64_t call_mprotect(struct prog *p, const uint64_t a[6])
{
    if (a[2] & ~7ull)
        return -EINVAL;
    return a[1] ? space_protect(&p->space, a[0], page_up(a[1]), (unsigned)a[2]) : 0;
}

/* Grows the anonymous mapping that ends at at by more, there. */
static int grow(struct prog *p, const struct area *old, uint64_t at, uint64_t more)
{
    struct area m = {.at = at, .end = at + more, .prot = old->prot, .file_end = UINT64_MAX};

    return space_map(&p->space, &m);
}

static int64_t grow_moved(struct prog *p, const struct area *old, uint64_t at, uint64_t len,
                          uint64_t want)
{
    struct area was = *old;
    uint64_t to = space_find(&p->space, want);
    int err = to ? grow(p, &was, to + len, want - len) : -ENOMEM;

    if (err)
        return err;
    err = space_move(&p->space, at, len, to);
    if (err)
        space_unmap(&p->space, to + len, want - len);
    return err ? err : (int64_t)to;
}

int64_t call_mremap(struct prog *p, const uint64_t a[6])
{
    uint64_t at = a[0], len = page_up(a[1]), want = page_up(a[2]);
    const struct area *old = space_area(&p->space, at);
    int err;

    if (at % SPACE_PAGE || !len || !want || (a[3] & ~1ull))
        return -EINVAL;
    if (!old || old->end - at < len)
        return -EFAULT;
    if (want <= len) {
        err = want < len ? space_unmap(&p->space, at + want, len - want) : 0;
        return err ? err : (int64_t)at;
    }
    if (old->file || want > p->ram.size)
        return -ENOMEM;
    if (space_free_at(&p->space, at + len, want - len)) {
        err = grow(p, old, at + len, want - len);
        return err ? err : (int64_t)at;
    }
    return a[3] & MREMAP_MAYMOVE ? grow_moved(p, old, at, len, want) : -ENOMEM;
}

int64_t call_madvise(struct prog *p, const uint64_t a[6])
{
    if (a[0] % SPACE_PAGE)
        return -EINVAL;
    if (a[2] == MADV_REMOVE)
        return -EINVAL; /* no memory here is a file's that could have holes */
    if (a[2] != MADV_DONTNEED || !a[1])
        return 0; /* advice */
    return space_forget(&p->space, a[0], page_up(a[1]));
}

int64_t call_brk(struct prog *p, const uint64_t a[6])
{
    struct space *s = &p->space;
    uint64_t now = page_up(s->brk), want = page_up(a[0]);
    int err = 0;

    if (a[0] < s->brk_start || want < a[0] || want - s->brk_start > p->ram.size)
        return (int64_t)s->brk;
    if (want > now && !space_free_at(s, now, want - now))
        return (int64_t)s->brk;
    if (want > now) {
        struct area m = {
            .at = now, .end = want, .prot = SPACE_READ | SPACE_WRITE, .file_end = UINT64_MAX};

        err = space_map(s, &m);
    } else if (want < now) {
        err = space_unmap(s, want, now - want);
    }
    if (!err)
        s->brk = a[0];
    return (int64_t)s->brk;
}
