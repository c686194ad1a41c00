/* virtio-blk behind PCI: negotiation, queues, doorbells, reset, the window, state. */
#include "vblk_world.h"

#include <errno.h>

/* A doorbell hangs where BAR 2 decodes, moves with it, and does what the register does. */
static void doorbell(void **state)
{
    struct world *w = *state;
    const struct ledger_row *row = ledger_find(w->ledger, LEDGER_BELL, "vd0", "notify");
    unsigned drops;

    assert_non_null(row);
    assert_non_null(w->bell);
    assert_int_equal(w->bell->addr, BELL);
    assert_int_equal(w->bell->size, 2);
    drive(w, 0);
    request(w, 0, IN, 0, 512);
    w->bell->rung(w->bell->arg, 3);
    settle(w);
    assert_int_equal(used(w), 1);
    assert_int_equal(status(w, 0), 0);
    assert_int_equal(row->writes, 3);
    assert_int_equal(ledger_find(w->ledger, LEDGER_MMIO, "vd0", "notify")->writes, 0);

    drops = w->drops;
    pci_cfg_write(w->pci, DEVFN, 0x18, 4, BELL + 0x100000);
    assert_int_equal(w->drops, drops + 1);
    assert_int_equal(w->bell->addr, BELL + 0x100000);
    pci_cfg_write(w->pci, DEVFN, 0x3c, 1, 9); /* nothing to do with it */
    assert_int_equal(w->drops, drops + 1);
    pci_cfg_write(w->pci, DEVFN, 0x04, 2, 4);
    assert_null(w->bell);
    pci_cfg_write(w->pci, DEVFN, 0x04, 2, 6);
    assert_int_equal(w->bell->addr, BELL + 0x100000);

    wr(w, STATUS, 1, 0); /* a kick that comes after the reset finds no queue running */
    w->bell->rung(w->bell->arg, 1);
    settle(w);
    assert_int_equal(used(w), 1);
    vblk_class.reset(w->d);
    assert_null(w->bell);
}

static void negotiation_is_strict(void **state)
{
    struct world *w = *state;

    wr(w, STATUS, 1, 0xf); /* no VERSION_1 yet */
    assert_int_equal(rd(w, STATUS, 1), 3);
    wr(w, STATUS, 1, 0);
    negotiate(w, 1u << 5); /* RO was not offered */
    assert_int_equal(rd(w, STATUS, 1), 3);
    negotiate(w, 0);
    wr(w, CFG + 8, 4, 0);
    wr(w, CFG + 0xc, 4, UINT32_MAX); /* frozen */
    assert_int_equal(rd(w, CFG + 0xc, 4), 0);
    wr(w, STATUS, 1, 1); /* bits are never taken back but by 0 */
    assert_int_equal(rd(w, STATUS, 1), 0xb);
    wr(w, CFG + 0x14, 4, 0); /* wrong width */
    assert_int_equal(rd(w, STATUS, 1), 0xb);
}

static void absurd_queues_need_a_reset(void **state)
{
    static const struct {
        uint16_t size;
        uint64_t desc;
    } bad[] = {{SIZE, 0xfee00000}, {SIZE, UINT64_MAX & ~15ull},
               {SIZE, DESC + 1},   {7, DESC},
               {0, DESC},          {512, DESC}};
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        negotiate(w, 0);
        queue(w, bad[i].size, bad[i].desc);
        assert_int_equal(rd(w, STATUS, 1), 0x4b);
        wr(w, STATUS, 1, 0xf);
        kick(w);
        settle(w);
        assert_int_equal(rd(w, STATUS, 1), 0x4f);
    }
    drive(w, 0);
    assert_int_equal(one(w, IN, 0, 512), 0);
}

static void latched_at_enable(void **state)
{
    struct world *w = *state;

    drive(w, 0);
    wr(w, CFG + 0x18, 2, 4);
    wr(w, CFG + 0x20, 4, 0xfee00000);
    wr(w, CFG + 0x1c, 2, 1);
    assert_int_equal(rd(w, CFG + 0x20, 4), 0xfee00000);
    assert_int_equal(one(w, IN, 0, 512), 0);
}

