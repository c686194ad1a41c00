/* The verbs every world has: port and memory accesses, guest memory, time, hypercalls. */
#include "core/error.h"
#include "core/loop.h"
#include "engine/script_impl.h"
#include "mem/ram.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define STRING_MAX 65536u /* elements of one string access */

static void do_trap(struct script *s, struct trap *t)
{
    s->world->trap(s->world->trap_ctx, s->vcpu, t);
}

/* Nothing: the value is not looked at. VALUE[/MASK]: compared. -> NAME: kept. */
static int result(struct script *s, int argc, char **argv, uint64_t got, struct error *err)
{
    if (argc == 0)
        return 0;
    if (argc == 2 && !strcmp(argv[0], "->"))
        return script_let(s, argv[1], got, err);
    if (argc != 1)
        return error_set(err, -EINVAL, "after the address comes VALUE, VALUE/MASK or -> NAME");
    return script_expect(s, argv[0], got, err);
}

static uint8_t size_of_letter(char c)
{
    return c == 'b' ? 1 : c == 'w' ? 2 : c == 'l' ? 4 : 0;
}

/* outb PORT VALUE, inb PORT [EXPECT] */
static int verb_pio(struct script *s, int argc, char **argv, struct error *err)
{
    bool write = argv[0][0] == 'o';
    struct trap t = {.kind = TRAP_PIO, .write = write, .count = 1};
    int e;

    t.size = size_of_letter(argv[0][write ? 3 : 2]);
    e = script_number(s, argv[1], &t.addr, err);
    if (!e && write)
        e = argc == 3 ? script_number(s, argv[2], &t.value, err)
                      : error_set(err, -EINVAL, "%s PORT VALUE", argv[0]);
    if (e)
        return e;
    do_trap(s, &t);
    return write ? 0 : result(s, argc - 2, argv + 2, t.value, err);
}

/* outsb PORT BYTES… */
static int verb_outs(struct script *s, int argc, char **argv, struct error *err)
{
    struct trap t = {.kind = TRAP_PIO, .write = true, .size = size_of_letter(argv[0][4])};
    size_t len = 0;
    int e;

    e = script_number(s, argv[1], &t.addr, err);
    if (!e)
        e = script_bytes(s, argc - 2, argv + 2, &t.data, &len, err);
    if (e)
        return e;
    if (len % t.size || len / t.size > STRING_MAX)
        e = error_set(err, -EINVAL, "%zu bytes are no string of %u-byte elements", len, t.size);
    t.count = (uint32_t)(len / t.size);
    if (!e)
        do_trap(s, &t);
    free(t.data);
    return e;
}

static int ins_check(struct script *s, const struct trap *t, int argc, char **argv,
                     struct error *err)
{
    uint8_t *want = NULL;
    size_t len = 0, have = (size_t)t->size * t->count;
    int e;

    if (!argc)
        return 0;
    e = script_bytes(s, argc, argv, &want, &len, err);
    if (!e && len != have)
        e = error_set(err, -EINVAL, "%zu bytes expected of an access of %zu", len, have);
    if (!e)
        e = script_same(t->data, want, len, err);
    free(want);
    return e;
}

/* insb PORT COUNT [BYTES…] */
static int verb_ins(struct script *s, int argc, char **argv, struct error *err)
{
    struct trap t = {.kind = TRAP_PIO, .size = size_of_letter(argv[0][3])};
    uint64_t count = 0;
    int e;

    e = script_number(s, argv[1], &t.addr, err);
    if (!e)
        e = script_number(s, argc > 2 ? argv[2] : NULL, &count, err);
    if (e)
        return e;
    if (count > STRING_MAX)
        return error_set(err, -EINVAL, "a string has at most %u elements", STRING_MAX);
    t.count = (uint32_t)count;
    t.data = calloc(count ? count : 1, t.size);
    if (!t.data)
        return error_set(err, -ENOMEM, "out of memory");
    do_trap(s, &t);
    e = ins_check(s, &t, argc - 3, argv + 3, err);
    free(t.data);
    return e;
}

/* read ADDR SIZE [EXPECT], write ADDR SIZE VALUE: memory-mapped registers */
static int verb_mmio(struct script *s, int argc, char **argv, struct error *err)
{
    struct trap t = {.kind = TRAP_MMIO, .write = argv[0][0] == 'w', .count = 1};
    uint64_t size = 0;
    int e;

    e = script_number(s, argv[1], &t.addr, err);
    if (!e)
        e = script_number(s, argc > 2 ? argv[2] : NULL, &size, err);
    if (!e && (size < 1 || size > 8))
        e = error_set(err, -EINVAL, "an access has 1 to 8 bytes");
    if (!e && t.write)
        e = argc == 4 ? script_number(s, argv[3], &t.value, err)
                      : error_set(err, -EINVAL, "write ADDR SIZE VALUE");
    if (e)
        return e;
    t.size = (uint8_t)size;
    do_trap(s, &t);
    return t.write ? 0 : result(s, argc - 3, argv + 3, t.value, err);
}

