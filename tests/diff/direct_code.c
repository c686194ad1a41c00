/*
 * Engine direct against engine dbt: every opcode in every form and random bytes (random_guest.c
 * makes them), as the first instructions of a 16- or 32-bit guest without paging, in ring 0 and 3.
 * Both engines must end in the same way with the same registers, flags and memory; and whatever
 * the bytes are, the VMM must not crash or hang. A guest that leaves its segments by a hidden
 * instruction, or leaves the mode that direct is made for, is stopped, which is right, and counted.
 *
 * direct_code [--sweep N] [--random N] [--seed S] [--one N]: every N-th form; N random sequences;
 * only the N-th random sequence, and what came of it.
 */
#include "core/cpu_regs.h"
#include "core/error.h"
#include "engine/dbt/cpu.h"
#include "engine/engine.h"
#include "mem/ram.h"
#include "random_code.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RAM_SIZE = 1 << 20, CODE = 0x8000, LEGACY_TOP = 0x10000, FAILS_MAX = 20 };

struct side {
    const struct engine_ops *ops;
    struct engine_env env;
    struct engine *engine;
    struct ram ram;
    struct trap end;
    struct cpu_regs regs;
};

/* A test program's main file: one of each. */
static struct side dbt = {.ops = &engine_dbt}, direct = {.ops = &engine_direct};
static struct side *_Atomic running;
static atomic_uint ticks;
static uint64_t index_now;
static unsigned compared, stopped, unfinished, differ;

static void trap(void *ctx, unsigned vcpu, struct trap *t)
{
    struct side *s = ctx;

    if (t->data && !t->write)
        memset(t->data, 0xff, (size_t)t->count * t->size);
    t->value = UINT64_MAX;
    s->ops->kick(s->engine, vcpu, false);
}

static bool side_open(struct side *s)
{
    struct error err = {0};

    s->env = (struct engine_env){
        .ram = &s->ram, .vcpus = 1, .trap = trap, .trap_ctx = s, .tsc_hz = 1000000000};
    if (s->ops->open(&s->engine, &s->env, &err)) {
        printf("# %s\n", err.text);
        return false;
    }
    return true;
}

static struct cpu_seg seg(uint16_t sel, unsigned attr, uint64_t base, uint32_t limit)
{
    return (struct cpu_seg){.sel = sel, .attr = (uint16_t)attr, .base = base, .limit = limit};
}

/* No IDT: the first fault ends the run, with the registers as it found them. */
static void start_regs(const struct seq *q, struct cpu_regs *r)
{
    bool small = q->bits == 16;
    uint64_t base = small ? RAM_SIZE - LEGACY_TOP : 0;
    uint32_t limit = small ? LEGACY_TOP - 1 : UINT32_MAX;
    unsigned rights =
        SEG_S | SEG_P | SEG_A | SEG_G | (q->cpl ? SEG_DPL : 0u) | (small ? 0u : SEG_D);

    *r = (struct cpu_regs){.rip = CODE, .rflags = 2, .cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_MP};
    r->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
    for (unsigned i = 0; i < 6; i++)
        r->seg[i] = seg((uint16_t)(0x10 | q->cpl), rights | SEG_W, base, limit);
    r->seg[SEG_CS] = seg((uint16_t)(8 | q->cpl), rights | SEG_X | SEG_R, 0, limit);
    r->tr = seg(0x20, SEG_P | 11, 0x5800, 103);
    for (unsigned i = 0; i < 8; i++)
        r->gpr[i] = (uint32_t)q->at;
    r->gpr[REG_RSP] = small ? 0x8000 : 0x60000;
}

static void run(struct side *s, const struct seq *q)
{
    start_regs(q, &s->regs);
    memset(s->ram.slot[0].host, 0xf4, RAM_SIZE); /* HLT: whatever goes astray ends */
    memcpy(ram_ptr(&s->ram, CODE, SEQ_MAX), q->bytes, q->len);
    ram_written(&s->ram, 0, RAM_SIZE);
    s->ops->reset(s->engine, 0);
    s->ops->set_regs(s->engine, 0, &s->regs);
    s->end = (struct trap){.kind = TRAP_KINDS};
    atomic_store(&ticks, 0);
    running = s;
    s->ops->run(s->engine, 0, &s->end);
    running = NULL;
    s->ops->get_regs(s->engine, 0, &s->regs);
}

/* A run that doesn't end is told to stop, again and again, so that none is missed. */
static void *ticker(void *arg)
{
    const struct timespec ms = {0, 1000000};
    struct side *s;

    for (;;) {
        nanosleep(&ms, NULL);
        s = running;
        if (s && atomic_fetch_add(&ticks, 1) >= 5)
            s->ops->kick(s->engine, 0, true);
    }
    return arg;
}

/* ---- judging ---- */

static bool same_seg(const struct cpu_seg *a, const struct cpu_seg *b)
{
    return a->sel == b->sel && a->attr == b->attr && a->limit == b->limit && a->base == b->base;
}

static const char *difference(void)
{
    const struct cpu_regs *a = &dbt.regs, *b = &direct.regs;

    if (dbt.end.kind != direct.end.kind)
        return "end";
    if (memcmp(a->gpr, b->gpr, sizeof(a->gpr)) || a->rip != b->rip)
        return "registers";
    /* dbt's known gap: arithmetic flags that nobody reads any more, where a fault ends the run. */
    if ((a->rflags ^ b->rflags) & (dbt.end.kind == TRAP_HALT ? ~0u : ~(uint32_t)FL_ARITH))
        return "flags";
    for (unsigned i = 0; i < 6; i++)
        if (!same_seg(&a->seg[i], &b->seg[i]))
            return "segments";
    if (a->cr0 != b->cr0 || a->cr2 != b->cr2 || a->cr3 != b->cr3 || a->cr4 != b->cr4)
        return "control registers";
    if (memcmp(dbt.ram.slot[0].host, direct.ram.slot[0].host, RAM_SIZE))
        return "memory";
    return NULL;
}

