/*
 * From the driver's queues to the rings that the back end serves, and back again.
 *
 * A kick: what is new in the queue is popped, judged, posted. A call: what the back end used is
 * taken, its pages are marked as written, it is pushed to the driver. When a back end goes, what
 * it used is taken first; the rest is kept, and posted in the same order to the next one. A
 * request is given back to the driver once, whoever did it; a write that is done again writes the
 * same to the same place, before the driver was told that it is there.
 */
#include "core/ledger.h"
#include "mem/dma.h"
#include "mem/ram.h"
#include "vhost/front_impl.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CALLS_SANE = 256 }; /* at once: more requests than that are not in flight */

unsigned front_in_flight(const struct vfront *f)
{
    unsigned n = 0;

    for (unsigned i = 0; i < f->rings; i++)
        n += f->ring[i].shadow.in_flight + f->ring[i].kept.in_flight;
    return n;
}

static void kick(struct front_ring *r)
{
    const uint64_t one = 1;

    if (!shadow_kick(&r->shadow))
        return;
    ledger_add(r->f->kicks, true, sizeof(one));
    if (write(r->kick[1], &one, sizeof(one)) < 0)
        return; /* full of kicks that it has not looked at */
}

/* ---- the driver's side ---- */

/* Bound: the part's segments, VQ_SEGS_MAX. */
static bool part_lent(const struct vfront *f, struct vq *q, const struct vq_chain *c, bool in)
{
    struct iovec iov[VQ_SEGS_MAX];
    int n = vq_hold(q, c, in, 0, in ? c->in_len : c->out_len, iov, VQ_SEGS_MAX);

    for (int i = 0; i < n; i++) /* the screen lies behind the rest, and is not lent */
        if ((size_t)((uint8_t *)iov[i].iov_base - f->ram->slot[0].host) >= f->ram->size)
            return false;
    return n >= 0;
}

/* All of it must be RAM: the back end has nothing else, and some give up at what it has not. */
static bool reachable(const struct vfront *f, struct vq *q, const struct vq_chain *c)
{
    return part_lent(f, q, c, false) && part_lent(f, q, c, true);
}

static void refuse(struct vfront *f, unsigned queue, const struct vq_chain *c)
{
    struct vq *q = &f->v.queue[queue].vq;

    vq_push(q, c->head, f->kind->refuse(f, q, c));
    virtio_done(&f->v, queue);
}

/* Bound: one ring's worth. */
static void queue_walk(struct vfront *f, unsigned queue)
{
    struct front_ring *r = &f->ring[queue];
    struct vq *q = &f->v.queue[queue].vq;
    const char *wrong = NULL;
    int got = 0;

    vq_quiet(q);
    r->full = false;
    for (unsigned n = 0; n < q->conf.size && !r->full; n++) {
        got = vq_pop(q, &f->chain);
        wrong = got < 0 ? q->broken : got ? f->kind->judge(queue, &f->chain) : NULL;
        if (got <= 0 || wrong)
            break;
        if (!reachable(f, q, &f->chain))
            refuse(f, queue, &f->chain);
        else if (shadow_post(&r->shadow, &f->chain)) {
            vq_unpop(q, &f->chain);
            r->full = true; /* what comes back makes room, and then it is walked again */
        }
    }
    kick(r);
    if (wrong && got > 0)
        vq_unpop(q, &f->chain); /* it is nobody's */
    if (wrong)
        virtio_needs_reset(&f->v, wrong);
    else if (!r->full && vq_listen(q))
        virtio_again(&f->v, queue);
}

void front_relay(struct vfront *f, unsigned queue)
{
    if (queue < f->rings && f->ring[queue].live && !f->bad)
        queue_walk(f, queue);
}

/* ---- the back end's side ---- */

/* The pages of the writable part, whatever the back end says it wrote: it could have. */
static void may_be_written(struct vfront *f, const struct vq_chain *c)
{
    const struct vq_seg *seg = c->seg + c->outs;

    for (unsigned i = 0; i < c->ins; i++)
        ram_written(f->ram, seg[i].gpa, seg[i].len);
}

static void written(struct vfront *f, const struct vq_chain *c, uint32_t len)
{
    may_be_written(f, c);
    if (c->ins && f->v.dma->row)
        ledger_add(f->v.dma->row, true, len);
}

/* True: there may be more. Bound: a ring. */
static bool collect(struct front_ring *r)
{
    struct vfront *f = r->f;
    unsigned n;

    for (n = 0; n < SHADOW_SIZE; n++) {
        uint32_t len;
        const struct vq_chain *c = shadow_take(&r->shadow, &len);

        if (!c)
            break;
        written(f, c, len);
        if (virtio_answers(&f->v, r->index))
            vq_push(&f->v.queue[r->index].vq, c->head, len);
    }
    if (n)
        virtio_done(&f->v, r->index);
    if (n && r->full)
        virtio_again(&f->v, r->index);
    return n == SHADOW_SIZE;
}

