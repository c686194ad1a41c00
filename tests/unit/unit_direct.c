/*
 * Engine direct: which instructions it lets run, which it knows to trap and which it patches
 * (the table of docs/engine-direct.md); what the code view holds; frames that a hostile cage hands
 * over.
 */
#include "core/error.h"
#include "engine/direct/code.h"
#include "mem/ram.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define AT 0x8000u

struct world {
    struct ram ram;
    struct engine_env env;
    struct engine *engine;
    struct direct *d;
};

static void no_trap(void *ctx, unsigned vcpu, struct trap *t)
{
    (void)ctx, (void)vcpu;
    t->value = 0;
}

static int world_open(void **st)
{
    struct world *w = calloc(1, sizeof(*w));
    struct error err = {0};
    struct bare *b;

    if (!w || ram_open(&w->ram, 1 << 20))
        return -1;
    w->env = (struct engine_env){.ram = &w->ram, .vcpus = 1, .trap = no_trap, .tsc_hz = 1000000000};
    if (engine_direct.open(&w->engine, &w->env, &err)) {
        print_message("%s\n", err.text);
        return -1;
    }
    b = dbt_cpu(w->engine, 0)->dbt->bare;
    w->d = container_of(b, struct direct, bare);
    code_mode(w->d, MODE_32);
    *st = w;
    return 0;
}

static int world_close(void **st)
{
    struct world *w = *st;

    engine_direct.close(w->engine);
    ram_close(&w->ram);
    free(w);
    return 0;
}

static uint8_t *ram_at(struct world *w, uint32_t at)
{
    return ram_ptr(&w->ram, at, 1);
}

static void put(struct world *w, uint32_t at, const char *bytes, unsigned n)
{
    memcpy(ram_at(w, at), bytes, n);
    code_gone(w->d, at & ~4095u);
}

/* ---- the table ---- */

#define INSN(kind, bytes)                                                                          \
    {                                                                                              \
        kind, sizeof(bytes) - 1, bytes                                                             \
    }
