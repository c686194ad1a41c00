/*
 * The worst guest of engine direct: it is in 64-bit code already, and owns all of the cage. Random
 * code and random registers there; system calls with every number of interest, from its own place
 * and from the monitor's; forged hand-overs in the shared pages. Whatever it does, the engine comes
 * back in time, the VMM stands, and the next VM runs.
 *
 * escaped_code [--count N] [--seed S] [--only N]
 */
#include "core/cpu_regs.h"
#include "core/error.h"
#include "engine/direct/code.h"
#include "mem/ram.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { AT = 0x8000, PAYLOAD = 512, STOP_MS = 15, LATE_S = 10 };

struct payload {
    uint8_t bytes[PAYLOAD];
    unsigned len;
};

/* A test program's main file: one of each. */
static struct ram ram;
static struct engine *engine;
static atomic_uint ticks, going;
static unsigned ends[TRAP_KINDS];
static uint64_t state;

static uint64_t rng(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1dull;
}

static void trap(void *ctx, unsigned vcpu, struct trap *t)
{
    (void)ctx, (void)vcpu;
    if (t->data && !t->write)
        memset(t->data, 0xff, (size_t)t->count * t->size);
    t->value = UINT64_MAX;
}

/* ---- what it does ---- */

static void add(struct payload *p, const void *bytes, unsigned n)
{
    if (n <= PAYLOAD - p->len) {
        memcpy(p->bytes + p->len, bytes, n);
        p->len += n;
    }
}

static void add_mov(struct payload *p, unsigned reg, uint64_t v)
{
    uint8_t b[10] = {(uint8_t)(reg < 8 ? 0x48 : 0x49), (uint8_t)(0xb8 | (reg & 7))};

    le64_put(b + 2, v);
    add(p, b, sizeof(b));
}

static uint64_t interesting(void)
{
    switch (rng() % 8) {
    case 0: return CAGE_SHARED + rng() % CAGE_SHARED_LEN;
    case 1: return CAGE_SHARED + (rng() % sizeof(struct cage_shared) & ~7ull);
    case 2: return CAGE_MONITOR + rng() % 4096;
    case 3: return CAGE_DATA + rng() % (1 << 20);
    case 4: return CAGE_CODE + rng() % (1 << 20);
    case 5: return rng() % 64;
    case 6: return rng() >> (rng() % 64);
    default: return CAGE_SHARED;
    }
}

static uint64_t call_number(void)
{
    static const uint16_t some[] = {0,   1,   2,   9,   10,  11,  13,  14,  15,  37,  39,  56,
                                    57,  59,  60,  62,  72,  101, 131, 154, 157, 158, 186, 200,
                                    202, 218, 231, 250, 257, 272, 302, 310, 311, 317, 319, 321,
                                    322, 323, 425, 434, 435, 436, 438, 440, 452};

    return rng() % 8 ? some[rng() % ARRAY_LEN(some)] : rng() % 470 | (rng() & 0x40000000);
}

/* The monitor's SYSCALL instructions, which the filter knows by their addresses. */
static uint64_t monitor_syscall(void)
{
    unsigned first = (unsigned)(rng() % direct_monitor_len);

    for (unsigned i = 0; i + 0x1001 < direct_monitor_len; i++) {
        unsigned at = 0x1000 + (first + i) % (direct_monitor_len - 0x1001);

        if (direct_monitor[at] == 0x0f && direct_monitor[at + 1] == 0x05)
            return CAGE_MONITOR + at - 0x1000;
    }
    return CAGE_MONITOR;
}

static void registers(struct payload *p)
{
    for (unsigned r = 0; r < 16; r++)
        if (r != REG_RSP || rng() & 1)
            add_mov(p, r, interesting());
}

static void junk(struct payload *p, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint8_t b = (uint8_t)(rng() >> 32);

        add(p, &b, 1);
    }
}

/* Gives the turn to the VMM with whatever is in the shared pages, then loops. */
static void forge(struct payload *p)
{
    struct cage_shared s = {.turn = CAGE_TURN_VMM};
    const unsigned fields[] = {
        offsetof(struct cage_shared, sig), offsetof(struct cage_shared, frame),
        offsetof(struct cage_shared, failed), offsetof(struct cage_shared, ops)};

    for (unsigned i = 0; i < ARRAY_LEN(fields); i++) {
        add_mov(p, REG_RAX, i ? interesting() : (uint64_t[]){5, 7, 10, 11, 31, rng()}[rng() % 6]);
        add_mov(p, REG_RBX, CAGE_SHARED + fields[i]);
        if (rng() & 1)
            add(p, i == 1 ? "\x48\x89\x03" : "\x90\x89\x03", 3); /* mov %rax or %eax, (%rbx) */
    }
    add_mov(p, REG_RBX, CAGE_SHARED);
    add_mov(p, REG_RAX, s.turn);
    add(p, "\x89\x03\xeb\xfe", 4);
}

