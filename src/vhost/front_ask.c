/*
 * What a front end asks, one request after the other: each is built when its turn comes, from what
 * is true then, and the next is sent when the answer to the last is there. With REPLY_ACK every
 * request is answered, so that a "no" is heard at the request that it is for.
 */
#include "core/ledger.h"
#include "mem/ram.h"
#include "vhost/front_impl.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define USER_BASE   0x100000000000ull /* where "we" have guest addresses: nobody learns more */
#define PATIENCE_NS 10000000000ull
enum { BASE_WRAPS = (int)0x80008000 }; /* packed: both places at 0, both counters at 1 */

/* ---- the queue ---- */

void front_ask(struct vfront *f, unsigned request, unsigned what)
{
    if (f->asks == FRONT_ASKS) { /* each kind of request is asked once at a time: it can't be */
        front_lied(f, "too much waits for its answers");
        return;
    }
    f->ask[(f->ask_first + f->asks++) % FRONT_ASKS] =
        (struct front_ask){(uint16_t)request, (uint8_t)what};
}

void front_asks_drop(struct vfront *f)
{
    loop_timer_stop(&f->patience);
    f->asks = f->ask_first = 0;
    f->waiting = f->cfg_asked = f->cfg_set_asked = f->cfg_stale = false;
    for (unsigned i = 0; i < f->rings; i++)
        f->ring[i].enable_asked = false;
}

void front_ask_probe(struct vfront *f)
{
    front_ask(f, VU_GET_FEATURES, 0);
    front_ask(f, VU_GET_PROTOCOL_FEATURES, 0);
    /* The others depend on what it answers: front_take.c. */
}

/* Asked for already: the answer on its way may be of before. */
void front_config_ask(struct vfront *f)
{
    f->cfg_stale = f->cfg_asked || !f->probed;
    if (f->cfg_stale)
        return;
    f->cfg_asked = true;
    front_ask(f, VU_GET_CONFIG, 0);
    front_asks_go(f);
}

void front_ask_enable(struct vfront *f, unsigned ring)
{
    if (f->ring[ring].enable_asked)
        return;
    f->ring[ring].enable_asked = true;
    front_ask(f, VU_SET_VRING_ENABLE, ring);
}

void front_ask_start(struct vfront *f, unsigned ring)
{
    front_ring_renew(&f->ring[ring]);
    front_ask(f, VU_SET_VRING_NUM, ring);
    front_ask(f, VU_SET_VRING_BASE, ring);
    front_ask(f, VU_SET_VRING_ADDR, ring);
    front_ask(f, VU_SET_VRING_CALL, ring);
    front_ask(f, VU_SET_VRING_KICK, ring);
    front_ask_enable(f, ring);
    front_ask(f, ASK_LIVE, ring);
}

void front_ask_stop(struct vfront *f, unsigned ring)
{
    front_ask(f, VU_GET_VRING_BASE, ring); /* stops it, and answers when all is done */
    front_ask(f, ASK_STOPPED, ring);
}

/* A screen is not lent: it is another file, which only we may write. It is the last slot. */
static unsigned slots_lent(const struct vfront *f)
{
    return f->ram->slots - (f->ram->screen != 0);
}

static void memory_ask(struct vfront *f)
{
    unsigned regions = slots_lent(f) + 1;

    if (f->mem_told)
        return;
    f->mem_told = true;
    if (!front_agreed(f, VU_F_CONFIGURE_MEM_SLOTS) || f->slots < regions) {
        front_ask(f, VU_SET_MEM_TABLE, 0);
        return;
    }
    for (unsigned i = 0; i < regions; i++)
        front_ask(f, VU_ADD_MEM_REG, i);
}

void front_ask_run(struct vfront *f)
{
    f->started = true;
    front_ask(f, VU_SET_FEATURES, 0);
    front_mode_tell(f);
    memory_ask(f);
    for (unsigned i = 0; i < f->rings; i++)
        front_ask_start(f, i);
    front_ask(f, ASK_STARTED, 0);
    front_asks_go(f);
}

