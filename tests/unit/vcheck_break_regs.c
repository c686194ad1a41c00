/* Drivers that break one rule of those about registers and set-up. */
#include "vcheck_driver.h"

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

static const struct breaker breakers[] = {
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
};

const struct breakers vcheck_break_regs = {breakers, ARRAY_LEN(breakers)};
