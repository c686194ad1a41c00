/* --check virtio: each rule, broken by a driver that keeps the others; and drivers that keep all.
 */
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

static void accept(struct world *w, uint64_t features)
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

static void ready(struct world *w, uint64_t features)
{
    accept(w, features);
    queue(w, SIZE, DESC);
    wr(w, STATUS, 1, 0xf);
}

static void offer(struct world *w, unsigned head)
{
    le16_put(ram_ptr(&w->ram, AVAIL + 4 + 2ull * (w->avail % SIZE), 2), (uint16_t)head);
    le16_put(ram_ptr(&w->ram, AVAIL + 2, 2), ++w->avail);
}

static void table(struct world *w, unsigned i, uint64_t addr, uint32_t len, uint32_t flags_next)
{
    uint8_t *d = ram_ptr(&w->ram, TABLE + 16 * i, 16);

    le64_put(d, addr);
    le32_put(d + 8, len);
    le32_put(d + 12, flags_next);
}

static void go(struct world *w, unsigned head)
{
    offer(w, head);
    kick(w);
    settle(w);
}

/* A descriptor of a packed ring; flags with WRAPPED: of the second round. */
static void put(struct world *w, unsigned i, uint64_t addr, uint32_t id, uint32_t flags)
{
    uint8_t *d = ram_ptr(&w->ram, DESC + 16 * i, 16);

    le64_put(d, addr);
    le32_put(d + 8, i ? 1 : 16);
    le16_put(d + 12, (uint16_t)id);
    le16_put(d + 14, (uint16_t)(flags | (flags & WRAPPED ? 0x8000 : 0x80)));
}

/* A flush in three descriptors from place i on. */
static void packed_flush(struct world *w, unsigned i, unsigned id)
{
    uint8_t *h = ram_ptr(&w->ram, HDR, 32);

    memset(h, 0, 32);
    le32_put(h, FLUSH);
    put(w, i + 1, HDR + 16, id, WRITE);
    put(w, i, HDR, id, NEXT);
    le32_put(ram_ptr(&w->ram, DESC + 16 * i + 8, 4), 16);
}

static void packed(struct world *w, uint64_t more)
{
    ready(w, V1 | PACKED | more);
}

static void packed_go(struct world *w)
{
    kick(w);
    settle(w);
}

/* ---- the same over MMIO, as far as registers go ---- */

static void reg(struct world *w, unsigned off, uint32_t val)
{
    wr(w, REGS + off, 4, val);
}

static void queue_regs(struct world *w)
{
    static const uint32_t steps[][2] = {{0x30, 0},    {0x38, SIZE},  {0x80, DESC},
                                        {0x84, 0},    {0x90, AVAIL}, {0x94, 0},
                                        {0xa0, USED}, {0xa4, 0},     {0x44, 1}};

    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        reg(w, steps[i][0], steps[i][1]);
}

static void regs_ready(struct world *w)
{
    static const uint32_t steps[][2] = {{0x70, 0}, {0x70, 1}, {0x70, 3},
                                        {0x24, 1}, {0x20, 1}, {0x70, 0xb}};

    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        reg(w, steps[i][0], steps[i][1]);
    rd(w, REGS + 0x70, 4);
    queue_regs(w);
    reg(w, 0x70, 0xf);
}

/* ---- rules ---- */

static void status_clear(struct world *w)
{
    ready(w, V1);
    wr(w, STATUS, 1, 0xb);
}

static void status_order(struct world *w)
{
    wr(w, STATUS, 1, 2);
}

static void status_order_features(struct world *w)
{
    wr(w, STATUS, 1, 1);
    wr(w, STATUS, 1, 7);
}

static void status_unknown(struct world *w)
{
    wr(w, STATUS, 1, 0x21);
}

static void status_failed(struct world *w)
{
    wr(w, STATUS, 1, 0x81);
    wr(w, STATUS, 1, 0x83);
}

static void feature_unoffered(struct world *w)
{
    accept(w, V1 | VIRTIO_BIT(3));
}