static void a_broken_ring_tells_the_driver(void **state)
{
    struct world *w = *state;

    drive(w, 0);
    request(w, 0, IN, 0, 512);
    desc(w, 3, HDR + 16, 1, WRITE | NEXT); /* runs on into nowhere */
    desc(w, 4, 0, 0, 0);
    kick(w);
    settle(w);
    assert_int_equal(rd(w, STATUS, 1), 0x4f);
    assert_int_equal(w->msi_data, 0x40); /* configuration change */
    request(w, 0, IN, 0, 512);
    kick(w);
    settle(w);
    assert_int_equal(used(w), 0);
    drive(w, 0);
    assert_int_equal(one(w, IN, 0, 512), 0);
}

static void reset_under_io(void **state)
{
    struct world *w = *state;

    drive(w, 0);
    for (unsigned i = 0; i < 3; i++)
        request(w, i, IN, i, 512);
    kick(w);
    settle(w);
    assert_int_equal(w->slow.seen[BLK_READ], 3);
    slow_finish(&w->slow, 0); /* done, but not yet delivered */
    wr(w, STATUS, 1, 0);
    assert_int_equal(rd(w, STATUS, 1), 0);
    assert_null(w->slow.list);
    settle(w);
    assert_int_equal(used(w), 0);
    assert_int_equal(status(w, 0), 0xee);
    assert_int_equal(w->msis, 0);
    drive(w, 0); /* all requests are there again */
    for (unsigned i = 0; i < 4; i++)
        request(w, i, IN, i, 512);
    kick(w);
    slow_drain(&w->slow.blk);
    settle(w);
    assert_int_equal(used(w), 4);
    assert_int_equal(w->msis, 1);
}

static void window(void **state)
{
    struct world *w = *state;
    unsigned cap = cap_find(w, 9, 5);

    pci_cfg_write(w->pci, DEVFN, 0x04, 2, 4); /* no BAR decodes */
    assert_int_equal(rd(w, STATUS, 1), 0xff);
    pci_cfg_write(w->pci, DEVFN, cap + 4, 1, 0);
    pci_cfg_write(w->pci, DEVFN, cap + 8, 4, 0x14);
    pci_cfg_write(w->pci, DEVFN, cap + 12, 4, 1);
    pci_cfg_write(w->pci, DEVFN, cap + 16, 1, 3);
    assert_int_equal(pci_cfg_read(w->pci, DEVFN, cap + 16, 1), 3);
    pci_cfg_write(w->pci, DEVFN, cap + 8, 4, 0x2000);
    pci_cfg_write(w->pci, DEVFN, cap + 12, 4, 4);
    assert_int_equal(pci_cfg_read(w->pci, DEVFN, cap + 16, 4), 2048);
    pci_cfg_write(w->pci, DEVFN, cap + 8, 4, 0xfffffffc); /* nowhere: nothing happens */
    pci_cfg_write(w->pci, DEVFN, cap + 16, 4, 1);
    pci_cfg_write(w->pci, DEVFN, cap + 12, 4, 3);
    pci_cfg_write(w->pci, DEVFN, cap + 16, 4, 1);
}

static void state_goes_on_elsewhere(void **state)
{
    struct world *w = *state;
    struct state save, load;
    struct vblk *old = w->d;

    drive(w, 0);
    assert_int_equal(one(w, IN, 0, 512), 0);
    request(w, 0, IN, 3, 512);
    kick(w); /* in flight when it is saved */
    state_save_begin(&save);
    vblk_class.state(old, &save);
    assert_int_equal(save.err, 0);
    assert_int_equal(used(w), 2);
    assert_int_equal(w->msis, 2);
    vblk_class.destroy(old);

    assert_int_equal(vblk_create(&w->d, &w->env, w->blk, &(struct vblk_opts){0}), 0);
    state_load_begin(&load, save.buf, save.at);
    vblk_class.state(w->d, &load);
    assert_int_equal(state_end(&load), 0);
    settle(w);
    assert_int_equal(used(w), 2);
    assert_int_equal(one(w, IN, 1, 512), 0);
    assert_int_equal(w->msis, 3);

    for (size_t cut = 0; cut < save.at; cut++) { /* a short stream fails, and is survived */
        state_load_begin(&load, save.buf, cut);
        vblk_class.state(w->d, &load);
        assert_int_equal(state_end(&load), -EINVAL);
    }
    state_end(&save);
    vblk_class.reset(w->d);
    place(w);
    drive(w, 0);
    assert_int_equal(one(w, IN, 1, 512), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BELLS(doorbell),
        MEM(negotiation_is_strict),
        MEM(absurd_queues_need_a_reset),
        MEM(latched_at_enable),
        MEM(a_broken_ring_tells_the_driver),
        SLOW(reset_under_io),
        MEM(window),
        MEM(state_goes_on_elsewhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
