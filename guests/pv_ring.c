/* Guest pv: units of I/O, the ring they go by (pv/abi.h), the interrupt that tells of them. */
#include "pv_drive.h"

#define SPINS 400000000u

struct ring ring __attribute__((aligned(4096)));
volatile struct pv_unit batch[PV_BATCH_MAX] __attribute__((aligned(64)));
uint8_t buf[ENTRIES * SIZE_MAX_BYTES] __attribute__((aligned(4096)));
uint8_t other[4096] __attribute__((aligned(4096)));
volatile unsigned irqs;
static bool apic;      /* no PIC: I/O APIC and local APIC */
static uint32_t taken; /* of ring.head.used */

static bool on_irq(struct frame *f)
{
    (void)f;
    irqs++;
    if (apic)
        lapic_set(LAPIC_EOI, 0);
    else
        pic_eoi(MAP_IRQ_PV);
    return true;
}

void irq_open(bool by_apic)
{
    apic = by_apic;
    trap_hook[PIC_BASE + MAP_IRQ_PV] = on_irq;
    if (apic) {
        lapic_enable();
        ioapic_set(0x11 + 2 * MAP_IRQ_PV, 0); /* to the first CPU */
        ioapic_set(0x10 + 2 * MAP_IRQ_PV, PIC_BASE + MAP_IRQ_PV);
    } else {
        pic_init();
        pic_unmask(MAP_IRQ_PV);
    }
}

bool moved_all(volatile struct pv_unit *u, unsigned n)
{
    bool ok = true;

    for (unsigned i = 0; i < n; i++)
        ok &= u[i].status == 0 && u[i].moved == u[i].len;
    return ok;
}

void unit_set(volatile struct pv_unit *u, uint64_t x, unsigned y, void *z, uint32_t len,
              unsigned devid)
{
    u->x = x;
    u->z = (uintptr_t)z;
    u->len = len;
    u->cmd = PV_CMD_START;
    u->y = (uint8_t)y;
    u->devid = (uint16_t)devid;
    u->status = -PV_E_PENDING;
    u->moved = 0;
}

bool ring_open(unsigned flags)
{
    mem_set((void *)&ring, 0, sizeof(ring));
    taken = 0;
    return hcall(PV_CALL_RING, RING, (uintptr_t)&ring, ENTRIES, flags, 0) == 0;
}

void ring_submit(unsigned n)
{
    uint32_t old = ring.head.avail;

    for (unsigned s = 0; s < n; s++)
        ring.submit[(old + s) % ENTRIES] = (uint16_t)s;
    asm volatile("" ::: "memory");
    ring.head.avail = old + n;
    __sync_synchronize();
    if (pv_passed(ring.head.kick_at, old + n, old))
        hcall_kick(RING);
}

bool ring_wait(uint32_t n)
{
    for (unsigned i = 0; i < SPINS && ring.head.used - taken < n && !ring.head.state; i++)
        asm volatile("pause" ::: "memory");
    if (ring.head.used - taken != n)
        return false;
    taken += n;
    return true;
}

bool ring_sleep(uint32_t n)
{
    unsigned before = irqs;

    while (irqs == before && !ring.head.state)
        sti_hlt_cli();
    while (ring.head.used - taken < n && !ring.head.state)
        sti_hlt_cli();
    return ring_wait(n);
}

void ring_intr(uint32_t n)
{
    ring.head.intr_at = taken + n - 1;
}