static void feature_requires(struct world *w)
{
    static const struct virtio_class net = {.name = "card", .id = 1};
    struct virtio v = {.cls = &net, .name = "card", .offered = UINT64_MAX, .status = 3};
    struct vcheck *c = vcheck_open(&v, &w->env, false);

    v.taken = V1 | VIRTIO_BIT(1) | VIRTIO_BIT(7); /* GUEST_CSUM, GUEST_TSO4 */
    vcheck_status(c, 0xb);
    assert_int_equal(w->watch.broken, 0);
    v.taken = V1 | VIRTIO_BIT(11); /* HOST_TSO4 */
    vcheck_status(c, 0xb);
    vcheck_close(c);
}

static void feature_version_1(struct world *w)
{
    accept(w, TABLES);
}

static void feature_early(struct world *w)
{
    wr(w, STATUS, 1, 1);
    wr(w, CFG + 8, 4, 1);
    wr(w, CFG + 0xc, 4, 1);
}

static void feature_late(struct world *w)
{
    accept(w, V1);
    wr(w, CFG + 0xc, 4, 1);
}

static void features_unread(struct world *w)
{
    accept(w, V1);
    wr(w, STATUS, 1, 0);
    wr(w, STATUS, 1, 1);
    wr(w, STATUS, 1, 3);
    wr(w, CFG + 8, 4, 1);
    wr(w, CFG + 0xc, 4, 1);
    wr(w, STATUS, 1, 0xb);
    wr(w, STATUS, 1, 0xf);
}

static void features_refused(struct world *w)
{
    accept(w, V1 | VIRTIO_BIT(3));
    wr(w, STATUS, 1, 0xf);
}

static void kick_early(struct world *w)
{
    accept(w, V1);
    queue(w, SIZE, DESC);
    kick(w);
}

static void kick_nobody(struct world *w)
{
    ready(w, V1);
    wr(w, BELL + 4, 2, 1);
}

static void kick_value(struct world *w)
{
    ready(w, V1);
    wr(w, BELL, 2, 7);
}

static void kick_value_width(struct world *w)
{
    ready(w, V1);
    wr(w, BELL, 4, 0);
}

static void kick_data(struct world *w)
{
    ready(w, V1 | DATAS);
    wr(w, BELL, 4, 1u << 16);
    assert_int_equal(w->watch.broken, 0);
    wr(w, BELL, 4, 99u << 16);
}

static void kick_data_packed(struct world *w)
{
    packed(w, DATAS);
    wr(w, BELL, 4, 0x8003u << 16);
    assert_int_equal(w->watch.broken, 0);
    wr(w, BELL, 4, (uint32_t)SIZE << 16);
}

static void queue_power(struct world *w)
{
    accept(w, V1);
    queue(w, 12, DESC);
}

static void queue_size(struct world *w)
{
    accept(w, V1);
    queue(w, 0, DESC);
}

static void queue_align(struct world *w)
{
    accept(w, V1);
    queue(w, SIZE, DESC + 8);
}

static void queue_memory(struct world *w)
{
    accept(w, V1);
    queue(w, SIZE, 1ull << 40);
}

static void queue_overlap(struct world *w)
{
    accept(w, V1);
    queue(w, SIZE, AVAIL - 16);
}

static void queue_early(struct world *w)
{
    wr(w, STATUS, 1, 1);
    wr(w, STATUS, 1, 3);
    queue(w, SIZE, DESC);
}

static void queue_late(struct world *w)
{
    accept(w, V1);
    wr(w, STATUS, 1, 0xf);
    queue(w, SIZE, DESC);
}

static void queue_twice(struct world *w)
{
    ready(w, V1);
    wr(w, CFG + 0x1c, 2, 1);
}

static void queue_changed(struct world *w)
{
    ready(w, V1);
    wr(w, CFG + 0x20, 4, TABLE);
}

static void queue_used_init(struct world *w)
{
    accept(w, V1);
    le16_put(ram_ptr(&w->ram, USED, 2), 1);
    queue(w, SIZE, DESC);
}

