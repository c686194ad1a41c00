/*
 * Images past the host's page cache (O_DIRECT, open(2)): what one machine reads pushes nothing of
 * the others' out of memory, and the thread that serves them copies nothing. The kernel then moves
 * whole sectors straight from and to the guest's memory, which must be aligned to one, too. What is
 * not, as firmware and small requests of drivers may ask, goes by the worker and through memory of
 * its own.
 *
 * It is one descriptor, because the image's lock lives as long as what is in flight of it
 * (blk_lock.h).
 */
#include "back/blk_raw.h"
#include "core/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096 };

/* Whether sectors will do, of the image and in memory, is up to the host's disk and file system.
 * Linux says so from 6.1 on (statx(2)); else a read shows it. */
static int sectors_do(const struct blk_raw *raw)
{
#ifdef STATX_DIOALIGN
    struct statx st;

    if (!statx(raw->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &st) && st.stx_mask & STATX_DIOALIGN &&
        (!st.stx_dio_offset_align || st.stx_dio_offset_align > BLK_SECTOR ||
         st.stx_dio_mem_align > BLK_SECTOR))
        return -EINVAL;
#endif
    return pread(raw->fd, raw->aside + BLK_SECTOR, BLK_SECTOR, 0) < 0 ? -errno : 0;
}

int raw_direct_open(struct blk_raw *raw, const struct blk_open_opts *o, struct error *err)
{
    int flags = fcntl(raw->fd, F_GETFL), code;

    raw->direct = true;
    raw->aside = aligned_alloc(PAGE, RAW_ASIDE);
    if (!raw->aside)
        return error_set(err, -ENOMEM, "out of memory");
    code = fcntl(raw->fd, F_SETFL, flags | O_DIRECT) ? -errno : sectors_do(raw);
    if (code == -EINVAL)
        return error_set(err, code,
                         "--disk %s,direct: its file system or disk can't, in sectors of %u bytes; "
                         "leave direct out",
                         o->path, BLK_SECTOR);
    return code ? error_set(err, code, "--disk %s,direct: %s", o->path, strerror(-code)) : 0;
}

void raw_direct_close(struct blk_raw *raw)
{
    free(raw->aside);
}

/* Bound: BLK_SEGS_MAX. */
bool raw_askew(const struct blk_raw *raw, const struct blk_req *req)
{
    uintptr_t all = 0;

    if (!raw->direct || (req->op != BLK_READ && req->op != BLK_WRITE))
        return false;
    for (int i = 0; i < req->iovs; i++)
        all |= (uintptr_t)req->iov[i].iov_base | req->iov[i].iov_len;
    return all % BLK_SECTOR;
}

/* len bytes of the request from byte `at` on, from or to aside. */
static void copy(const struct blk_raw *raw, const struct blk_req *req, size_t at, size_t len)
{
    uint8_t *p = raw->aside;

    for (int i = 0; i < req->iovs && len; i++) {
        const struct iovec *v = &req->iov[i];
        size_t n;

        if (at >= v->iov_len) {
            at -= v->iov_len;
            continue;
        }
        n = v->iov_len - at < len ? v->iov_len - at : len;
        if (req->op == BLK_READ)
            memcpy((uint8_t *)v->iov_base + at, p, n);
        else
            memcpy(p, (const uint8_t *)v->iov_base + at, n);
        p += n;
        len -= n;
        at = 0;
    }
}

ssize_t raw_askew_move(const struct blk_raw *raw, struct blk_req *req)
{
    size_t left = req->sectors * BLK_SECTOR - req->moved, len = left < RAW_ASIDE ? left : RAW_ASIDE;
    off_t at = (off_t)(req->sector * BLK_SECTOR + req->moved);
    ssize_t n;

    if (req->op == BLK_WRITE)
        copy(raw, req, req->moved, len);
    do
        n = req->op == BLK_READ ? pread(raw->fd, raw->aside, len, at)
                                : pwrite(raw->fd, raw->aside, len, at);
    while (n < 0 && errno == EINTR);
    if (n > 0 && req->op == BLK_READ)
        copy(raw, req, req->moved, (size_t)n);
    return n < 0 ? -errno : n;
}
