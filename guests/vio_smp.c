/*
 * Two CPUs and a virtio disk (VIRTIO 1.2, 2.7, 2.8 and 5.2): CPU 0 puts a request into the ring and
 * kicks, resets the device whenever it says that it needs that, and begins anew, while CPU 1 keeps
 * writing over descriptors, both areas and indirect tables. Nothing may come of it but requests
 * that fail and rings that are given up: memory that no descriptor named stays as it was, and
 * afterwards, with CPU 1 stopped and the device reset, blocks are written and read as ever.
 * Options: packed, n=ROUNDS, seed=NUMBER, memory=MiB of the machine.
 */
#include "ap.h"
#include "workload/vio.h"

#define PLACE    0x40000u /* the last bytes of memory: all that descriptors name */
#define INDIRECT (1ull << 28)
enum { NEXT = 1, WRITE = 2, TABLE = 4, AVAIL = 1 << 7, USED = 1 << 15 };
enum { T_IN = 0, T_OUT = 1 };
enum { TABLES = 0x1000, TABLE_LEN = 0x1000, TABLE_COUNT = 8, HDR = 0x10000, DATA = 0x20000 };
enum { BLOCK = 77, MINE = 0x30000, MINE_STATUS = MINE + 64, MINE_DATA = MINE + 512 };
#define GROUPS ((RING + 2) / 3) /* of descriptors; the last one is a table or nothing */
#define SPINS  200000000u

/* Descriptors and, of a split ring, the areas behind them; of a packed one the two event areas. */
static struct {
    volatile uint8_t desc[16 * RING];
    volatile uint16_t avail[RING + 4], used[4 * RING + 4];
} ring __attribute__((aligned(4096)));
static volatile unsigned stop, ap_rounds;
static bool packed;
static volatile unsigned at; /* packed: CPU 0's next place */
static uint8_t *place;       /* PLACE bytes; as many before it are nobody's */
static uint64_t memory;
static uint32_t seed;

bool polled = true; /* for vio.c */
void disk_irq_init(void (*hook)(void))
{
    (void)hook;
}

static uint32_t random32(uint32_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 17;
    *s ^= *s << 5;
    return *s;
}

static void desc_put(volatile uint8_t *d, uint64_t addr, uint32_t len, unsigned flags,
                     unsigned next)
{
    *(volatile uint64_t *)d = addr;
    *(volatile uint32_t *)(d + 8) = len;
    *(volatile uint16_t *)(d + (packed ? 12 : 14)) = (uint16_t)next;
    asm volatile("" ::: "memory");
    *(volatile uint16_t *)(d + (packed ? 14 : 12)) = (uint16_t)flags;
}

/* ---- CPU 1 ---- */

/* Three descriptors as they should be, the first of them the n-th. */
static void request_scribble(volatile uint8_t *d, unsigned n, unsigned turn, uint32_t *s)
{
    uint32_t r = random32(s);
    uint64_t at = (uintptr_t)place + HDR + (r >> 8 & 63) * 64;

    desc_put(d, at, 16, NEXT | turn, n + 1);
    desc_put(d + 16, (uintptr_t)place + DATA + (r >> 16 & 63) * 512, 512u << (r & 3),
             NEXT | (r & 4 ? WRITE : 0) | turn, n + 2);
    desc_put(d + 32, at + 32, 1, WRITE | turn, n);
}

/* One word, which may be anything: nothing below `place` is ever named, since the device may write
 * to it. */
static void word_scribble(volatile uint8_t *d, uint32_t *s)
{
    static const uint32_t len[] = {16, 1, 512, 48, 0, 0xfffffff0, 4096, 17};
    uint32_t r = random32(s);
    uint64_t addr = (uintptr_t)place + (r >> 14);

    if (r & 0x1000)
        addr = r & 0x2000 ? memory + (r >> 4) : 0ull - (r >> 20);
    switch (r & 3) {
    case 0: *(volatile uint64_t *)d = addr; break;
    case 1: *(volatile uint32_t *)(d + 8) = len[r >> 8 & 7]; break;
    case 2: *(volatile uint16_t *)(d + 12) = (uint16_t)(r & 4 ? r >> 8 : r >> 8 & 7); break;
    default: *(volatile uint16_t *)(d + 14) = (uint16_t)(r & 4 ? r >> 8 : r >> 8 & 7); break;
    }
}

/* Mostly where the device reads now, or soon. */
static unsigned aim(uint32_t r)
{
    unsigned now = packed ? at / 3 : ring.avail[1];

    return (r & 15 ? now - 1 + (r >> 4 & 3) : r >> 8) % GROUPS * 3;
}

