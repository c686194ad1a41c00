/*
 * scribble SEED RING…, RING being FD:KIND:LAYOUT:AT[:RECORD-FD]: writes without pause over the
 * virtqueues (VIRTIO 1.2, 2.7 and 2.8) that lie in a peer's memory, while somebody else kicks and
 * the domain reads them; ends with its standard input.
 *
 * KIND is b (block device), r (card, receiving) or t (card, sending); LAYOUT s (split) or p
 * (packed). At AT are descriptors, a page on the driver's area, another page on the device's. The
 * first word of the last page says how many entries the rings have just now. Most of what it writes
 * is good by itself, so that requests get far: whole requests over whole requests, indices that
 * only grow. One write in `wild`, which changes all the time, is a single word, anywhere, or
 * nonsense. All of it stays in the peer's memory, which the domain may write as it likes.
 */
#include "core/types.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    AVAIL = 0x1000,
    USED = 0x2000,
    TABLES = 0x20000,
    SLOTS = 0x40000,
    SLOT = 0x2000,
    MEM = 1 << 20
};
enum {
    TABLE_LEN = 0x1000,
    TABLE_COUNT = 16,
    SLOT_COUNT = 64,
    SIZE_AT = MEM - 0x1000,
    SIZE_MAX_ENTRIES = 256
};
enum { NEXT = 1, WRITE = 2, INDIRECT = 4, F_AVAIL = 1 << 7, F_USED = 1 << 15 };
enum { TURN = 4096, RINGS_MAX = 8 };
#define GPA 0x10000ull

struct ring {
    uint8_t *mem, *record;
    size_t record_len;
    char kind, layout;
    uint32_t at;
};
static uint64_t seed;
static uint32_t wild = 8;

