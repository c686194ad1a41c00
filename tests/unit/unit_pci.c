/* PCI functions: BARs that move and clash, decode bits, INTx, MSI-X masking and pending bits. */
#include "unit.h"

#include "bus/pci.h"
#include "bus/pci_cap.h"
#include "core/ledger.h"
#include "core/state.h"

#include <errno.h>

#define BAR_MEM 0x1000u
#define TABLE   0x0u
#define PBA     0x800u

struct card {
    struct pci_func f;
    struct pci_msix msix;
    struct io_region mem, io;
};

struct world {
    struct ledger *ledger;
    struct bus *bus;
    struct pci_bus *pci;
    struct card card[2];
    bool intx;
    uint64_t addr;
    uint32_t data;
    unsigned sent;
};

static uint64_t mem_read(void *dev, uint64_t off, unsigned size)
{
    struct card *c = dev;

    return off < PBA ? pci_msix_read(&c->msix, (uint32_t)off, size)
                     : pci_msix_pba(&c->msix, (uint32_t)off - PBA, size);
}

static void mem_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct card *c = dev;

    if (off < PBA)
        pci_msix_write(&c->msix, (uint32_t)off, size, val);
}

static uint64_t io_read(void *dev, uint64_t off, unsigned size)
{
    (void)dev, (void)size;
    return 0x40 + off;
}

static void io_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    (void)dev, (void)off, (void)size, (void)val;
}

static const struct io_ops mem_ops = {mem_read, mem_write, .sizes = 1 | 2 | 4 | 8};
static const struct io_ops io_ops = {io_read, io_write, .sizes = 1, .split = true};

static void intx_set(void *chip, unsigned pin, bool level)
{
    struct world *w = chip;

    (void)pin;
    w->intx = level;
}

static void msi_send(void *chip, uint64_t addr, uint32_t data)
{
    struct world *w = chip;

    w->addr = addr;
    w->data = data;
    w->sent++;
}

static void card_make(struct world *w, unsigned i, bool is64)
{
    struct card *c = &w->card[i];
    struct dev_env env = {.name = i ? "card1" : "card0",
                          .bus = w->bus,
                          .ledger = w->ledger,
                          .irq = {.set = intx_set, .chip = w},
                          .msi = {.send = msi_send, .chip = w},
                          .pci = w->pci,
                          .devfn = (uint8_t)(8 * (i + 1))};
    const struct pci_ids ids = {0x1234, 0x5678, 0x1111, 0x2222, 0x01800002, .intx = true};

    c->mem = (struct io_region){
        .name = "mem", .ops = &mem_ops, .dev = c, .space = BUS_MMIO, .len = BAR_MEM};
    c->io = (struct io_region){.name = "io", .ops = &io_ops, .dev = c, .space = BUS_PIO, .len = 16};
    assert_int_equal(pci_func_init(&c->f, &env, &ids, c), 0);
    pci_func_bar(&c->f, 0, &c->mem, is64);
    pci_func_bar(&c->f, 4, &c->io, false);
    assert_int_equal(pci_msix_init(&c->msix, &c->f, 3, 0, TABLE, PBA), 0);
    assert_int_equal(pci_func_attach(&c->f), 0);
    assert_int_equal(pci_func_attach(&c->f), -EBUSY);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    w->ledger = ledger_open();
    w->bus = bus_open(w->ledger);
    w->pci = pci_bus_open(w->bus);
    card_make(w, 0, true);
    card_make(w, 1, false);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    pci_func_detach(&w->card[0].f);
    pci_func_detach(&w->card[1].f);
    assert_null(bus_find(w->bus, BUS_PIO, 0x1000));
    pci_bus_close(w->pci);
    bus_close(w->bus);
    ledger_close(w->ledger);
    free(w);
    return 0;
}

static uint32_t get(struct world *w, unsigned card, unsigned off, unsigned size)
{
    return pci_cfg_read(w->pci, 8 * (card + 1), off, size);
}