static void queue_ring_init(struct world *w)
{
    accept(w, V1 | PACKED);
    le16_put(ram_ptr(&w->ram, DESC + 16 * 5 + 14, 2), 0x8000);
    queue(w, SIZE, DESC);
}

static void reset_unoffered(struct world *w)
{
    ready(w, V1);
    wr(w, CFG + 0x3a, 2, 1);
}

static void reset_unread(struct world *w)
{
    ready(w, V1 | RESET);
    wr(w, CFG + 0x3a, 2, 1);
    rd(w, CFG + 0x3a, 2);
    queue(w, SIZE, DESC);
    assert_int_equal(w->watch.broken, 0);
    wr(w, CFG + 0x3a, 2, 1);
    queue(w, SIZE, DESC);
}

static void pci_width(struct world *w)
{
    rd(w, CFG + 0x18, 4);
}

static void pci_read_only(struct world *w)
{
    wr(w, CFG + 0x12, 2, 3);
}

static void pci_enable(struct world *w)
{
    ready(w, V1);
    wr(w, CFG + 0x1c, 2, 0);
}

static void pci_reset(struct world *w)
{
    ready(w, V1 | RESET);
    wr(w, CFG + 0x3a, 2, 0);
}

static void mmio_width(struct world *w)
{
    regs_ready(w);
    rd(w, REGS + 4, 2);
}

static void mmio_direction(struct world *w)
{
    regs_ready(w);
    reg(w, 8, 1);
}

static void mmio_direction_read(struct world *w)
{
    regs_ready(w);
    rd(w, REGS + 0x50, 4);
}

static void mmio_ack(struct world *w)
{
    regs_ready(w);
    reg(w, 0x64, 3);
    assert_int_equal(w->watch.broken, 0);
    reg(w, 0x64, 8);
}

static void mmio_queue_changed(struct world *w)
{
    regs_ready(w);
    reg(w, 0x38, 8);
}

static void mmio_reset_unread(struct world *w)
{
    regs_ready(w);
    reg(w, 0x44, 0);
    queue_regs(w);
}

static void config_optional(struct world *w)
{
    rd(w, DEVCFG + 16, 2);
}

static void config_torn(struct world *w)
{
    rd(w, CFG + 0x15, 1);
    rd(w, DEVCFG, 8);
    rd(w, CFG + 0x15, 1);
    rd(w, DEVCFG + 20, 4);
    assert_int_equal(w->watch.broken, 0);
    rd(w, DEVCFG, 4);
}

static void config_torn_after(struct world *w)
{
    rd(w, CFG + 0x15, 1);
    rd(w, DEVCFG, 8);
    rd(w, DEVCFG + 20, 4);
}

static void config_outside(struct world *w)
{
    rd(w, DEVCFG + 0x80, 4);
}

static void avail_back(struct world *w)
{
    ready(w, V1);
    request(w, 0, FLUSH, 0, 0);
    kick(w);
    le16_put(ram_ptr(&w->ram, AVAIL + 2, 2), 0);
    kick(w);
}

static void avail_ahead(struct world *w)
{
    ready(w, V1);
    le16_put(ram_ptr(&w->ram, AVAIL + 2, 2), SIZE + 1);
    kick(w);
}

static void avail_head(struct world *w)
{
    ready(w, V1);
    go(w, SIZE);
}

static void avail_flags(struct world *w)
{
    ready(w, V1);
    le16_put(ram_ptr(&w->ram, AVAIL, 2), 1);
    kick(w);
    assert_int_equal(w->watch.broken, 0);
    le16_put(ram_ptr(&w->ram, AVAIL, 2), 2);
    kick(w);
}

static void avail_flags_event(struct world *w)
{
    ready(w, V1 | EVENT);
    le16_put(ram_ptr(&w->ram, AVAIL, 2), 1);
    kick(w);
}

static void used_touched(struct world *w)
{
    ready(w, V1);
    le16_put(ram_ptr(&w->ram, USED + 2, 2), 3);
    kick(w);
}

static void desc_busy(struct world *w)
{
    ready(w, V1);
    request(w, 0, FLUSH, 0, 0);
    kick(w);
    go(w, 0);
}

