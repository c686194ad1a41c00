/* The interrupt controllers with the local APICs in the engine: what goes there, by which way, and
 * what comes back. The engine is a list of what it was told. */
#include "unit.h"

#include "bus/bus.h"
#include "core/apics.h"
#include "core/ledger.h"
#include "core/loop.h"
#include "core/state.h"
#include "irq/chip.h"
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MSI      0xfee00000ull
#define IOAPIC   0xfec00000ull
#define CPU1     (1u << 12)
#define LEVEL    0x8000u
#define RTE_IRR  (1u << 14)
#define RTE_MASK (1u << 16)
#define SENT_MAX 16

struct world {
    pthread_mutex_t lock;
    struct ledger *ledger;
    struct loop *loop;
    struct bus *bus;
    struct chip *chip;
    struct apics apics;
    struct {
        uint64_t addr;
        uint32_t data;
    } sent[SENT_MAX], pin[24];
    unsigned sends, kicks[2], opened, closed;
    bool nobody, full; /* no APIC takes a message; there is no way left */
    uint8_t page[2][INTR_LAPIC_PAGE];
};

static bool apic_send(void *ctx, uint64_t addr, uint32_t data)
{
    struct world *w = ctx;

    assert_true(w->sends < SENT_MAX);
    w->sent[w->sends].addr = addr;
    w->sent[w->sends++].data = data;
    return !w->nobody;
}

static void apic_pin(void *ctx, unsigned pin, uint64_t addr, uint32_t data)
{
    struct world *w = ctx;

    w->pin[pin].addr = addr;
    w->pin[pin].data = data;
}

static int way_open(void *ctx, struct msi_way *way)
{
    struct world *w = ctx;

    if (w->full)
        return -ENOSPC;
    if (!way->gsi)
        way->fd = eventfd(0, EFD_NONBLOCK);
    way->gsi = 24;
    w->opened++;
    return 0;
}

static void way_close(void *ctx, struct msi_way *way)
{
    struct world *w = ctx;

    if (!way->gsi)
        return;
    close(way->fd);
    w->closed++;
}

static int apic_page(void *ctx, unsigned vcpu, uint8_t *page, bool set)
{
    struct world *w = ctx;

    memcpy(set ? w->page[vcpu] : page, set ? page : w->page[vcpu], INTR_LAPIC_PAGE);
    return 0;
}

static const struct apics_ops fake = {apic_send, apic_pin, way_open, way_close, apic_page};

static void kick(void *ctx, unsigned vcpu)
{
    ((struct world *)ctx)->kicks[vcpu]++;
}

