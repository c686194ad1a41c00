/* The interrupt controllers as vCPU threads and PCI functions see them: MSRs, INIT and SIPI, kicks,
 * messages. Registers are in tests/dev/lapic.t and its neighbours. */
#include "unit.h"

#include "bus/bus.h"
#include "core/ledger.h"
#include "core/loop.h"
#include "irq/chip.h"

#define MSR_BASE     0x1bu
#define MSR_DEADLINE 0x6e0u
#define LAPIC        0xfee00000ull

struct world {
    pthread_mutex_t lock;
    struct ledger *ledger;
    struct loop *loop;
    struct bus *bus;
    struct chip *chip;
    unsigned kicks[2];
};

static const struct intr_ops *const ops = &chip_intr_ops;

static uint64_t tsc_to_ns(void *ctx, unsigned vcpu, uint64_t tsc)
{
    (void)ctx, (void)vcpu;
    return tsc / 2; /* a TSC of 2 GHz */
}

static void kick(void *ctx, unsigned vcpu)
{
    struct world *w = ctx;

    w->kicks[vcpu]++;
}

static void reg_write(struct world *w, unsigned vcpu, uint64_t off, uint32_t val)
{
    bus_region_write(w->bus, chip_lapic_page(w->chip, vcpu), off, 4, val);
}