/* A ring that lies has lost track of the driver's requests: that can't be made good. */
static void ring_lied(struct front_ring *r)
{
    struct vfront *f = r->f;

    front_lied(f, r->shadow.lie);
    if (!f->wanted)
        return;
    log_peer(&f->log, "%s: what is in flight is lost; the device waits for a reset", f->name);
    f->wanted = false;
    virtio_ask_reset(&f->v);
}

static void look(struct front_ring *r)
{
    bool more;

    if (!r->live || r->f->bad)
        return;
    shadow_quiet(&r->shadow);
    more = collect(r);
    if (r->shadow.lie)
        ring_lied(r);
    else if (more || shadow_listen(&r->shadow))
        loop_defer(r->f->loop, &r->more);
    if (r->shadow.lie && !r->f->bad)
        ring_lied(r);
}

static void on_more(void *arg)
{
    look(arg);
}

static void on_call(void *arg, uint32_t events)
{
    struct front_ring *r = arg;
    uint64_t times = 0;
    struct iovec iov = {&times, sizeof(times)};
    ssize_t n = preadv2(r->call, &iov, 1, -1, RWF_NOWAIT);

    (void)events;
    if (n < 0 && errno == EOPNOTSUPP) /* before Linux 5.8 */
        n = read(r->call, &times, sizeof(times));
    if (n == (ssize_t)sizeof(times))
        r->f->calls->writes += times < CALLS_SANE ? times : CALLS_SANE;
    look(r);
}

/* ---- the ring itself ---- */

static void fd_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void fds_drop(struct front_ring *r)
{
    if (r->call >= 0)
        loop_fd_drop(r->f->loop, r->call);
    fd_end(&r->call);
    fd_end(&r->kick[0]);
    fd_end(&r->kick[1]);
}

int front_ring_make(struct front_ring *r)
{
    int err = 0;

    fds_drop(r);
    r->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->call < 0 || pipe2(r->kick, O_CLOEXEC | O_NONBLOCK))
        err = -errno;
    if (!err)
        err = loop_fd(r->f->loop, r->call, EPOLLIN, on_call, r);
    r->more = (struct loop_work){.run = on_more, .arg = r};
    if (err)
        fds_drop(r);
    return err;
}

/* The pages of the ring only: tables are written before they are told of. */
void front_ring_renew(struct front_ring *r)
{
    struct vfront *f = r->f;
    uint64_t bits = front_ring_features(f);
    const struct shadow_conf conf = {.mem = f->mem + (size_t)r->index * SHADOW_STRIDE,
                                     .gpa = front_mem_gpa() + (gpa_t)r->index * SHADOW_STRIDE,
                                     .packed = bits >> VIRTIO_F_RING_PACKED & 1,
                                     .event_idx = bits >> VIRTIO_F_EVENT_IDX & 1,
                                     .indirect = bits >> VIRTIO_F_INDIRECT_DESC & 1};

    shadow_close(&r->shadow);
    memset(conf.mem, 0, SHADOW_TABLES);
    if (shadow_open(&r->shadow, &conf))
        front_lied(f, "no memory for its ring");
    f->ring_bits = bits;
}

void front_ring_live(struct front_ring *r)
{
    struct vfront *f = r->f;

    if (!f->wanted || f->bad)
        return;
    r->live = true;
    f->moved += r->kept.in_flight;
    f->again_row->writes += shadow_move(&r->shadow, &r->kept);
    shadow_close(&r->kept);
    kick(r);
    look(r);
    virtio_notify(&f->v, r->index);
}

void front_ring_keep(struct front_ring *r)
{
    if (r->live)
        collect(r); /* what it had done; a lie in there is one too late */
    if (r->live && r->shadow.lie) {
        ring_lied(r);
    } else if (r->live && r->shadow.in_flight) {
        shadow_close(&r->kept);
        r->kept = r->shadow;
        r->kept.conf.mem = NULL;
        memset(&r->shadow, 0, sizeof(r->shadow));
    }
}

/* What is in flight there is not waited for any more, but may have been done. Bound: a ring. */
static void give_up(struct vfront *f, struct shadow *s)
{
    for (unsigned i = 0; s->slot && i < SHADOW_SIZE; i++)
        if (s->slot[i].busy)
            may_be_written(f, &s->slot[i].chain);
    shadow_close(s);
}

void front_kept_forget(struct front_ring *r)
{
    give_up(r->f, &r->kept);
}

void front_ring_forget(struct front_ring *r)
{
    loop_work_cancel(r->f->loop, &r->more);
    give_up(r->f, &r->shadow);
    give_up(r->f, &r->kept);
    r->full = false;
}

void front_ring_gone(struct front_ring *r)
{
    r->live = r->full = r->enable_asked = false;
    loop_work_cancel(r->f->loop, &r->more);
    give_up(r->f, &r->shadow);
    fds_drop(r);
}
