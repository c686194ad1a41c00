/* Recordings of a stock driver against devices with one thing wrong: each is found and named. */
#include "unit.h"
#include "dev/e1000_impl.h"
#include "dev/ide_impl.h"
#include "vm/replay.h"

#include <errno.h>

#define IDE RECORDED "/ide-linux.rec.zst"
#define NIC RECORDED "/e1000-linux.rec.zst"

/* The model's functions with one thing wrong, put in its place before the recording is played. */
static const struct io_ops *right;
static struct io_ops wrong;
static unsigned count;

static uint64_t status_read(void *dev, uint64_t off, unsigned size)
{
    uint64_t val = right->read(dev, off, size);

    return off == ATA_REG_STATUS && ++count == 40 ? val ^ ATA_DF : val;
}

static uint64_t data_read(void *dev, uint64_t off, unsigned size)
{
    uint64_t val = right->read(dev, off, size);

    return off == ATA_REG_DATA && ++count == 100 ? val ^ 0x10 : val;
}

static void start_lost(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    if (off != 0 || !(val & 1))
        right->write(dev, off, size, val);
}

static void table_shifted(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    right->write(dev, off, size, off == 4 ? val ^ 8 : val);
}

static void count_off(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    right->write(dev, off, size, off == ATA_REG_COUNT && val == 8 ? 16 : val);
}

static void sector_off(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    right->write(dev, off, size, off == ATA_REG_LBA_LOW ? val ^ 2 : val);
}

static uint64_t icr_read(void *dev, uint64_t off, unsigned size)
{
    uint64_t val = right->read(dev, off, size);

    return off == ICR && val && ++count == 3 ? val ^ 4 : val;
}

static void tail_lost(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    if (off != TDT || ++count != 5)
        right->write(dev, off, size, val);
}

static void broken_ops(struct io_region *r, struct io_ops with)
{
    right = r->ops;
    wrong = *r->ops;
    wrong.read = with.read ? with.read : right->read;
    wrong.write = with.write ? with.write : right->write;
    r->ops = &wrong;
    count = 0;
}

static void break_status(void *dev)
{
    struct ide *ide = dev;

    broken_ops(&ide->channel[0].cmd, (struct io_ops){.read = status_read});
}

static void break_data(void *dev)
{
    struct ide *ide = dev;

    broken_ops(&ide->channel[0].cmd, (struct io_ops){.read = data_read});
}

static void break_start(void *dev)
{
    struct ide *ide = dev;

    broken_ops(&ide->bm, (struct io_ops){.write = start_lost});
}

static void break_table(void *dev)
{
    struct ide *ide = dev;

    broken_ops(&ide->bm, (struct io_ops){.write = table_shifted});
}

static void break_count(void *dev)
{
    struct ide *ide = dev;

    broken_ops(&ide->channel[0].cmd, (struct io_ops){.write = count_off});
}

static void break_sector(void *dev)
{
    struct ide *ide = dev;

    broken_ops(&ide->channel[0].cmd, (struct io_ops){.write = sector_off});
}

static void break_irq(void *dev)
{
    struct ide *ide = dev;

    ide->channel[0].irq.set = NULL;
}

static void irq_never_low(void *chip, unsigned pin, bool level)
{
    const struct irq *was = chip;

    (void)pin;
    if (level)
        irq_set(was, true);
}

static void break_ack(void *dev)
{
    struct ide *ide = dev;

    static struct irq was;

    was = ide->channel[0].irq;
    ide->channel[0].irq = (struct irq){.set = irq_never_low, .chip = &was};
}

static void break_master(void *dev)
{
    struct ide *ide = dev;

    ide->pci.wmask[4] &= (uint8_t)~4; /* the bus master bit can't be set */
}

static void break_vendor(void *dev)
{
    struct ide *ide = dev;

    ide->pci.cfg[0] ^= 1;
}

static void break_cache(void *dev)
{
    struct ide *ide = dev;

    ide->channel[0].drive[0].write_cache = false;
}

static void break_serial(void *dev)
{
    struct ide *ide = dev;

    ide->channel[0].drive[0].serial[3] ^= 1;
}

static void break_cause(void *dev)
{
    broken_ops(&((struct e1000 *)dev)->mmio, (struct io_ops){.read = icr_read});
}

static void break_tail(void *dev)
{
    broken_ops(&((struct e1000 *)dev)->mmio, (struct io_ops){.write = tail_lost});
}

static void break_mac(void *dev)
{
    ((struct e1000 *)dev)->ee.word[2] ^= 0x2000;
}

static void break_link(void *dev)
{
    ((struct e1000 *)dev)->net->front.link = NULL;
    ((struct e1000 *)dev)->net->front.recv_end = NULL;
}

static const struct fault {
    const char *name, *says; /* a part of the message */
    void (*make)(void *dev);
    const char *file, *dev;
} faults[] = {
    {"a status bit, once", "cmd0+7 1: expected 50, got 70", break_status, IDE, "ide0"},
    {"a data bit, once", "r cmd0+0 4: expected ", break_data, IDE, "ide0"},
    {"starting the bus master does nothing", "got nothing more", break_start, IDE, "ide0"},
    {"the descriptor table is taken from the wrong place", "dma r", break_table, IDE, "ide0"},
    {"a sector count", "expected \"irq 0 1\"", break_count, IDE, "ide0"},
    {"a sector number", "r cmd0+3 1: expected aa, got a8", break_sector, IDE, "ide0"},
    {"an interrupt that is never raised", "expected \"irq 0 1\"", break_irq, IDE, "ide0"},
    {"an interrupt that is never lowered", "expected \"irq 0 0\"", break_ack, IDE, "ide0"},
    {"the bus master bit", "got refused", break_master, IDE, "ide0"},
    {"the vendor's number", "cr 0 4: expected 71118086, got 71118087", break_vendor, IDE, "ide0"},
    {"a write cache that is off", "r cmd0+0 4: expected ", break_cache, IDE, "ide0"},
    {"a letter of the serial number", "r cmd0+0 4: expected ", break_serial, IDE, "ide0"},
    {"NIC: an interrupt cause, once", "r regs+c0 4: expected ", break_cause, NIC, "nic0"},
    {"NIC: a tail register that is not looked at", "in the event at line", break_tail, NIC, "nic0"},
    {"NIC: the end of a burst goes by unheard", "net end", break_link, NIC, "nic0"},
    {"NIC: another address in its EEPROM", "r regs+", break_mac, NIC, "nic0"},
};

static void made(void *fault, const char *name, void *dev)
{
    const struct fault *f = fault;

    if (!strcmp(name, f->dev))
        f->make(dev);
}

static void broken_device(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        struct replay p = {
            .path = faults[i].file, .made = made, .ctx = (void *)(uintptr_t)&faults[i]};
        struct error err = {0};
        int code = replay_run(&p, &err);

        print_message("%s: %s\n", faults[i].name, err.text + strcspn(err.text, ":"));
        assert_int_equal(code, -EPROTO);
        assert_non_null(strstr(err.text, faults[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(broken_device)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
