/*
 * The raw backend's requests as plain system calls: one non-blocking try on the caller's thread
 * (raw_inline), and to the end, blocking, on the worker's (raw_sync). Short transfers go on where
 * they stopped; an image that shrank under us gives -EIO, not an endless loop.
 */
#include "back/blk_raw.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

int raw_rest(const struct blk_req *req, struct iovec *part, const struct iovec **iov)
{
    size_t skip = req->moved;
    int i = 0;

    while (i < req->iovs && skip >= req->iov[i].iov_len) {
        skip -= req->iov[i].iov_len;
        i++;
    }
    *iov = &req->iov[i];
    if (!skip || i == req->iovs)
        return req->iovs - i;
    part->iov_base = (uint8_t *)req->iov[i].iov_base + skip;
    part->iov_len = req->iov[i].iov_len - skip;
    *iov = part;
    return 1;
}

static ssize_t move(const struct blk_raw *raw, struct blk_req *req, int flags)
{
    off_t at = (off_t)(req->sector * BLK_SECTOR + req->moved);
    const struct iovec *iov;
    struct iovec part;
    int n = raw_rest(req, &part, &iov);
    ssize_t moved;

    if (n == 1 && !flags && req->op == BLK_READ) { /* the cheapest call there is */
        moved = pread(raw->fd, iov->iov_base, iov->iov_len, at);
        if (moved >= 0 || errno != EINTR)
            return moved < 0 ? -errno : moved;
    }
    do
        moved = req->op == BLK_READ ? preadv2(raw->fd, iov, n, at, flags)
                                    : pwritev2(raw->fd, iov, n, at, flags);
    while (moved < 0 && errno == EINTR);
    return moved < 0 ? -errno : moved;
}

/* To the end: each turn moves at least a byte, or it ends. */
static int move_all(const struct blk_raw *raw, struct blk_req *req)
{
    while (req->moved < req->sectors * BLK_SECTOR) {
        ssize_t n = raw_askew(raw, req) ? raw_askew_move(raw, req) : move(raw, req, 0);
        if (n <= 0 || (raw->direct && n % BLK_SECTOR))
            return n < 0 ? (int)n : -EIO;
        req->moved += (size_t)n;
    }
    return 0;
}

static int write_zeroes(const struct blk_raw *raw, uint64_t at, uint64_t len)
{
    static const uint8_t zeroes[65536] __attribute__((aligned(4096)));

    while (len) {
        size_t n = len < sizeof(zeroes) ? (size_t)len : sizeof(zeroes);
        ssize_t w = pwrite(raw->fd, zeroes, n, (off_t)at);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return w ? -errno : -EIO;
        at += (uint64_t)w;
        len -= (uint64_t)w;
    }
    return 0;
}

/* A hint: where the host can't, nothing is lost. A device that is not ours alone (extents, or a
 * partition that the host has mounted) refuses while written pages of the range wait in its cache.
 */
static int discard(const struct blk_raw *raw, uint64_t range[2])
{
    int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, rc;

    if (!raw->block_device)
        rc = fallocate(raw->fd, punch, (off_t)range[0], (off_t)range[1]);
    else if ((rc = ioctl(raw->fd, BLKDISCARD, range)) && errno == EBUSY && !fdatasync(raw->fd))
        rc = ioctl(raw->fd, BLKDISCARD, range);
    return !rc || errno == EOPNOTSUPP || errno == ENOSYS || errno == EBUSY ? 0 : -errno;
}

static int clear(const struct blk_raw *raw, const struct blk_req *req)
{
    uint64_t range[2] = {req->sector * BLK_SECTOR, req->sectors * BLK_SECTOR};
    int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    int zero = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;

    if (req->op == BLK_DISCARD)
        return discard(raw, range);
    if (!fallocate(raw->fd, zero, (off_t)range[0], (off_t)range[1]))
        return 0;
    if (!raw->block_device && !fallocate(raw->fd, punch, (off_t)range[0], (off_t)range[1]))
        return 0;
    if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL && errno != EBUSY)
        return -errno;
    return write_zeroes(raw, range[0], range[1]);
}

int raw_sync(struct blk_raw *raw, struct blk_req *req)
{
    switch (req->op) {
    case BLK_READ:
    case BLK_WRITE: return move_all(raw, req);
    case BLK_FLUSH: return fdatasync(raw->fd) ? -errno : 0;
    default: return clear(raw, req);
    }
}

bool raw_inline(struct blk_raw *raw, struct blk_req *req, int *err)
{
    ssize_t n;

    if (raw->in_memory) {
        *err = raw_sync(raw, req);
        return true;
    }
    if (req->op != BLK_READ || raw->direct)
        return false; /* file systems take locks and journals on the way of a write */
    n = move(raw, req, RWF_NOWAIT);
    if (n > 0)
        req->moved += (size_t)n;
    *err = 0;
    return req->moved == req->sectors * BLK_SECTOR; /* else the rest, or the error, is the ring's */
}
