/* The guest of random_code: what is run and how, and what must hold afterwards. */
#include "random_code.h"
#include "core/cpu_regs.h"
#include "core/error.h"
#include "engine/dbt/cpu.h"
#include "engine/engine.h"
#include "mem/ram.h"
#include <Zydis/Zydis.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    RAM_SIZE = 1 << 20,
    CODE = 0x8000,
    HANDLER = 0x7000, /* HLT */
    IDT = 0x6000,
    GDT = 0x5000,
    TSS = 0x5800,
    PML4 = 0x1000,
    LEGACY_TOP = 0x10000, /* end of 16-bit segments: the last 64 KiB of RAM */
};

/* A test program's main file: one of each. */
static struct ram ram;
static struct engine *engine;
static atomic_ulong ticks;

static uint64_t rng_state;

static uint64_t rng(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state * 0x2545f4914f6cdd1dull;
}

static void trap(void *ctx, unsigned vcpu, struct trap *t)
{
    (void)ctx, (void)vcpu;
    if (t->data && !t->write)
        memset(t->data, 0xff, (size_t)t->count * t->size);
    t->value = UINT64_MAX;
    engine_dbt.kick(engine, 0, false); /* as a device does that raises an interrupt */
}

static uint8_t *at(uint64_t gpa)
{
    return ram_ptr(&ram, gpa, 8);
}

static struct cpu_seg seg(uint16_t sel, uint16_t attr, uint64_t base, uint32_t limit)
{
    return (struct cpu_seg){.sel = sel, .attr = attr, .base = base, .limit = limit};
}

/* 64-bit: all of RAM and a page of nothing behind it, to itself. */
static void tables(void)
{
    for (unsigned i = 0; i < 0x4000; i += 8)
        le64_put(at(PML4 + i), 0);
    le64_put(at(PML4), (PML4 + 0x1000) | 7);
    le64_put(at(PML4 + 0x1000), (PML4 + 0x2000) | 7);
    le64_put(at(PML4 + 0x2000), (PML4 + 0x3000) | 7);
    for (unsigned i = 0; i <= RAM_SIZE / 4096; i++)
        le64_put(at(PML4 + 0x3000 + i * 8), i * 4096 | 7);
    for (unsigned i = 0; i < 32; i++) { /* gates to HLT on a good stack */
        uint64_t dpl3 = 0xee00ull, lo = HANDLER | 8u << 16;
        le64_put(at(IDT + i * 16), lo | dpl3 << 32);
        le64_put(at(IDT + i * 16 + 8), 0);
    }
    for (unsigned i = 0; i < 104; i += 8)
        le64_put(at(TSS + i), 0);
    le64_put(at(TSS + 4), 0x70000); /* RSP0 */
    le64_put(at(GDT + 8), 0x00209b0000000000ull);
    memset(at(HANDLER), 0xf4, 16);
}

static void segments(struct cpu_regs *r, const struct seq *s)
{
    uint16_t dpl = s->cpl ? SEG_DPL : 0, sel = (uint16_t)(0x10 | s->cpl);
    uint64_t base = s->bits == 16 ? RAM_SIZE - LEGACY_TOP : 0;
    uint32_t limit = s->bits == 16 ? LEGACY_TOP - 1 : UINT32_MAX;
    uint16_t data = (uint16_t)(SEG_S | SEG_P | SEG_W | SEG_A | SEG_G | dpl);
    if (s->bits != 16)
        data |= SEG_D;
    for (unsigned i = 0; i < 6; i++)
        r->seg[i] = seg(sel, data, base, limit);
    r->seg[SEG_CS] = seg((uint16_t)(8 | s->cpl),
                         (uint16_t)(SEG_S | SEG_P | SEG_X | SEG_R | SEG_A | SEG_G | dpl |
                                    (s->bits == 64   ? SEG_L
                                     : s->bits == 32 ? SEG_D
                                                     : 0)),
                         0, UINT32_MAX);
    r->tr = seg(0x20, SEG_P | 11, TSS, 103);
    r->gdtr.base = GDT, r->gdtr.limit = 0x1f;
    r->idtr.base = IDT, r->idtr.limit = s->bits == 64 ? 0x1ff : 0;
}

