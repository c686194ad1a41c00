/*
 * A vhost-user back end that says anything, and a driver beside it that asks, resets and takes
 * queues back: answers twisted in any way, bytes that are no message, rings written in, calls, what
 * it asks by itself, leaving in the middle and coming back. After each step what front.h promises
 * must hold.
 */
#include "core/ledger.h"
#include "input.h"
#include "vfront_world.h"
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STEPS = 96, TURNS = 200 };

struct play {
    struct input in;
    struct world w;
};

/* Most answers go as they are. */
static bool twist(struct world *w, struct vu_msg *m)
{
    struct play *p = w->liar;
    uint8_t how = p->in.len ? take_u8(&p->in) : 0;

    if (how < 0xc0)
        return true;
    switch (how & 7) {
    case 0: return false;
    case 1: m->size = take_u8(&p->in); return true;
    case 2: m->request = take_u8(&p->in) % (VU_REQUESTS + 1); return true;
    case 3: m->flags = take_u8(&p->in); return true;
    case 4: m->payload[take_u8(&p->in) % 72] = take_u8(&p->in); return true;
    case 5: take(&p->in, m->payload, take_u8(&p->in) % 72); return true;
    case 6:
        m->fds = 1;
        m->fd[0] = w->sock;
        return true;
    default: vu_send(w->sock, m); return true;
    }
}

static void raw(struct play *p, int sock)
{
    uint8_t bytes[64];
    size_t n = take(&p->in, bytes, take_u8(&p->in) % sizeof(bytes));

    if (sock >= 0 && n && send(sock, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return;
}

static void ring_write(struct play *p)
{
    static const size_t at[] = {SHADOW_DESC, SHADOW_DRIVER, SHADOW_DEVICE, SHADOW_DEVICE};
    size_t off = at[take_u8(&p->in) % ARRAY_LEN(at)] + take_u8(&p->in);
    uint8_t n = take_u8(&p->in) & 15;

    if (p->w.rings)
        take(&p->in, p->w.rings + off, n);
}

static void give(struct play *p)
{
    uint8_t which = take_u8(&p->in);
    struct world *w = &p->w;

    if (w->rings && w->call >= 0)
        world_give(w, which < 0xf0 ? world_head(w, which) : (uint32_t)which << 8,
                   take_u8(&p->in) * 4u);
}

static void asks(struct play *p)
{
    struct vu_msg m = {.request = take_u8(&p->in) & 7, .flags = VU_VERSION};

    if (m.request & 4)
        m.flags |= VU_NEED_REPLY;
    if (take_u8(&p->in) & 1) /* of what is another now */
        p->w.cfg[take_u8(&p->in) % sizeof(p->w.cfg)] = take_u8(&p->in);
    if (p->w.back >= 0)
        vu_send(p->w.back, &m);
}

static void driver(struct play *p)
{
    struct virtio *v = &p->w.f->v;
    uint8_t what = take_u8(&p->in);

    switch (what & 7) {
    case 0: virtio_set_status(v, what >> 3); break;
    case 1: world_driver(&p->w); break;
    case 2: virtio_queue_stop(v, what >> 7); break;
    case 3: virtio_cfg_write(v, 32, 1, what >> 7); break;
    case 4: virtio_enable(v, what >> 7); break;
    default: world_request(&p->w, what >> 3 & 7); break;
    }
}

static void come(struct play *p)
{
    world_hang_up(&p->w);
    PROMISE(p->w.f->sock < 0); /* it sees that we left */
    world_connect(&p->w);
}

static void step(struct play *p)
{
    uint8_t what = take_u8(&p->in);

    p->w.served = 0;
    switch (what & 15) {
    case 0: come(p); break;
    case 1: raw(p, p->w.sock); break;
    case 2: raw(p, p->w.back); break;
    case 3:
    case 4:
    case 5: ring_write(p); break;
    case 6:
    case 7:
    case 8: give(p); break;
    case 9: asks(p); break;
    case 10: loop_advance(p->w.loop, (uint64_t)(what >> 4) * 1000000000); break;
    default: driver(p); break;
    }
    world_go(&p->w);
    PROMISE(vfront_sane(p->w.f));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct play p = {.in = {data, len}};
    uint8_t how = take_u8(&p.in);

    world_open(&p.w, 1 + (how & 1), how & 2);
    world_connect(&p.w);
    PROMISE(vfront_up(p.w.f));
    world_create(&p.w);
    p.w.limit = TURNS;
    p.w.liar = &p;
    world_driver(&p.w);
    p.w.twist = twist;
    for (unsigned i = 0; i < STEPS && p.in.len; i++)
        step(&p);
    world_close(&p.w);
    return 0;
}