static void tell(const struct seq *q, const char *what)
{
    printf("# %llu, %s: %u-bit ring %u, registers %llx, end %d and %d, rip %llx and %llx, flags "
           "%llx and "
           "%llx\n# ",
           (unsigned long long)index_now, what, q->bits, q->cpl, (unsigned long long)q->at,
           dbt.end.kind, direct.end.kind, (unsigned long long)dbt.regs.rip,
           (unsigned long long)direct.regs.rip, (unsigned long long)dbt.regs.rflags,
           (unsigned long long)direct.regs.rflags);
    for (unsigned i = 0; i < q->len; i++)
        printf(" %02x", q->bytes[i]);
    printf("\n");
    for (unsigned i = 0; i < 8; i++)
        if (dbt.regs.gpr[i] != direct.regs.gpr[i])
            printf("#   register %u: %llx and %llx\n", i, (unsigned long long)dbt.regs.gpr[i],
                   (unsigned long long)direct.regs.gpr[i]);
    if (direct.end.kind == TRAP_FAIL)
        printf("#   %s\n", direct.end.why);
}

static bool has(const struct seq *q, uint8_t a, uint8_t b)
{
    for (unsigned i = 0; i + 1 < q->len; i++)
        if (q->bytes[i] == a && q->bytes[i + 1] == b)
            return true;
    return false;
}

/* Time and chance; flags that the manual leaves undefined after the decimal instructions, which dbt
 * does in C; LOOPE and LOOPNE with a repeat prefix, which no manual mentions and this CPU takes for
 * the condition. Looked at only where something differs. */
static bool unlike(const struct seq *q)
{
    static const uint8_t odd[] = {0x27, 0x2f, 0x37, 0x3f, 0xd4, 0xd5, 0xe0, 0xe1};

    for (unsigned i = 0; i < q->len; i++)
        if (memchr(odd, q->bytes[i], sizeof(odd)))
            return true;
    return has(q, 0x0f, 0x31) || has(q, 0x0f, 0x32) || has(q, 0x0f, 0xc7) || has(q, 0x01, 0xf9);
}

/* 16-bit code that runs on beyond 64 KiB: the CPU says #GP there, dbt goes on at 0. */
static bool run_off(const struct seq *q)
{
    return q->bits == 16 && direct.regs.rip == 0x10000;
}

static bool again(struct side *s)
{
    s->ops->close(s->engine);
    return side_open(s);
}

/* False: the engines can't be used any more. */
static bool one(struct seq *q, bool say)
{
    const char *what;
    bool ok = true;

    if (q->bits == 64)
        q->bits = 32;
    run(&dbt, q);
    run(&direct, q);
    what = difference();
    if (direct.end.kind == TRAP_FAIL) {
        stopped++;
        ok = again(&direct);
    } else if (dbt.end.kind == TRAP_KICK || direct.end.kind == TRAP_KICK) {
        unfinished++;
    } else {
        what = what && (unlike(q) || run_off(q)) ? NULL : what;
        compared++;
        differ += what != NULL;
        if (what && differ <= FAILS_MAX)
            tell(q, what);
    }
    if (say)
        tell(q, "run");
    return ok;
}

static void verdict(unsigned n, bool ok, const char *what)
{
    printf("%s %u - %s: %u compared, %u differ, %u stopped, %u did not end\n",
           ok && !differ && compared ? "ok" : "not ok", n, what, compared, differ, stopped,
           unfinished);
    compared = differ = stopped = unfinished = 0;
}

static uint64_t option(int argc, char **argv, const char *name, uint64_t otherwise)
{
    for (int i = 1; i + 1 < argc; i += 2)
        if (!strcmp(argv[i], name))
            return strtoull(argv[i + 1], NULL, 0);
    return otherwise;
}

int main(int argc, char **argv)
{
    uint64_t step = option(argc, argv, "--sweep", 1999),
             count = option(argc, argv, "--random", 3000);
    uint64_t seed = option(argc, argv, "--seed", 1), only = option(argc, argv, "--one", 0);
    struct error err = {0};
    pthread_t t;
    struct seq q;
    bool ok = true, good = true;

    if (engine_direct.probe(&err)) {
        printf("%s\n", err.text);
        return 77;
    }
    if (ram_open(&dbt.ram, RAM_SIZE) || ram_open(&direct.ram, RAM_SIZE) || !side_open(&dbt) ||
        !side_open(&direct) || pthread_create(&t, NULL, ticker, NULL))
        return 1;
    if (option(argc, argv, "--form", 0)) {
        sweep_make(&q, option(argc, argv, "--form", 0));
        return !one(&q, true);
    }
    if (only) {
        random_make(&q, (seed << 32) + only);
        return !one(&q, true);
    }
    for (uint64_t n = seed % step; n < SWEEP && ok; n += step) {
        index_now = n;
        sweep_make(&q, n);
        ok = one(&q, false);
    }
    good &= ok && !differ;
    verdict(1, ok, "forms of opcodes");
    for (uint64_t n = 0; n < count && ok; n++) {
        index_now = n;
        random_make(&q, (seed << 32) + n);
        ok = one(&q, false);
    }
    good &= ok && !differ;
    verdict(2, ok, "random sequences");
    printf("1..2\n");
    return !good;
}
