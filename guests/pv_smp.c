/*
 * Two CPUs and the hypercall devices (pv/abi.h): CPU 0 calls, kicks and looks, while CPU 1 keeps
 * writing over the ring, the array, the block of the port and the table that are being served.
 * Nothing may come of it but units that fail and rings that break: memory that no unit named stays
 * as it was, and afterwards everything works. Options: n=ROUNDS, memory=MiB of the machine.
 */
#include "ap.h"
#include "hcall.h"

#define ENTRIES 16
#define UNITS   16
#define PLACE   0x10000u /* the buffers of all units: the last bytes of memory */

static struct {
    volatile struct pv_ring head;
    volatile uint16_t submit[ENTRIES], done[ENTRIES];
    volatile struct pv_unit unit[ENTRIES];
} ring[2] __attribute__((aligned(4096)));
static volatile struct pv_unit batch[PV_BATCH_MAX] __attribute__((aligned(64)));
static volatile struct pv_end table[16] __attribute__((aligned(64)));
static volatile unsigned stop, ap_rounds;
static uint8_t *place; /* PLACE bytes; as many before it are nobody's */
static uint64_t memory;

static uint32_t random32(uint32_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 17;
    *s ^= *s << 5;
    return *s;
}

/* Good and bad values of each word, so that many units get far. */
static void unit_scribble(volatile struct pv_unit *u, uint32_t *s)
{
    static const uint32_t len[] = {512, 4096, 1 << 20, 513, 0, 0xfffffe00};
    static const uint64_t x[] = {0, 5, 2047, 2048, ~0ull, 1ull << 55};
    uint32_t r = random32(s);

    switch (r >> 8 & 7) {
    case 0: u->x = x[r % 6]; break;
    case 1: u->z = r & 1 ? (uintptr_t)place + (r >> 16) : memory + (r >> 4); break;
    case 2: u->z = r & 0x10000 ? 0ull - (r >> 20) : (uintptr_t)place; break;
    case 3: u->len = len[r % 6]; break;
    case 4: u->cmd = (uint8_t)(r & 0x8000 ? r : PV_CMD_START | (r & PV_CMD_INTR)); break;
    case 5: u->y = (uint8_t)(r & 3); break;
    case 6: u->devid = (uint16_t)(r & 0x8000 ? r : 0); break;
    default: u->status = (int32_t)r; break;
    }
}

static void ring_scribble(unsigned n, uint32_t *s)
{
    uint32_t r = random32(s);

    switch (r >> 8 & 7) {
    case 0: ring[n].head.avail += r & 15; break;
    case 1: ring[n].head.intr_at = r; break;
    case 2: ring[n].head.used = r; break;
    case 3: ring[n].submit[r % ENTRIES] = (uint16_t)(r >> 16 & 31); break;
    case 4: ring[n].done[r % ENTRIES] = (uint16_t)(r >> 16); break;
    default: unit_scribble(&ring[n].unit[r % ENTRIES], s); break;
    }
}

/* Of calls by the port: no number here is good for a ring's address, a good one would let the
 * other side write there. */
static void block_scribble(uint32_t r)
{
    if (r & 8)
        hcall_block.arg[1] = r >> 4 | 1; /* Y and length, or how many units */
    else
        hcall_block.arg[2] = (uintptr_t)place + (r >> 12); /* Z, or flags */
}

void ap_main(void)
{
    uint32_t s = 77;

    trap_init();
    while (!stop) {
        uint32_t r = random32(&s);

        if (r & 1)
            ring_scribble(r >> 1 & 1, &s);
        else if (r & 2)
            unit_scribble(&batch[r >> 8 & (UNITS - 1)], &s);
        else if (r & 4)
            block_scribble(r);
        else
            table[r >> 8 & 15].status = (int32_t)r;
        ap_rounds++;
    }
    ap_end();
}

static void unit_good(volatile struct pv_unit *u)
{
    u->x = 5;
    u->z = (uintptr_t)place;
    u->len = 512;
    u->cmd = PV_CMD_START;
    u->y = PV_READ;
    u->devid = 0;
}

static void ring_again(unsigned n)
{
    for (unsigned i = 0; i < ENTRIES; i++)
        unit_good(&ring[n].unit[i]);
    hcall(PV_CALL_RING, n, 0, 0, 0, 0);
    ring[n].head.avail = 0;
    for (unsigned i = 0; i < ENTRIES; i++)
        ring[n].submit[i] = (uint16_t)i;
    hcall(PV_CALL_RING, n, (uintptr_t)&ring[n], ENTRIES, n ? PV_RING_POLL : 0, 0);
}

static unsigned bad; /* results that no call may have */

static void judge(int64_t result, int64_t most)
{
    bad += result > most || result < -PV_E_COMMAND;
}

static void round(unsigned i, uint32_t *s)
{
    unsigned n = i & 1;
    uint64_t z = (uintptr_t)place;

    if (ring[n].head.state)
        ring_again(n);
    unit_good(&batch[i / 4 % UNITS]);
    unit_good(&ring[n].unit[i / 4 % UNITS]);
    ring[n].head.avail++;
    hcall_kick(n);
    judge(hcall(PV_CALL_BATCH, (uintptr_t)batch, UNITS, i >> 3 & 1, 0, 0), PV_BATCH_MAX);
    judge(hcall(PV_CALL_IO, random32(s) % 2100, 512 << PV_Y_LEN, z, PV_CMD_START | i % 16 << 16, 0),
          1 << 20);
    if (i % 64 == 0)
        judge(hcall(PV_CALL_TABLE, (uintptr_t)table, i % 128 ? 16 : 0, 0, 0, 0), 0);
    if (i % 512 == 0) {
        judge(hcall(PV_CALL_RESET, 0, 0, 0, 0, 0), 0);
        ring_again(0);
        ring_again(1);
    }
}

static bool untouched(void)
{
    for (unsigned i = 1; i <= PLACE; i++)
        if (place[-(long)i] != 0xa5)
            return false;
    return true;
}

static bool works(void)
{
    bool ok = !hcall(PV_CALL_RESET, 0, 0, 0, 0, 0);

    for (unsigned i = 0; i < 8; i++) {
        mem_set(place, (int)(i + 1), 512);
        ok &= device_io(i, PV_WRITE, place, PV_CMD_START, 0, 512) == 512;
    }
    for (unsigned i = 0; i < 8; i++)
        ok &= device_io(i, PV_READ, place, PV_CMD_START, 0, 512) == 512 && place[77] == i + 1;
    return ok;
}

void guest_main(const uint8_t *mbi)
{
    unsigned n = (unsigned)guest_opt(mbi, "n", 20000);
    uint32_t s = 1;

    memory = guest_opt(mbi, "memory", 32) << 20;
    place = (uint8_t *)(uintptr_t)(memory - PLACE);
    hcall_port = guest_has(mbi, "port");
    mem_set(place - PLACE, 0xa5, PLACE);
    for (unsigned i = 0; i < UNITS; i++)
        unit_good(&batch[i]);
    ring_again(0);
    ring_again(1);
    if (!check("the second CPU works", ap_go(&ap_rounds)))
        return;
    for (unsigned i = 0; i < n || ap_rounds < n; i++)
        round(i, &s);
    stop = 1;
    ap_wait();
    check_eq("each call came to something", bad, 0);
    check("memory that no unit named is as it was", untouched());
    check("afterwards all works", works());
    say("%u rounds\n", ap_rounds);
}
