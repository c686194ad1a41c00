/*
 * The rings that a vhost-user peer lends. A ring runs while it has a kick descriptor, is enabled,
 * and all is known that it needs: features, size, addresses; when one of them goes, it rests at the
 * place where it is, and may go on from there. The peer gives addresses of its own; they become the
 * guest's when the ring starts.
 *
 * Where a ring starts: of a split ring the guest itself sees how far the device was, in the used
 * index, and that is where the next one goes on, whatever SET_VRING_BASE says: after a back end was
 * killed the front end can only guess. A packed ring has no such word. Where the peer keeps a
 * record of what is in flight, that says it for both (back_flight.c).
 *
 * The peer's descriptors are its own to spoil: they are read and written without ever waiting.
 */
#include "core/ledger.h"
#include "vhost/back_impl.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BASE_WRAP = 1 << 15 };

static struct vhost_ring *ring_of(struct vhost_back *b, uint64_t index)
{
    return index < b->v->queues ? &b->ring[index] : NULL;
}

bool vhost_rings_run(const struct vhost_back *b)
{
    for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++)
        if (b->ring[i].runs)
            return true;
    return false;
}

/* ---- eventfds ---- */

void vhost_ring_call(struct vhost_back *b, unsigned queue)
{
    if (queue >= VIRTIO_QUEUES_MAX)
        return;
    ledger_add(b->calls, true, 0);
    vhost_call_raise(&b->ring[queue].call);
    vhost_look(b);
}

/* Once in the life of a ring, so all have one call between them. */
static void err_raise(const struct vhost_ring *r)
{
    struct vhost_call *tell = &r->b->tell;
    int fd = r->err < 0 ? -1 : fcntl(r->err, F_DUPFD_CLOEXEC, 0);

    if (fd >= 0 && !vhost_call_set(tell, fd))
        vhost_call_raise(tell);
    vhost_call_set(tell, -1);
}

void vhost_rings_err(struct vhost_back *b)
{
    for (unsigned i = 0; i < b->v->queues; i++)
        err_raise(&b->ring[i]);
}

static void on_kick(void *arg, uint32_t events)
{
    struct vhost_ring *r = arg;
    struct vhost_back *b = r->b;
    uint64_t count;
    struct iovec iov = {.iov_base = &count, .iov_len = sizeof(count)};
    ssize_t n = preadv2(r->kick, &iov, 1, -1, RWF_NOWAIT); /* whatever O_NONBLOCK says */

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return; /* the peer took it back */
    if (n != (ssize_t)sizeof(count)) {
        vhost_lied(b, events & EPOLLHUP ? "a kick descriptor that hung up"
                                        : "a kick descriptor that is no eventfd");
        vhost_look(b);
        return;
    }
    ledger_add(b->kicks, true, 0);
    virtio_notify(b->v, r->index);
    vhost_look(b);
}

/* ---- a ring starts and rests ---- */

static bool may_run(const struct vhost_back *b, const struct vhost_ring *r)
{
    bool enabled = r->enabled || !(b->features >> VHOST_USER_F_PROTOCOL_FEATURES & 1);

    return b->featured && enabled && r->kick >= 0 && r->addressed && r->num;
}

static bool conf_fill(struct vhost_back *b, struct vhost_ring *r, struct vq_conf *conf)
{
    bool packed = virtio_has(b->v, VIRTIO_F_RING_PACKED);

    conf->size = r->num;
    /* At least a byte of each area must be lent; vq_start judges all of it. */
    return vhost_mem_gpa(b, r->desc, 1, &conf->desc) &&
           vhost_mem_gpa(b, r->avail, 1, &conf->avail) &&
           vhost_mem_gpa(b, r->used, 1, &conf->used) && (packed || !(r->num & (r->num - 1)));
}

/* False: b->bad says why. */
static bool ring_seek(struct vhost_back *b, struct vhost_ring *r, struct vq *q)
{
    if (b->record.at)
        return vhost_flight_start(b, r);
    if (!q->conf.packed)
        r->at.avail = r->at.used = vq_used_idx(q);
    if (!vq_seek(q, &r->at))
        return true;
    vhost_lied(b, "a place that the ring does not have");
    return false;
}