static void desc_busy_later(struct world *w)
{
    ready(w, V1);
    request(w, 0, FLUSH, 0, 0);
    kick(w);
    desc(w, 2, HDR, 16, NEXT); /* goes on to 3, the first one's status */
    go(w, 2);
}

static void desc_next(struct world *w)
{
    ready(w, V1);
    desc(w, SIZE - 1, HDR, 16, NEXT);
    go(w, SIZE - 1);
}

static void desc_loop(struct world *w)
{
    ready(w, V1);
    desc(w, 0, HDR, 16, NEXT);
    desc(w, 1, HDR, 16, NEXT);
    le16_put(ram_ptr(&w->ram, DESC + 16 + 14, 2), 0);
    go(w, 0);
}

static void desc_long(struct world *w)
{
    ready(w, V1 | TABLES);
    for (unsigned i = 0; i < SIZE + 1; i++)
        table(w, i, HDR, 16, NEXT | (i + 1) << 16);
    table(w, SIZE + 1, HDR, 1, WRITE);
    desc(w, 0, TABLE, 16 * (SIZE + 2), IND);
    go(w, 0);
}

static void desc_order(struct world *w)
{
    ready(w, V1);
    desc(w, 0, HDR, 16, NEXT | WRITE);
    desc(w, 1, HDR, 16, 0);
    go(w, 0);
}

static void desc_bytes(struct world *w)
{
    ready(w, V1);
    desc(w, 0, 0, 0x80000000, NEXT);
    desc(w, 1, 0, 0x80000000, NEXT);
    desc(w, 2, 0, 1, WRITE);
    go(w, 0);
}

static void desc_empty(struct world *w)
{
    ready(w, V1);
    desc(w, 0, HDR, 0, 0);
    go(w, 0);
}

static void desc_memory(struct world *w)
{
    ready(w, V1);
    desc(w, 0, 1ull << 40, 16, 0);
    go(w, 0);
}

static void desc_flags(struct world *w)
{
    ready(w, V1);
    desc(w, 0, HDR, 16, 0x10);
    go(w, 0);
}

static void desc_changed(struct world *w)
{
    ready(w, V1);
    request(w, 0, FLUSH, 0, 0);
    kick(w);
    desc(w, 3, HDR + 16, 2, WRITE);
    slow_finish(&w->slow, 0);
    settle(w);
}

static void table_changed(struct world *w)
{
    ready(w, V1 | TABLES);
    le32_put(ram_ptr(&w->ram, HDR, 4), FLUSH);
    table(w, 0, HDR, 16, NEXT | 1 << 16);
    table(w, 1, HDR + 16, 1, WRITE);
    desc(w, 0, TABLE, 32, IND);
    go(w, 0);
    table(w, 1, HDR + 17, 1, WRITE);
    slow_finish(&w->slow, 0);
    settle(w);
}

static void indirect_unoffered(struct world *w)
{
    ready(w, V1);
    desc(w, 0, TABLE, 32, IND);
    go(w, 0);
}

static void indirect_nested(struct world *w)
{
    ready(w, V1 | TABLES);
    table(w, 0, TABLE + 64, 32, IND);
    desc(w, 0, TABLE, 32, IND);
    go(w, 0);
}

static void indirect_next(struct world *w)
{
    ready(w, V1 | TABLES);
    desc(w, 0, TABLE, 32, IND | NEXT);
    go(w, 0);
}

static void indirect_table(struct world *w)
{
    ready(w, V1 | TABLES);
    desc(w, 0, TABLE, 17, IND);
    go(w, 0);
}

static void in_order(struct world *w)
{
    ready(w, V1 | ORDER);
    request(w, 0, IN, 0, 1024);
    kick(w);
    assert_int_equal(w->watch.broken, 0);
    go(w, 8); /* 4 is next */
}

static void in_order_next(struct world *w)
{
    ready(w, V1 | ORDER);
    request(w, 0, FLUSH, 0, 0); /* leads from 0 to 3 */
    kick(w);
}

static void packed_partial(struct world *w)
{
    packed(w, 0);
    packed_flush(w, 0, 1);
    put(w, 1, HDR + 16, 1, WRITE | WRAPPED);
    packed_go(w);
}