static const struct {
    enum insn_kind kind;
    unsigned len;
    const char *bytes;
} table[] = {
    INSN(INSN_TRAPS, "\xec"),               /* in */
    INSN(INSN_TRAPS, "\xe6\x80"),           /* out */
    INSN(INSN_TRAPS, "\xf3\x6c"),           /* rep ins */
    INSN(INSN_TRAPS, "\x6f"),               /* outs */
    INSN(INSN_TRAPS, "\xfa"),               /* cli */
    INSN(INSN_TRAPS, "\xfb"),               /* sti */
    INSN(INSN_TRAPS, "\xf4"),               /* hlt */
    INSN(INSN_TRAPS, "\x0f\x06"),           /* clts */
    INSN(INSN_TRAPS, "\x0f\x01\xf0"),       /* lmsw */
    INSN(INSN_TRAPS, "\x0f\x01\x10"),       /* lgdt */
    INSN(INSN_TRAPS, "\x0f\x01\x18"),       /* lidt */
    INSN(INSN_TRAPS, "\x0f\x00\xd0"),       /* lldt */
    INSN(INSN_TRAPS, "\x0f\x00\xd8"),       /* ltr */
    INSN(INSN_TRAPS, "\x0f\x01\x38"),       /* invlpg */
    INSN(INSN_TRAPS, "\x0f\x08"),           /* invd */
    INSN(INSN_TRAPS, "\x0f\x09"),           /* wbinvd */
    INSN(INSN_TRAPS, "\x0f\x32"),           /* rdmsr */
    INSN(INSN_TRAPS, "\x0f\x30"),           /* wrmsr */
    INSN(INSN_TRAPS, "\x0f\x20\xc0"),       /* mov from cr0 */
    INSN(INSN_TRAPS, "\x0f\x22\xd8"),       /* mov to cr3 */
    INSN(INSN_TRAPS, "\x0f\x21\xf8"),       /* mov from dr7 */
    INSN(INSN_TRAPS, "\x0f\x23\xf8"),       /* mov to dr7 */
    INSN(INSN_TRAPS, "\xcd\x55"),           /* int n */
    INSN(INSN_PATCH, "\xcd\x03"),           /* int 3 */
    INSN(INSN_PATCH, "\xcd\x04"),           /* int 4 */
    INSN(INSN_PATCH, "\xcd\x80"),           /* int 0x80 */
    INSN(INSN_PATCH, "\xcc"),               /* int3 */
    INSN(INSN_PATCH, "\xf1"),               /* int1 */
    INSN(INSN_PATCH, "\xce"),               /* into */
    INSN(INSN_PATCH, "\x9c"),               /* pushf */
    INSN(INSN_PATCH, "\x9d"),               /* popf */
    INSN(INSN_PATCH, "\x8c\xd8"),           /* mov from ds */
    INSN(INSN_PATCH, "\x8e\xd8"),           /* mov to ds */
    INSN(INSN_PATCH, "\x0e"),               /* push cs */
    INSN(INSN_PATCH, "\x07"),               /* pop es */
    INSN(INSN_PATCH, "\x0f\xa1"),           /* pop fs */
    INSN(INSN_PATCH, "\xc5\x00"),           /* lds */
    INSN(INSN_PATCH, "\x0f\xb5\x00"),       /* lgs */
    INSN(INSN_PATCH, "\xea\0\0\0\0\x33\0"), /* jmp far */
    INSN(INSN_PATCH, "\x9a\0\0\0\0\x33\0"), /* call far */
    INSN(INSN_PATCH, "\xff\x28"),           /* jmp far through memory */
    INSN(INSN_PATCH, "\xff\x18"),           /* call far through memory */
    INSN(INSN_PATCH, "\xcb"),               /* ret far */
    INSN(INSN_PATCH, "\xca\x04\0"),         /* ret far, with parameters */
    INSN(INSN_PATCH, "\xcf"),               /* iret */
    INSN(INSN_PATCH, "\x0f\x02\xc0"),       /* lar */
    INSN(INSN_PATCH, "\x0f\x03\xc0"),       /* lsl */
    INSN(INSN_PATCH, "\x0f\x00\xe0"),       /* verr */
    INSN(INSN_PATCH, "\x0f\x00\xe8"),       /* verw */
    INSN(INSN_PATCH, "\x0f\x01\x00"),       /* sgdt */
    INSN(INSN_PATCH, "\x0f\x01\x08"),       /* sidt */
    INSN(INSN_PATCH, "\x0f\x00\xc0"),       /* sldt */
    INSN(INSN_PATCH, "\x0f\x00\xc8"),       /* str */
    INSN(INSN_PATCH, "\x0f\x01\xe0"),       /* smsw */
    INSN(INSN_PATCH, "\x0f\xa2"),           /* cpuid */
    INSN(INSN_PATCH, "\x0f\x01\xf9"),       /* rdtscp */
    INSN(INSN_PATCH, "\x0f\x05"),           /* syscall */
    INSN(INSN_PATCH, "\x0f\x34"),           /* sysenter */
    INSN(INSN_PATCH, "\x0f\x35"),           /* sysexit */
    INSN(INSN_PATCH, "\x0f\x01\xc1"),       /* vmcall */
    INSN(INSN_PATCH, "\x0f\x01\xd9"),       /* vmmcall */
    INSN(INSN_PATCH, "\x0f\x01\xc8"),       /* monitor */
    INSN(INSN_PATCH, "\x0f\x01\xc9"),       /* mwait */
    INSN(INSN_PATCH, "\x0f\x33"),           /* rdpmc */
    INSN(INSN_PATCH, "\x0f\x01\xd8"),       /* vmrun */
    INSN(INSN_PATCH, "\x0f\x01\xd0"),       /* xgetbv */
    INSN(INSN_PATCH, "\x0f\xae\x20"),       /* xsave */
    INSN(INSN_PATCH, "\xf3\x0f\xc7\xf8"),   /* rdpid */
    INSN(INSN_PATCH, "\xc5\xfc\x58\xc1"),   /* vaddps */
    INSN(INSN_PATCH, "\x0f\x01\xee"),       /* rdpkru */
    INSN(INSN_PATCH, "\xc7\xf8\0\0\0\0"),   /* xbegin */
    INSN(INSN_PATCH, "\x0f\x0b"),           /* ud2 */
    INSN(INSN_PATCH, "\x2e\x8b\x00"),       /* mov from cs: */
    INSN(INSN_PATCH, "\x2e\xa4"),           /* movs from cs: */
    INSN(INSN_NATIVE, "\x0f\x31"),          /* rdtsc */
    INSN(INSN_NATIVE, "\x2e\x0f\x1f\x00"),  /* nop, with cs: */
    INSN(INSN_NATIVE, "\x8b\x00"),          /* mov */
    INSN(INSN_NATIVE, "\xf3\xa5"),          /* rep movs */
    INSN(INSN_NATIVE, "\x60"),              /* pusha */
    INSN(INSN_NATIVE, "\xfc"),              /* cld */
    INSN(INSN_NATIVE, "\x27"),              /* daa */
    INSN(INSN_NATIVE, "\x63\xc1"),          /* arpl */
    INSN(INSN_NATIVE, "\xc3"),              /* ret */
    INSN(INSN_NATIVE, "\xe8\0\0\0\0"),      /* call */
    INSN(INSN_NATIVE, "\xff\xe0"),          /* jmp *%eax */
    INSN(INSN_NATIVE, "\xf0\x0f\xb1\x08"),  /* lock cmpxchg */
    INSN(INSN_NATIVE, "\xd9\xe8"),          /* fld1 */
    INSN(INSN_NATIVE, "\x0f\x58\xc1"),      /* addps */
    INSN(INSN_NATIVE, "\x0f\xae\xe8"),      /* lfence */
};