static void load(const struct seq *s)
{
    struct cpu_regs r = {.rip = CODE, .rflags = 2, .cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_MP};
    segments(&r, s);
    r.cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
    if (s->bits == 64) {
        r.cr0 |= CR0_PG;
        r.cr4 |= CR4_PAE;
        r.efer = EFER_LME | EFER_LMA | EFER_SCE;
        r.cr3 = PML4;
        tables();
    }
    for (unsigned i = 0; i < 16; i++)
        r.gpr[i] = s->at;
    r.gpr[REG_RSP] = s->bits == 16 ? 0x8000 : 0x60000;
    memset(at(CODE), 0xf4, 256);
    memcpy(at(CODE), s->bytes, s->len);
    ram_written(&ram, CODE, 256);
    engine_dbt.set_regs(engine, 0, &r);
}

/* Does v point into memory of this process? */
static bool is_host_address(uint64_t v)
{
    unsigned char vec;
    return v >= 1ull << 32 && v < 1ull << 47 && !mincore((void *)(v & ~4095ull), 1, &vec);
}

bool guest_run(const struct seq *s, char why[200])
{
    struct trap end = {.kind = TRAP_HALT};
    struct cpu_regs r;
    load(s);
    atomic_store(&ticks, 0);
    engine_dbt.run(engine, 0, &end);
    if (end.kind == TRAP_FAIL) {
        snprintf(why, 200, "engine: %s", end.why);
        return false;
    }
    engine_dbt.get_regs(engine, 0, &r);
    if (s->rbx && r.gpr[REG_RBX] != s->rbx) {
        snprintf(why, 200, "RBX is %llx", (unsigned long long)r.gpr[REG_RBX]);
        return false;
    }
    for (unsigned i = 0; i < 16; i++)
        if (r.gpr[i] != s->at && is_host_address(r.gpr[i])) {
            snprintf(why, 200, "register %u holds host address %llx", i,
                     (unsigned long long)r.gpr[i]);
            return false;
        }
    return true;
}

static void *ticker(void *arg)
{
    const struct timespec ms = {0, 1000000};
    (void)arg;
    for (;;) {
        nanosleep(&ms, NULL);
        if (atomic_fetch_add(&ticks, 1) >= 2)
            engine_dbt.kick(engine, 0, true);
    }
    return NULL;
}

bool guest_open(void)
{
    static struct engine_env env;
    struct error err;
    pthread_t t;
    if (ram_open(&ram, RAM_SIZE))
        return false;
    env = (struct engine_env){.ram = &ram, .vcpus = 1, .trap = trap, .tsc_hz = 1000000000};
    return !engine_dbt.open(&engine, &env, &err) && !pthread_create(&t, NULL, ticker, NULL);
}

/* ---- what to run ---- */

static const uint8_t mode_bits[] = {64, 32, 16};

static const struct {
    uint8_t len, bytes[4];
} prefixes[] = {{0, {0}},          {1, {0x66}},       {1, {0xf2}}, {1, {0xf3}},
                {2, {0x66, 0xf2}}, {2, {0x66, 0xf3}}, {1, {0x48}}, {2, {0x66, 0x48}},
                {2, {0xf2, 0x48}}, {2, {0xf3, 0x48}}, {1, {0x4f}}, {1, {0xf0}},
                {1, {0x67}},       {1, {0x65}}},
  maps[] = {{0, {0}},
            {1, {0x0f}},
            {2, {0x0f, 0x38}},
            {2, {0x0f, 0x3a}},
            {2, {0xc5, 0xf8}},
            {2, {0xc5, 0x99}},
            {3, {0xc4, 0xe2, 0x78}},
            {3, {0xc4, 0xe2, 0xa8}},
            {3, {0xc4, 0xc2, 0x28}},
            {3, {0xc4, 0xe2, 0x29}},
            {3, {0xc4, 0xe2, 0x2a}},
            {3, {0xc4, 0xe2, 0x2b}},
            {3, {0xc4, 0xe3, 0x2b}},
            {4, {0x62, 0xf1, 0x7c, 0x48}},
            {3, {0x8f, 0xe8, 0x78}},
            {3, {0x8f, 0xe9, 0x78}}};

