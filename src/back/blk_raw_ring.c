/*
 * The raw backend through io_uring (io_uring(7), liburing). Requests are submitted by whichever
 * thread holds the VM lock, and reaped under it too: right after the submit, when the kernel could
 * do it at once, else when the ring's eventfd wakes the loop. The kernel cancels what an exiting
 * thread had submitted; a request that ended so, or was interrupted, or moved only a part, is sent
 * again.
 */
#include "back/blk_raw.h"

#include <errno.h>
#include <linux/falloc.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRIES_MAX 64 /* sends in a row of one request without a byte moved */

/* Nothing but what a disk does: a filter of system calls does not see what is asked of a ring. */
static int restrict_to_disks(struct io_uring *ring)
{
    static const uint8_t op[] = {IORING_OP_READ,   IORING_OP_WRITE, IORING_OP_READV,
                                 IORING_OP_WRITEV, IORING_OP_FSYNC, IORING_OP_FALLOCATE};
    struct io_uring_restriction may[ARRAY_LEN(op)] = {{0}};

    for (unsigned i = 0; i < ARRAY_LEN(op); i++) {
        may[i].opcode = IORING_RESTRICTION_SQE_OP;
        may[i].sqe_op = op[i];
    }
    /* By number: Debian 12's liburing declares these two functions and has neither. */
    if (syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_RESTRICTIONS, may,
                ARRAY_LEN(may)) ||
        syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0))
        return -errno;
    return 0;
}

int raw_ring_init(struct blk_raw *raw)
{
    int rc =
        io_uring_queue_init(RAW_DEPTH, &raw->ring, IORING_SETUP_CLAMP | IORING_SETUP_R_DISABLED);

    if (rc)
        return rc; /* before Linux 5.10 too: the worker serves */
    rc = io_uring_register_eventfd(&raw->ring, raw->event);
    if (!rc)
        rc = restrict_to_disks(&raw->ring);
    if (rc)
        io_uring_queue_exit(&raw->ring);
    return rc;
}

void raw_ring_close(struct blk_raw *raw)
{
    if (raw->ring_ok)
        io_uring_queue_exit(&raw->ring);
    raw->ring_ok = false;
}

static void prep_move(const struct blk_raw *raw, struct blk_req *req, struct io_uring_sqe *sqe)
{
    uint64_t at = req->sector * BLK_SECTOR + req->moved;
    const struct iovec *iov;
    struct iovec part;
    int n = raw_rest(req, &part, &iov);

    if (iov == &part || n == 1) { /* part is ours and gone on return: its address goes in the SQE */
        unsigned len = iov->iov_len < (1u << 30) ? (unsigned)iov->iov_len : 1u << 30;
        if (req->op == BLK_READ)
            io_uring_prep_read(sqe, raw->fd, iov->iov_base, len, at);
        else
            io_uring_prep_write(sqe, raw->fd, iov->iov_base, len, at);
    } else if (req->op == BLK_READ) {
        io_uring_prep_readv(sqe, raw->fd, iov, (unsigned)n, at);
    } else {
        io_uring_prep_writev(sqe, raw->fd, iov, (unsigned)n, at);
    }
}

static void prep(const struct blk_raw *raw, struct blk_req *req, struct io_uring_sqe *sqe)
{
    off_t at = (off_t)(req->sector * BLK_SECTOR), len = (off_t)(req->sectors * BLK_SECTOR);

    switch (req->op) {
    case BLK_READ:
    case BLK_WRITE: prep_move(raw, req, sqe); break;
    case BLK_FLUSH: io_uring_prep_fsync(sqe, raw->fd, IORING_FSYNC_DATASYNC); break;
    case BLK_DISCARD:
        io_uring_prep_fallocate(sqe, raw->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, len);
        break;
    default:
        io_uring_prep_fallocate(sqe, raw->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, at, len);
        break;
    }
    io_uring_sqe_set_data(sqe, req);
}

/* Puts waiting requests in the ring as places allow, then tells the kernel once. */
static void pump(struct blk_raw *raw)
{
    const uint64_t one = 1;
    int rc;

    while (raw->waiting.head && raw->ring_pending < RAW_DEPTH) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&raw->ring);
        if (!sqe)
            break;
        prep(raw, raw_list_take(&raw->waiting), sqe);
        raw->ring_pending++;
    }
    if (!io_uring_sq_ready(&raw->ring))
        return;
    rc = io_uring_submit(&raw->ring);
    /* Out of memory or interrupted: the entries stay in the ring; look again on the loop's turn. */
    if (rc < 0 && write(raw->event, &one, sizeof(one)) < 0)
        return;
}

/* What a result means: true when the request has ended, *err says how. */
static bool judge(struct blk_req *req, int res, int *err)
{
    bool moves = req->op == BLK_READ || req->op == BLK_WRITE;

    *err = 0;
    if (res == -EINTR || res == -EAGAIN || res == -ECANCELED) {
        *err = res;
        return ++req->tries == TRIES_MAX;
    }
    if (res == -EOPNOTSUPP && req->op == BLK_DISCARD)
        return true; /* a hint: where the host can't, nothing is lost */
    if (res < 0 || !moves) {
        *err = res < 0 ? res : 0;
        return true;
    }
    if (res == 0) {
        *err = -EIO; /* the image was truncated under us */
        return true;
    }
    req->tries = 0;
    req->moved += (size_t)res;
    return req->moved >= req->sectors * BLK_SECTOR;
}

static void take(struct blk_raw *raw, struct io_uring_cqe *cqe)
{
    struct blk_req *req = io_uring_cqe_get_data(cqe);
    int res = cqe->res, err;

    io_uring_cqe_seen(&raw->ring, cqe);
    raw->ring_pending--;
    if (raw->direct && res > 0 && res % (int)BLK_SECTOR)
        res = -EIO; /* the image was truncated in the midst of a sector */
    if (req->op == BLK_ZEROES && (res == -EOPNOTSUPP || res == -EINVAL))
        raw_worker_give(raw, req); /* which knows other ways to zero */
    else if (judge(req, res, &err))
        blk_finish(req, err);
    else
        raw_list_add(&raw->waiting, req);
}

void raw_ring_reap(struct blk_raw *raw, bool wait)
{
    struct io_uring_cqe *cqe;

    pump(raw);
    if (wait && raw->ring_pending && io_uring_wait_cqe(&raw->ring, &cqe))
        return; /* interrupted: the caller asks again */
    while (!io_uring_peek_cqe(&raw->ring, &cqe))
        take(raw, cqe);
    if (raw->waiting.head)
        pump(raw); /* places became free, or a rest is to be moved */
}

void raw_ring_give(struct blk_raw *raw, struct blk_req *req)
{
    raw_list_add(&raw->waiting, req);
    raw_ring_reap(raw, false);
}
