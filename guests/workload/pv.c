/*
 * The hypercall disk (pv/abi.h) in its three forms: a call a request, an array of units a call, a
 * ring in shared memory. Calls come back when all they asked for has ended; the ring's ends are
 * announced, or looked for by both sides (ring-polled: PV_RING_POLL).
 */
#include "hcall.h"
#include "work.h"

#define ENTRIES 64 /* no fewer than DEPTH_MAX */
#define RING    0

static struct {
    volatile struct pv_ring head;
    volatile uint16_t submit[ENTRIES], done[ENTRIES];
    volatile struct pv_unit unit[ENTRIES];
} ring __attribute__((aligned(4096)));

static volatile struct pv_unit batch[DEPTH_MAX] __attribute__((aligned(64)));
static volatile struct pv_device about;
static struct req *of_slot[ENTRIES], *of_batch[DEPTH_MAX], *ended;
static unsigned devid, batched, batch_left;
static uint32_t next, told, reaped;

/* ---- what is there ---- */

static bool find(void)
{
    uint32_t r[4], n;

    cpuid(PV_CPUID, 0, r);
    if (r[1] != PV_CPUID_EBX || r[2] != PV_CPUID_ECX || r[3] != PV_CPUID_EDX)
        return false;
    cpuid(PV_CPUID + 1, 0, r);
    hcall_port = !(r[1] & PV_FEATURE_VMCALL);
    n = (uint32_t)hcall(PV_CALL_DEVICES, 0, 0, 0, 0, 0);
    for (devid = 0; devid < n && devid < 64; devid++)
        if (!hcall(PV_CALL_DEVICE, devid, (uintptr_t)&about, 0, 0, 0) && about.kind == PV_KIND_DISK)
            return about.len_max >= request_size;
    return false;
}

static void fill(volatile struct pv_unit *u, const struct req *r)
{
    u->x = r->flush ? 0 : r->sector;
    u->z = (uintptr_t)r->buf;
    u->len = r->flush ? 0 : request_size;
    u->cmd = r->flush ? PV_CMD_FLUSH : PV_CMD_START;
    u->y = r->write ? PV_WRITE : PV_READ;
    u->devid = (uint16_t)devid;
    u->moved = 0;
    u->status = -PV_E_PENDING;
}

static bool went_wrong(const volatile struct pv_unit *u)
{
    return u->status || u->moved != u->len;
}

/* ---- one call a request ---- */

static void call_submit(struct req *r)
{
    uint32_t len = r->flush ? 0 : request_size;

    r->failed = device_io(r->flush ? 0 : r->sector, r->write ? PV_WRITE : PV_READ, r->buf,
                          (r->flush ? PV_CMD_FLUSH : PV_CMD_START) | PV_CMD_WAIT, devid,
                          len) != (int64_t)len;
    ended = r;
}

static struct req *call_reap(void)
{
    struct req *r = ended;

    ended = NULL;
    return r;
}

/* ---- an array a call ---- */

static void batch_submit(struct req *r)
{
    fill(&batch[batched], r);
    of_batch[batched++] = r;
}

static void batch_kick(void)
{
    if (!batched)
        return;
    hcall(PV_CALL_BATCH, (uintptr_t)batch, batched, PV_BATCH_WAIT, 0, 0);
    batch_left = batched;
    batched = 0;
}

static struct req *batch_reap(void)
{
    if (!batch_left)
        return NULL;
    batch_left--;
    of_batch[batch_left]->failed = went_wrong(&batch[batch_left]);
    return of_batch[batch_left];
}

/* ---- the ring ---- */

static void nothing(void)
{
}

static bool ring_make(unsigned flags)
{
    if (!find())
        return false;
    if (!polled) {
        disk_irq_init(nothing);
        disk_irq_pin(MAP_IRQ_PV, false);
    }
    ring.head.intr_at = polled ? ~0u : 0;
    return !hcall(PV_CALL_RING, RING, (uintptr_t)&ring, ENTRIES, flags, 0);
}

static bool ring_open(void)
{
    return ring_make(0);
}

static bool ring_open_polled(void)
{
    return ring_make(PV_RING_POLL);
}

static void ring_submit(struct req *r)
{
    fill(&ring.unit[r->slot], r);
    of_slot[r->slot] = r;
    ring.submit[next++ % ENTRIES] = (uint16_t)r->slot;
}

static void ring_kick(void)
{
    uint32_t old = told;

    if (next == told)
        return;
    asm volatile("" ::: "memory");
    ring.head.avail = told = next;
    __sync_synchronize();
    if (pv_passed(ring.head.kick_at, next, old))
        hcall_kick(RING);
}

/* All that was there has been taken: an interrupt for the next, then one more look. */
static bool ring_empty(void)
{
    if (ring.head.used != reaped)
        return false;
    if (polled) {
        ring.head.intr_at = reaped - 1;
        return true;
    }
    if (ring.head.intr_at == reaped)
        return true;
    ring.head.intr_at = reaped;
    __sync_synchronize();
    return ring.head.used == reaped;
}

static struct req *ring_reap(void)
{
    unsigned slot;

    if (ring_empty())
        return NULL;
    asm volatile("" ::: "memory");
    slot = ring.done[reaped++ % ENTRIES] % ENTRIES;
    of_slot[slot]->failed = went_wrong(&ring.unit[slot]);
    return of_slot[slot];
}

const struct way way_hypercall = {"hypercall", 1, find, call_submit, NULL, call_reap};
const struct way way_batch = {"batch", DEPTH_MAX, find, batch_submit, batch_kick, batch_reap};
const struct way way_ring = {"ring", DEPTH_MAX, ring_open, ring_submit, ring_kick, ring_reap};
const struct way way_ring_polled = {"ring-polled", DEPTH_MAX, ring_open_polled,
                                    ring_submit,   ring_kick, ring_reap};