/* ModRM: [rBX] (16-bit: [BX]) with each reg, registers, and two with displacement. */
_Static_assert(sizeof(prefixes) / sizeof(*prefixes) == 14 && sizeof(maps) / sizeof(*maps) == 16,
               "");

static void add(struct seq *s, const uint8_t *p, unsigned n)
{
    memcpy(s->bytes + s->len, p, n);
    s->len += n;
}

/* The end of RAM, less what the instruction is said to access. */
static uint64_t operand_at(const struct seq *s, bool front)
{
    uint64_t top = s->bits == 16 ? LEGACY_TOP : RAM_SIZE;
    ZydisDecoder d;
    ZydisDecodedInstruction zi;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
    if (front && s->bits != 16)
        return 0;
    ZydisDecoderInit(&d,
                     s->bits == 64   ? ZYDIS_MACHINE_MODE_LONG_64
                     : s->bits == 32 ? ZYDIS_MACHINE_MODE_LEGACY_32
                                     : ZYDIS_MACHINE_MODE_LEGACY_16,
                     s->bits == 64   ? ZYDIS_STACK_WIDTH_64
                     : s->bits == 32 ? ZYDIS_STACK_WIDTH_32
                                     : ZYDIS_STACK_WIDTH_16);
    if (ZYAN_SUCCESS(ZydisDecoderDecodeFull(&d, s->bytes, s->len, &zi, ops)))
        for (unsigned i = 0; i < zi.operand_count; i++)
            if (ops[i].type == ZYDIS_OPERAND_TYPE_MEMORY && ops[i].size)
                return top - ops[i].size / 8u;
    return top - 1;
}

void sweep_make(struct seq *s, uint64_t n)
{
    rng_state = n * 2 + 1;
    unsigned form = (unsigned)(n % FORMS), op = (unsigned)(n / FORMS % 256);
    unsigned map = (unsigned)(n / FORMS / 256 % 16), pre = (unsigned)(n / FORMS / 4096 % 14);
    *s = (struct seq){.bits = mode_bits[n / FORMS / 4096 / 14 % 3],
                      .cpl = n / FORMS / 4096 / 14 / 3 % 2 ? 3 : 0};
    uint8_t rest[10] = {(uint8_t)op, 0, 0x08, 0, 0, 0, 0, 0, 0, 0};
    rest[1] =
        form < 8 ? (uint8_t)(form << 3 | (s->bits == 16 ? 7 : 3)) : (uint8_t)(0xc0 + form - 8);
    add(s, prefixes[pre].bytes, prefixes[pre].len);
    add(s, maps[map].bytes, maps[map].len);
    add(s, rest, 10);
    s->at = operand_at(s, rng() & 1);
    s->len -= 8; /* what follows is HLT: immediates are F4s then */
    if (rng() & 1)
        s->len += 8;
}

static void junk(struct seq *s)
{
    unsigned kind = (unsigned)rng() % 4;
    uint8_t b[12];
    for (unsigned i = 0; i < sizeof(b); i++)
        b[i] = (uint8_t)(rng() >> 32);
    if (kind == 0) {
        add(s, b, 1 + b[11] % 8);
        return;
    }
    unsigned p = (unsigned)rng() % 14, m = rng() % 3 ? (unsigned)rng() % 4 : (unsigned)rng() % 16;
    if (kind == 1)
        add(s, prefixes[p].bytes, prefixes[p].len);
    add(s, maps[m].bytes, maps[m].len);
    if (rng() & 1)
        b[1] = (uint8_t)((b[1] & 0x38) | 3); /* [rBX] */
    add(s, b, 2 + (b[11] & 1 ? 1 : b[11] & 2 ? 4 : 0));
}

