/*
 * What boards share: keeping their parts, tables in guest RAM, disks behind controllers. The parts
 * lists are pc.c and micro.c.
 */
#include "board/board.h"
#include "board/acpi.h"
#include "board/boot.h"
#include "board/map.h"
#include "bus/pci.h"
#include "core/error.h"
#include "core/loop.h"
#include "dev/debugexit.h"
#include "dev/regdisk.h"
#include "dev/regdisk_regs.h"
#include "dev/rtc146818.h"
#include "dev/typist.h"
#include "dev/uart16550.h"
#include "irq/chip.h"
#include "mem/ram.h"
#include "record/record.h"
#include "virtio/vblk.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PARTS_MAX    32
#define CMOS_CENTURY 0x32

const struct board_class *board_find(const char *name)
{
    static const struct board_class *const all[] = {&board_pc, &board_micro};

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (!strcmp(all[i]->name, name))
            return all[i];
    return NULL;
}

/* ---- keeping parts ---- */

struct dev_env board_env(struct board *b, const char *name)
{
    const struct board_setup *s = b->setup;
    struct dev_env env = {
        .name = name,
        .bus = s->bus,
        .ram = s->ram,
        .loop = s->loop,
        .lock = s->lock,
        .ledger = s->ledger,
        .bells = s->bells,
        .vwatch = s->vwatch,
    };

    rec_env(s->rec, &env);
    return env;
}

struct dev_env board_env_irq(struct board *b, const char *name, unsigned gsi)
{
    struct dev_env env = board_env(b, name);

    env.irq = rec_irq(env.tap, chip_isa(b->chip, gsi));
    return env;
}

int board_keep(struct board *b, int created, const struct dev_class *cls, void *dev,
               const char *name)
{
    struct dev d = {cls, dev, name};

    return board_keep_dev(b, created, &d);
}

int board_keep_dev(struct board *b, int created, const struct dev *d)
{
    bus_tap(b->setup->bus, NULL); /* board_env set it */
    if (created)
        return created;
    if (b->devs == BOARD_DEVS) {
        d->cls->destroy(d->dev);
        return -ENOSPC;
    }
    b->dev[b->devs++] = *d;
    return 0;
}

const char *board_name(struct board *b, const char *prefix, unsigned n)
{
    char *s = b->names[b->devs < BOARD_DEVS ? b->devs : BOARD_DEVS - 1];

    snprintf(s, sizeof(b->names[0]), "%s%u", prefix, n);
    return s;
}

void board_reset_line(void *board)
{
    struct board *b = board;

    b->setup->leave(b->setup->ctx, BOARD_RESET, 0);
}

void board_power_off(void *board)
{
    struct board *b = board;

    b->setup->leave(b->setup->ctx, BOARD_POWER_OFF, 0);
}

/* ---- parts all boards have alike ---- */

int board_com(struct board *b, const char *name, uint64_t base, unsigned gsi, struct chr *chr)
{
    struct dev_env env = board_env_irq(b, name, gsi);
    struct uart16550 *u = NULL;
    int err = uart16550_create(&u, &env, base, rec_chr(env.tap, chr));

    return board_keep(b, err, &uart16550_class, u, name);
}

int board_rtc(struct board *b)
{
    struct dev_env env = board_env_irq(b, "rtc", MAP_IRQ_RTC);
    struct rtc146818 *r = NULL;
    time_t now = (time_t)loop_wall(b->setup->loop);
    struct tm tm;
    int err = rtc146818_create(&r, &env, MAP_RTC);

    if (!err && gmtime_r(&now, &tm)) {
        int century = tm.tm_year / 100 + 19;

        rtc146818_cmos(r, CMOS_CENTURY, (uint8_t)(century / 10 << 4 | century % 10));
    }
    return board_keep(b, err, &rtc146818_class, r, "rtc");
}

static void debug_leave(void *ctx, uint32_t value)
{
    struct board *b = ctx;

    b->setup->leave(b->setup->ctx, BOARD_DEBUG_EXIT, value);
}