static void desc_scribble(uint32_t *s, bool wild)
{
    uint32_t r = random32(s), n = aim(r >> 8);
    unsigned turn = !packed ? 0 : r & 1 ? AVAIL : USED;
    volatile uint8_t *d = ring.desc + 16 * n;

    if (wild)
        word_scribble(d + (n ? 0 : 16), s);
    else if (r & 0xf0 && n + 3 <= RING)
        request_scribble(d, n, turn, s);
    else
        desc_put(d, (uintptr_t)place + TABLES + (r >> 16 & (TABLE_COUNT - 1)) * TABLE_LEN, 48,
                 TABLE | turn, n);
}

static void table_scribble(uint32_t *s, bool wild)
{
    uint32_t r = random32(s);
    uint8_t *t = place + TABLES + (r >> 8 & (TABLE_COUNT - 1)) * TABLE_LEN;

    if (wild)
        word_scribble(t + 16 * (r & 3), s);
    else
        request_scribble(t, 0, 0, s);
}

/* As many heads more as there may be; with wild, anything. */
static void split_scribble(uint32_t *s, bool wild)
{
    uint32_t r = random32(s), i = r >> 8 & (RING - 1);
    uint16_t waiting = (uint16_t)(ring.avail[1] - ring.used[1]);

    if (!wild) {
        ring.avail[2 + i] = (uint16_t)(i % (RING / 3) * 3);
        if (waiting < 32)
            ring.avail[1]++;
    } else if (r & 1) {
        ring.avail[2 + i] = (uint16_t)(r & 2 ? r >> 16 : r >> 16 & (RING - 1));
    } else {
        switch (r >> 1 & 3) {
        case 0: ring.avail[1] = (uint16_t)(r & 64 ? r >> 16 : ring.used[1] + (r >> 8 & 255)); break;
        case 1: ring.used[1] = (uint16_t)(r >> 16); break;
        case 2: ring.used[2 + (r >> 8) % (4 * RING)] = (uint16_t)(r >> 16); break;
        default: ring.avail[0] = r >> 16 & 1; break;
        }
    }
}

static void packed_scribble(uint32_t *s)
{
    uint32_t r = random32(s);

    (r & 1 ? ring.avail : ring.used)[r >> 1 & 1] = (uint16_t)(r >> 8 & 0x8003);
}

static void header_scribble(uint32_t *s)
{
    static const uint8_t type[] = {T_IN, T_OUT, T_IN, T_OUT, 4, 8, 11, 99};
    uint32_t r = random32(s);
    volatile uint8_t *h = place + HDR + (r >> 8 & 63) * 64;

    *(volatile uint32_t *)h = type[r & 7];
    *(volatile uint64_t *)(h + 8) = r >> 16 & 2047;
}

void ap_main(void)
{
    uint32_t s = seed;

    trap_init();
    while (!stop) {
        uint32_t r = random32(&s);
        bool wild = !(r >> 8 & (ap_rounds & 0x4000 ? 0xfff : 0x3f)); /* by turns */

        switch (r & 7) {
        case 0: table_scribble(&s, wild); break;
        case 1: header_scribble(&s); break;
        case 2:
        case 3:
        case 4:
            if (!packed)
                split_scribble(&s, wild);
            else if (wild)
                packed_scribble(&s);
            break;
        default: desc_scribble(&s, wild); break;
        }
        ap_rounds++;
    }
    ap_end();
}

/* ---- CPU 0 ---- */

static const unsigned turn = AVAIL; /* packed: makes a descriptor of the first round available */

static bool begin(void)
{
    for (unsigned i = 0; i < sizeof(ring.avail) / 2; i++)
        ring.avail[i] = 0;
    for (unsigned i = 0; i < sizeof(ring.used) / 2; i++)
        ring.used[i] = 0;
    for (unsigned i = 0; packed && i < RING; i++)
        *(volatile uint16_t *)(ring.desc + 16 * i + 14) = 0;
    at = 0;
    return vio_open((packed ? VIO_PACKED : 0) | INDIRECT,
                    (struct ring_area){(void *)(uintptr_t)ring.desc, (void *)(uintptr_t)ring.avail,
                                       (void *)(uintptr_t)ring.used});
}