static void ring_start(struct vhost_back *b, struct vhost_ring *r)
{
    struct virtio_queue *q = &b->v->queue[r->index];

    if (!conf_fill(b, r, &q->conf)) {
        vhost_lied(b, "ring addresses outside the memory that it lent");
        return;
    }
    virtio_enable(b->v, r->index);
    if (!q->vq.desc)
        vhost_lied(b, "a ring that is none: its size, alignment or memory");
    if (!q->vq.desc || !ring_seek(b, r, &q->vq)) {
        virtio_queue_stop(b->v, r->index);
        return;
    }
    if (b->features >> VHOST_F_LOG_ALL & 1 && !b->lent.log_at)
        log_peer(&b->log, "%s: its peer asks for a dirty log and gave none: nothing is marked",
                 b->o.name);
    r->runs = true;
    virtio_set_status(b->v, b->v->status | VIRTIO_DRIVER_OK);
    loop_fd(b->loop, r->kick, EPOLLIN, on_kick, r);
    /* For what came before we listened; before the peer has its answer and goes on. */
    virtio_notify(b->v, r->index);
}

/* With nobody to serve, the device is as before DRIVER_OK: a driver that broke the rules has
 * had its reset, as far as this side can see. */
static void device_rest(struct vhost_back *b)
{
    if (!vhost_rings_run(b))
        b->v->status &= (uint8_t) ~(VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET);
}

static void ring_rest(struct vhost_back *b, struct vhost_ring *r)
{
    struct vq *q = &b->v->queue[r->index].vq;

    if (!r->runs)
        return;
    loop_fd_drop(b->loop, r->kick);
    if (b->v->cls->queue_reset) /* drains; while the queue is enabled, answers are given */
        b->v->cls->queue_reset(b->v->dev, r->index);
    virtio_settle(b->v);
    vq_where(q, &r->at);
    virtio_queue_stop(b->v, r->index);
    r->runs = false;
    device_rest(b);
}

void vhost_rings_rest(struct vhost_back *b)
{
    for (unsigned i = 0; i < b->v->queues; i++)
        ring_rest(b, &b->ring[i]);
}

void vhost_rings_go(struct vhost_back *b)
{
    for (unsigned i = 0; i < b->v->queues && !b->bad; i++)
        if (!b->ring[i].runs && may_run(b, &b->ring[i]))
            ring_start(b, &b->ring[i]);
}

static void fd_replace(int *fd, int by)
{
    if (*fd >= 0)
        close(*fd);
    *fd = by;
}

void vhost_ring_clear(struct vhost_back *b, unsigned index)
{
    struct vhost_ring *r = &b->ring[index];

    vhost_call_set(&r->call, -1);
    *r = (struct vhost_ring){.b = b, .index = index, .kick = -1, .err = -1, .call = r->call};
    r->at.avail_wrap = r->at.used_wrap = true;
}

void vhost_rings_make(struct vhost_back *b)
{
    vhost_call_make(&b->tell);
    for (unsigned i = 0; i < b->v->queues; i++)
        vhost_call_make(&b->ring[i].call);
}

void vhost_rings_unmake(struct vhost_back *b)
{
    vhost_call_close(&b->tell);
    for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++)
        vhost_call_close(&b->ring[i].call);
}

void vhost_rings_drop(struct vhost_back *b)
{
    for (unsigned i = 0; i < b->v->queues; i++) {
        struct vhost_ring *r = &b->ring[i];

        ring_rest(b, r);
        fd_replace(&r->kick, -1);
        fd_replace(&r->err, -1);
        vhost_ring_clear(b, i);
    }
}

/* ---- messages ---- */

static struct vhost_ring *state_ring(struct vhost_back *b, const struct vu_msg *m)
{
    struct vhost_ring *r = NULL;

    if (m->size >= VU_STATE_LEN)
        r = ring_of(b, le32_get(m->payload + VU_STATE_QUEUE));
    if (!r)
        vhost_lied(b, "a message to a queue that there is not, or too short");
    return r;
}

enum vhost_answer vhost_ring_num(struct vhost_back *b, const struct vu_msg *m)
{
    struct vhost_ring *r = state_ring(b, m);
    uint32_t num = r ? le32_get(m->payload + VU_STATE_NUM) : 0;

    if (!r)
        return VHOST_LIED;
    if (!num || num > b->v->cls->queue_max)
        return vhost_lied(b, "a ring larger than this device has (256 entries), or empty");
    if (r->runs && num != r->num)
        return vhost_lied(b, "another size for a ring that runs");
    r->num = (uint16_t)num;
    vhost_rings_go(b);
    return b->bad ? VHOST_LIED : VHOST_OK;
}

enum vhost_answer vhost_ring_addr(struct vhost_back *b, const struct vu_msg *m)
{
    const uint8_t *p = m->payload;
    struct vhost_ring *r = m->size >= VU_ADDR_LEN ? ring_of(b, le32_get(p + VU_ADDR_QUEUE)) : NULL;
    uint64_t desc, avail, used;