int board_debug_exit(struct board *b)
{
    struct debugexit *d = NULL;
    struct dev_env env;
    int err;

    if (!b->setup->debug_exit)
        return 0;
    env = board_env(b, "debugexit");
    err = debugexit_create(&d, &env, MAP_DEBUG_EXIT, debug_leave, b);
    return board_keep(b, err, &debugexit_class, d, "debugexit");
}

/* ---- disks (IDE's are the pc board's own) ---- */

static int virtio_add(struct board *b, const struct board_disk *disk, const struct board_pci *pci)
{
    const char *name = board_name(b, "virtio", b->virtios++);
    struct dev_env env = board_env(b, name);
    struct vblk_opts o = {.serial = disk->serial, .queues = disk->queues, .packed = disk->packed};
    struct vblk *v = NULL;
    int err;

    if (disk->vfront)
        return board_vfront(b, disk->vfront, name, pci);
    err = board_virtio_place(b, &env, pci, &o.mmio);

    if (!err)
        err = vblk_create(&v, &env, rec_blk(env.tap, disk->blk), &o);
    return board_keep(b, err, &vblk_class, v, name);
}

static int regdisk_add(struct board *b, const struct board_disk *disk, bool mmio)
{
    const struct board_setup *s = b->setup;
    unsigned n = b->regdisks[mmio]++;
    uint64_t base =
        mmio ? MAP_REGDISK_MMIO + n * 0x1000u : MAP_REGDISK_PIO + n * (uint64_t)MAP_REGDISK_STEP;
    const char *name = board_name(b, mmio ? "regdisk-mmio" : "regdisk-pio", n);
    struct dev_env env = board_env(b, name);
    struct dev d = {0};
    int err = 0;

    env.irq = chip_gsi(b->chip, mmio ? MAP_IRQ_REGDISK_MMIO : MAP_IRQ_REGDISK_PIO);
    env.irq = rec_irq(env.tap, env.irq);
    if (mmio && disk->trap == BOARD_TRAP_WRITES && !env.tap) /* a tap has to see reads too */
        env.shadows = s->shadows;
    if (mmio && disk->trap == BOARD_TRAP_PATCHED)
        err = s->patch(s->ctx, base, REGDISK_LEN);
    if (!err)
        err =
            regdisk_create(&d, &env, mmio ? BUS_MMIO : BUS_PIO, base, rec_blk(env.tap, disk->blk));
    return board_keep_dev(b, err, &d);
}

static int disk_add(struct board *b, const struct board_disk *disk, const struct board_pci *pci)
{
    int err = 0;

    if (disk->via & BOARD_VIRTIO)
        err = virtio_add(b, disk, pci);
    if (!err && disk->via & BOARD_VIRTIO_MMIO)
        err = virtio_add(b, disk, NULL);
    if (!err && disk->via & BOARD_REGDISK_PIO)
        err = regdisk_add(b, disk, false);
    if (!err && disk->via & BOARD_REGDISK_MMIO)
        err = regdisk_add(b, disk, true);
    return err;
}

int board_disks(struct board *b, unsigned via_known, const struct board_pci *pci, struct error *err)
{
    unsigned count[2] = {0};

    for (unsigned i = 0; i < b->setup->disks; i++) {
        const struct board_disk *d = &b->setup->disk[i];
        int code;

        if (d->via & ~via_known)
            return error_set(err, -EINVAL,
                             "--disk via=ide: board %s has no IDE controller; use "
                             "--board pc",
                             b->cls->name);
        count[0] += (d->via & BOARD_REGDISK_PIO) != 0;
        count[1] += (d->via & BOARD_REGDISK_MMIO) != 0;
        if (count[0] > MAP_REGDISKS || count[1] > MAP_REGDISKS)
            return error_set(err, -EINVAL, "--disk via=regdisk-*: at most %d of a kind",
                             MAP_REGDISKS);
        code = disk_add(b, d, pci);
        if (code)
            return error_set(err, code, "--disk: its controller could not be made: %s",
                             strerror(-code));
    }
    return 0;
}

