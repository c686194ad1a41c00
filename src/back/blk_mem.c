/*
 * A RAM disk: memory that is there while the VM is. Requests end inside submit, so it is the
 * backend with the least of its own in a measurement, and the one scripts use. Pages are given back
 * by discard, and cost nothing before their first write.
 */
#include "back/blk.h"
#include "core/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct blk_mem {
    struct blk blk;
    uint8_t *data;
    size_t len;
};

static void mem_move(struct blk_mem *m, const struct blk_req *req)
{
    uint8_t *at = m->data + req->sector * BLK_SECTOR;

    for (int i = 0; i < req->iovs; i++) {
        const struct iovec *v = &req->iov[i];
        if (req->op == BLK_WRITE)
            memcpy(at, v->iov_base, v->iov_len);
        else
            memcpy(v->iov_base, at, v->iov_len);
        at += v->iov_len;
    }
}

/* Zero the range; whole pages go back to the host. */
static void mem_clear(struct blk_mem *m, const struct blk_req *req)
{
    const size_t page = 4096;
    size_t from = req->sector * BLK_SECTOR, to = from + req->sectors * BLK_SECTOR;
    size_t first = (from + page - 1) & ~(page - 1), last = to & ~(page - 1);

    if (first >= last || madvise(m->data + first, last - first, MADV_DONTNEED)) {
        memset(m->data + from, 0, to - from);
        return;
    }
    memset(m->data + from, 0, first - from);
    memset(m->data + last, 0, to - last);
}

static void mem_submit(struct blk *b, struct blk_req *req)
{
    struct blk_mem *m = container_of(b, struct blk_mem, blk);

    switch (req->op) {
    case BLK_READ:
    case BLK_WRITE: mem_move(m, req); break;
    case BLK_DISCARD:
    case BLK_ZEROES: mem_clear(m, req); break;
    default: break; /* flush: memory is as durable as it gets */
    }
    blk_finish(req, 0);
}

static void mem_drain(struct blk *b)
{
    (void)b; /* everything finished inside submit */
}

static void mem_close(struct blk *b)
{
    struct blk_mem *m = container_of(b, struct blk_mem, blk);

    munmap(m->data, m->len);
    free(m);
}

static const struct blk_ops mem_ops = {"mem", mem_submit, mem_drain, mem_close};

int blk_mem_open(struct blk **out, uint64_t bytes, const char *name, struct loop *loop,
                 struct ledger *ledger, struct error *err)
{
    struct blk_mem *m;

    if (!bytes || bytes % BLK_SECTOR)
        return error_set(err, -EINVAL, "a RAM disk of %llu bytes: must be a multiple of %u",
                         (unsigned long long)bytes, BLK_SECTOR);
    m = calloc(1, sizeof(*m));
    if (!m)
        return error_set(err, -ENOMEM, "out of memory");
    m->len = bytes;
    m->data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (m->data == MAP_FAILED) {
        free(m);
        return error_set(err, -ENOMEM, "a RAM disk of %llu bytes: no memory for it",
                         (unsigned long long)bytes);
    }
    m->blk.ops = &mem_ops;
    m->blk.sectors = bytes / BLK_SECTOR;
    m->blk.can_discard = m->blk.can_zeroes = true;
    if (blk_init(&m->blk, name, loop, ledger)) {
        mem_close(&m->blk);
        return error_set(err, -ENOMEM, "out of memory");
    }
    *out = &m->blk;
    return 0;
}
