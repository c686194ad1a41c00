/*
 * The register disk's driver (dev/regdisk_regs.h), by ports or by its page: X, Y, Z, CMD a request,
 * COUNT being set once. By interrupt the handler reads STATUS and acknowledges; when polled, one
 * look at STATUS a try, and the next CMD clears it. Whether loads of the page trap is not known
 * here.
 */
#include "dev/regdisk_regs.h"
#include "work.h"

static bool mmio;
static struct req *running;
static volatile uint32_t ended; /* STATUS, as the handler saw it */

static uint32_t get(unsigned reg)
{
    if (mmio)
        return *(volatile uint32_t *)(uintptr_t)(MAP_REGDISK_MMIO + reg);
    return inl((uint16_t)(MAP_REGDISK_PIO + reg));
}

static void set(unsigned reg, uint32_t v)
{
    if (mmio)
        *(volatile uint32_t *)(uintptr_t)(MAP_REGDISK_MMIO + reg) = v;
    else
        outl((uint16_t)(MAP_REGDISK_PIO + reg), v);
}

static void on_irq(void)
{
    ended = get(REGDISK_STATUS);
    set(REGDISK_INTR_ACK, REGDISK_STATUS_DONE | REGDISK_STATUS_FAILED);
}

static bool regdisk_open(void)
{
    if (get(REGDISK_ID) != REGDISK_ID_VALUE)
        return false;
    set(REGDISK_CMD, REGDISK_CMD_RESET);
    set(REGDISK_COUNT, request_size / SECTOR);
    if (polled)
        return true;
    disk_irq_init(on_irq);
    disk_irq_pin(mmio ? MAP_IRQ_REGDISK_MMIO : MAP_IRQ_REGDISK_PIO, true);
    set(REGDISK_INTR_ENABLE, REGDISK_STATUS_DONE);
    return true;
}

static bool open_pio(void)
{
    mmio = false;
    return regdisk_open();
}

static bool open_mmio(void)
{
    mmio = true;
    return regdisk_open();
}

static void submit(struct req *r)
{
    running = r;
    ended = 0;
    if (r->flush) {
        set(REGDISK_CMD, REGDISK_CMD_FLUSH);
        return;
    }
    set(REGDISK_X, r->sector);
    set(REGDISK_Y, r->write ? REGDISK_WRITE : REGDISK_READ);
    set(REGDISK_Z, (uint32_t)(uintptr_t)r->buf);
    set(REGDISK_CMD, REGDISK_CMD_START);
}

static struct req *reap(void)
{
    struct req *r = running;

    if (r && polled)
        ended = get(REGDISK_STATUS);
    if (!r || !(ended & REGDISK_STATUS_DONE))
        return NULL;
    r->failed = ended & REGDISK_STATUS_FAILED;
    running = NULL;
    return r;
}

const struct way way_regdisk_pio = {"regdisk-pio", 1, open_pio, submit, NULL, reap};
const struct way way_regdisk_mmio = {"regdisk-mmio", 1, open_mmio, submit, NULL, reap};