/* ---- tables ---- */

static void part_regdisk(struct acpi_part *p, unsigned n, bool mmio)
{
    static const char *const seg[2][MAP_REGDISKS] = {{"RDP0", "RDP1", "RDP2", "RDP3"},
                                                     {"RDM0", "RDM1", "RDM2", "RDM3"}};

    *p = (struct acpi_part){.seg = seg[mmio][n],
                            .hid = "VIAD0001",
                            .uid = n + (mmio ? MAP_REGDISKS : 0),
                            .irq = mmio ? MAP_IRQ_REGDISK_MMIO : MAP_IRQ_REGDISK_PIO,
                            .level = true};
    if (mmio) {
        p->mem = MAP_REGDISK_MMIO + n * 0x1000u;
        p->mem_len = 0x1000;
    } else {
        p->io[0] = (uint16_t)(MAP_REGDISK_PIO + n * MAP_REGDISK_STEP);
        p->io_len[0] = REGDISK_LEN;
    }
}

int board_tables(struct board *b, uint64_t *rsdp, struct error *err)
{
    static const size_t room = BOOT_ACPI_END - BOOT_ACPI;
    struct acpi_part part[PARTS_MAX];
    struct acpi_machine m = {.vcpus = b->setup->vcpus, .pci_gsi = chip_pci_gsi};
    struct dma dma = {.ram = b->setup->ram, .enabled = true};
    uint8_t *buf = malloc(room);
    size_t len;
    int code;

    b->cls->acpi(&m);
    memcpy(part, m.part, m.parts * sizeof(part[0]));
    for (unsigned kind = 0; kind < 2; kind++)
        for (unsigned n = 0; n < b->regdisks[kind]; n++)
            part_regdisk(&part[m.parts++], n, kind);
    for (unsigned n = 0; n < b->vmmios; n++)
        board_virtio_part(&part[m.parts++], n);
    if (b->pv)
        board_pv_part(&part[m.parts++]);
    m.part = part;
    code = buf ? acpi_build(&m, BOOT_ACPI, buf, room, &len) : -ENOMEM;
    if (!code)
        code = dma_write(&dma, BOOT_ACPI, buf, len);
    free(buf);
    if (code)
        return error_set(err, code, "the ACPI tables could not be placed; give more --memory");
    *rsdp = BOOT_ACPI;
    return 0;
}

/* ---- life ---- */

void board_close(struct board *b)
{
    if (!b)
        return;
    typist_close(b->typist);
    while (b->devs) {
        struct dev *d = &b->dev[--b->devs];

        d->cls->destroy(d->dev);
    }
    if (b->pci)
        pci_bus_close(b->pci);
    free(b);
}

int board_open(struct board **out, const struct board_class *cls, const struct board_setup *s,
               struct error *err)
{
    struct board *b = calloc(1, sizeof(*b));
    int code;

    if (!b)
        return error_set(err, -ENOMEM, "not enough memory for the board");
    b->cls = cls;
    b->setup = s;
    b->slot = 2;
    b->pci = pci_bus_open(s->bus);
    err->text[0] = 0;
    code = b->pci ? cls->build(b, err) : -ENOMEM;
    if (code) {
        if (!err->text[0])
            error_set(err, code, "board %s could not be built: %s", cls->name, strerror(-code));
        board_close(b);
        return code;
    }
    *out = b;
    return 0;
}

void board_reset(struct board *b)
{
    struct acpi_machine m = {0};

    for (unsigned i = 0; i < b->devs; i++)
        rec_reset(b->setup->rec, &b->dev[i]);
    if (b->typist)
        typist_reset(b->typist);
    b->cls->acpi(&m);
    firmware_place(b, m.pci_first, m.pci_lines);
}

const struct intr_ops *board_intr(struct board *b, void **ctl)
{
    *ctl = b->chip;
    return chip_intr(b->chip);
}

struct io_region *board_lapic(struct board *b, unsigned vcpu)
{
    return chip_lapic_page(b->chip, vcpu);
}
