/*
 * Virtqueues: what all ring formats share. VIRTIO 1.2, section 2.6.
 *
 * How a ring works. The driver writes descriptors (address, length, direction) into guest memory,
 * links them into chains, one chain a request, and lists the chains' heads in the driver area. The
 * device takes heads in order (vq_pop), serves them in any order, and lists each in the device
 * area when it is done with it (vq_push, shown by vq_signal). Kicks tell the device of new heads,
 * interrupts tell the driver of finished ones; each side can tell the other to spare it.
 *
 * What is trusted: nothing. The areas are checked to be RAM once, when the queue starts, and the
 * pointers are ours from then on. Each descriptor is copied once and the copy is judged; nothing
 * is read twice. A head that is out of range or still in flight, a loop, a chain longer than the
 * ring or 256 segments: the queue is broken and stays so until the driver resets the device. The
 * addresses in a chain are not judged here; dma_* does, and a bad one fails that one request.
 */
#include "virtio/vq.h"
#include "core/state.h"
#include "mem/dma.h"
#include "mem/ram.h"
#include "virtio/vcheck.h"
#include "virtio/vevil.h"
#include "virtio/vq_flight.h"
#include "virtio/vq_ring.h"
#include <errno.h>
#include <string.h>

/* Chains that the driver can't have back yet: in flight, or pushed and not shown. */
static unsigned owned(const struct vq *q)
{
    return (unsigned)q->in_flight + q->unshown;
}

int vq_start(struct vq *q, struct dma *dma, const struct vq_conf *conf)
{
    int err;

    memset(q, 0, sizeof(*q));
    q->dma = dma;
    q->conf = *conf;
    q->ring = conf->packed ? &vq_packed : &vq_split;
    err = conf->size && conf->size <= VQ_SIZE_MAX ? q->ring->map(q) : -EINVAL;
    if (err)
        vq_stop(q);
    return err;
}

void vq_stop(struct vq *q)
{
    memset(q, 0, sizeof(*q));
}

/* Who is popped now is given back after all who are in flight: at most a ring. */
static void line_join(struct vq *q, uint16_t head)
{
    q->line.head[(q->line.first + q->line.count) % VQ_SIZE_MAX] = head;
    q->line.count++;
}

static inline void popped(struct vq *q, uint16_t head)
{
    q->busy[head / 64] |= 1ull << head % 64;
    q->in_flight++;
    if (q->conf.in_order)
        line_join(q, head);
}

static inline bool is_watched(const struct vq *q)
{
    return q->check || q->flight || q->dma->tap;
}

int vq_pop(struct vq *q, struct vq_chain *c)
{
    int n;

    if (!q->desc || q->broken || !q->dma->enabled)
        return q->broken ? -EINVAL : 0;
    if (q->ring->take && !is_watched(q) && owned(q) < q->conf.size && q->ring->take(q, c)) {
        popped(q, c->head);
        return 1;
    }
    if (__builtin_expect(q->check != NULL, 0))
        vq_check_fetch(q->check, q);
    n = q->ring->next(q, &c->head);
    if (n <= 0)
        return n;
    if (c->head >= q->conf.size || ring_busy(q, c->head)) {
        q->broken = "a head that is out of range or in flight";
        return -EINVAL;
    }
    if (owned(q) >= q->conf.size) {
        q->broken = "more chains than the ring has descriptors";
        return -EINVAL;
    }
    if (q->ring->walk(q, c))
        return -EINVAL;
    if (__builtin_expect(q->flight != NULL, 0))
        vq_flight_took(q, c->head);
    popped(q, c->head);
    return 1;
}

/*
 * 2.7.5.3, 2.8.7. A table may have as many entries as a chain has segments here, however small the
 * ring is. The specification allows no more than the ring's size, but stock drivers go by what the
 * device said that a request may have (blk's seg_max) and keep the ring they got: a front end that
 * chose a smaller one, or a driver that found no memory for all of it. --check virtio reports it.
 */
const char *vq_table(const struct vq *q, const struct vq_seg *at, uint16_t flags,
                     const uint8_t **table)
{
    if (!q->conf.indirect)
        return "an indirect descriptor, which was not agreed on";
    if (flags & DESC_F_NEXT)
        return "an indirect descriptor that has a next one";
    if (!at->len || at->len % DESC_LEN)
        return "an indirect table that is no number of descriptors";
    if (at->len / DESC_LEN > VQ_SEGS_MAX)
        return "an indirect table of more than 256 entries";
    *table = ram_ptr(q->dma->ram, at->gpa, at->len);
    return *table ? NULL : "an indirect table that is not in RAM";
}

