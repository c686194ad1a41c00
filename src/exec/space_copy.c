/*
 * The program's memory as its calls see it: every address is looked up in the areas, with the right
 * that the transfer needs, before a byte moves. The vCPU stands still meanwhile.
 */
#include "exec/file.h"
#include "exec/space_impl.h"
#include "mem/ram.h"
#include <errno.h>
#include <string.h>

/* Reads the file's part of a new page. */
static int page_fill(const struct area *a, uint64_t page, uint8_t *host)
{
    uint64_t at = a->offset + (page - a->at), room = SPACE_PAGE;
    int64_t n;

    if (at >= a->file_end)
        return 0;
    if (room > a->file_end - at)
        room = a->file_end - at;
    n = file_pread(a->file, host, room, at);
    if (n < 0)
        return -EIO;
    return n ? 0 : -EIO; /* wholly behind the end of the file: SIGBUS */
}

static uint64_t page_give(struct space *s, const struct area *a, uint64_t page, int *err)
{
    uint64_t gpa = space_page(s);

    *err = -ENOMEM;
    if (!gpa)
        return 0;
    *err = a->file ? page_fill(a, page, space_host(s, gpa)) : 0;
    if (!*err)
        return gpa;
    space_page_put(s, gpa);
    return 0;
}

uint8_t *space_touch(struct space *s, uint64_t at, unsigned want, int *err)
{
    const struct area *a = space_area(s, at);
    uint64_t *e, page = at & ~(SPACE_PAGE - 1), gpa;

    *err = -EFAULT;
    if (!a || (a->prot & want) != want)
        return NULL;
    e = space_pte(s, page, true);
    *err = -ENOMEM;
    if (!e)
        return NULL;
    if (!(*e & PTE_HELD)) {
        gpa = page_give(s, a, page, err);
        if (!gpa)
            return NULL;
        *e = gpa | space_pte_bits(a->prot);
    }
    *err = 0;
    return space_host(s, *e & PTE_FRAME);
}

int space_fault(struct space *s, uint64_t at, unsigned want)
{
    int err;

    if (at < s->floor || at >= s->top)
        return -EFAULT;
    /* Writable memory is readable, as x86 pages are; so is executable memory. */
    if (want == SPACE_READ) {
        const struct area *a = space_area(s, at);

        if (!a || !a->prot)
            return -EFAULT;
        want = 0;
    }
    return space_touch(s, at, want, &err) ? 0 : err;
}

static int touch_all(struct space *s, uint64_t at, uint64_t len, unsigned want)
{
    uint64_t page = at & ~(SPACE_PAGE - 1);
    int err;

    if (!range_in(at, len, s->floor, s->top - s->floor))
        return -EFAULT;
    for (; page < at + len; page += SPACE_PAGE) /* len is the caller's own, bounded there */
        if (!space_touch(s, page, want, &err))
            return -EFAULT;
    return 0;
}

static void move(struct space *s, uint64_t at, void *buf, size_t len, bool write)
{
    uint8_t *b = buf;

    while (len) {
        uint64_t in = at & (SPACE_PAGE - 1), *e = space_pte(s, at, false);
        size_t n = len < SPACE_PAGE - in ? len : SPACE_PAGE - in;
        uint8_t *p = space_host(s, *e & PTE_FRAME) + in;

        if (write) {
            memcpy(p, b, n);
            ram_written(s->ram, (*e & PTE_FRAME) + in, n);
        } else {
            memcpy(b, p, n);
        }
        at += n, b += n, len -= n;
    }
}

int space_read(struct space *s, uint64_t at, void *buf, size_t len)
{
    int err = touch_all(s, at, len, SPACE_READ);

    if (!err)
        move(s, at, buf, len, false);
    return err;
}

int space_write(struct space *s, uint64_t at, const void *buf, size_t len)
{
    int err = touch_all(s, at, len, SPACE_WRITE);

    if (!err)
        move(s, at, (void *)(uintptr_t)buf, len, true);
    return err;
}

int space_string(struct space *s, uint64_t at, char *buf, size_t room)
{
    size_t got = 0;

    while (got < room) { /* a page each time */
        size_t n = SPACE_PAGE - (at & (SPACE_PAGE - 1));
        const char *zero;

        if (n > room - got)
            n = room - got;
        if (space_read(s, at, buf + got, n))
            return -EFAULT;
        zero = memchr(buf + got, 0, n);
        if (zero)
            return (int)(zero - buf);
        at += n, got += n;
    }
    return -ENAMETOOLONG;
}

int space_hold(struct space *s, uint64_t at, uint64_t *len, bool write, struct iovec *iov, int max)
{
    uint64_t left = *len;
    int n = 0, err;

    if (!range_in(at, left, s->floor, s->top - s->floor))
        return -EFAULT;
    while (left) { /* a page each time; len is bounded by the caller */
        uint64_t in = at & (SPACE_PAGE - 1);
        size_t part = left < SPACE_PAGE - in ? left : SPACE_PAGE - in;
        uint8_t *p = space_touch(s, at, write ? SPACE_WRITE : SPACE_READ, &err);

        if (!p)
            break;
        p += in;
        if (n && (uint8_t *)iov[n - 1].iov_base + iov[n - 1].iov_len == p)
            iov[n - 1].iov_len += part;
        else if (n == max)
            break;
        else
            iov[n++] = (struct iovec){p, part};
        at += part, left -= part;
    }
    if (left == *len && left)
        return -EFAULT;
    *len -= left;
    return n;
}

void space_written(struct space *s, uint64_t at, uint64_t len)
{
    while (len) { /* a page each time */
        uint64_t in = at & (SPACE_PAGE - 1), *e = space_pte(s, at, false);
        uint64_t n = len < SPACE_PAGE - in ? len : SPACE_PAGE - in;

        if (e && (*e & PTE_HELD))
            ram_written(s->ram, (*e & PTE_FRAME) + in, n);
        at += n, len -= n;
    }
}
