/* A driver that keeps the rules of VIRTIO 1.2, and the table of those that break one: shared by
 * unit_vcheck.c, which runs them, and vcheck_break_regs.c and _ring.c, which have them. */
#ifndef TESTS_UNIT_VCHECK_DRIVER_H
#define TESTS_UNIT_VCHECK_DRIVER_H

#include "vblk_world.h"
#include "virtio/vcheck.h"

enum { REGS = 0xfe800000, TABLE = 0x8000, IND = 4 };
#define V1      VIRTIO_BIT(VIRTIO_F_VERSION_1)
#define PACKED  VIRTIO_BIT(VIRTIO_F_RING_PACKED)
#define RESET   VIRTIO_BIT(VIRTIO_F_RING_RESET)
#define TABLES  VIRTIO_BIT(VIRTIO_F_INDIRECT_DESC)
#define EVENT   VIRTIO_BIT(VIRTIO_F_EVENT_IDX)
#define ORDER   VIRTIO_BIT(VIRTIO_F_IN_ORDER)
#define DATAS   VIRTIO_BIT(VIRTIO_F_NOTIFICATION_DATA)
#define WRAPPED 0x10000u /* packed: of the second round */

/* ---- a driver that keeps the rules ---- */

static inline void accept(struct world *w, uint64_t features)
{
    memset(ram_ptr(&w->ram, 0, 0x10000), 0, 0x10000);
    w->avail = 0;
    wr(w, STATUS, 1, 0);
    wr(w, STATUS, 1, 1);
    wr(w, STATUS, 1, 3);
    wr(w, CFG + 8, 4, 0);
    wr(w, CFG + 0xc, 4, features & UINT32_MAX);
    wr(w, CFG + 8, 4, 1);
    wr(w, CFG + 0xc, 4, features >> 32);
    wr(w, STATUS, 1, 0xb);
    rd(w, STATUS, 1);
}

static inline void ready(struct world *w, uint64_t features)
{
    accept(w, features);
    queue(w, SIZE, DESC);
    wr(w, STATUS, 1, 0xf);
}

static inline void offer(struct world *w, unsigned head)
{
    le16_put(ram_ptr(&w->ram, AVAIL + 4 + 2ull * (w->avail % SIZE), 2), (uint16_t)head);
    le16_put(ram_ptr(&w->ram, AVAIL + 2, 2), ++w->avail);
}

static inline void table(struct world *w, unsigned i, uint64_t addr, uint32_t len,
                         uint32_t flags_next)
{
    uint8_t *d = ram_ptr(&w->ram, TABLE + 16 * i, 16);

    le64_put(d, addr);
    le32_put(d + 8, len);
    le32_put(d + 12, flags_next);
}

static inline void go(struct world *w, unsigned head)
{
    offer(w, head);
    kick(w);
    settle(w);
}

/* A descriptor of a packed ring; flags with WRAPPED: of the second round. */
static inline void put(struct world *w, unsigned i, uint64_t addr, uint32_t id, uint32_t flags)
{
    uint8_t *d = ram_ptr(&w->ram, DESC + 16 * i, 16);

    le64_put(d, addr);
    le32_put(d + 8, i ? 1 : 16);
    le16_put(d + 12, (uint16_t)id);
    le16_put(d + 14, (uint16_t)(flags | (flags & WRAPPED ? 0x8000 : 0x80)));
}

/* A flush in three descriptors from place i on. */
static inline void packed_flush(struct world *w, unsigned i, unsigned id)
{
    uint8_t *h = ram_ptr(&w->ram, HDR, 32);

    memset(h, 0, 32);
    le32_put(h, FLUSH);
    put(w, i + 1, HDR + 16, id, WRITE);
    put(w, i, HDR, id, NEXT);
    le32_put(ram_ptr(&w->ram, DESC + 16 * i + 8, 4), 16);
}

static inline void packed(struct world *w, uint64_t more)
{
    ready(w, V1 | PACKED | more);
}

static inline void packed_go(struct world *w)
{
    kick(w);
    settle(w);
}

/* ---- the same over MMIO, as far as registers go ---- */

static inline void reg(struct world *w, unsigned off, uint32_t val)
{
    wr(w, REGS + off, 4, val);
}

static inline void queue_regs(struct world *w)
{
    static const uint32_t steps[][2] = {{0x30, 0},    {0x38, SIZE},  {0x80, DESC},
                                        {0x84, 0},    {0x90, AVAIL}, {0x94, 0},
                                        {0xa0, USED}, {0xa4, 0},     {0x44, 1}};

    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        reg(w, steps[i][0], steps[i][1]);
}

static inline void regs_ready(struct world *w)
{
    static const uint32_t steps[][2] = {{0x70, 0}, {0x70, 1}, {0x70, 3},
                                        {0x24, 1}, {0x20, 1}, {0x70, 0xb}};

    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        reg(w, steps[i][0], steps[i][1]);
    rd(w, REGS + 0x70, 4);
    queue_regs(w);
    reg(w, 0x70, 0xf);
}

struct breaker {
    enum vrule rule;
    void (*go)(struct world *w);
    uint64_t mmio;
    unsigned mib;
    bool others; /* nobody can break it without breaking another first */
};

struct breakers {
    const struct breaker *at;
    size_t count;
};

extern const struct breakers vcheck_break_regs; /* status, features, queues, registers, fields */
extern const struct breakers vcheck_break_ring; /* what stands in the rings */

#endif