static void packed_long(struct world *w)
{
    packed(w, 0);
    for (unsigned i = 0; i < SIZE; i++)
        put(w, i, HDR, 1, NEXT);
    packed_go(w);
}

static void packed_room(struct world *w)
{
    packed(w, 0);
    packed_flush(w, 0, 1);
    packed_go(w);
    for (unsigned i = 2; i < SIZE; i++)
        put(w, i, HDR, 2, NEXT);
    put(w, 0, HDR, 2, WRAPPED);
    packed_go(w);
}

static void packed_order(struct world *w)
{
    packed(w, 0);
    put(w, 1, HDR, 1, 0);
    put(w, 0, HDR, 1, NEXT | WRITE);
    packed_go(w);
}

static void packed_id(struct world *w)
{
    packed(w, 0);
    packed_flush(w, 0, 1);
    packed_go(w);
    packed_flush(w, 2, 1);
    packed_go(w);
}

static void packed_flags(struct world *w)
{
    packed(w, 0);
    packed_flush(w, 0, 1);
    put(w, 0, HDR, 1, NEXT | 0x10);
    packed_go(w);
}

static void packed_event(struct world *w)
{
    packed(w, 0);
    le16_put(ram_ptr(&w->ram, AVAIL + 2, 2), 1);
    packed_go(w);
    assert_int_equal(w->watch.broken, 0);
    le16_put(ram_ptr(&w->ram, AVAIL + 2, 2), 2);
    packed_go(w);
}

static void packed_event_reserved(struct world *w)
{
    packed(w, EVENT);
    le16_put(ram_ptr(&w->ram, AVAIL + 2, 2), 3);
    packed_go(w);
}

static void packed_changed(struct world *w)
{
    packed(w, 0);
    packed_flush(w, 0, 1);
    packed_flush(w, 2, 2);
    packed_go(w);
    put(w, 3, HDR, 1, WRITE);
    slow_finish(&w->slow, 0);
    settle(w);
}

static void packed_indirect(struct world *w)
{
    packed(w, TABLES);
    table(w, 0, HDR, 16, (uint32_t)NEXT << 16);
    table(w, 1, HDR + 16, 1, (uint32_t)WRITE << 16);
    put(w, 0, TABLE, 1, IND);
    le32_put(ram_ptr(&w->ram, DESC + 8, 4), 32);
    packed_go(w);
}

static void packed_table(struct world *w)
{
    packed(w, TABLES);
    put(w, 0, TABLE, 1, IND);
    le32_put(ram_ptr(&w->ram, DESC + 8, 4), 16 * (SIZE + 1));
    packed_go(w);
}

static void packed_list(struct world *w)
{
    packed(w, TABLES);
    packed_flush(w, 0, 1);
    put(w, 0, TABLE, 1, IND | NEXT);
    packed_go(w);
}

