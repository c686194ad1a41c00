/*
 * Raw images: a file or block device whose bytes are the disk's bytes.
 *
 * A request takes the first of three ways that can serve it. (1) Inline, on the caller's thread,
 * when it can't block: reads of cached pages (preadv2 RWF_NOWAIT) and everything on tmpfs, so that
 * a guest's 4 KiB read costs one system call and no hand-off. (2) io_uring, whose completions reach
 * the event loop by an eventfd. (3) A worker thread, where io_uring is not allowed, for ioctls, and
 * for what direct I/O can't take as it lies (blk_raw_direct.c).
 * The image, or the extent of it that is used, is locked: blk_lock.h.
 */
#include "back/blk_raw.h"
#include "back/blk_kernel.h"
#include "back/blk_lock.h"
#include "back/gpt_file.h"
#include "core/error.h"
#include "core/ledger.h"
#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define TMPFS_TYPE 0x01021994 /* TMPFS_MAGIC of <linux/magic.h> */
#define RAMFS_TYPE 0x858458f6

void raw_list_init(struct raw_list *l)
{
    l->head = NULL;
    l->end = &l->head;
}

void raw_list_add(struct raw_list *l, struct blk_req *req)
{
    req->next = NULL;
    *l->end = req;
    l->end = &req->next;
}

struct blk_req *raw_list_take(struct raw_list *l)
{
    struct blk_req *req = l->head;

    if (req) {
        l->head = req->next;
        if (!l->head)
            l->end = &l->head;
    }
    return req;
}

static void count(struct blk_raw *raw, const struct blk_req *req, enum raw_way way)
{
    bool moves = req->op == BLK_READ || req->op == BLK_WRITE;

    ledger_add(raw->way[way], req->op != BLK_READ, moves ? req->sectors * BLK_SECTOR : 0);
}

static void raw_submit(struct blk *b, struct blk_req *req)
{
    struct blk_raw *raw = container_of(b, struct blk_raw, blk);
    int err;

    if (raw_inline(raw, req, &err)) {
        count(raw, req, RAW_INLINE);
        blk_finish(req, err);
    } else if (raw->ring_ok && !(raw->block_device && req->op == BLK_DISCARD) &&
               !raw_askew(raw, req)) {
        count(raw, req, RAW_RING);
        raw_ring_give(raw, req);
    } else {
        count(raw, req, RAW_WORKER);
        raw_worker_give(raw, req);
    }
}

static void raw_ready(void *arg, uint32_t events)
{
    struct blk_raw *raw = arg;
    uint64_t n;

    (void)events;
    if (read(raw->event, &n, sizeof(n)) < 0) {
        /* Somebody reaped before us (drain): the looks below find nothing. */
    }
    if (raw->ring_ok)
        raw_ring_reap(raw, false);
    raw_worker_reap(raw, false);
}

static void raw_drain(struct blk *b)
{
    struct blk_raw *raw = container_of(b, struct blk_raw, blk);

    /* The ring may pass work on to the worker (write-zeroes), never the other way round. */
    while (raw->ring_ok && (raw->ring_pending || raw->waiting.head))
        raw_ring_reap(raw, true);
    while (raw->worker.pending)
        raw_worker_reap(raw, true);
}

static void raw_close(struct blk *b)
{
    struct blk_raw *raw = container_of(b, struct blk_raw, blk);

    raw_worker_close(raw);
    raw_ring_close(raw);
    if (raw->event >= 0) {
        if (b->loop)
            loop_fd_drop(b->loop, raw->event);
        close(raw->event);
    }
    if (raw->held >= 0)
        close(raw->held);
    if (raw->fd >= 0)
        close(raw->fd); /* drops the lock */
    raw_direct_close(raw);
    free(raw);
}

static const struct blk_ops raw_ops = {"raw", raw_submit, raw_drain, raw_close};