/* ---- messages ---- */

static void put_u64(struct vu_msg *m, uint64_t val)
{
    le64_put(m->payload, val);
    m->size = VU_U64_LEN;
}

static void put_state(struct vu_msg *m, unsigned ring, uint32_t val)
{
    le32_put(m->payload + VU_STATE_QUEUE, ring);
    le32_put(m->payload + VU_STATE_NUM, val);
    m->size = VU_STATE_LEN;
}

static void put_addr(struct vu_msg *m, unsigned ring)
{
    uint64_t at = USER_BASE + front_mem_gpa() + (uint64_t)ring * SHADOW_STRIDE;
    uint8_t *p = m->payload;

    memset(p, 0, VU_ADDR_LEN);
    le32_put(p + VU_ADDR_QUEUE, ring);
    le64_put(p + VU_ADDR_DESC, at + SHADOW_DESC);
    le64_put(p + VU_ADDR_AVAIL, at + SHADOW_DRIVER);
    le64_put(p + VU_ADDR_USED, at + SHADOW_DEVICE);
    m->size = VU_ADDR_LEN;
}

/* The guest's slots, then the memory of our rings. */
static void put_region(struct vfront *f, struct vu_msg *m, uint8_t *at, unsigned n)
{
    const struct ram *ram = f->ram;
    bool own = n >= slots_lent(f);
    uint64_t gpa = own ? front_mem_gpa() : ram->slot[n].gpa;

    le64_put(at + VU_REGION_GPA, gpa);
    le64_put(at + VU_REGION_SIZE, own ? f->mem_len : ram->slot[n].len);
    le64_put(at + VU_REGION_USER, USER_BASE + gpa);
    le64_put(at + VU_REGION_OFFSET, own ? 0 : (uint64_t)(ram->slot[n].host - ram->slot[0].host));
    m->fd[m->fds++] = own ? f->mem_fd : ram->fd;
}

static void put_table(struct vfront *f, struct vu_msg *m)
{
    unsigned regions = slots_lent(f) + 1;

    le64_put(m->payload, 0);
    le32_put(m->payload + VU_TABLE_COUNT, regions);
    for (unsigned i = 0; i < regions; i++) /* guest RAM has two slots at most: ram_open */
        put_region(f, m, m->payload + VU_TABLE_REGIONS + i * VU_REGION_LEN, i);
    m->size = VU_TABLE_REGIONS + regions * VU_REGION_LEN;
}

static void put_fd(struct vu_msg *m, unsigned ring, int fd)
{
    put_u64(m, ring);
    m->fd[m->fds++] = fd;
}

static void put_config(struct vfront *f, struct vu_msg *m, uint32_t off, uint32_t len)
{
    le32_put(m->payload + VU_CONFIG_OFFSET, off);
    le32_put(m->payload + VU_CONFIG_SIZE, len);
    le32_put(m->payload + VU_CONFIG_FLAGS, 0);
    memcpy(m->payload + VU_CONFIG_DATA, f->cfg + off, len);
    m->size = VU_CONFIG_DATA + len;
}

/* All queues of a device whose driver took features are its: the rest is the ring's own. */
static uint64_t features_told(const struct vfront *f)
{
    return (f->v.taken & f->kind->features & f->features) | front_ring_features(f) |
           VIRTIO_BIT(VIRTIO_F_VERSION_1) | VU_BIT(VHOST_USER_F_PROTOCOL_FEATURES);
}