static const struct breaker {
    enum vrule rule;
    void (*go)(struct world *w);
    uint64_t mmio;
    unsigned mib;
    bool others; /* nobody can break it without breaking another first */
} breakers[] = {
    {VRULE_STATUS_CLEAR, status_clear, 0, 0, false},
    {VRULE_STATUS_ORDER, status_order, 0, 0, false},
    {VRULE_STATUS_ORDER, status_order_features, 0, 0, false},
    {VRULE_STATUS_UNKNOWN, status_unknown, 0, 0, false},
    {VRULE_STATUS_FAILED, status_failed, 0, 0, false},
    {VRULE_FEATURE_UNOFFERED, feature_unoffered, 0, 0, false},
    {VRULE_FEATURE_REQUIRES, feature_requires, 0, 0, false},
    {VRULE_FEATURE_VERSION_1, feature_version_1, 0, 0, false},
    {VRULE_FEATURE_EARLY, feature_early, 0, 0, false},
    {VRULE_FEATURE_LATE, feature_late, 0, 0, false},
    {VRULE_FEATURES_UNREAD, features_unread, 0, 0, false},
    {VRULE_FEATURES_REFUSED, features_refused, 0, 0, true},
    {VRULE_KICK_EARLY, kick_early, 0, 0, false},
    {VRULE_KICK_NOBODY, kick_nobody, 0, 0, false},
    {VRULE_KICK_VALUE, kick_value, 0, 0, false},
    {VRULE_KICK_VALUE, kick_value_width, 0, 0, false},
    {VRULE_KICK_DATA, kick_data, 0, 0, false},
    {VRULE_KICK_DATA, kick_data_packed, 0, 0, false},
    {VRULE_QUEUE_POWER, queue_power, 0, 0, false},
    {VRULE_QUEUE_SIZE, queue_size, 0, 0, false},
    {VRULE_QUEUE_ALIGN, queue_align, 0, 0, false},
    {VRULE_QUEUE_MEMORY, queue_memory, 0, 0, false},
    {VRULE_QUEUE_OVERLAP, queue_overlap, 0, 0, false},
    {VRULE_QUEUE_EARLY, queue_early, 0, 0, false},
    {VRULE_QUEUE_LATE, queue_late, 0, 0, false},
    {VRULE_QUEUE_TWICE, queue_twice, 0, 0, false},
    {VRULE_QUEUE_CHANGED, queue_changed, 0, 0, false},
    {VRULE_QUEUE_CHANGED, mmio_queue_changed, REGS, 0, false},
    {VRULE_QUEUE_USED_INIT, queue_used_init, 0, 0, false},
    {VRULE_QUEUE_RING_INIT, queue_ring_init, 0, 0, false},
    {VRULE_RESET_UNOFFERED, reset_unoffered, 0, 0, false},
    {VRULE_RESET_UNREAD, reset_unread, 0, 0, false},
    {VRULE_RESET_UNREAD, mmio_reset_unread, REGS, 0, false},
    {VRULE_PCI_WIDTH, pci_width, 0, 0, false},
    {VRULE_PCI_READ_ONLY, pci_read_only, 0, 0, false},
    {VRULE_PCI_ENABLE, pci_enable, 0, 0, false},
    {VRULE_PCI_RESET, pci_reset, 0, 0, false},
    {VRULE_MMIO_WIDTH, mmio_width, REGS, 0, false},
    {VRULE_MMIO_DIRECTION, mmio_direction, REGS, 0, false},
    {VRULE_MMIO_DIRECTION, mmio_direction_read, REGS, 0, false},
    {VRULE_MMIO_ACK, mmio_ack, REGS, 0, false},
    {VRULE_CONFIG_OPTIONAL, config_optional, 0, 0, false},
    {VRULE_CONFIG_TORN, config_torn, 0, 0, false},
    {VRULE_CONFIG_TORN, config_torn_after, 0, 0, false},
    {VRULE_CONFIG_OUTSIDE, config_outside, 0, 0, false},
    {VRULE_AVAIL_BACK, avail_back, 0, 0, false},
    {VRULE_AVAIL_AHEAD, avail_ahead, 0, 0, false},
    {VRULE_AVAIL_HEAD, avail_head, 0, 0, false},
    {VRULE_AVAIL_FLAGS, avail_flags, 0, 0, false},
    {VRULE_AVAIL_FLAGS, avail_flags_event, 0, 0, false},
    {VRULE_USED_TOUCHED, used_touched, 0, 0, false},
    {VRULE_DESC_BUSY, desc_busy, 0, 0, false},
    {VRULE_DESC_BUSY, desc_busy_later, 0, 0, false},
    {VRULE_DESC_NEXT, desc_next, 0, 0, false},
    {VRULE_DESC_LOOP, desc_loop, 0, 0, false},
    {VRULE_DESC_LONG, desc_long, 0, 0, false},
    {VRULE_DESC_ORDER, desc_order, 0, 0, false},
    {VRULE_DESC_BYTES, desc_bytes, 0, 3072, false},
    {VRULE_DESC_EMPTY, desc_empty, 0, 0, false},
    {VRULE_DESC_MEMORY, desc_memory, 0, 0, false},
    {VRULE_DESC_FLAGS, desc_flags, 0, 0, false},
    {VRULE_DESC_CHANGED, desc_changed, 0, 0, false},
    {VRULE_DESC_CHANGED, table_changed, 0, 0, false},
    {VRULE_INDIRECT_UNOFFERED, indirect_unoffered, 0, 0, false},
    {VRULE_INDIRECT_NESTED, indirect_nested, 0, 0, false},
    {VRULE_INDIRECT_NEXT, indirect_next, 0, 0, false},
    {VRULE_INDIRECT_TABLE, indirect_table, 0, 0, false},
    {VRULE_IN_ORDER, in_order, 0, 0, true},
    {VRULE_IN_ORDER, in_order_next, 0, 0, false},
    {VRULE_PACKED_PARTIAL, packed_partial, 0, 0, false},
    {VRULE_PACKED_LONG, packed_long, 0, 0, false},
    {VRULE_PACKED_ROOM, packed_room, 0, 0, false},
    {VRULE_PACKED_ORDER, packed_order, 0, 0, false},
    {VRULE_PACKED_ID, packed_id, 0, 0, false},
    {VRULE_PACKED_FLAGS, packed_flags, 0, 0, false},
    {VRULE_PACKED_EVENT, packed_event, 0, 0, false},
    {VRULE_PACKED_EVENT, packed_event_reserved, 0, 0, false},
    {VRULE_PACKED_CHANGED, packed_changed, 0, 0, false},
    {VRULE_PACKED_INDIRECT, packed_indirect, 0, 0, false},
    {VRULE_PACKED_TABLE, packed_table, 0, 0, false},
    {VRULE_PACKED_LIST, packed_list, 0, 0, false},
};