static void instructions_are_what_the_table_says(void **st)
{
    struct world *w = *st;
    struct found f;

    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        memset(ram_at(w, AT), 0x90, 32);
        put(w, AT, table[i].bytes, table[i].len);
        insn_find(w->d, AT, &f);
        if (f.kind != table[i].kind || (f.len != table[i].len && f.kind != INSN_PATCH))
            print_message("%u: %02x %02x: kind %d, length %u\n", i, (uint8_t)table[i].bytes[0],
                          table[i].len > 1 ? (uint8_t)table[i].bytes[1] : 0, (int)f.kind, f.len);
        assert_int_equal(f.kind, table[i].kind);
    }
}

static void what_the_guest_sets_decides(void **st)
{
    struct world *w = *st;
    struct found f;

    put(w, AT, "\x0f\x31\x90", 3);
    w->d->cpu->tsc_offset = 1;
    insn_find(w->d, AT, &f);
    assert_int_equal(f.kind, INSN_PATCH);
    w->d->cpu->tsc_offset = 0;
    put(w, AT, "\x0f\x58\xc1", 3);
    code_mode(w->d, MODE_32 | MODE_NM);
    insn_find(w->d, AT, &f);
    assert_int_equal(f.kind, INSN_PATCH);
    code_mode(w->d, MODE_32 | MODE_NOSSE);
    insn_find(w->d, AT, &f);
    assert_int_equal(f.kind, INSN_PATCH);
    code_mode(w->d, MODE_32);
    insn_find(w->d, AT, &f);
    assert_int_equal(f.kind, INSN_NATIVE);
}

/* ---- the view ---- */

static void assert_view(struct world *w, uint32_t at, const char *bytes, unsigned n)
{
    assert_memory_equal(w->d->code->view + at, bytes, n);
}