/* One request of its own at the ring's next place, if CPU 1 leaves it alone for so long. */
static void request(unsigned type)
{
    unsigned n = packed ? at : ring.avail[1] % (RING / 3) * 3, first;
    volatile uint8_t *d = ring.desc + 16 * n;
    unsigned own = packed ? turn : 0;

    place[MINE_STATUS] = 0xff;
    *(volatile uint32_t *)(place + MINE) = type;
    *(volatile uint64_t *)(place + MINE + 8) = BLOCK;
    desc_put(d + 16, (uintptr_t)place + MINE_DATA, 512, NEXT | (type == T_IN ? WRITE : 0) | own,
             n + 2);
    desc_put(d + 32, (uintptr_t)place + MINE_STATUS, 1, WRITE | own, n);
    desc_put(d, (uintptr_t)place + MINE, 16, NEXT | own, n + 1);
    at = at + 3;
    if (packed) /* whoever calls begins anew before the ring's end */
        return;
    first = ring.avail[1];
    ring.avail[2 + first % RING] = (uint16_t)n;
    asm volatile("" ::: "memory");
    ring.avail[1] = (uint16_t)(first + 1);
}

static bool answered(unsigned spins)
{
    while (place[MINE_STATUS] == 0xff && spins--)
        asm volatile("pause" ::: "memory");
    return place[MINE_STATUS] == 0;
}

/* Until CPU 1 has done so much, if it runs at all just now. */
static void ap_writes(unsigned many)
{
    unsigned from = ap_rounds;

    for (unsigned i = 0; i < 1000 && ap_rounds - from < many; i++)
        asm volatile("pause" ::: "memory");
}

static bool untouched(void)
{
    const uint64_t *p = (const uint64_t *)(uintptr_t)(place - PLACE);

    for (unsigned i = 0; i < PLACE / sizeof(*p); i++)
        if (p[i] != 0xa5a5a5a5a5a5a5a5)
            return false;
    return true;
}

/* Of a request of CPU 1's, which never writes it. */
#define STATUS(i) (place[HDR + 64 * (i) + 32])

static unsigned answers(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < 64; i++)
        n += STATUS(i) != 0xff;
    return n;
}

static bool works(void)
{
    bool ok = begin();

    for (unsigned i = 0; ok && i < 8; i++) {
        mem_set(place + MINE_DATA, (int)(i + 1), 512);
        request(T_OUT);
        vio_kick();
        ok &= answered(SPINS);
        mem_set(place + MINE_DATA, 0, 512);
        request(T_IN);
        vio_kick();
        ok &= answered(SPINS) && place[MINE_DATA] == i + 1 && place[MINE_DATA + 511] == i + 1;
    }
    return ok && !vio_broken();
}

static unsigned resets, served;

/* Half of them kick for what CPU 1 has put there alone. A driver that waits in vain resets, too. */
static bool round(unsigned i)
{
    static unsigned vain;

    if (i & 1)
        request(i & 2 ? T_IN : T_OUT);
    ap_writes(i & 8 ? 8 : 200);
    vio_kick();
    if (i & 1 && answered(100))
        served++;
    else
        vain++;
    if (!vio_broken() && vain < 16 && at + 6 <= RING)
        return true;
    resets += vio_broken();
    vain = 0;
    return begin();
}

static uint64_t second; /* in TSC ticks */

/* n rounds, or a second where they take long; in any case until a ring was given up. */
static bool more(unsigned i, unsigned n, uint64_t took)
{
    if (!resets)
        return took < 20 * second;
    return i < n && (i < n / 16 || took < second);
}

void guest_main(const uint8_t *mbi)
{
    unsigned n = (unsigned)guest_opt(mbi, "n", 4000);
    bool opened = true;
    uint64_t begun;

    memory = guest_opt(mbi, "memory", 32) << 20;
    seed = (uint32_t)guest_opt(mbi, "seed", 77) | 1;
    packed = guest_has(mbi, "packed");
    place = (uint8_t *)(uintptr_t)(memory - PLACE);
    mem_set(place - PLACE, 0xa5, PLACE);
    for (unsigned i = 0; i < 64; i++)
        STATUS(i) = 0xff;
    check("the disk works", works());
    if (!check("the second CPU works", ap_go(&ap_rounds)))
        return;
    second = 100 * tsc_10ms();
    begun = rdtsc();
    for (unsigned i = 0; more(i, n, rdtsc() - begun); i++)
        opened &= round(i);
    stop = 1;
    ap_wait();
    check("the device could be reset each time", opened);
    check("some of its requests were answered, some rings given up", answers() && resets);
    check("memory that no request named is as it was", untouched());
    check("afterwards blocks are written and read", works());
    say("seed %u: %u writes over the ring, %u resets, %u requests of CPU 0 served\n", seed,
        ap_rounds, resets, served);
}