    if (!r)
        return vhost_lied(b, "addresses for a queue that there is not, or too few");
    desc = le64_get(p + VU_ADDR_DESC);
    avail = le64_get(p + VU_ADDR_AVAIL);
    used = le64_get(p + VU_ADDR_USED);
    /* Comes to a running ring too, for VU_ADDR_F_LOG: used rings are logged like all memory. */
    if (r->runs && (desc != r->desc || avail != r->avail || used != r->used))
        return vhost_lied(b, "other addresses for a ring that runs");
    r->desc = desc;
    r->avail = avail;
    r->used = used;
    r->addressed = true;
    vhost_rings_go(b);
    return b->bad ? VHOST_LIED : VHOST_OK;
}

/* DPDK tells a packed ring's avail half alone: both are taken from it, for nothing is in flight. */
enum vhost_answer vhost_ring_base(struct vhost_back *b, const struct vu_msg *m)
{
    struct vhost_ring *r = state_ring(b, m);
    uint32_t base = r ? le32_get(m->payload + VU_STATE_NUM) : 0;

    if (!r)
        return VHOST_LIED;
    if (r->runs)
        return vhost_lied(b, "a base for a ring that runs");
    r->at.avail = r->at.used = (uint16_t)base;
    if (virtio_has(b->v, VIRTIO_F_RING_PACKED)) {
        r->at.avail = r->at.used = base & (BASE_WRAP - 1);
        r->at.avail_wrap = r->at.used_wrap = base & BASE_WRAP;
    }
    return VHOST_OK;
}

enum vhost_answer vhost_ring_base_get(struct vhost_back *b, struct vu_msg *m)
{
    struct vhost_ring *r = state_ring(b, m);
    uint32_t base;

    if (!r)
        return VHOST_LIED;
    ring_rest(b, r);
    fd_replace(&r->kick, -1); /* the ring is stopped until there is one again */
    base = r->at.avail;
    if (virtio_has(b->v, VIRTIO_F_RING_PACKED)) {
        base |= r->at.avail_wrap ? BASE_WRAP : 0;
        base |= (uint32_t)(r->at.used | (r->at.used_wrap ? BASE_WRAP : 0)) << 16;
    }
    le32_put(m->payload + VU_STATE_NUM, base);
    m->size = VU_STATE_LEN;
    return VHOST_REPLY;
}

enum vhost_answer vhost_ring_enable(struct vhost_back *b, const struct vu_msg *m)
{
    struct vhost_ring *r = state_ring(b, m);
    uint32_t on = r ? le32_get(m->payload + VU_STATE_NUM) : 0;

    if (!r)
        return VHOST_LIED;
    if (on > 1)
        return vhost_lied(b, "a ring enabled neither with 0 nor 1");
    r->enabled = on;
    if (r->runs && !may_run(b, r))
        ring_rest(b, r);
    vhost_rings_go(b);
    return b->bad ? VHOST_LIED : VHOST_OK;
}

static enum vhost_answer kick_set(struct vhost_back *b, struct vhost_ring *r, int fd)
{
    ring_rest(b, r);
    fd_replace(&r->kick, fd);
    if (fd < 0)
        return vhost_lied(b, "a ring without kicks, which would have to be polled");
    if (loop_fd(b->loop, fd, EPOLLIN, on_kick, r))
        return vhost_lied(b, "a kick descriptor that is no eventfd");
    loop_fd_drop(b->loop, fd); /* until the ring runs */
    vhost_rings_go(b);
    return b->bad ? VHOST_LIED : VHOST_OK;
}

enum vhost_answer vhost_ring_fd(struct vhost_back *b, struct vu_msg *m)
{
    uint64_t what = m->size >= VU_U64_LEN ? le64_get(m->payload) : UINT64_MAX;
    struct vhost_ring *r = ring_of(b, what & VU_FD_QUEUE_MASK);
    bool none = what & VU_FD_NONE;
    int fd;

    if (!r || what & ~(uint64_t)(VU_FD_QUEUE_MASK | VU_FD_NONE) || m->fds != !none)
        return vhost_lied(b, "a descriptor for a queue that there is not, or none, or too many");
    fd = vu_fd_take(m, 0);
    if (m->request == VU_SET_VRING_KICK)
        return kick_set(b, r, fd);
    if (m->request == VU_SET_VRING_ERR) {
        fd_replace(&r->err, fd);
        return VHOST_OK;
    }
    if (vhost_call_set(&r->call, fd))
        return vhost_lied(b, "a call descriptor that is no eventfd");
    vhost_call_raise(&r->call); /* what was shown with no descriptor to tell it by */
    return VHOST_OK;
}