static uint64_t told(const struct world *w, enum vrule rule)
{
    uint64_t n = 0;

    for (const struct ledger_row *r = ledger_first(w->ledger); r; r = r->next)
        if (r->kind == LEDGER_CHECK && !strcmp(r->name, vrule_text[rule].name))
            n += r->refused;
    return n;
}

static void each_rule_is_seen_broken(void **state)
{
    bool bad = false;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(breakers); i++) {
        const struct breaker *b = &breakers[i];
        struct world *w = watched(b->mib ? b->mib : 2, b->mmio, ORDER | DATAS);
        void *world = w;

        b->go(w);
        if (!told(w, b->rule) || (!b->others && told(w, b->rule) != w->watch.broken)) {
            print_error("%s, case %zu: told %d times of %d\n", vrule_text[b->rule].name, i,
                        (int)told(w, b->rule), (int)w->watch.broken);
            bad = true;
        }
        w->slow.list = NULL; /* what a broken ring left there is nobody's */
        teardown(&world);
    }
    assert_false(bad);
}

static void each_rule_has_a_name_and_a_breaker(void **state)
{
    (void)state;
    for (unsigned r = 0; r < VRULES; r++) {
        bool there = false;

        assert_non_null(vrule_text[r].name);
        assert_true(*vrule_text[r].section >= '2' && *vrule_text[r].section <= '6');
        for (size_t i = 0; i < ARRAY_LEN(breakers); i++)
            there |= breakers[i].rule == r;
        if (!there)
            print_error("%s: nobody breaks it\n", vrule_text[r].name);
        assert_true(there);
    }
}

static void the_page_lists_each_rule(void **state)
{
    static char page[1 << 16];
    FILE *f = fopen(PAGE, "r");
    size_t n;

    (void)state;
    assert_non_null(f);
    n = fread(page, 1, sizeof(page) - 1, f);
    page[n] = 0;
    fclose(f);
    for (unsigned r = 0; r < VRULES; r++) {
        char line[256];

        snprintf(line, sizeof(line), "| `%s` | %s | %s |", vrule_text[r].name,
                 vrule_text[r].section, vrule_text[r].text);
        if (!strstr(page, line))
            print_error("not on the page: %s\n", line);
        assert_non_null(strstr(page, line));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_has_a_name_and_a_breaker),
        cmocka_unit_test(each_rule_is_seen_broken),
        cmocka_unit_test(the_page_lists_each_rule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