static void put(struct world *w, unsigned card, unsigned off, unsigned size, uint32_t val)
{
    pci_cfg_write(w->pci, 8 * (card + 1), off, size, val);
}

static void test_header_and_sizing(void **state)
{
    struct world *w = *state;

    assert_int_equal(get(w, 0, 0, 4), 0x56781234);
    assert_int_equal(get(w, 0, 8, 4), 0x01800002);
    assert_int_equal(get(w, 0, 0x2c, 4), 0x22221111);
    assert_int_equal(get(w, 0, 0x3d, 1), 1);
    for (unsigned off = 0; off < 0x3c; off += 4)
        if (off != 4 && off != 0x0c)
            put(w, 0, off, 4, UINT32_MAX);
    assert_int_equal(get(w, 0, 0, 4), 0x56781234);
    assert_int_equal(get(w, 0, 0x10, 4), 0xfffff004);
    assert_int_equal(get(w, 0, 0x14, 4), UINT32_MAX);
    assert_int_equal(get(w, 0, 0x18, 4), 0);
    assert_int_equal(get(w, 0, 0x20, 4), 0xfffffff1);
    assert_int_equal(get(w, 0, 0x30, 4), 0); /* no ROM */
    assert_int_equal(get(w, 1, 0x10, 4), 0);
    put(w, 1, 0x10, 4, UINT32_MAX);
    assert_int_equal(get(w, 1, 0x10, 4), 0xfffff000);
}

static void test_absurd_accesses(void **state)
{
    struct world *w = *state;

    assert_int_equal(get(w, 0, 0xfe, 4), UINT32_MAX);
    assert_int_equal(get(w, 0, 256, 1), UINT32_MAX);
    assert_int_equal(get(w, 0, 0, 3), UINT32_MAX);
    assert_int_equal(pci_cfg_read(w->pci, 0, 0, 4), UINT32_MAX);
    assert_int_equal(pci_cfg_read(w->pci, ~0u, 0, 4), UINT32_MAX);
    put(w, 0, 0xfe, 4, 0);
    pci_cfg_write(w->pci, ~0u, 0, 4, 0);
    for (unsigned off = 0; off < 256; off++) /* every byte, every value's extremes */
        for (unsigned v = 0; v < 2; v++)
            put(w, 1, off, 1, v ? 0xff : 0);
    assert_int_equal(get(w, 1, 0, 4), 0x56781234);
}

static void test_bars_decode_and_move(void **state)
{
    struct world *w = *state;

    put(w, 0, 0x20, 4, 0x1000);
    assert_int_equal(bus_read(w->bus, BUS_PIO, 0x1000, 1), 0xff);
    put(w, 0, 4, 2, 1);
    assert_int_equal(bus_read(w->bus, BUS_PIO, 0x1002, 1), 0x42);
    put(w, 0, 0x20, 4, 0x2000);
    assert_int_equal(bus_read(w->bus, BUS_PIO, 0x1002, 1), 0xff);
    assert_int_equal(bus_read(w->bus, BUS_PIO, 0x2002, 1), 0x42);
    put(w, 0, 0x20, 4, 0xfffffff0); /* beyond the port space */
    assert_int_equal(bus_read(w->bus, BUS_PIO, 0x2002, 1), 0xff);
    put(w, 0, 0x20, 4, 0);
    assert_int_equal(bus_read(w->bus, BUS_PIO, 2, 1), 0xff);
    /* 64 bits, above 4 GiB; memory decode is another bit. */
    put(w, 0, 0x10, 4, 0x10000000);
    put(w, 0, 0x14, 4, 0x20);
    assert_null(bus_find(w->bus, BUS_MMIO, 0x2010000000));
    put(w, 0, 4, 2, 2);
    assert_ptr_equal(bus_find(w->bus, BUS_MMIO, 0x2010000000), &w->card[0].mem);
    put(w, 0, 0x14, 4, UINT32_MAX);
    assert_null(bus_find(w->bus, BUS_MMIO, 0x2010000000));
    put(w, 0, 4, 2, 0);
}