void vq_ahead(const struct vq *q, unsigned n, bool write)
{
    uint64_t addr[VQ_AHEAD_MAX];

    if (!q->desc || q->broken)
        return;
    n = q->ring->peek(q, n < VQ_AHEAD_MAX ? n : VQ_AHEAD_MAX, addr);
    for (unsigned i = 0; i < n; i++) {
        const uint8_t *host = ram_host(q->dma->ram, addr[i], 1);

        if (!host)
            continue;
        ring_want(host, write);
        ring_want(host + LINE, write);
    }
}

void vq_unpop(struct vq *q, const struct vq_chain *c)
{
    if (!q->desc || c->head >= q->conf.size || !ring_busy(q, c->head))
        return;
    q->busy[c->head / 64] &= ~(1ull << c->head % 64);
    q->in_flight--;
    if (q->conf.in_order)
        q->line.count--;
    if (__builtin_expect(q->check != NULL, 0))
        vq_check_unpop(q->check, c->head);
    if (!q->flight || !vq_flight_unpop(q, c->head))
        q->ring->unpop(q, c->head);
}

/* Walks [off, off+len) of a part of a chain, piece by piece. */
struct cursor {
    const struct vq_seg *seg, *end;
    uint64_t off, left;
};

static int cursor_begin(struct cursor *cur, const struct vq_chain *c, bool in, uint64_t off,
                        uint64_t len)
{
    cur->seg = in ? c->seg + c->outs : c->seg;
    cur->end = in ? cur->seg + c->ins : cur->seg + c->outs;
    cur->off = off;
    cur->left = len;
    return range_in(off, len, 0, in ? c->in_len : c->out_len) ? 0 : -EINVAL;
}

/* Bound: the chain's segments, at most VQ_SEGS_MAX. */
static bool cursor_next(struct cursor *cur, struct vq_seg *piece)
{
    for (; cur->left && cur->seg < cur->end; cur->seg++) {
        uint64_t room;

        if (cur->off >= cur->seg->len) {
            cur->off -= cur->seg->len;
            continue;
        }
        room = cur->seg->len - cur->off;
        piece->len = (uint32_t)(room < cur->left ? room : cur->left);
        piece->gpa = cur->seg->gpa + cur->off;
        cur->left -= piece->len;
        cur->off = 0;
        cur->seg++;
        return true;
    }
    return false;
}

int vq_get(struct vq *q, const struct vq_chain *c, uint64_t off, void *buf, size_t len)
{
    struct vq_seg piece;
    struct cursor cur;
    uint8_t *to = buf;
    int err;

    if (c->outs == 1 && range_in(off, len, 0, c->out_len))
        return dma_read(q->dma, c->seg->gpa + off, buf, len);
    err = cursor_begin(&cur, c, false, off, len);
    while (!err && cursor_next(&cur, &piece)) {
        err = dma_read(q->dma, piece.gpa, to, piece.len);
        to += piece.len;
    }
    return err;
}

int vq_put(struct vq *q, const struct vq_chain *c, uint64_t off, const void *buf, size_t len)
{
    struct vq_seg piece;
    struct cursor cur;
    const uint8_t *from = buf;
    int err;

    if (__builtin_expect(q->evil != NULL, 0))
        len = vevil_put(q->evil, q, len);
    err = cursor_begin(&cur, c, true, off, len);
    while (!err && cursor_next(&cur, &piece)) {
        err = dma_write(q->dma, piece.gpa, from, piece.len);
        from += piece.len;
    }
    return err;
}

/* One piece, as cards' drivers have it: one look at where it lies. */
int vq_put_parts(struct vq *q, const struct vq_chain *c, const struct dma_parts *p)
{
    uint64_t at = p->head_len;
    int err;

    if (c->ins == 1 && p->len <= c->in_len && __builtin_expect(!q->evil, 1))
        return dma_write_parts(q->dma, c->seg[c->outs].gpa, p);
    err = vq_put(q, c, 0, p->head, p->head_len);
    for (int i = 0; i < p->iovs && !err; i++) {
        err = vq_put(q, c, at, p->iov[i].iov_base, p->iov[i].iov_len);
        at += p->iov[i].iov_len;
    }
    return err;
}

int vq_hold(struct vq *q, const struct vq_chain *c, bool in, uint64_t off, uint64_t len,
            struct iovec *iov, int max)
{
    struct vq_seg piece;
    struct cursor cur;
    int n = 0, err;

    if (!in && c->outs == 1 && range_in(off, len, 0, c->out_len))
        return dma_hold(q->dma, c->seg->gpa + off, len, false, iov, max);
    err = cursor_begin(&cur, c, in, off, len);
    while (!err && cursor_next(&cur, &piece)) {
        int got;

        if (n == max)
            return -E2BIG;
        got = dma_hold(q->dma, piece.gpa, piece.len, in, iov + n, max - n);
        if (got < 0)
            return got;
        n += got;
    }
    return err ? err : n;
}

