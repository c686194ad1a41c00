/*
 * A virtual disk as a file: the block back end that devices have, read and written by byte. Whole
 * sectors go straight between the back end and the program's memory; the rest through one sector's
 * worth of bounce at each end. Each operation has ended when the call returns.
 */
#include "back/blk.h"
#include "core/loop.h"
#include "exec/prog.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#define BOUNCE     (64u << 10)
#define DISK_MAJOR 254u /* virtio-blk's, usually */

struct disk_file {
    struct file file;
    struct blk *blk;
    uint64_t pos;
    unsigned n;
    uint8_t *bounce;
};

struct once {
    struct blk_req req;
    int err;
};

static struct disk_file *disk_of(struct file *f)
{
    return container_of(f, struct disk_file, file);
}

static uint64_t disk_size(const struct disk_file *d)
{
    return d->blk->sectors * BLK_SECTOR;
}

static void once_done(struct blk_req *req, int err)
{
    container_of(req, struct once, req)->err = err;
}

/* One request, from its beginning to its end. */
static int disk_do(struct disk_file *d, enum blk_op op, uint64_t at, uint64_t len,
                   const struct iovec *iov, int iovs)
{
    struct iovec own[BLK_SEGS_MAX];
    struct once o = {.req = {.op = op,
                             .sector = at / BLK_SECTOR,
                             .sectors = len / BLK_SECTOR,
                             .iov = own,
                             .iovs = iovs,
                             .done = once_done},
                     .err = -EIO};

    if (iovs)
        memcpy(own, iov, (size_t)iovs * sizeof(*iov));
    loop_collect_begin(d->blk->loop);
    blk_submit(d->blk, &o.req);
    blk_drain(d->blk);
    loop_collect_end(d->blk->loop);
    return o.err;
}

static uint64_t iov_sum(const struct iovec *iov, int n)
{
    uint64_t sum = 0;

    for (int i = 0; i < n; i++)
        sum += iov[i].iov_len;
    return sum;
}

/* Copies between buf and the iovecs from skip bytes on. */
static void iov_copy(const struct iovec *iov, int n, uint64_t skip, uint8_t *buf, size_t len,
                     bool to_iov)
{
    for (int i = 0; i < n && len; i++) {
        size_t room = iov[i].iov_len, part;
        uint8_t *at = iov[i].iov_base;

        if (skip >= room) {
            skip -= room;
            continue;
        }
        at += skip, room -= skip, skip = 0;
        part = len < room ? len : room;
        if (to_iov)
            memcpy(at, buf, part);
        else
            memcpy(buf, at, part);
        buf += part, len -= part;
    }
}

/* The piece [at, at+len) by way of whole sectors in the bounce buffer, which holds them. */
static int disk_piece(struct disk_file *d, const struct iovec *iov, int n, uint64_t skip,
                      uint64_t at, size_t len, bool write)
{
    uint64_t first = at / BLK_SECTOR * BLK_SECTOR;
    uint64_t whole = (at + len - first + BLK_SECTOR - 1) / BLK_SECTOR * BLK_SECTOR;
    struct iovec b = {d->bounce, whole};
    int err = disk_do(d, BLK_READ, first, whole, &b, 1);

    if (err)
        return err;
    iov_copy(iov, n, skip, d->bounce + (at - first), len, !write);
    return write ? disk_do(d, BLK_WRITE, first, whole, &b, 1) : 0;
}

static int64_t disk_bounced(struct disk_file *d, const struct iovec *iov, int n, uint64_t at,
                            uint64_t len, bool write)
{
    uint64_t done = 0;

    if (!d->bounce)
        d->bounce = malloc(BOUNCE);
    if (!d->bounce)
        return -ENOMEM;
    while (done < len) { /* at least half a buffer each time, or the rest */
        uint64_t room = BOUNCE - (at + done) % BLK_SECTOR;
        size_t part = len - done < room ? len - done : room;
        int err = disk_piece(d, iov, n, done, at + done, part, write);

        if (err)
            return done ? (int64_t)done : err;
        done += part;
    }
    return (int64_t)len;
}

static int64_t disk_move(struct file *f, const struct iovec *iov, int n, int64_t off, bool write)
{
    struct disk_file *d = disk_of(f);
    uint64_t at = off < 0 ? d->pos : (uint64_t)off, len = iov_sum(iov, n), room;
    int64_t moved;

    room = at < disk_size(d) ? disk_size(d) - at : 0;
    if (!len)
        return 0;
    if (!room)
        return write ? -ENOSPC : 0;
    if (len <= room && at % BLK_SECTOR == 0 && len % BLK_SECTOR == 0 && n <= BLK_SEGS_MAX) {
        moved = disk_do(d, write ? BLK_WRITE : BLK_READ, at, len, iov, n);
        moved = moved ? moved : (int64_t)len;
    } else {
        moved = disk_bounced(d, iov, n, at, len < room ? len : room, write);
    }
    if (moved > 0 && off < 0)
        d->pos += (uint64_t)moved;
    return moved;
}

static int64_t disk_read(struct file *f, const struct iovec *iov, int n, int64_t at)
{
    return disk_move(f, iov, n, at, false);
}

static int64_t disk_write(struct file *f, const struct iovec *iov, int n, int64_t at)
{
    return disk_move(f, iov, n, at, true);
}

static int64_t disk_seek(struct file *f, int64_t off, int whence)
{
    struct disk_file *d = disk_of(f);
    int64_t base = whence == SEEK_SET   ? 0
                   : whence == SEEK_CUR ? (int64_t)d->pos
                   : whence == SEEK_END ? (int64_t)disk_size(d)
                                        : -1;

    if (base < 0 || (off > 0 && base > INT64_MAX - off) || base + off < 0)
        return -EINVAL;
    d->pos = (uint64_t)(base + off);
    return base + off;
}

static int disk_stat(struct file *f, struct stat *st)
{
    struct disk_file *d = disk_of(f);

    memset(st, 0, sizeof(*st));
    st->st_mode = S_IFBLK | (d->blk->readonly ? 0440 : 0660);
    st->st_nlink = 1;
    st->st_ino = d->n + 1;
    st->st_rdev = makedev(DISK_MAJOR, d->n);
    st->st_blksize = 4096;
    return 0;
}

static int disk_sync(struct file *f)
{
    return disk_do(disk_of(f), BLK_FLUSH, 0, 0, NULL, 0);
}

static void disk_close(struct file *f)
{
    free(disk_of(f)->bounce);
    free(disk_of(f));
}

static const struct file_ops disk_ops = {
    .read = disk_read,
    .write = disk_write,
    .seek = disk_seek,
    .stat = disk_stat,
    .sync = disk_sync,
    .close = disk_close,
};

bool prog_disk_readonly(const struct prog *p, unsigned n)
{
    return p->disk[n]->readonly;
}

struct file *prog_disk(struct prog *p, unsigned n, int flags)
{
    struct disk_file *d = calloc(1, sizeof(*d));

    if (!d)
        return NULL;
    d->file.ops = &disk_ops;
    d->file.users = 1;
    d->file.fd = -1;
    d->file.flags = flags;
    d->file.disk_bytes = p->disk[n]->sectors * BLK_SECTOR;
    d->blk = p->disk[n];
    d->n = n;
    return &d->file;
}