static void test_a_clash_waits_until_the_place_is_free(void **state)
{
    struct world *w = *state;

    pci_func_place(&w->card[0].f, 0, 0xd0000000);
    pci_func_place(&w->card[1].f, 0, 0xd0000000);
    assert_ptr_equal(bus_find(w->bus, BUS_MMIO, 0xd0000000), &w->card[0].mem);
    put(w, 0, 0x10, 4, 0xd0001000);
    assert_ptr_equal(bus_find(w->bus, BUS_MMIO, 0xd0000000), &w->card[1].mem);
    assert_ptr_equal(bus_find(w->bus, BUS_MMIO, 0xd0001000), &w->card[0].mem);
    put(w, 0, 0x10, 4, 0xd0000000); /* moves onto a taken place: decodes nothing */
    assert_null(bus_find(w->bus, BUS_MMIO, 0xd0001000));
    put(w, 1, 4, 2, 0);
    assert_ptr_equal(bus_find(w->bus, BUS_MMIO, 0xd0000000), &w->card[0].mem);
}

static void test_intx_obeys_the_command_register(void **state)
{
    struct world *w = *state;

    pci_intx(&w->card[0].f, true);
    assert_true(w->intx);
    assert_int_equal(get(w, 0, 6, 2) & 8, 8);
    put(w, 0, 4, 2, 0x400);
    assert_false(w->intx);
    assert_int_equal(get(w, 0, 6, 2) & 8, 8); /* status shows it all the same */
    put(w, 0, 4, 2, 0);
    assert_true(w->intx);
    put(w, 0, w->card[0].msix.cap + 2, 2, 0x8000); /* MSI-X on: INTx off */
    assert_false(w->intx);
    put(w, 0, w->card[0].msix.cap + 2, 2, 0);
    pci_intx(&w->card[0].f, false);
    assert_false(w->intx);
    assert_int_equal(get(w, 0, 6, 2) & 8, 0);
}

static void msix_on(struct world *w)
{
    pci_func_place(&w->card[0].f, 0, 0xd0000000);
    put(w, 0, 4, 2, 6);
    put(w, 0, w->card[0].msix.cap + 2, 2, 0x8000);
    bus_write(w->bus, BUS_MMIO, 0xd0000010, 8, 0xfee01000);
    bus_write(w->bus, BUS_MMIO, 0xd0000018, 4, 0x31);
    bus_write(w->bus, BUS_MMIO, 0xd000001c, 4, 0);
}

static void test_msix_sends_or_keeps(void **state)
{
    struct world *w = *state;
    unsigned cap = w->card[0].msix.cap;

    assert_int_equal(get(w, 0, 0x34, 1), cap);
    assert_int_equal(get(w, 0, cap, 1), 0x11);
    assert_int_equal(get(w, 0, cap + 2, 2), 2); /* three vectors */
    pci_msix_send(&w->card[0].msix, 1);         /* off: nothing */
    msix_on(w);
    assert_int_equal(w->sent, 0);
    pci_msix_send(&w->card[0].msix, 1);
    assert_int_equal(w->sent, 1);
    assert_int_equal(w->addr, 0xfee01000);
    assert_int_equal(w->data, 0x31);
    pci_msix_send(&w->card[0].msix, 0); /* masked since reset */
    pci_msix_send(&w->card[0].msix, 3); /* no such vector */
    assert_int_equal(w->sent, 1);
    assert_int_equal(bus_read(w->bus, BUS_MMIO, 0xd0000000 + PBA, 8), 1);
    bus_write(w->bus, BUS_MMIO, 0xd000000c, 4, 0); /* unmask: it goes */
    assert_int_equal(w->sent, 2);
    assert_int_equal(bus_read(w->bus, BUS_MMIO, 0xd0000000 + PBA, 8), 0);
    assert_int_equal(ledger_sum(w->ledger, LEDGER_MSI, "card0"), 2);
}

