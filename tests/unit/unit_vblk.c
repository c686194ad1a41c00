/* virtio-blk behind PCI: requests, their data and errors, interrupts, counts. */
#include "vblk_world.h"

#include <errno.h>

static void identity(void **state)
{
    struct world *w = *state;
    unsigned cap;

    assert_int_equal(pci_cfg_read(w->pci, DEVFN, 0, 4), 0x10421af4);
    assert_true(pci_cfg_read(w->pci, DEVFN, 8, 1) >= 1);
    for (uint8_t type = 1; type <= 5; type++)
        cap_find(w, 9, type);
    cap = cap_find(w, 9, 2);
    assert_int_equal(pci_cfg_read(w->pci, DEVFN, cap + 4, 1), 2);
    assert_int_equal(pci_cfg_read(w->pci, DEVFN, cap + 16, 4), 4);
    assert_int_equal(rd(w, DEVCFG, 4), 2048);
    assert_int_equal(rd(w, DEVCFG + 20, 4), 512);
    assert_int_equal(rd(w, DEVCFG + 0x100, 4), UINT32_MAX);
    assert_int_equal(rd(w, CFG + 0x18, 2), 256);
    wr(w, CFG + 0x16, 2, 1); /* no such queue */
    assert_int_equal(rd(w, CFG + 0x18, 2), 0);
}

static void data_goes_both_ways(void **state)
{
    struct world *w = *state;
    uint8_t *data = ram_ptr(&w->ram, DATA, 4096), want[4096];

    drive(w, 0);
    for (size_t i = 0; i < sizeof(want); i++)
        data[i] = want[i] = (uint8_t)(i * 13 + i / 256);
    assert_int_equal(one(w, OUT, 7, 4096), 0);
    assert_int_equal(le32_get(ram_ptr(&w->ram, USED + 8, 4)), 1);
    memset(data, 0, 4096);
    assert_int_equal(one(w, IN, 7, 4096), 0);
    assert_memory_equal(data, want, sizeof(want));
    assert_int_equal(le32_get(ram_ptr(&w->ram, USED + 16, 4)), 4097);
    assert_int_equal(one(w, GET_ID, 0, 20), 0);
    assert_memory_equal(data, "serial-0123456789abc", 20);
    assert_int_equal(w->msis, 3);
    assert_int_equal(w->msi_data, 0x41);
}

static void a_bad_request_fails_alone(void **state)
{
    struct world *w = *state;

    drive(w, 0);
    assert_int_equal(one(w, IN, 2048, 512), 1);       /* past the end */
    assert_int_equal(one(w, IN, UINT64_MAX, 512), 1); /* wraps */
    assert_int_equal(one(w, OUT, 0, 511), 1);         /* not whole sectors */
    assert_int_equal(one(w, IN, 0, 0), 1);
    assert_int_equal(one(w, 99, 0, 0), 2);
    assert_int_equal(one(w, DISCARD, 0, 16), 2); /* not negotiated */
    assert_int_equal(one(w, GET_ID, 0, 64), 1);
    request(w, 0, IN, 0, 512);
    desc(w, 1, 0xfee00000, 256, NEXT | WRITE); /* not RAM */
    kick(w);
    settle(w);
    assert_int_equal(status(w, 0), 1);
    assert_int_equal(rd(w, STATUS, 1), 0xf);
    assert_int_equal(one(w, IN, 0, 512), 0);
}

static void ranges(void **state)
{
    struct world *w = *state;
    uint8_t *data = ram_ptr(&w->ram, DATA, 512);

    drive(w, 1 << 13 | 1 << 14);
    memset(data, 0x77, 512);
    assert_int_equal(one(w, OUT, 9, 512), 0);
    for (unsigned type = DISCARD; type <= ZEROES; type += 2) {
        memset(data, 0, 16);
        le64_put(data, 9);
        le32_put(data + 8, 1);
        le32_put(data + 12, type == ZEROES ? 2 : 1); /* a flag it may not have */
        assert_int_equal(one(w, type, 0, 16), 2);
        le32_put(data + 12, 0);
        le32_put(data + 8, 4096);
        assert_int_equal(one(w, type, 0, 16), 1); /* past the end */
        assert_int_equal(one(w, type, 0, 32), 1); /* two ranges */
    }
    le32_put(data + 8, 1);
    assert_int_equal(one(w, ZEROES, 0, 16), 0);
    assert_int_equal(one(w, IN, 9, 512), 0);
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(data[i], 0);
}

static void a_batch_costs_one_kick_and_one_interrupt(void **state)
{
    struct world *w = *state;
    const struct ledger_row *bell = ledger_row(w->ledger, LEDGER_MMIO, "vd0", "notify");
    const struct ledger_row *cfg = ledger_row(w->ledger, LEDGER_MMIO, "vd0", "cfg");
    uint64_t others;

    drive(w, 1 << 29); /* EVENT_IDX */
    others = cfg->reads + cfg->writes;
    for (unsigned i = 0; i < 4; i++)
        request(w, i, IN, i, 512);
    kick(w);
    settle(w);
    assert_int_equal(used(w), 4);
    assert_int_equal(w->msis, 1);
    assert_int_equal(bell->writes, 1);
    assert_int_equal(cfg->reads + cfg->writes, others);
    assert_int_equal(le16_get(ram_ptr(&w->ram, USED + 4 + 8 * SIZE, 2)), 4); /* avail_event */
}

static void intx_follows_isr(void **state)
{
    struct world *w = *state;

    drive(w, 0);
    pci_cfg_write(w->pci, DEVFN, cap_find(w, 0x11, 0) + 2, 2, 0);
    assert_int_equal(one(w, IN, 0, 512), 0);
    assert_true(w->level);
    assert_int_equal(w->msis, 0);
    assert_int_equal(rd(w, ISR, 1), 1);
    assert_false(w->level);
    assert_int_equal(rd(w, ISR, 1), 0);
}

static void without_write_cache_success_is_durable(void **state)
{
    struct world *w = *state;

    drive(w, 1 << 9 | 1 << 11); /* FLUSH, CONFIG_WCE */
    assert_int_equal(rd(w, DEVCFG + 32, 1), 1);
    request(w, 0, OUT, 0, 512);
    kick(w);
    slow_finish(&w->slow, 0);
    settle(w);
    assert_int_equal(w->slow.seen[BLK_FLUSH], 0);
    assert_int_equal(used(w), 1);
    wr(w, DEVCFG + 32, 1, 0);
    request(w, 0, OUT, 0, 512);
    kick(w);
    slow_finish(&w->slow, 0);
    settle(w);
    assert_int_equal(w->slow.seen[BLK_FLUSH], 1);
    assert_int_equal(used(w), 1);
    slow_finish(&w->slow, -EIO);
    settle(w);
    assert_int_equal(used(w), 2);
    assert_int_equal(status(w, 0), 1);
}

static void a_failed_read_wrote_nothing(void **state)
{
    struct world *w = *state;

    drive(w, 0);
    request(w, 0, IN, 0, 512);
    kick(w);
    slow_finish(&w->slow, -EIO);
    settle(w);
    assert_int_equal(status(w, 0), 1);
    assert_int_equal(le32_get(ram_ptr(&w->ram, USED + 8, 4)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MEM(identity),
        MEM(data_goes_both_ways),
        MEM(a_bad_request_fails_alone),
        MEM(ranges),
        MEM(a_batch_costs_one_kick_and_one_interrupt),
        MEM(intx_follows_isr),
        SLOW(without_write_cache_success_is_durable),
        SLOW(a_failed_read_wrote_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
