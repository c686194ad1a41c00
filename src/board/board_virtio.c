/* Where virtio devices are: a PCI slot each, or a page of registers and a line that ACPI tells of.
 */
#include "board/board.h"
#include "board/acpi.h"
#include "board/map.h"
#include "irq/chip.h"
#include "record/record.h"
#include "virtio/vballoon.h"
#include "virtio/vmmio.h"
#include "virtio/vrng.h"
#include "virtio/vsock.h"
#include <errno.h>
#include <sys/random.h>

int board_virtio_place(struct board *b, struct dev_env *env, const struct board_pci *pci,
                       uint64_t *mmio)
{
    unsigned slot = b->slot, gsi;

    *mmio = 0;
    if (!pci) {
        if (b->vmmios == MAP_VIRTIO_MMIOS)
            return -ENOSPC;
        *mmio = MAP_VIRTIO_MMIO + b->vmmios * (uint64_t)VMMIO_LEN;
        gsi = MAP_IRQ_VIRTIO_MMIO + b->vmmios++;
    } else {
        gsi = chip_pci_gsi(slot, 1, pci->first, pci->lines);
        env->msi = rec_msi(env->tap, chip_msi(b->chip));
        env->pci = b->pci;
        env->devfn = (uint8_t)(b->slot++ << 3);
    }
    env->irq = rec_irq(env->tap, chip_gsi(b->chip, gsi));
    return 0;
}

void board_virtio_part(struct acpi_part *p, unsigned n)
{
    static const char *const seg[MAP_VIRTIO_MMIOS] = {"VIO0", "VIO1", "VIO2", "VIO3",
                                                      "VIO4", "VIO5", "VIO6", "VIO7"};

    *p = (struct acpi_part){.seg = seg[n],
                            .hid = "LNRO0005", /* virtio-mmio, as Linux and QEMU know it */
                            .uid = n,
                            .mem = MAP_VIRTIO_MMIO + n * VMMIO_LEN,
                            .mem_len = VMMIO_LEN,
                            .irq = (uint8_t)(MAP_IRQ_VIRTIO_MMIO + n),
                            .level = true};
}

/* The host's own generator; it gives all of 256 bytes or less at once. */
static int entropy(void *buf, size_t len)
{
    return getrandom(buf, len, 0) == (ssize_t)len ? 0 : -EIO;
}

static int rng_add(struct board *b, const struct board_pci *pci)
{
    const struct board_virtio *o = &b->setup->rng;
    struct dev_env env = board_env(b, "rng0");
    struct vrng *v = NULL;
    uint64_t mmio;
    int err = board_virtio_place(b, &env, o->mmio ? NULL : pci, &mmio);

    if (!err)
        err = vrng_create(&v, &env, entropy, mmio, o->packed);
    return board_keep(b, err, &vrng_class, v, "rng0");
}

static int balloon_add(struct board *b, const struct board_pci *pci)
{
    const struct board_virtio *o = &b->setup->balloon;
    struct dev_env env = board_env(b, "balloon0");
    uint64_t mmio;
    int err = board_virtio_place(b, &env, o->mmio ? NULL : pci, &mmio);

    if (!err)
        err = vballoon_create(&b->balloon, &env, mmio, o->packed);
    return board_keep(b, err, &vballoon_class, b->balloon, "balloon0");
}

static int vsock_add(struct board *b, const struct board_pci *pci)
{
    const struct board_vsock *v = b->setup->vsock;
    struct dev_env env = board_env(b, "vsock0");
    struct vsock_opts o = {.vsk = v->vsk, .cid = v->cid, .packed = v->packed};
    struct vsock *dev = NULL;
    int err = board_virtio_place(b, &env, v->mmio ? NULL : pci, &o.mmio);

    if (!err)
        err = vsock_create(&dev, &env, &o);
    return board_keep(b, err, &vsock_class, dev, "vsock0");
}

int board_virtio_extras(struct board *b, const struct board_pci *pci)
{
    int err = b->setup->rng.used ? rng_add(b, pci) : 0;

    if (!err && b->setup->balloon.used)
        err = balloon_add(b, pci);
    if (!err && b->setup->vsock && b->setup->vsock->vsk)
        err = vsock_add(b, pci);
    if (!err)
        err = board_console(b, pci);
    return err ? err : board_inputs(b, pci);
}