int vq_peel(struct vq *q, const struct vq_chain *c, struct vq_peel *p)
{
    int err;

    if (c->outs == 1 && p->len <= c->out_len && p->max)
        return dma_peel(q->dma, c->seg->gpa, c->out_len, p->buf, p->len, p->iov);
    err = vq_get(q, c, 0, p->buf, p->len);
    return err ? err : vq_hold(q, c, false, p->len, c->out_len - p->len, p->iov, p->max);
}

void vq_drop(struct vq *q, const struct vq_chain *c, uint64_t off, uint64_t len)
{
    struct vq_seg piece;
    struct cursor cur;

    if (cursor_begin(&cur, c, true, off, len))
        return;
    while (cursor_next(&cur, &piece))
        dma_drop(q->dma, piece.gpa, piece.len, true);
}

static bool is_out(const struct vq *q, uint16_t head)
{
    return q->desc && head < q->conf.size && ring_busy(q, head);
}

/* head is out. */
static void leave(struct vq *q, uint16_t head)
{
    if (__builtin_expect(q->check != NULL, 0))
        vq_check_push(q->check, q, head);
    q->busy[head / 64] &= ~(1ull << head % 64);
    q->in_flight--;
}

void vq_lose(struct vq *q, uint16_t head)
{
    if (is_out(q, head))
        leave(q, head);
}

static void back(struct vq *q, uint16_t head, uint32_t written)
{
    leave(q, head);
    q->ring->push(q, head, written);
    q->unshown++;
}

void vq_give(struct vq *q, uint16_t head, uint16_t id, uint32_t written)
{
    if (!is_out(q, head))
        return;
    leave(q, head);
    if (q->conf.packed && id != head) {
        q->pk.id[head] = id;
        id = head;
    }
    q->ring->push(q, id, written);
    q->unshown++;
}

/* 2.7.9, 2.8.8. Bound: what is in flight. */
static void line_leave(struct vq *q, uint16_t head, uint32_t written)
{
    q->line.written[head] = written;
    q->line.done[head / 64] |= 1ull << head % 64;
    while (q->line.count) {
        uint16_t next = q->line.head[q->line.first];

        if (!(q->line.done[next / 64] >> next % 64 & 1))
            return;
        q->line.done[next / 64] &= ~(1ull << next % 64);
        q->line.first = (uint16_t)((q->line.first + 1) % VQ_SIZE_MAX);
        q->line.count--;
        back(q, next, q->line.written[next]);
    }
}

void vq_push(struct vq *q, uint16_t head, uint32_t written)
{
    if (!is_out(q, head))
        return;
    if (q->conf.in_order)
        line_leave(q, head, written);
    else if (__builtin_expect(!q->evil || !vevil_give(q->evil, q, head, written), 1))
        back(q, head, written);
}

bool vq_signal(struct vq *q)
{
    bool heard = true, wanted;

    if (__builtin_expect(q->evil != NULL, 0) && q->desc && q->unshown)
        heard = vevil_show(q->evil, q);
    wanted = q->desc && q->unshown && q->ring->show(q);
    q->unshown = 0;
    return wanted && heard;
}

void vq_quiet(struct vq *q)
{
    q->wants = false;
    if (!q->desc || q->hushed)
        return;
    q->ring->quiet(q);
    q->hushed = true;
}

bool vq_waiting(const struct vq *q)
{
    if (!q->desc || q->broken)
        return false;
    return q->ring->waiting(q) || (q->flight && vq_flight_again(q));
}

bool vq_listen(struct vq *q)
{
    if (!q->desc || q->broken)
        return false;
    q->wants = true;
    if (q->polled)
        return vq_waiting(q);
    q->hushed = false;
    return q->ring->listen(q) || (q->flight && vq_flight_again(q));
}

bool vq_rest(struct vq *q)
{
    q->polled = false;
    return q->wants && vq_listen(q);
}

bool vq_sane(const struct vq *q)
{
    unsigned heads = 0;

    for (size_t i = 0; i < ARRAY_LEN(q->busy); i++)
        heads += (unsigned)__builtin_popcountll(q->busy[i]);
    if (!q->desc)
        return !q->in_flight && !heads;
    if (q->conf.in_order && q->line.count != q->in_flight)
        return false;
    return heads == q->in_flight && owned(q) <= q->conf.size && q->known <= q->conf.size;
}

void vq_state(struct vq *q, struct state *st)
{
    state_section(st, "vq", 1);
    state_check(st, !q->in_flight);
    if (q->ring)
        q->ring->state(q, st);
}
