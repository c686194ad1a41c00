/* The disk controllers on their bad days: a backend that fails or takes its time, resets and new
 * commands meanwhile. What scripts can't say, since their backend is always done. */
#include "unit.h"
#include "back/blk_fault.h"
#include "bus/bus.h"
#include "bus/pci.h"
#include "core/ledger.h"
#include "core/loop.h"
#include "core/state.h"
#include "dev/ata.h"
#include "dev/ide.h"
#include "dev/regdisk.h"
#include "dev/regdisk_regs.h"
#include "mem/ram.h"

#define BM   0xc000u
#define RD   0xd000u
#define PRD  0x1000u
#define DATA 0x2000u

struct world {
    struct ledger *ledger;
    struct loop *loop;
    struct bus *bus;
    struct pci_bus *pci;
    struct ram ram;
    struct blk *blk;
    struct blk_fault_plan *plan;
    struct dev ide, rd;
    bool line[3];
    unsigned edges[3];
};

static void line_set(void *chip, unsigned pin, bool level)
{
    struct world *w = chip;

    w->edges[pin] += level && !w->line[pin];
    w->line[pin] = level;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct dev_env env;
    struct ide_setup s;
    struct blk *mem;

    w->ledger = ledger_open();
    w->loop = loop_open(NULL, true);
    w->bus = bus_open(w->ledger);
    w->pci = pci_bus_open(w->bus);
    assert_int_equal(ram_open(&w->ram, 1 << 20), 0);
    assert_int_equal(blk_mem_open(&mem, 1 << 20, "d", w->loop, w->ledger, NULL), 0);
    assert_int_equal(blk_fault_open(&w->blk, &w->plan, mem, w->ledger), 0);
    env = (struct dev_env){.name = "ide0",
                           .bus = w->bus,
                           .ram = &w->ram,
                           .loop = w->loop,
                           .ledger = w->ledger,
                           .pci = w->pci,
                           .devfn = 8};
    s = (struct ide_setup){.channel = {{0x1f0, 0x3f6, {.set = line_set, .chip = w, .pin = 0}},
                                       {0x170, 0x376, {.set = line_set, .chip = w, .pin = 1}}},
                           .bm = BM,
                           .disk = {{w->blk, "s"}}};
    assert_int_equal(ide_create(&w->ide, &env, &s), 0);
    pci_cfg_write(w->pci, 8, 4, 2, 5);
    env.name = "rd0";
    env.irq = (struct irq){.set = line_set, .chip = w, .pin = 2};
    assert_int_equal(regdisk_create(&w->rd, &env, BUS_PIO, RD, w->blk), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    w->ide.cls->destroy(w->ide.dev);
    w->rd.cls->destroy(w->rd.dev);
    blk_close(w->blk);
    ram_close(&w->ram);
    pci_bus_close(w->pci);
    bus_close(w->bus);
    loop_close(w->loop);
    ledger_close(w->ledger);
    free(w);
    return 0;
}

static void out(struct world *w, uint64_t port, unsigned size, uint32_t val)
{
    bus_write(w->bus, BUS_PIO, port, size, val);
    while (loop_deferred_pending(w->loop)) /* ends: no test submits for ever */
        loop_deferred_run(w->loop);
}

static uint32_t in(struct world *w, uint64_t port, unsigned size)
{
    return (uint32_t)bus_read(w->bus, BUS_PIO, port, size);
}

static uint8_t *at(struct world *w, gpa_t gpa)
{
    return ram_ptr(&w->ram, gpa, 4096);
}

static void ata(struct world *w, uint8_t cmd, uint32_t lba, uint8_t count)
{
    out(w, 0x1f2, 1, count);
    out(w, 0x1f3, 1, lba & 0xff);
    out(w, 0x1f4, 1, lba >> 8 & 0xff);
    out(w, 0x1f5, 1, lba >> 16 & 0xff);
    out(w, 0x1f6, 1, 0xe0);
    out(w, 0x1f7, 1, cmd);
}

/* One entry, all of the command. */
static void dma(struct world *w, uint8_t cmd, uint32_t lba, uint8_t count)
{
    le32_put(at(w, PRD), DATA);
    le32_put(at(w, PRD) + 4, 0x80000000u | count * 512u);
    out(w, BM, 1, 0);
    out(w, BM + 2, 1, 6);
    out(w, BM + 4, 4, PRD);
    ata(w, cmd, lba, count);
    out(w, BM, 1, cmd == 0xca ? 1 : 9);
}

static uint8_t *disk(struct world *w, uint64_t sector)
{
    static uint8_t buf[BLK_SECTOR];
    struct blk_fault_plan keep = *w->plan;

    assert_false(keep.hold); /* the look would wait for itself */
    *w->plan = (struct blk_fault_plan){0};
    out(w, RD + REGDISK_CMD, 4, REGDISK_CMD_RESET);
    out(w, RD + REGDISK_X, 4, (uint32_t)sector);
    out(w, RD + REGDISK_Z, 4, 0x80000);
    out(w, RD + REGDISK_CMD, 4, REGDISK_CMD_START);
    assert_int_equal(in(w, RD + REGDISK_STATUS, 4), REGDISK_STATUS_DONE);
    memcpy(buf, at(w, 0x80000), sizeof(buf));
    *w->plan = keep;
    return buf;
}

static void failed_read_is_one_commands_business(void **state)
{
    struct world *w = *state;

    *w->plan =
        (struct blk_fault_plan){.ops = 1u << BLK_READ, .sector = 70, .sectors = 1, .err = -5};
    dma(w, 0xc8, 68, 4);
    assert_true(w->line[0]);
    assert_int_equal(in(w, BM + 2, 1), 4);
    assert_int_equal(in(w, 0x1f7, 1), ATA_DRDY | ATA_DSC | ATA_ERR);
    assert_int_equal(in(w, 0x1f1, 1), ATA_UNC);
    assert_int_equal(in(w, 0x1f3, 1), 68);
    dma(w, 0xc8, 71, 4);
    assert_int_equal(in(w, 0x1f7, 1), ATA_DRDY | ATA_DSC);
    ata(w, 0x20, 70, 1);
    assert_int_equal(in(w, 0x1f7, 1), ATA_DRDY | ATA_DSC | ATA_ERR);
    assert_int_equal(in(w, 0x1f1, 1), ATA_UNC);
    assert_int_equal(w->edges[0], 3);
}

static void failed_write_and_flush_are_device_faults(void **state)
{
    struct world *w = *state;

    *w->plan = (struct blk_fault_plan){.ops = 1u << BLK_WRITE | 1u << BLK_FLUSH, .err = -28};
    dma(w, 0xca, 5, 1);
    assert_int_equal(in(w, 0x1f7, 1), ATA_DRDY | ATA_DSC | ATA_DF | ATA_ERR);
    assert_int_equal(in(w, 0x1f1, 1), ATA_ABRT);
    ata(w, 0xe7, 0, 0);
    assert_int_equal(in(w, 0x1f7, 1), ATA_DRDY | ATA_DSC | ATA_DF | ATA_ERR);
    w->plan->ops = 0;
    ata(w, 0xe7, 0, 0);
    assert_int_equal(in(w, 0x1f7, 1), ATA_DRDY | ATA_DSC);
}

/* The classic: a reset while DMA runs must not let the write land on sector 0. */
static void soft_reset_in_flight(void **state)
{
    struct world *w = *state;
    uint8_t zero[BLK_SECTOR] = {0};

    memset(at(w, DATA), 0x5a, 4096);
    w->plan->hold = true;
    dma(w, 0xca, 300, 8);
    assert_int_equal(in(w, 0x3f6, 1) & ATA_BSY, ATA_BSY);
    ata(w, 0xc8, 0, 1); /* not heard */
    out(w, 0x3f6, 1, 4);
    out(w, 0x3f6, 1, 0);
    assert_int_equal(w->blk->in_flight, 0);
    w->plan->hold = false;
    assert_false(w->line[0]);
    assert_int_equal(in(w, 0x1f7, 1), ATA_DRDY | ATA_DSC);
    assert_int_equal(in(w, 0x1f2, 1), 1);
    assert_memory_equal(disk(w, 0), zero, BLK_SECTOR);
    assert_memory_equal(disk(w, 300), at(w, DATA), BLK_SECTOR);
    assert_memory_equal(disk(w, 308), zero, BLK_SECTOR);
    dma(w, 0xc8, 307, 1);
    assert_int_equal(in(w, 0x1f7, 1), ATA_DRDY | ATA_DSC);
}

/* What the command said when it was written counts, whatever is written afterwards. */
static void registers_are_latched(void **state)
{
    struct world *w = *state;
    uint8_t zero[BLK_SECTOR] = {0};

    memset(at(w, DATA), 0xa5, 4096);
    w->plan->hold = true;
    dma(w, 0xca, 40, 2);
    out(w, 0x1f3, 1, 0);
    out(w, BM + 4, 4, 0x3000);
    le32_put(at(w, PRD), 0x9000);
    w->plan->hold = false;
    blk_fault_release(w->blk);
    while (loop_deferred_pending(w->loop))
        loop_deferred_run(w->loop);
    assert_int_equal(in(w, 0x1f7, 1), ATA_DRDY | ATA_DSC);
    assert_memory_equal(disk(w, 41), at(w, DATA), BLK_SECTOR);
    assert_memory_equal(disk(w, 0), zero, BLK_SECTOR);
}

static void stopping_the_engine_waits(void **state)
{
    struct world *w = *state;

    w->plan->hold = true;
    dma(w, 0xc8, 10, 8);
    assert_int_equal(in(w, BM + 2, 1) & 1, 1);
    out(w, BM, 1, 0);
    assert_int_equal(w->blk->in_flight, 0);
    assert_int_equal(in(w, BM + 2, 1) & 1, 0);
    assert_true(w->line[0]); /* it was the whole command, and is complete */
    assert_int_equal(in(w, 0x1f7, 1), ATA_DRDY | ATA_DSC);
}

static void system_reset_and_state_in_flight(void **state)
{
    struct world *w = *state;
    struct state st, load;

    w->plan->hold = true;
    dma(w, 0xca, 20, 8);
    state_save_begin(&st);
    w->ide.cls->state(w->ide.dev, &st);
    assert_int_equal(w->blk->in_flight, 0);
    dma(w, 0xc8, 30, 8);
    state_load_begin(&load, st.buf, st.at);
    w->ide.cls->state(w->ide.dev, &load);
    assert_int_equal(state_end(&load), 0);
    state_end(&st);
    assert_int_equal(w->blk->in_flight, 0);
    dma(w, 0xca, 20, 8);
    w->ide.cls->reset(w->ide.dev);
    assert_int_equal(w->blk->in_flight, 0);
    assert_false(w->line[0]);
    w->plan->hold = false;
    assert_int_equal(in(w, 0x1f7, 1), ATA_DRDY | ATA_DSC);
}

static void go(struct world *w, uint32_t x, uint32_t y, uint32_t z)
{
    out(w, RD + REGDISK_X, 4, x);
    out(w, RD + REGDISK_Y, 4, y);
    out(w, RD + REGDISK_Z, 4, z);
    out(w, RD + REGDISK_CMD, 4, REGDISK_CMD_START);
}

static void regdisk_busy(void **state)
{
    struct world *w = *state;
    uint8_t zero[BLK_SECTOR] = {0};

    out(w, RD + REGDISK_INTR_ENABLE, 4, REGDISK_STATUS_DONE);
    memset(at(w, DATA), 0x77, 512);
    w->plan->hold = true;
    go(w, 9, REGDISK_WRITE, DATA);
    assert_int_equal(in(w, RD + REGDISK_STATUS, 4), REGDISK_STATUS_BUSY);
    go(w, 0, REGDISK_WRITE, DATA); /* dropped; and its registers are for the next */
    assert_int_equal(in(w, RD + REGDISK_STATUS, 4), REGDISK_STATUS_BUSY | REGDISK_STATUS_OVERRUN);
    assert_false(w->line[2]);
    w->plan->hold = false;
    blk_fault_release(w->blk);
    while (loop_deferred_pending(w->loop))
        loop_deferred_run(w->loop);
    assert_true(w->line[2]);
    assert_int_equal(w->edges[2], 1);
    assert_int_equal(in(w, RD + REGDISK_STATUS, 4), REGDISK_STATUS_DONE | REGDISK_STATUS_OVERRUN);
    assert_memory_equal(disk(w, 0), zero, BLK_SECTOR);
    assert_memory_equal(disk(w, 9), at(w, DATA), BLK_SECTOR);
}

static void regdisk_reset_in_flight(void **state)
{
    struct world *w = *state;

    out(w, RD + REGDISK_INTR_ENABLE, 4, REGDISK_STATUS_DONE);
    w->plan->hold = true;
    go(w, 9, REGDISK_READ, DATA);
    out(w, RD + REGDISK_CMD, 4, REGDISK_CMD_RESET);
    assert_int_equal(w->blk->in_flight, 0);
    assert_int_equal(in(w, RD + REGDISK_STATUS, 4), 0);
    assert_false(w->line[2]);
    w->plan->hold = false;
    *w->plan = (struct blk_fault_plan){.ops = 1u << BLK_READ, .err = -5};
    go(w, 9, REGDISK_READ, DATA);
    assert_int_equal(in(w, RD + REGDISK_ERROR, 4), REGDISK_ERROR_MEDIA);
    w->plan->ops = 0;
    go(w, 9, REGDISK_READ, DATA);
    assert_int_equal(in(w, RD + REGDISK_ERROR, 4), REGDISK_ERROR_NONE);
}

/* A piece that DMA moved is told to whoever watches memory, also when the request failed halfway.
 */
static void dma_marks_what_it_wrote(void **state)
{
    struct world *w = *state;

    w->ram.page_flags[ram_page(&w->ram, DATA)] = 0;
    dma(w, 0xc8, 0, 1);
    assert_int_equal(w->ram.page_flags[ram_page(&w->ram, DATA)] & RAM_DIRTY, RAM_DIRTY);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(failed_read_is_one_commands_business),
        TEST(failed_write_and_flush_are_device_faults),
        TEST(soft_reset_in_flight),
        TEST(registers_are_latched),
        TEST(stopping_the_engine_waits),
        TEST(system_reset_and_state_in_flight),
        TEST(regdisk_busy),
        TEST(regdisk_reset_in_flight),
        TEST(dma_marks_what_it_wrote),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