static int setup(void **state)
{
    static const struct pic8259_at pic = {.master = 0x20, .slave = 0xa0, .elcr = 0x4d0};
    struct world *w = calloc(1, sizeof(*w));
    struct dev_env env = {.name = "irq", .lock = &w->lock};
    struct chip_opts o = {.vcpus = 2,
                          .pic = &pic,
                          .ioapic = IOAPIC,
                          .lapic = MSI,
                          .lapic_hz = 1000000000,
                          .virtual_wire = true,
                          .apics = &w->apics,
                          .kick = kick,
                          .ctx = w};

    pthread_mutex_init(&w->lock, NULL);
    w->apics = (struct apics){&fake, w};
    env.ledger = w->ledger = ledger_open();
    env.loop = w->loop = loop_open(&w->lock, true);
    env.bus = w->bus = bus_open(w->ledger);
    assert_int_equal(chip_create(&w->chip, &env, &o), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    chip_class.destroy(w->chip);
    bus_close(w->bus);
    loop_close(w->loop);
    ledger_close(w->ledger);
    pthread_mutex_destroy(&w->lock);
    free(w);
    return 0;
}

static void rte(struct world *w, unsigned pin, unsigned half, uint32_t val)
{
    bus_write(w->bus, BUS_MMIO, IOAPIC, 4, 0x10 + 2 * pin + half);
    bus_write(w->bus, BUS_MMIO, IOAPIC + 0x10, 4, val);
}

static uint32_t rte_low(struct world *w, unsigned pin)
{
    bus_write(w->bus, BUS_MMIO, IOAPIC, 4, 0x10 + 2 * pin);
    return (uint32_t)bus_read(w->bus, BUS_MMIO, IOAPIC + 0x10, 4);
}

static uint64_t rung(const struct msi_way *way)
{
    uint64_t times = 0;

    return read(way->fd, &times, sizeof(times)) == sizeof(times) ? times : 0;
}

static void test_a_message_gets_a_way_when_it_repeats(void **state)
{
    struct world *w = *state;
    struct msi_sink to = chip_msi(w->chip);
    struct msi_way way = {.row = ledger_row(w->ledger, LEDGER_BELL, "dev", "msix0")};

    to.send_by(to.chip, &way, MSI | CPU1, 0x41);
    assert_int_equal(w->sends, 1);
    assert_int_equal(w->opened, 0);
    to.send_by(to.chip, &way, MSI | CPU1, 0x41);
    to.send_by(to.chip, &way, MSI | CPU1, 0x41);
    assert_int_equal(w->sends, 1);
    assert_int_equal(w->opened, 1);
    assert_int_equal(rung(&way), 2);
    assert_int_equal(way.row->writes, 2);
    to.send_by(to.chip, &way, MSI, 0x52); /* another one: first by call, then by the same fd */
    assert_int_equal(w->sends, 2);
    assert_int_equal(w->sent[1].data, 0x52);
    assert_int_equal(rung(&way), 0);
    to.send_by(to.chip, &way, MSI, 0x52);
    assert_int_equal(w->opened, 2);
    assert_int_equal(rung(&way), 1);
    to.way_close(to.chip, &way);
    assert_int_equal(w->closed, 1);
    to.send_by(to.chip, &way, MSI, 0x52);
    assert_int_equal(w->sends, 3);
    assert_int_equal(w->kicks[0] + w->kicks[1], 0);
}

static void test_without_a_way_messages_go_by_call(void **state)
{
    struct world *w = *state;
    struct msi_sink to = chip_msi(w->chip);
    struct msi_way way = {0};

    w->full = true;
    for (unsigned i = 0; i < 3; i++)
        to.send_by(to.chip, &way, MSI, 0x41);
    assert_int_equal(w->sends, 3);
    w->full = false;
    to.send_by(to.chip, &way, MSI, 0x41); /* not asked for again */
    assert_int_equal(w->opened, 0);
    for (unsigned i = 0; i < 3; i++)
        to.send_by(to.chip, &way, MSI, 0x400); /* an NMI never gets one */
    assert_int_equal(w->sends, 7);
    assert_int_equal(w->opened, 0);
}

static void test_what_no_apic_here_takes_goes_nowhere(void **state)
{
    struct world *w = *state;
    struct msi_sink to = chip_msi(w->chip);
    struct msi_way way = {0};

    to.send(to.chip, MSI, 0x241);             /* SMI */
    to.send_by(to.chip, &way, MSI, 0x341);    /* reserved */
    to.send_by(to.chip, &way, MSI, 0x608);    /* start-up */
    to.send_by(to.chip, &way, MSI, 0x700);    /* ExtINT */
    to.send_by(to.chip, &way, 0xfed00000, 1); /* stray */
    to.send(to.chip, 0x1fee00000ull, 0x41);
    assert_int_equal(w->sends, 0);
    assert_int_equal(ledger_sum(w->ledger, LEDGER_MSI, "irq"), 2);
    w->apics.ctx = NULL; /* the engine is gone */
    to.send_by(to.chip, &way, MSI, 0x41);
    to.send_by(to.chip, &way, MSI, 0x41);
    to.way_close(to.chip, &way);
    assert_int_equal(w->sends + w->opened + w->closed, 0);
}

static void test_an_edge_is_a_message(void **state)
{
    struct world *w = *state;
    struct irq line = chip_gsi(w->chip, 4);

    rte(w, 4, 1, 1u << 24);
    rte(w, 4, 0, 0x900 | 0x31); /* lowest priority, logical */
    irq_set(&line, true);
    irq_set(&line, false);
    assert_int_equal(w->sends, 1);
    assert_int_equal(w->sent[0].addr, MSI | CPU1 | 4);
    assert_int_equal(w->sent[0].data, 0x131);
    assert_int_equal(w->pin[4].addr, 0); /* nobody waits for its EOI */
    assert_int_equal(ledger_sum(w->ledger, LEDGER_IRQ, "irq"), 1);
}

static void test_a_level_waits_for_its_eoi(void **state)
{
    struct world *w = *state;
    const struct intr_ops *ops = chip_intr(w->chip);
    struct irq line = chip_gsi(w->chip, 10);

    rte(w, 10, 0, LEVEL | 0x31);
    assert_int_equal(w->pin[10].addr, MSI);
    assert_int_equal(w->pin[10].data & ~(1u << 14), LEVEL | 0x31);
    irq_set(&line, true);
    assert_int_equal(w->sends, 1);
    assert_int_equal(w->sent[0].data & ~(1u << 14), LEVEL | 0x31);
    assert_true(rte_low(w, 10) & RTE_IRR);
    rte(w, 10, 0, LEVEL | RTE_MASK | 0x32); /* masked: the EOI of what was sent still counts */
    assert_int_equal(w->pin[10].data & 0xff, 0x31);
    rte(w, 10, 0, LEVEL | 0x31);
    assert_int_equal(w->sends, 1);
    ops->eoi(w->chip, 1, 0x32); /* somebody else's */
    assert_int_equal(w->sends, 1);
    ops->eoi(w->chip, 1, 0x31); /* still high: again */
    assert_int_equal(w->sends, 2);
    irq_set(&line, false);
    ops->eoi(w->chip, 0, 0x31);
    assert_int_equal(w->sends, 2);
    assert_false(rte_low(w, 10) & RTE_IRR);
    w->nobody = true;
    irq_set(&line, true);
    assert_false(rte_low(w, 10) & RTE_IRR);
}

static void test_the_8259_goes_to_whoever_takes_it(void **state)
{
    struct world *w = *state;
    const struct intr_ops *ops = chip_intr(w->chip);
    struct irq line = chip_isa(w->chip, 5);

    bus_write(w->bus, BUS_PIO, 0x20, 1, 0x11);
    bus_write(w->bus, BUS_PIO, 0x21, 1, 0x20);
    bus_write(w->bus, BUS_PIO, 0x21, 1, 4);
    bus_write(w->bus, BUS_PIO, 0x21, 1, 1);
    bus_write(w->bus, BUS_PIO, 0x21, 1, 0xdf);
    assert_int_equal(ops->pending(w->chip, 0), -1);
    irq_set(&line, true);
    assert_int_equal(w->kicks[0], 1);
    assert_int_equal(w->kicks[1], 1);
    assert_int_equal(ops->pending(w->chip, 0), 0x25);
    assert_int_equal(ops->pending(w->chip, 1), 0x25);
    assert_int_equal(ops->ack(w->chip, 1), 0x25);
    assert_int_equal(ops->pending(w->chip, 0), -1);
    assert_int_equal(ops->ack(w->chip, 0), -1);
    assert_int_equal(ledger_sum(w->ledger, LEDGER_VEC, "cpu1"), 1);
    assert_int_equal(ledger_sum(w->ledger, LEDGER_VEC, "cpu0"), 0);
    assert_int_equal(w->sends, 0); /* its I/O APIC entry is masked */
}

static void test_the_first_cpu_starts_as_firmware_leaves_it(void **state)
{
    struct world *w = *state;
    const struct intr_ops *ops = chip_intr(w->chip);
    uint8_t page[INTR_LAPIC_PAGE];

    ops->lapic(w->chip, 0, page);
    assert_int_equal(le32_get(page + 0xf0), 0x1ff);
    assert_int_equal(le32_get(page + 0x350), 0x700);
    assert_int_equal(le32_get(page + 0x360), 0x400);
    ops->lapic(w->chip, 1, page);
    assert_int_equal(le32_get(page + 0x20), 1u << 24);
    assert_int_equal(le32_get(page + 0xf0), 0xff);
    assert_int_equal(le32_get(page + 0x350), 0x10000);
    assert_null(chip_lapic_page(w->chip, 0));
}

static void test_state_has_the_engines_pages(void **state)
{
    struct world *w = *state;
    struct state st;

    memset(w->page[1], 0x5a, INTR_LAPIC_PAGE);
    rte(w, 10, 0, LEVEL | 0x31);
    state_save_begin(&st);
    chip_class.state(w->chip, &st);
    memset(w->page, 0, sizeof(w->page));
    memset(w->pin, 0, sizeof(w->pin));
    struct state in;
    state_load_begin(&in, st.buf, st.at);
    chip_class.state(w->chip, &in);
    assert_int_equal(state_end(&in), 0);
    assert_int_equal(w->page[1][INTR_LAPIC_PAGE - 1], 0x5a);
    assert_int_equal(w->pin[10].data & 0xff, 0x31); /* the engine knows the levels again */
    state_load_begin(&in, st.buf, st.at - 100);
    chip_class.state(w->chip, &in);
    assert_int_not_equal(state_end(&in), 0);
    assert_int_equal(state_end(&st), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_message_gets_a_way_when_it_repeats, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_a_way_messages_go_by_call, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_no_apic_here_takes_goes_nowhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_edge_is_a_message, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_level_waits_for_its_eoi, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_8259_goes_to_whoever_takes_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_first_cpu_starts_as_firmware_leaves_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_state_has_the_engines_pages, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