void random_make(struct seq *s, uint64_t seed)
{
    rng_state = seed * 0x9e3779b97f4a7c15ull | 1;
    for (unsigned i = 0; i < 4; i++)
        rng();
    *s = (struct seq){.bits = mode_bits[rng() % 3], .cpl = rng() & 1 ? 3 : 0};
    while (s->len < SEQ_MAX - 20)
        junk(s);
    uint64_t top = s->bits == 16 ? LEGACY_TOP : RAM_SIZE;
    static const uint8_t size[] = {1, 2, 4, 8, 10, 16, 32, 64};
    switch (rng() % 6) {
    case 0: s->at = rng() % 64; break;
    case 1: s->at = CODE + rng() % 128; break;
    case 2: s->at = s->bits == 64 ? rng() : top - rng() % 64; break;
    case 3: s->at = s->bits == 16 ? rng() % LEGACY_TOP : 0u - rng() % 64; break;
    default: s->at = top - size[rng() % 8];
    }
    if (s->bits == 32)
        s->at = (uint32_t)s->at;
}

/* ---- what once failed ---- */

static const struct seq kept[] = {
    /* a fence in 16-bit code got a 66 prefix: TPAUSE, or none */
    {.bits = 16, .len = 3, .bytes = {0x0f, 0xae, 0xf0}},
    {.bits = 16, .len = 3, .bytes = {0x0f, 0xae, 0xe8}},
    {.bits = 16, .len = 3, .at = 0x100, .bytes = {0x0f, 0xc3, 0x07}},
    /* ADCX in 16-bit code lost its 66 */
    {.bits = 16, .len = 5, .bytes = {0x66, 0x0f, 0x38, 0xf6, 0xce}},
    /* 82 is 80 but in 64-bit mode */
    {.bits = 32, .len = 3, .bytes = {0x82, 0xc0, 0x01}},
    {.bits = 32, .len = 3, .at = 0x100, .bytes = {0x82, 0x03, 0x01}},
    /* mov eax, [ebx]; ANDN: vvvv's high bit, then VEX.B, name registers 10 that don't exist */
    {.bits = 32, .len = 7, .at = 0x100, .bytes = {0x8b, 0x03, 0xc4, 0xe2, 0x28, 0xf2, 0xc0}},
    {.bits = 32, .len = 7, .at = 0x100, .bytes = {0x8b, 0x03, 0xc4, 0xc2, 0x78, 0xf2, 0xc2}},
    /* FLDCW unmasks, 0/0, MASKMOVQ: RDI was lent when #MF came */
    {.bits = 64, .len = 22, .at = 0x9000, .bytes = {0xdb, 0xe3, 0xc7, 0x04, 0x24, 0x00, 0x00, 0x00,
                                                    0x00, 0xd9, 0x2c, 0x24, 0xd9, 0xee, 0xd9, 0xee,
                                                    0xde, 0xf9, 0x0f, 0xf7, 0xc1, 0x90}},
    /* a call whose push straddles pages while a kick waits: it went on behind the call */
    {.bits = 64, .len = 24, .rbx = 0x1234, .bytes = {0xbc, 0x04, 0x90, 0x00, 0x00, 0x8b,
                                                     0x04, 0x25, 0x00, 0x00, 0x10, 0x00,
                                                     0xe8, 0x01, 0x00, 0x00, 0x00, 0xf4,
                                                     0xbb, 0x34, 0x12, 0x00, 0x00, 0xf4}},
};

bool kept_make(struct seq *s, uint64_t n)
{
    *s = kept[n < KEPT ? n : 0];
    return n < KEPT;
}
_Static_assert(sizeof(kept) / sizeof(*kept) == KEPT, "");