static int open_error(const struct blk_open_opts *o, int code, struct error *err)
{
    switch (code) {
    case ENOENT: return error_set(err, -code, "--disk %s: no such file", o->path);
    case EISDIR: return error_set(err, -code, "--disk %s: is a directory, not an image", o->path);
    case EACCES:
    case EPERM:
        return error_set(err, -code, "--disk %s: no permission to %s it%s", o->path,
                         o->readonly ? "read" : "read and write",
                         o->readonly ? "" : "; add ,readonly to use it read-only");
    case EROFS:
        return error_set(err, -code, "--disk %s: on a read-only file system; add ,readonly",
                         o->path);
    case EBUSY:
        return error_set(err, -code,
                         "--disk %s: the device is in use (mounted?); unmount it, or "
                         "add ,readonly",
                         o->path);
    default: return error_set(err, -code, "--disk %s: %s", o->path, strerror(code));
    }
}

/* O_NONBLOCK: a FIFO must not hold us; O_EXCL on a block device: not while it is mounted. */
static int image_open(struct blk_raw *raw, const struct blk_open_opts *o, struct error *err)
{
    int mode = (o->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK;
    struct stat st;

    if (stat(o->path, &st))
        return open_error(o, errno, err);
    if (S_ISDIR(st.st_mode))
        return open_error(o, EISDIR, err);
    if (S_ISBLK(st.st_mode) && !o->readonly && !o->extent) /* extents have the disk together */
        mode |= O_EXCL;
    raw->fd = open(o->path, mode);
    if (raw->fd < 0)
        return open_error(o, errno, err);
    if (fstat(raw->fd, &st))
        return open_error(o, errno, err);
    raw->block_device = S_ISBLK(st.st_mode);
    if (!raw->block_device && !S_ISREG(st.st_mode))
        return error_set(err, -EINVAL, "--disk %s: neither a regular file nor a block device",
                         o->path);
    mode &= ~(O_NONBLOCK | O_EXCL);
    /* A read's time is nobody's business, and costs: where the image is ours to say so. */
    if (fcntl(raw->fd, F_SETFL, mode | O_NOATIME) && fcntl(raw->fd, F_SETFL, mode))
        return open_error(o, errno, err);
    return 0;
}

static int image_size(struct blk_raw *raw, const struct blk_open_opts *o, struct error *err)
{
    struct stat st;
    uint64_t bytes = 0;
    int ro = 0;

    if (raw->block_device) {
        if (ioctl(raw->fd, BLKGETSIZE64, &bytes) || ioctl(raw->fd, BLKROGET, &ro))
            return open_error(o, errno, err);
        if (ro && !o->readonly)
            return error_set(err, -EROFS, "--disk %s: the device is read-only; add ,readonly",
                             o->path);
    } else {
        if (fstat(raw->fd, &st))
            return open_error(o, errno, err);
        bytes = (uint64_t)st.st_size;
    }
    if (!bytes)
        return error_set(err, -EINVAL,
                         "--disk %s: is empty; make an image with: "
                         "truncate -s 1G %s",
                         o->path, o->path);
    if (bytes % BLK_SECTOR)
        return error_set(err, -EINVAL,
                         "--disk %s: %llu bytes is not a multiple of %u: a truncated "
                         "image? If not, pad it: truncate -s %%%u %s",
                         o->path, (unsigned long long)bytes, BLK_SECTOR, BLK_SECTOR, o->path);
    raw->blk.sectors = bytes / BLK_SECTOR;
    return 0;
}

static int whole_lock(struct blk_raw *raw, const struct blk_open_opts *o, struct error *err)
{
    int rc = blk_lock(raw->fd, !o->readonly, 0, 0);

    if (rc == -EBUSY)
        return error_set(
            err, rc,
            "--disk %s: image is in use (locked by another VM or disk); stop that one, "
            "or open it readonly in both",
            o->path);
    return rc ? error_set(err, rc, "--disk %s: can't lock the image: %s", o->path, strerror(-rc))
              : 0;
}

static int image_lock(struct blk_raw *raw, const struct blk_open_opts *o, struct error *err)
{
    struct gpt_claim claim = {.path = o->path, .name = o->extent, .writes = !o->readonly};
    int rc;

    if (!o->extent)
        return whole_lock(raw, o, err);
    rc = gpt_claim(raw->fd, &claim, err);
    if (rc)
        return rc;
    if (claim.hint)
        log_warn("--disk %s,extent=%s: %s", o->path, o->extent, claim.hint);
    raw->claim_first = claim.at / BLK_SECTOR;
    raw->claim_sectors = claim.len / BLK_SECTOR;
    if (!o->readonly && blk_kernel_hold(raw->fd, claim.at, claim.len, &raw->held) == -EBUSY)
        return error_set(err, -EBUSY,
                         "--disk %s,extent=%s: this host uses that partition itself (mounted?); "
                         "unmount it, or add ,readonly",
                         o->path, o->extent);
    return 0;
}

void blk_raw_claim(const struct blk *b, uint64_t *first, uint64_t *sectors)
{
    const struct blk_raw *raw = container_of(b, struct blk_raw, blk);

    *first = raw->claim_first;
    *sectors = raw->claim_sectors;
}

static void image_traits(struct blk_raw *raw)
{
    struct statfs fs;

    if (!raw->block_device && !fstatfs(raw->fd, &fs))
        raw->in_memory = (uint64_t)fs.f_type == TMPFS_TYPE || (uint64_t)fs.f_type == RAMFS_TYPE;
    raw->blk.can_discard = raw->blk.can_zeroes = !raw->blk.readonly;
    raw->blk.volatile_cache = true; /* the host's page cache, or its disk's */
}

static int plumb(struct blk_raw *raw, const struct blk_open_opts *o, struct loop *loop,
                 struct error *err)
{
    int rc;

    raw->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (raw->event < 0)
        return error_set(err, -errno, "--disk %s: eventfd: %s", o->path, strerror(errno));
    rc = loop_fd(loop, raw->event, EPOLLIN, raw_ready, raw);
    if (rc) {
        close(raw->event);
        raw->event = -1;
        return error_set(err, rc, "--disk %s: event loop: %s", o->path, strerror(-rc));
    }
    raw->ring_ok = !raw_ring_init(raw);
    if (raw->direct && !raw->ring_ok)
        log_warn("--disk %s,direct: this host allows no io_uring: one request at a time", o->path);
    return 0;
}

static int rows_make(struct blk_raw *raw, struct ledger *ledger)
{
    static const char *const name[] = {"inline", "ring", "worker"};

    for (unsigned i = 0; i < RAW_WAYS; i++) {
        raw->way[i] = ledger_row(ledger, LEDGER_WAY, raw->blk.name, name[i]);
        if (!raw->way[i])
            return -ENOMEM;
    }
    return 0;
}

int blk_raw_open(struct blk **out, const struct blk_open_opts *o, struct loop *loop,
                 struct ledger *ledger, struct error *err)
{
    struct blk_raw *raw = calloc(1, sizeof(*raw));
    int rc;

    if (!raw)
        return error_set(err, -ENOMEM, "out of memory");
    raw->fd = raw->event = raw->held = -1;
    raw->blk.ops = &raw_ops;
    raw->blk.readonly = o->readonly;
    raw_list_init(&raw->waiting);
    raw_worker_init(raw);
    rc = blk_init(&raw->blk, o->name, loop, ledger);
    if (!rc)
        rc = rows_make(raw, ledger);
    if (rc)
        error_set(err, rc, "out of memory");
    if (!rc)
        rc = image_open(raw, o, err);
    if (!rc)
        rc = image_lock(raw, o, err); /* before the size: its owner may be growing it */
    if (!rc)
        rc = image_size(raw, o, err);
    if (!rc && o->direct)
        rc = raw_direct_open(raw, o, err);
    if (!rc)
        rc = plumb(raw, o, loop, err);
    if (rc) {
        raw_close(&raw->blk);
        return rc;
    }
    image_traits(raw);
    *out = &raw->blk;
    return 0;
}
