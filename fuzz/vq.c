/*
 * The virtqueue, split and packed, as its devices use it: a driver that writes anything anywhere, a
 * device that pops, copies, pushes and signals in any order. After each step what vq.h promises
 * must hold.
 */
#include "virtio/vq.h"
#include "core/state.h"
#include "input.h"
#include "mem/dma.h"
#include "mem/ram.h"

enum { DESC = 0x1000, AVAIL = 0x2000, USED = 0x3000, TABLE = 0x4000, HELD = 4, STEPS = 1024 };

struct play {
    struct ram ram;
    struct dma dma;
    struct vq q;
    struct vq_chain chain[HELD];
    bool held[HELD];
    struct input in;
};

static void start(struct play *p)
{
    uint8_t how = take_u8(&p->in);
    struct vq_conf c = {.size = (uint16_t)(1u << (how & 7)),
                        .event_idx = how & 8,
                        .indirect = how & 16,
                        .desc = DESC,
                        .avail = AVAIL,
                        .used = USED};

    if (how & 32)
        c.size = take_u16(&p->in);
    c.packed = c.size >> 15;
    c.in_order = c.size >> 14 & 1;
    c.size &= 0x3fff;
    if (how & 64)
        c.desc = take_int(&p->in, 8);
    if (how & 128)
        c.used = take_int(&p->in, 4);
    vq_start(&p->q, &p->dma, &c);
    memset(p->held, 0, sizeof(p->held));
}

static void check_chain(const struct play *p, unsigned slot)
{
    const struct vq_chain *c = &p->chain[slot];
    uint64_t out = 0, in = 0;

    PROMISE(c->head < p->q.conf.size && c->outs + c->ins >= 1 &&
            c->outs + c->ins <= (p->q.conf.indirect ? VQ_SEGS_MAX : p->q.conf.size));
    for (unsigned i = 0; i < c->outs; i++)
        out += c->seg[i].len;
    for (unsigned i = 0; i < c->ins; i++)
        in += c->seg[c->outs + i].len;
    PROMISE(out == c->out_len && in == c->in_len);
    for (unsigned i = 0; i < HELD; i++)
        PROMISE(i == slot || !p->held[i] || p->chain[i].head != c->head);
}

static void pop(struct play *p)
{
    for (unsigned i = 0; i < HELD; i++) {
        if (p->held[i])
            continue;
        if (vq_pop(&p->q, &p->chain[i]) == 1) {
            p->held[i] = true;
            check_chain(p, i);
        }
        return;
    }
}

static void copy(struct play *p)
{
    unsigned slot = take_u8(&p->in) % HELD, how = take_u8(&p->in);
    const struct vq_chain *c = &p->chain[slot];
    uint64_t off = how & 4 ? take_int(&p->in, 8) : take_u8(&p->in), len = take_u8(&p->in);
    struct iovec iov[8];
    uint8_t buf[256] = {0};
    int n;

    if (!p->held[slot])
        return;
    switch (how & 3) {
    case 0: vq_get(&p->q, c, off, buf, len); break;
    case 1: vq_put(&p->q, c, off, buf, len); break;
    default:
        n = vq_hold(&p->q, c, how & 1, off, len, iov, ARRAY_LEN(iov));
        PROMISE(n <= (int)ARRAY_LEN(iov));
        for (int i = 0; i < n; i++) {
            PROMISE(iov[i].iov_len <= len);
            len -= iov[i].iov_len;
            PROMISE(range_in((uintptr_t)iov[i].iov_base, iov[i].iov_len,
                             (uintptr_t)p->ram.slot[0].host, p->ram.size));
        }
        PROMISE(n < 0 || !len);
        if (n > 0 && how & 1)
            vq_drop(&p->q, c, off, take_u8(&p->in));
    }
}

static void push(struct play *p)
{
    unsigned slot = take_u8(&p->in) % (HELD + 1);

    if (slot == HELD) { /* whatever it is, a head that isn't in flight changes nothing */
        unsigned head = take_u16(&p->in);

        for (unsigned i = 0; i < HELD; i++)
            if (p->held[i] && p->chain[i].head == head)
                return;
        vq_push(&p->q, (uint16_t)head, 1);
    } else if (p->held[slot]) {
        vq_push(&p->q, p->chain[slot].head, take_u8(&p->in));
        p->held[slot] = false;
    }
}

/* The driver at work: memory anywhere in the first 64 KiB, or the next head. */
static void driver(struct play *p)
{
    static const uint16_t at[] = {DESC, AVAIL, USED, TABLE};
    uint8_t where = take_u8(&p->in), buf[64];
    size_t n = take_u8(&p->in) % sizeof(buf);
    uint64_t to = at[where & 3] + (where >> 2) * 4u;

    take(&p->in, buf, n);
    memcpy(ram_ptr(&p->ram, to, n), buf, n);
}

/* A descriptor where the device looks next, available or not, and whatever else it says. */
static void offer_packed(struct play *p)
{
    uint8_t *at = ram_ptr(&p->ram, p->q.conf.desc + 16ull * p->q.next_avail, 16);
    uint16_t flags = take_u16(&p->in);

    le64_put(at, TABLE + 16u * take_u8(&p->in));
    le32_put(at + 8, take_u8(&p->in));
    le16_put(at + 12, take_u8(&p->in));
    le16_put(at + 14, (uint16_t)((flags & 0x7f7f) | (p->q.pk.avail_wrap ? 0x80 : 0x8000)));
}

static void offer(struct play *p)
{
    uint8_t *avail = ram_ptr(&p->ram, AVAIL, 1024);
    uint16_t idx = le16_get(avail + 2), size = p->q.conf.size;

    if (p->q.desc && p->q.conf.packed) {
        offer_packed(p);
        return;
    }
    if (size && size <= VQ_SIZE_MAX)
        le16_put(avail + 4 + 2 * (idx % size), take_u8(&p->in));
    le16_put(avail + 2, (uint16_t)(idx + 1));
}

static void walk_state(struct play *p)
{
    struct state save, load;
    struct vq_conf conf = p->q.conf;

    for (unsigned i = 0; i < HELD; i++)
        if (p->held[i])
            return;
    if (!p->q.desc)
        return;
    state_save_begin(&save);
    vq_state(&p->q, &save);
    PROMISE(!save.err);
    PROMISE(!vq_start(&p->q, &p->dma, &conf));
    state_load_begin(&load, save.buf, save.at);
    vq_state(&p->q, &load);
    PROMISE(!state_end(&load));
    state_end(&save);
}

static void step(struct play *p)
{
    uint16_t used = p->q.unshown, flying = p->q.in_flight;

    switch (take_u8(&p->in) % 11) {
    case 0: start(p); return;
    case 1: pop(p); break;
    case 2: copy(p); break;
    case 3:
        push(p);
        PROMISE(p->q.unshown - used == flying - p->q.in_flight);
        break;
    case 4: driver(p); break;
    case 5:
    case 6: offer(p); break;
    case 7:
        vq_signal(&p->q);
        PROMISE(!p->q.unshown);
        break;
    case 8: vq_quiet(&p->q); break;
    case 9: vq_listen(&p->q); break;
    default: walk_state(p); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct play p = {.in = {data, len}};

    PROMISE(!ram_open(&p.ram, 1 << 20));
    p.dma = (struct dma){.ram = &p.ram, .enabled = true};
    start(&p);
    for (unsigned n = 0; n < STEPS && p.in.len; n++) {
        step(&p);
        PROMISE(vq_sane(&p.q));
    }
    ram_close(&p.ram);
    return 0;
}