static void only_decoded_code_is_shown(void **st)
{
    struct world *w = *st;

    /* mov $1, %eax; pushf; popf; jz +2; ret; (never decoded); inc %eax; jmp back */
    put(w, AT, "\xb8\1\0\0\0\x9c\x9d\x74\x02\xc3\x40\x41\xeb\xf2", 14);
    code_scan(w->d, AT);
    assert_view(w, AT, "\xb8\1\0\0\0\xf4\xf4\x74\x02\xc3\xf4\x41\xeb\xf2\xf4\xf4", 16);
    assert_memory_equal(ram_at(w, AT + 5), "\x9c\x9d", 2);
    assert_true(code_known(w->d, AT) && code_known(w->d, AT + 5) && code_known(w->d, AT + 11));
    assert_false(code_known(w->d, AT + 1) || code_known(w->d, AT + 10));
    assert_null(code_ours(w->d, AT));
    assert_non_null(code_ours(w->d, AT + 6));
    code_gone(w->d, AT);
    assert_view(w, AT, "\xf4\xf4\xf4\xf4\xf4\xf4\xf4\xf4", 8);
    assert_false(code_known(w->d, AT));
}

static void an_instruction_across_pages_ties_them(void **st)
{
    struct world *w = *st;

    put(w, AT - 2, "\xb8\1\2\3\4\xc3", 6);
    code_scan(w->d, AT + 3);
    code_scan(w->d, AT - 2);
    assert_view(w, AT - 2, "\xb8\1\2\3\4\xc3", 6);
    code_gone(w->d, AT);
    assert_view(w, AT - 2, "\xf4\xf4\xf4\xf4\xf4\xf4", 6);
    code_scan(w->d, AT - 2);
    code_gone(w->d, AT - 4096);
    assert_view(w, AT - 2, "\xf4\xf4\xf4\xf4\xf4\xf4", 6);
}

static void the_middle_of_an_instruction_is_not_shown(void **st)
{
    struct world *w = *st;

    /* jz into the immediate of what follows */
    put(w, AT, "\x74\x01\xb8\x9d\x40\xc3\x90\xc3", 8);
    code_scan(w->d, AT);
    assert_view(w, AT, "\x74\x01\xf4\xf4\x40\xc3\xf4\xf4", 8); /* where it leads counts more */
    assert_false(code_known(w->d, AT + 2));
    assert_null(code_ours(w->d, AT));
    code_scan(w->d, AT + 2); /* the guest is there: what contradicts it goes */
    assert_view(w, AT + 2, "\xb8\x9d\x40\xc3\x90\xc3", 6);
    code_scan(w->d, AT); /* now it is seen: the branch is ours to take */
    assert_non_null(code_ours(w->d, AT));
    code_scan(w->d, AT + 3);
    assert_view(w, AT + 2, "\xf4\xf4\x40\xc3", 4);
    assert_non_null(code_ours(w->d, AT + 3));
    assert_false(code_known(w->d, AT + 2));
}

static void writes_are_noticed(void **st)
{
    struct world *w = *st;

    put(w, AT, "\x40\xc3", 2);
    code_scan(w->d, AT);
    assert_true(w->ram.page_flags[AT >> 12] & RAM_CODE);
    dbt_invalidate(w->d->cpu->dbt, AT + 3000, 4);
    assert_false(code_known(w->d, AT));
    assert_false(w->ram.page_flags[AT >> 12] & RAM_CODE);
    code_scan(w->d, AT);
    dbt_flush_all(w->d->cpu->dbt);
    assert_false(code_known(w->d, AT));
}

static void a_guest_of_many_pages_is_kept_small(void **st)
{
    struct world *w = *st;
    struct code *c = w->d->code;
    uint32_t most = c->lives_max;

    c->lives_max = 16;
    for (uint32_t n = 0; n < 200; n++) {
        put(w, n * 4096, "\x40\xc3", 2);
        code_scan(w->d, n * 4096);
        assert_true(code_known(w->d, n * 4096));
        assert_true(c->lives <= 16);
    }
    /* the last of a page, with its end on the next, when there is room for one only */
    code_all_gone(w->d);
    c->lives_max = 1;
    put(w, AT - 2, "\xb8\1\2\3\4\xc3", 6);
    code_scan(w->d, AT - 2);
    assert_true(c->lives <= 1);
    c->lives_max = most;
    code_scan(w->d, AT - 2);
    assert_true(code_known(w->d, AT - 2));
    assert_view(w, AT - 2, "\xb8\1\2\3\4", 5);
}