static uint32_t random32(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

static uint32_t below(uint32_t n)
{
    return (uint32_t)((uint64_t)random32() * n >> 32);
}

static bool rarely(void)
{
    return !below(wild);
}

static void put16(uint8_t *at, uint32_t v)
{
    __atomic_store_n((uint16_t *)(void *)at, (uint16_t)v, __ATOMIC_RELAXED);
}

static uint16_t get16(const uint8_t *at)
{
    return __atomic_load_n((const uint16_t *)(const void *)at, __ATOMIC_RELAXED);
}

static void put32(uint8_t *at, uint32_t v)
{
    __atomic_store_n((uint32_t *)(void *)at, v, __ATOMIC_RELAXED);
}

static void put64(uint8_t *at, uint64_t v)
{
    __atomic_store_n((uint64_t *)(void *)at, v, __ATOMIC_RELAXED);
}

static uint32_t entries(const struct ring *r)
{
    uint32_t n = __atomic_load_n((uint32_t *)(void *)(r->mem + SIZE_AT), __ATOMIC_RELAXED);

    return n && n <= SIZE_MAX_ENTRIES ? n : 1;
}

/* ---- values of single words: each fourth is nonsense ---- */

static uint64_t slot(void)
{
    return GPA + SLOTS + (uint64_t)SLOT * below(SLOT_COUNT);
}

static uint64_t address(const struct ring *r)
{
    const uint64_t odd[] = {0, UINT64_MAX, GPA - 1, GPA + MEM - 1, UINT64_MAX << 32, random32()};

    if (!below(4))
        return odd[below(ARRAY_LEN(odd))];
    switch (below(8)) {
    case 0: return GPA + r->at + below(0x3000); /* the ring itself */
    case 1: return GPA + TABLES + (uint64_t)TABLE_LEN * below(TABLE_COUNT);
    case 2: return GPA + below(MEM);
    default: return slot() + below(2) * 16;
    }
}

static uint32_t length(void)
{
    static const uint32_t usual[] = {16, 1, 512, 4096, 12, 72, 1526, 20, 32, 48, 64, 4096};
    const uint32_t odd[] = {0, UINT32_MAX, 0xfffff000, 1u << 31, MEM, random32(), 17, 65536};

    return !below(4) ? odd[below(ARRAY_LEN(odd))] : usual[below(ARRAY_LEN(usual))];
}

static uint32_t flags(const struct ring *r)
{
    uint32_t f = below(8);

    if (r->layout == 'p')
        f |= below(2) ? F_AVAIL : F_USED;
    return !below(4) ? random32() : f;
}

static uint32_t place(const struct ring *r)
{
    return !below(4) ? random32() : below(entries(r) + 1);
}

/* Descriptors a request, if it is not a table: those of the ring come in such groups. */
static uint32_t span(const struct ring *r, uint32_t n)
{
    return r->kind == 'b' && n >= 3 ? 3 : 1;
}

/* ---- what is written ---- */

static void desc_put(const struct ring *r, uint8_t *d, uint64_t addr, uint32_t len, uint32_t f,
                     uint32_t next)
{
    bool packed = r->layout == 'p';

    put64(d, addr);
    put32(d + 8, len);
    put16(d + (packed ? 12 : 14), next);
    put16(d + (packed ? 14 : 12), f);
}

/* As it should be, from d on, which is the n-th of its table. */
static void request(const struct ring *r, uint8_t *d, uint32_t n, uint32_t turn)
{
    uint64_t at = slot();
    uint32_t in = below(2) ? WRITE : 0;

    if (r->kind == 'b') {
        desc_put(r, d, at, 16, NEXT | turn, n + 1);
        desc_put(r, d + 16, at + 0x1000, 512u << below(4), NEXT | in | turn, n + 2);
        desc_put(r, d + 32, at + 32, 1, WRITE | turn, n);
    } else if (r->kind == 'r') {
        desc_put(r, d, at, below(2) ? 2048 : 1000, WRITE | turn, n);
    } else {
        desc_put(r, d, at, 12 + 60 + below(1400), turn, n);
    }
}

static void desc_scribble(const struct ring *r, uint8_t *d)
{
    switch (below(4)) {
    case 0: put64(d, address(r)); break;
    case 1: put32(d + 8, length()); break;
    case 2: put16(d + 12, r->layout == 'p' ? place(r) : flags(r)); break;
    default: put16(d + 14, r->layout == 'p' ? flags(r) : place(r)); break;
    }
}

static void descs(const struct ring *r)
{
    uint32_t n = entries(r), by = span(r, n), i = below((n + by - 1) / by) * by, turn = 0;
    uint8_t *d = r->mem + r->at + 16u * i;

    if (r->layout == 'p')
        turn = below(2) ? F_AVAIL : F_USED;
    if (rarely())
        desc_scribble(r, r->mem + r->at + 16u * below(n));
    else if (i + by <= n && (by == 3 || r->kind != 'b') && below(16))
        request(r, d, i, turn);
    else
        desc_put(r, d,
                 rarely() ? GPA + r->at : GPA + TABLES + (uint64_t)TABLE_LEN * below(TABLE_COUNT),
                 r->kind == 'b' ? 48 : 16, INDIRECT | turn, i); /* or the ring's own table */
}

static void table(const struct ring *r)
{
    uint32_t which = below(TABLE_COUNT / 2) * 2 + (r->kind == 'r');
    uint8_t *t = r->mem + TABLES + (size_t)TABLE_LEN * which;

    if (rarely())
        desc_scribble(r, t + 16u * below(rarely() ? 256 : 4));
    else
        request(r, t, 0, 0);
}

/* Heads that wait are as many as there are requests in the ring, and its index only grows. */
static void idx(uint8_t *avail, const uint8_t *used, uint32_t most)
{
    uint16_t seen = get16(used + 2), now = get16(avail + 2);

    if ((uint16_t)(now - seen) > most)
        put16(avail + 2, seen);
    else if ((uint16_t)(now - seen) < most)
        put16(avail + 2, now + 1u);
}

static void split_areas(const struct ring *r)
{
    uint8_t *avail = r->mem + r->at + AVAIL, *used = r->mem + r->at + USED;
    uint32_t n = entries(r), by = span(r, n), i = below(n);

    if (!rarely()) {
        put16(avail + 4 + 2u * i, i % (n / by) * by);
        idx(avail, used, n / by);
        return;
    }
    switch (below(8)) {
    case 0: put16(avail, below(2)); break;
    case 1: put16(avail + 4 + 2u * n, random32()); break; /* used_event */
    case 2: put16(used + below(2) * 2, get16(used + 2) + below(3)); break;
    case 3: put64(used + 4 + 8ull * i, random32()); break;
    case 4: put16(used + 4 + 8u * n, random32()); break; /* avail_event */
    case 5: put16(avail + 2, get16(used + 2) + below(n + 1) + (rarely() ? below(n) : 0)); break;
    default: put16(avail + 4 + 2u * i, place(r)); break;
    }
}

static void packed_areas(const struct ring *r)
{
    uint8_t *area = r->mem + r->at + (below(2) ? AVAIL : USED);

    if (below(2))
        put16(area, place(r) | below(2) << 15);
    else
        put16(area + 2, rarely() ? random32() : below(3));
}

/* Headers of requests and frames, and frames' addresses. */
static void slots(const struct ring *r)
{
    static const uint8_t types[] = {0, 1, 0, 1, 4, 8, 11, 13};
    uint8_t *s = r->mem + SLOTS + (size_t)SLOT * below(SLOT_COUNT);

    if (r->kind == 'b') {
        put32(s, rarely() ? random32() : types[below(ARRAY_LEN(types))]);
        put64(s + 8, rarely() ? seed : below(2048));
        return;
    }
    put64(s, rarely() ? seed : 0);
    put32(s + 8, 0);
    put64(s + 12, rarely() ? seed : below(2) ? UINT64_MAX : 0x0002000000000002ull);
    put64(s + 20, rarely() ? seed : 0xb688010000000002ull); /* who sends, and what it is */
}

static void scribble(const struct ring *r)
{
    uint32_t what = below(8);

    if (what == 0)
        table(r);
    else if (what == 1)
        slots(r);
    else if (what == 2 && r->record && rarely())
        put16(r->record + (below((uint32_t)r->record_len) & ~1u), below(2) ? place(r) : random32());
    else if (what <= 4 && r->layout == 's')
        split_areas(r);
    else if (what == 3)
        packed_areas(r);
    else
        descs(r);
}

static uint8_t *map(int fd, size_t *len)
{
    struct stat st;
    uint8_t *p = MAP_FAILED;

    if (!fstat(fd, &st) && st.st_size)
        p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        perror("scribble: mmap");
        exit(1);
    }
    *len = (size_t)st.st_size;
    return p;
}

static void ring_open(struct ring *r, const char *words)
{
    int fd, record = -1;
    size_t len;

    if (sscanf(words, "%d:%c:%c:%u:%d", &fd, &r->kind, &r->layout, &r->at, &record) < 4) {
        fprintf(stderr, "scribble: %s?\n", words);
        exit(2);
    }
    r->mem = map(fd, &len);
    r->record = record >= 0 ? map(record, &r->record_len) : NULL;
}

int main(int argc, char **argv)
{
    struct ring ring[RINGS_MAX];
    unsigned rings = 0;
    uint64_t writes = 0;
    char c;

    seed = argc > 1 ? strtoull(argv[1], NULL, 0) * 0x9e3779b97f4a7c15ull | 1 : 1;
    for (int i = 2; i < argc && rings < RINGS_MAX; i++)
        ring_open(&ring[rings++], argv[i]);
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    while (rings && read(STDIN_FILENO, &c, 1))
        for (unsigned i = 0; i < TURN; i++, writes++) {
            if (!(i % (TURN / 4)))
                wild = 8u << below(4) * 4; /* to 32768 */
            scribble(&ring[below(rings)]);
        }
    printf("%llu\n", (unsigned long long)writes);
    return 0;
}