static void build(struct vfront *f, const struct front_ask *a, struct vu_msg *m)
{
    struct front_ring *r = &f->ring[a->what % VIRTIO_QUEUES_MAX];
    bool on = f->wanted && r->enabled;

    switch (a->request) {
    case VU_SET_FEATURES: put_u64(m, features_told(f)); break;
    case VU_SET_PROTOCOL_FEATURES: put_u64(m, f->protocol); break;
    case VU_SET_BACKEND_REQ_FD: m->fd[m->fds++] = f->back_lent; break;
    case VU_SET_MEM_TABLE: put_table(f, m); break;
    case VU_ADD_MEM_REG:
        le64_put(m->payload, 0);
        put_region(f, m, m->payload + VU_REG_REGION, a->what);
        m->size = VU_REG_LEN;
        break;
    case VU_SET_VRING_NUM: put_state(m, r->index, SHADOW_SIZE); break;
    case VU_SET_VRING_BASE:
        put_state(m, r->index, r->shadow.conf.packed ? (uint32_t)BASE_WRAPS : 0);
        break;
    case VU_GET_VRING_BASE: put_state(m, r->index, 0); break;
    case VU_SET_VRING_ENABLE:
        r->enable_asked = false;
        put_state(m, r->index, on);
        break;
    case VU_SET_VRING_ADDR: put_addr(m, r->index); break;
    case VU_SET_VRING_CALL: put_fd(m, r->index, r->call); break;
    case VU_SET_VRING_KICK: put_fd(m, r->index, r->kick[0]); break;
    case VU_GET_CONFIG: put_config(f, m, 0, f->kind->cfg_len); break;
    case VU_SET_CONFIG:
        f->cfg_set_asked = false;
        put_config(f, m, a->what, 1);
        break;
    default: break; /* a request alone */
    }
}

static bool answered_always(unsigned request)
{
    switch (request) {
    case VU_GET_FEATURES:
    case VU_GET_PROTOCOL_FEATURES:
    case VU_GET_QUEUE_NUM:
    case VU_GET_MAX_MEM_SLOTS:
    case VU_GET_CONFIG:
    case VU_GET_VRING_BASE: return true;
    default: return false;
    }
}

static bool ask_send(struct vfront *f, const struct front_ask *a)
{
    struct vu_msg m = {.request = a->request, .flags = VU_VERSION};
    int err;

    build(f, a, &m);
    f->waiting = answered_always(a->request);
    /* The request that agrees on answers is not one of those that have them yet. */
    if (!f->waiting && front_agreed(f, VU_F_REPLY_ACK) && a->request != VU_SET_PROTOCOL_FEATURES) {
        m.flags |= VU_NEED_REPLY;
        f->waiting = true;
    }
    ledger_add(f->msgs[a->request], true, VU_HDR_LEN + m.size);
    err = vu_send(f->sock, &m);
    if (a->request == VU_SET_BACKEND_REQ_FD) {
        close(f->back_lent);
        f->back_lent = -1;
    }
    if (err)
        front_lied(f, err == -EAGAIN ? "it does not read what it is asked" : "it hung up");
    if (f->waiting)
        loop_timer_set(&f->patience, loop_now(f->loop) + PATIENCE_NS);
    return !err;
}

static void reach(struct vfront *f, const struct front_ask *a)
{
    struct front_ring *r = &f->ring[a->what % VIRTIO_QUEUES_MAX];

    if (a->request == ASK_LIVE)
        front_ring_live(r);
    else if (a->request == ASK_STOPPED)
        r->live = false;
    else if (a->request == ASK_STARTED)
        front_back(f);
    else if (a->request == ASK_PROBED)
        front_probed(f);
}

/* Bound: what is in the queue, and what front_probed adds to it once. */
void front_asks_go(struct vfront *f)
{
    while (f->sock >= 0 && !f->bad && f->asks && !f->waiting) {
        struct front_ask a = f->ask[f->ask_first];

        if (a.request < VU_REQUESTS && !ask_send(f, &a))
            return;
        if (f->waiting)
            return;
        f->ask_first = (f->ask_first + 1) % FRONT_ASKS;
        f->asks--;
        if (a.request >= VU_REQUESTS)
            reach(f, &a);
    }
}