static void make(struct payload *p)
{
    p->len = 0;
    switch (rng() % 6) {
    case 0: junk(p, 200); break;
    case 1: registers(p), junk(p, 200); break;
    case 2: /* a system call from its own place */
        registers(p), add_mov(p, REG_RAX, call_number()), add(p, "\x0f\x05", 2), junk(p, 100);
        break;
    case 3: /* from the monitor's */
        registers(p), add_mov(p, REG_RAX, call_number()), add_mov(p, 11, monitor_syscall());
        add(p, "\x41\xff\xe3", 3);
        break;
    case 4: /* somewhere in the monitor */
        registers(p), add_mov(p, 11, CAGE_MONITOR + rng() % 0x900), add(p, "\x41\xff\xe3", 3);
        break;
    default: forge(p);
    }
}

/* ---- one VM ---- */

static bool vm_open(void)
{
    static struct engine_env env;
    struct error err = {0};

    env = (struct engine_env){.ram = &ram, .vcpus = 1, .trap = trap, .tsc_hz = 1000000000};
    if (!engine_direct.open(&engine, &env, &err))
        return true;
    printf("# %s\n", err.text);
    return false;
}

static void go(struct trap *end)
{
    struct cpu_regs r = {.rip = AT, .rflags = 2, .cr0 = CR0_PE | CR0_ET};

    for (unsigned i = 0; i < 6; i++)
        r.seg[i] = (struct cpu_seg){.sel = 8, .attr = 0xc093, .limit = UINT32_MAX};
    r.seg[SEG_CS].attr = 0xc09b;
    r.gpr[REG_RSP] = 0x70000;
    engine_direct.set_regs(engine, 0, &r);
    atomic_store(&ticks, 0);
    atomic_store(&going, 1);
    engine_direct.run(engine, 0, end);
    atomic_store(&going, 0);
}

/* The view as no scan would make it: a far jump to 64-bit code, and that code. */
static bool plant(struct direct *d, const struct payload *p)
{
    uint8_t jump[7] = {0xea, 0, 0, 0, 0, 0x33, 0};
    struct view_page *page = view_page_live(d, AT);

    if (!page || !view_page_live(d, AT + 4096))
        return false;
    le32_put(jump + 1, (uint32_t)CAGE_CODE + AT + 4096);
    memcpy(d->code->view + AT, jump, sizeof(jump));
    memcpy(d->code->view + AT + 4096, p->bytes, p->len);
    for (unsigned i = 0; i < sizeof(jump); i++)
        bit_set(page->covered, AT + i);
    bit_set(page->known, AT);
    page->ours[AT % 4096 / 64] &= ~(1ull << AT % 64);
    return true;
}

static bool one(bool say)
{
    struct trap end = {.kind = TRAP_KINDS};
    struct payload p;
    struct direct *d;
    struct cpu *cpu;

    make(&p);
    memset(ram.slot[0].host, 0xf4, ram.size);
    if (!vm_open())
        return false;
    cpu = dbt_cpu(engine, 0);
    d = container_of(cpu->dbt->bare, struct direct, bare);
    go(&end); /* HLT: a VM that works */
    if (end.kind != TRAP_HALT || !plant(d, &p)) {
        printf("# a VM before the attack did not run: %s\n", end.why);
        return false;
    }
    go(&end);
    if (end.kind < TRAP_KINDS)
        ends[end.kind]++;
    if (say)
        printf("# ended with %d at %llx: %s\n", end.kind, (unsigned long long)end.addr, end.why);
    engine_direct.close(engine);
    return cpu && end.kind < TRAP_KINDS;
}

/* Stops each run after a while, and the program if that does not help. */
static void *ticker(void *arg)
{
    const struct timespec ms = {0, 1000000};

    for (;;) {
        unsigned n;

        nanosleep(&ms, NULL);
        if (!atomic_load(&going))
            continue;
        n = atomic_fetch_add(&ticks, 1);
        if (n >= STOP_MS && n % 8 == 0 && atomic_load(&going))
            engine_direct.kick(engine, 0, true);
        if (n > LATE_S * 1000) {
            printf("not ok 1 - a run did not end\n1..1\n");
            fflush(stdout);
            _exit(1);
        }
    }
    return arg;
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
    uint64_t count = option(argc, argv, "--count", 200), seed = option(argc, argv, "--seed", 1);
    uint64_t only = option(argc, argv, "--only", UINT64_MAX), done = 0;
    struct error err = {0};
    pthread_t t;
    bool ok = true;

    if (engine_direct.probe(&err)) {
        printf("%s\n", err.text);
        return 77;
    }
    if (ram_open(&ram, 1 << 20) || pthread_create(&t, NULL, ticker, NULL))
        return 1;
    for (uint64_t n = 0; n < count && ok; n++) {
        state = (seed << 32 | n) * 0x9e3779b97f4a7c15ull | 1;
        for (unsigned i = 0; i < 8; i++)
            rng();
        if (only != UINT64_MAX && n != only)
            continue;
        ok = one(only != UINT64_MAX);
        done++;
    }
    printf(
        "%s 1 - %llu guests in 64-bit code: %u stopped with a reason, %u when told to, %u halted, "
        "%u shut down\n1..1\n",
        ok && ends[TRAP_FAIL] > done / 2 ? "ok" : "not ok", (unsigned long long)done,
        ends[TRAP_FAIL], ends[TRAP_KICK], ends[TRAP_HALT], ends[TRAP_SHUTDOWN]);
    return !ok;
}