static uint32_t reg_read(struct world *w, unsigned vcpu, uint64_t off)
{
    return (uint32_t)bus_region_read(w->bus, chip_lapic_page(w->chip, vcpu), off, 4);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct dev_env env = {.name = "irq", .lock = &w->lock};
    struct chip_opts o = {.vcpus = 2,
                          .ioapic = 0xfec00000,
                          .lapic = LAPIC,
                          .lapic_hz = 1000000000,
                          .tsc_to_ns = tsc_to_ns,
                          .kick = kick,
                          .ctx = w};

    pthread_mutex_init(&w->lock, NULL);
    env.ledger = w->ledger = ledger_open();
    env.loop = w->loop = loop_open(&w->lock, true);
    env.bus = w->bus = bus_open(w->ledger);
    assert_int_equal(chip_create(&w->chip, &env, &o), 0);
    for (unsigned i = 0; i < 2; i++)
        reg_write(w, i, 0xf0, 0x1ff);
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

static void message(struct world *w, uint64_t addr, uint32_t data)
{
    struct msi_sink to = chip_msi(w->chip);

    pthread_mutex_lock(&w->lock); /* devices run with it held */
    to.send(to.chip, addr, data);
    pthread_mutex_unlock(&w->lock);
}

static void test_a_message_kicks_its_cpu_once(void **state)
{
    struct world *w = *state;

    message(w, LAPIC | 1 << 12, 0x41);
    assert_int_equal(w->kicks[0], 0);
    assert_int_equal(w->kicks[1], 1);
    assert_int_equal(ops->pending(w->chip, 1), 0x41);
    assert_int_equal(ops->pending(w->chip, 0), -1);
    message(w, LAPIC | 1 << 12, 0x35); /* lower: nothing new to tell */
    assert_int_equal(w->kicks[1], 1);
    assert_int_equal(ops->ack(w->chip, 1), 0x41);
    assert_int_equal(ops->ack(w->chip, 1), -1);
    reg_write(w, 1, 0xb0, 0);
    assert_int_equal(ops->ack(w->chip, 1), 0x35);
    assert_int_equal(ledger_sum(w->ledger, LEDGER_VEC, "cpu1"), 2);
    assert_int_equal(ledger_sum(w->ledger, LEDGER_VEC, "cpu0"), 0);
}

static void test_a_stray_message_is_refused_and_counted(void **state)
{
    struct world *w = *state;

    message(w, 0xfed00000, 0x41);
    message(w, 0x1fee00000ull, 0x41);
    message(w, 0, 0x41);
    assert_int_equal(ops->pending(w->chip, 0), -1);
    assert_int_equal(ledger_sum(w->ledger, LEDGER_MSI, "irq"), 3);
}

static void test_cr8_holds_back_and_lets_go(void **state)
{
    struct world *w = *state;

    ops->set_tpr(w->chip, 0, 4);
    assert_int_equal(ops->tpr(w->chip, 0), 4);
    assert_int_equal(reg_read(w, 0, 0x80), 0x40);
    message(w, LAPIC, 0x4f);
    assert_int_equal(ops->pending(w->chip, 0), -1);
    assert_int_equal(w->kicks[0], 0);
    ops->set_tpr(w->chip, 0, 3);
    assert_int_equal(ops->pending(w->chip, 0), 0x4f);
    ops->set_tpr(w->chip, 0, 15);
    assert_int_equal(ops->ack(w->chip, 0), -1);
}

static void test_tsc_deadline(void **state)
{
    struct world *w = *state;
    uint64_t val = 1;

    assert_int_equal(ops->msr_write(w->chip, 0, MSR_DEADLINE, 1000), 0); /* another mode: ignored */
    assert_int_equal(ops->msr_read(w->chip, 0, MSR_DEADLINE, &val), 0);
    assert_int_equal(val, 0);
    reg_write(w, 0, 0x320, 0x400ec);
    ops->msr_write(w->chip, 0, MSR_DEADLINE, 2000000);
    ops->msr_read(w->chip, 0, MSR_DEADLINE, &val);
    assert_int_equal(val, 2000000);
    loop_advance(w->loop, 999999);
    assert_int_equal(ops->pending(w->chip, 0), -1);
    loop_advance(w->loop, 1);
    assert_int_equal(ops->ack(w->chip, 0), 0xec);
    reg_write(w, 0, 0xb0, 0);
    ops->msr_read(w->chip, 0, MSR_DEADLINE, &val);
    assert_int_equal(val, 0);
    ops->msr_write(w->chip, 0, MSR_DEADLINE, 1); /* long gone: at once */
    assert_int_equal(ops->ack(w->chip, 0), 0xec);
    reg_write(w, 0, 0xb0, 0);
    ops->msr_write(w->chip, 0, MSR_DEADLINE, 4000000);
    ops->msr_write(w->chip, 0, MSR_DEADLINE, 0); /* disarmed */
    ops->msr_write(w->chip, 1, MSR_DEADLINE, UINT64_MAX);
    loop_advance(w->loop, 1000000000);
    assert_int_equal(ops->pending(w->chip, 0), -1);
}

static void test_apic_base(void **state)
{
    struct world *w = *state;
    uint64_t val;

    assert_int_equal(ops->msr_read(w->chip, 0, MSR_BASE, &val), 0);
    assert_int_equal(val, 0xfee00900);
    ops->msr_read(w->chip, 1, MSR_BASE, &val);
    assert_int_equal(val, 0xfee00800);
    assert_int_equal(ops->msr_write(w->chip, 0, MSR_BASE, 0xfee00d00), -1); /* x2APIC */
    assert_int_equal(ops->msr_write(w->chip, 0, MSR_BASE, 0xfee00901), -1); /* reserved */
    assert_int_equal(ops->msr_write(w->chip, 0, MSR_BASE, 1ull << 60), -1);
    assert_int_equal(ops->msr_read(w->chip, 0, 0x800, &val), -1);
    ops->msr_write(w->chip, 0, MSR_BASE, 0xfed10800); /* moves; the BSP bit stays */
    assert_int_equal(chip_lapic_page(w->chip, 0)->base, 0xfed10000);
    assert_int_equal(chip_lapic_page(w->chip, 1)->base, LAPIC);
    ops->msr_read(w->chip, 0, MSR_BASE, &val);
    assert_int_equal(val, 0xfed10900);
    message(w, LAPIC, 0x41);
    ops->msr_write(w->chip, 0, MSR_BASE, 0xfee00000); /* off: registers are lost */
    assert_int_equal(chip_lapic_page(w->chip, 0)->len, 0);
    assert_int_equal(ops->pending(w->chip, 0), -1);
    message(w, LAPIC, 0x41);
    ops->msr_write(w->chip, 0, MSR_BASE, 0xfee00800);
    assert_int_equal(ops->pending(w->chip, 0), -1);
    assert_int_equal(reg_read(w, 0, 0xf0), 0xff);
}

static void test_init_and_sipi(void **state)
{
    struct world *w = *state;
    uint8_t vector = 0;

    assert_int_equal(ops->init(w->chip, 1, &vector), 0);
    reg_write(w, 0, 0x310, 1 << 24);
    reg_write(w, 0, 0x300, 0x608 | 1 << 14); /* SIPI, then INIT: the SIPI is forgotten */
    reg_write(w, 0, 0x300, 0x500 | 1 << 14);
    assert_true(w->kicks[1] > 0);
    assert_int_equal(ops->init(w->chip, 1, &vector), 1);
    assert_int_equal(reg_read(w, 1, 0xf0), 0xff); /* INIT reset it, but for the ID */
    assert_int_equal(reg_read(w, 1, 0x20), 1 << 24);
    reg_write(w, 0, 0x300, 0x500 | 1 << 15); /* de-assert does nothing */
    assert_int_equal(ops->init(w->chip, 1, &vector), 0);
    reg_write(w, 0, 0x300, 0x500 | 1 << 14);
    reg_write(w, 0, 0x300, 0x69a | 1 << 14);
    assert_int_equal(ops->init(w->chip, 1, &vector), 3);
    assert_int_equal(vector, 0x9a);
    assert_int_equal(ops->init(w->chip, 1, &vector), 0);
    assert_false(ops->nmi(w->chip, 1));
}

static void test_lines_that_are_not_there(void **state)
{
    struct world *w = *state;

    assert_null(chip_gsi(w->chip, 24).set);
    assert_null(chip_isa(w->chip, 16).set);
    for (unsigned i = 0; i < 1000; i++) /* more than there is room for */
        chip_gsi(w->chip, 5);
    assert_null(chip_gsi(w->chip, 5).set);
    assert_int_equal(chip_pci_gsi(1, 1, 16, 8), 17);
    assert_int_equal(chip_pci_gsi(31, 4, 16, 8), 18);
    assert_null(chip_lapic_page(w->chip, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_message_kicks_its_cpu_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_stray_message_is_refused_and_counted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_cr8_holds_back_and_lets_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tsc_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(test_apic_base, setup, teardown),
        cmocka_unit_test_setup_teardown(test_init_and_sipi, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines_that_are_not_there, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