/* mem ADDR BYTES… puts bytes into guest memory; check ADDR BYTES… compares them. */
static int verb_memory(struct script *s, int argc, char **argv, struct error *err)
{
    uint8_t *buf = NULL, *host;
    uint64_t at = 0;
    size_t len = 0;
    int e;

    if (!s->world->ram)
        return error_set(err, -EINVAL, "this world has no memory");
    e = script_number(s, argv[1], &at, err);
    if (!e)
        e = script_bytes(s, argc - 2, argv + 2, &buf, &len, err);
    if (e)
        return e;
    host = ram_ptr(s->world->ram, at, len);
    if (!host) {
        e = error_set(err, -EINVAL, "0x%" PRIx64 " + %zu is not memory", at, len);
    } else if (argv[0][0] == 'c') {
        e = script_same(host, buf, len, err);
    } else {
        memcpy(host, buf, len);
        ram_written(s->world->ram, at, len);
    }
    free(buf);
    return e;
}

/* let NAME VALUE */
static int verb_let(struct script *s, int argc, char **argv, struct error *err)
{
    uint64_t v = 0;
    int e;

    if (argc != 3)
        return error_set(err, -EINVAL, "let NAME VALUE");
    e = script_number(s, argv[2], &v, err);
    return e ? e : script_let(s, argv[1], v, err);
}

/* is VALUE EXPECT: compares two values, for what was kept with -> */
static int verb_is(struct script *s, int argc, char **argv, struct error *err)
{
    uint64_t v = 0;
    int e;

    if (argc != 3)
        return error_set(err, -EINVAL, "is VALUE EXPECT");
    e = script_number(s, argv[1], &v, err);
    return e ? e : script_expect(s, argv[2], v, err);
}

static uint64_t time_unit(const char *word)
{
    return !word || !strcmp(word, "ns") ? 1
           : !strcmp(word, "us")        ? 1000
           : !strcmp(word, "ms")        ? 1000000
           : !strcmp(word, "s")         ? 1000000000
                                        : 0;
}

/* advance TIME [ns|us|ms|s] */
static int verb_advance(struct script *s, int argc, char **argv, struct error *err)
{
    uint64_t n = 0, unit = time_unit(argc > 2 ? argv[2] : NULL);
    int e;

    if (!s->world->loop || !unit || argc > 3)
        return error_set(err, -EINVAL, "advance TIME [ns|us|ms|s], in a world with time");
    e = script_number(s, argv[1], &n, err);
    if (!e)
        loop_advance(s->world->loop, n * unit);
    return e;
}

/* vcpu N: whose accesses follow */
static int verb_vcpu(struct script *s, int argc, char **argv, struct error *err)
{
    uint64_t n = 0;
    int e = script_number(s, argc == 2 ? argv[1] : NULL, &n, err);

    if (!e)
        s->vcpu = (unsigned)n;
    return e;
}

/* hcall NUMBER [ARG…] [= EXPECT] */
static int verb_hcall(struct script *s, int argc, char **argv, struct error *err)
{
    struct trap t = {.kind = TRAP_HCALL};
    int i, e;

    for (i = 1; i < argc && i < 7 && strcmp(argv[i], "="); i++) {
        e = script_number(s, argv[i], &t.hcall[i - 1], err);
        if (e)
            return e;
    }
    do_trap(s, &t);
    if (i == argc)
        return 0;
    if (i + 2 != argc || strcmp(argv[i], "="))
        return error_set(err, -EINVAL, "hcall NUMBER [up to 5 ARGs] [= EXPECT]");
    return script_expect(s, argv[i + 1], t.hcall[0], err);
}

int script_verb(struct script *s, int argc, char **argv, struct error *err)
{
    static const struct {
        const char *name;
        int (*run)(struct script *s, int argc, char **argv, struct error *err);
        int min; /* words, the verb included */
    } verb[] = {
        {"outb", verb_pio, 3},        {"outw", verb_pio, 3},      {"outl", verb_pio, 3},
        {"inb", verb_pio, 2},         {"inw", verb_pio, 2},       {"inl", verb_pio, 2},
        {"outsb", verb_outs, 3},      {"outsw", verb_outs, 3},    {"outsl", verb_outs, 3},
        {"insb", verb_ins, 3},        {"insw", verb_ins, 3},      {"insl", verb_ins, 3},
        {"read", verb_mmio, 3},       {"write", verb_mmio, 4},    {"mem", verb_memory, 3},
        {"check", verb_memory, 3},    {"let", verb_let, 3},       {"is", verb_is, 3},
        {"advance", verb_advance, 2}, {"vcpu", verb_vcpu, 2},     {"hcall", verb_hcall, 2},
        {"ledger", script_ledger, 2}, {"state", script_state, 1}, {"reset", script_reset, 1},
    };
    size_t i;

    for (i = 0; i < ARRAY_LEN(verb); i++) {
        if (strcmp(argv[0], verb[i].name))
            continue;
        if (argc < verb[i].min)
            return error_set(err, -EINVAL, "%s: words are missing", argv[0]);
        return verb[i].run(s, argc, argv, err);
    }
    return -ENOENT;
}