static void test_msix_function_mask_and_bus_master(void **state)
{
    struct world *w = *state;
    unsigned cap = w->card[0].msix.cap;

    msix_on(w);
    put(w, 0, cap + 2, 2, 0xc000);
    pci_msix_send(&w->card[0].msix, 1);
    pci_msix_send(&w->card[0].msix, 1); /* a pending bit is one message */
    assert_int_equal(w->sent, 0);
    put(w, 0, cap + 2, 2, 0x8000);
    assert_int_equal(w->sent, 1);
    put(w, 0, 4, 2, 2);
    assert_false(w->card[0].f.dma.enabled);
    pci_msix_send(&w->card[0].msix, 1);
    assert_int_equal(w->sent, 1);
    put(w, 0, 4, 2, 6);
    assert_true(w->card[0].f.dma.enabled);
    assert_int_equal(w->sent, 2);
    put(w, 0, cap + 2, 2, 0xc000);
    pci_msix_send(&w->card[0].msix, 1);
    put(w, 0, cap + 2, 2, 0); /* off forgets it */
    put(w, 0, cap + 2, 2, 0x8000);
    assert_int_equal(w->sent, 2);
}

static void test_msix_table_takes_any_width(void **state)
{
    struct world *w = *state;

    msix_on(w);
    bus_write(w->bus, BUS_MMIO, 0xd0000028, 8, UINT64_MAX); /* data and control at once */
    assert_int_equal(bus_read(w->bus, BUS_MMIO, 0xd0000028, 8), 0x1ffffffffull);
    bus_write(w->bus, BUS_MMIO, 0xd000002d, 1, 0xff); /* reserved byte */
    assert_int_equal(bus_read(w->bus, BUS_MMIO, 0xd000002c, 4), 1);
    bus_write(w->bus, BUS_MMIO, 0xd0000030, 4, 1); /* behind the table */
    assert_int_equal(bus_read(w->bus, BUS_MMIO, 0xd0000030, 4), 0);
    assert_int_equal(pci_msix_read(&w->card[0].msix, UINT32_MAX, 8), 0);
    pci_msix_write(&w->card[0].msix, 0, 0, 1);
    pci_msix_write(&w->card[0].msix, UINT32_MAX, 4, 1);
    assert_int_equal(pci_msix_pba(&w->card[0].msix, 4, 8), 0);
}

static void test_reset_and_state(void **state)
{
    struct world *w = *state;
    struct state save, load;
    uint64_t at;

    msix_on(w);
    pci_msix_send(&w->card[0].msix, 2);
    state_save_begin(&save);
    pci_func_state(&w->card[0].f, &save);
    at = save.at;
    pci_func_reset(&w->card[0].f);
    assert_null(bus_find(w->bus, BUS_MMIO, 0xd0000000));
    assert_int_equal(get(w, 0, 4, 2), 0);
    assert_int_equal(get(w, 0, 0x10, 4), 4);
    assert_false(w->card[0].f.dma.enabled);
    state_load_begin(&load, save.buf, at);
    pci_func_state(&w->card[0].f, &load);
    assert_int_equal(state_end(&load), 0);
    assert_ptr_equal(bus_find(w->bus, BUS_MMIO, 0xd0000000), &w->card[0].mem);
    assert_int_equal(bus_read(w->bus, BUS_MMIO, 0xd0000000 + PBA, 8), 4);
    assert_true(w->card[0].f.dma.enabled);
    memset(save.buf + 16, 0xff, 64); /* a stream that would change ids and capabilities */
    state_load_begin(&load, save.buf, at);
    pci_func_state(&w->card[0].f, &load);
    state_end(&load);
    assert_int_equal(get(w, 0, 0, 4), 0x56781234);
    assert_int_equal(state_end(&save), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_header_and_sizing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_absurd_accesses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bars_decode_and_move, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_clash_waits_until_the_place_is_free, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_intx_obeys_the_command_register, setup, teardown),
        cmocka_unit_test_setup_teardown(test_msix_sends_or_keeps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_msix_function_mask_and_bus_master, setup, teardown),
        cmocka_unit_test_setup_teardown(test_msix_table_takes_any_width, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reset_and_state, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