/* ---- frames ---- */

static uint64_t random64(void)
{
    return (uint64_t)(unsigned)rand() << 33 ^ (uint64_t)(unsigned)rand() << 16 ^ (unsigned)rand();
}

static void scramble(struct direct *d, struct cage_ucontext *uc)
{
    for (unsigned i = 0; i < sizeof(*uc) / 8; i++)
        ((uint64_t *)uc)[i] = random64();
    if (rand() & 1)
        uc->cs = d->sel[SEG_CS];
    if (rand() & 1)
        uc->ip = (uint32_t)uc->ip;
    if (rand() % 4)
        uc->fpstate = CAGE_SHARED + 0x4000 + (unsigned)rand() % 0x20000u;
    d->cage.shared->frame = CAGE_SHARED + (unsigned)rand() % 0x28000u;
    if (rand() % 8 == 0)
        d->cage.shared->frame = random64();
    d->cage.shared->sig = (uint32_t)rand() % 40;
}

static void a_hostile_frame_is_judged(void **st)
{
    struct world *w = *st;
    struct direct *d = w->d;
    struct cpu *cpu = d->cpu;
    struct cage_ucontext uc;
    struct cage_stop stop;
    unsigned taken = 0;
    static uint8_t keep[512] __attribute__((aligned(64)));

    srand(1);
    process_end(&d->cage.process); /* nobody writes there but us */
    d->sel[SEG_CS] = CAGE_SEL(CAGE_FLAT_CODE);
    for (unsigned i = 0; i < 50000; i++) {
        uint64_t at;

        scramble(d, &uc);
        for (unsigned n = 0; n < 64; n++)
            ((uint8_t *)d->cage.shared)[0x4000 + rand() % 0x1c000] = (uint8_t)rand();
        at = d->cage.shared->frame - CAGE_SHARED;
        if (at <= CAGE_SHARED_LEN - sizeof(uc))
            memcpy((uint8_t *)d->cage.shared + at, &uc, sizeof(uc));
        cpu->failed = false;
        if (!frame_take(d, &stop)) {
            assert_true(cpu->failed);
            assert_true(strlen(cpu->why) > 20 && strlen(cpu->why) < sizeof(cpu->why));
            continue;
        }
        taken++;
        assert_true(cpu->rip <= UINT32_MAX && at >= 0x4000);
        for (unsigned r = 0; r < 8; r++)
            assert_true(cpu->gpr[r] <= UINT32_MAX);
        assert_false(le32_get(cpu->fpu + 24) & ~0x2ffffu); /* or loading it would fault */
        __asm__ volatile("fxsave64 (%0); fxrstor64 (%1); fxrstor64 (%0)" ::"r"(keep), "r"(cpu->fpu)
                         : "memory");
    }
    assert_true(taken > 1000);
    cpu->failed = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instructions_are_what_the_table_says),
        cmocka_unit_test(what_the_guest_sets_decides),
        cmocka_unit_test(only_decoded_code_is_shown),
        cmocka_unit_test(an_instruction_across_pages_ties_them),
        cmocka_unit_test(the_middle_of_an_instruction_is_not_shown),
        cmocka_unit_test(writes_are_noticed),
        cmocka_unit_test(a_guest_of_many_pages_is_kept_small),
        cmocka_unit_test(a_hostile_frame_is_judged),
    };

    struct error err = {0};

    if (engine_direct.probe(&err)) {
        printf("%s\n", err.text);
        return 77;
    }
    return cmocka_run_group_tests(tests, world_open, world_close);
}
