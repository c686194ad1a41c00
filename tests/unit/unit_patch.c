/* Patched instructions: docs/mechanisms.md. */
#include "unit.h"
#include "patch_world.h"
#include "trap/patch_insn.h"

#define CODE  0x1000u
#define OTHER 0x9000u

static struct pw w;

static int setup(void **state)
{
    (void)state;
    return pw_open(&w, true) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    pw_close(&w);
    return 0;
}

static uint8_t *mem(gpa_t at)
{
    return ram_ptr(&w.ram, at, 1);
}

static void put(gpa_t at, const char *bytes, size_t n)
{
    pw_write(&w, at, bytes, n);
}

#define PUT(at, s) put(at, s, sizeof(s) - 1)

/* Runs the instruction at that address, through a put-back one if need be. */
static void run(gpa_t at)
{
    w.r.rip = at;
    assert_true(pw_step(&w));
    if (w.r.rip == at) /* put back: it runs by itself now */
        assert_true(pw_step(&w));
}

static void store_and_load(enum trap_rip where)
{
    w.where = where;
    PUT(CODE, "\x89\x17\x8b\x07"); /* mov %edx, (%rdi); mov (%rdi), %eax */
    w.r.gpr[REG_RDI] = PW_REGS + 8;
    for (unsigned i = 1; i < 5; i++) {
        w.r.gpr[REG_RAX] = UINT64_MAX;
        w.r.gpr[REG_RDX] = 0xabcd00000100 + i;
        run(CODE);
        assert_int_equal(w.r.rip, CODE + 2);
        run(CODE + 2);
        assert_int_equal(w.r.rip, CODE + 4);
        assert_int_equal(w.r.gpr[REG_RAX], 0x100 + i);
        assert_int_equal(w.logged, 2 * i);
    }
    assert_int_equal(w.mmio, 2);
    assert_int_equal(w.patched, 6);
    assert_int_equal(patch_stats(w.patch).made, 2);
}

static void the_second_time_it_is_patched(void **state)
{
    (void)state;
    store_and_load(TRAP_RIP_AT);
}

static void also_where_rip_is_behind(void **state)
{
    (void)state;
    store_and_load(TRAP_RIP_BEHIND);
}

static void and_where_it_may_be_either(void **state)
{
    (void)state;
    store_and_load(TRAP_RIP_EITHER);
}

static void it_is_put_back_on_demand(void **state)
{
    uint8_t was[4];

    (void)state;
    store_and_load(TRAP_RIP_AT);
    assert_true(*mem(CODE) == 0xe6 && *mem(CODE + 2) == 0xe6);
    assert_int_equal(w.ram.page_flags[1] & RAM_PATCH, RAM_PATCH);
    ram_original(&w.ram, CODE + 3, 1); /* just the one it touches */
    assert_true(*mem(CODE) == 0xe6 && *mem(CODE + 2) == 0x8b);
    patch_restore_all(w.patch);
    memcpy(was, mem(CODE), 4);
    assert_memory_equal(was, "\x89\x17\x8b\x07", 4);
    assert_int_equal(w.ram.page_flags[1] & RAM_PATCH, 0);
    assert_int_equal(w.ram.patches, 0);
    run(CODE);
    assert_int_equal(*mem(CODE), 0xe6);
    patch_switch(w.patch, false);
    run(CODE);
    run(CODE);
    assert_int_equal(*mem(CODE), 0x89);
    patch_switch(w.patch, true);
    run(CODE);
    assert_int_equal(*mem(CODE), 0xe6);
}

/* Between the trap and the look at it, somebody else put it back or wrote over it. */
static void a_trap_that_comes_late(void **state)
{
    struct trap t = {.kind = TRAP_PIO, .write = true, .size = 1, .count = 1, .addr = PATCH_PORT};

    (void)state;
    for (unsigned behind = 0; behind < 2; behind++) {
        pw_close(&w);
        assert_true(pw_open(&w, true));
        store_and_load(behind ? TRAP_RIP_BEHIND : TRAP_RIP_AT);
        t.addr = mem(CODE)[1];
        put(CODE, "\xcc\x90", behind ? 2 : 1); /* puts it back first */
        w.r.rip = CODE;
        w.at = w.r;
        w.at.rip += behind * 2;
        t.kind = TRAP_PIO, t.size = 1, t.write = true;
        assert_true(patch_take(w.patch, 0, &t));
        assert_true(t.kind == TRAP_PATCH && t.size == 0);
        assert_int_equal(w.r.rip, CODE); /* whatever stands there now */
    }
}

static void out_of_the_guests_own(void **state)
{
    struct trap t = {.kind = TRAP_PIO, .write = true, .size = 1, .count = 1, .addr = PATCH_PORT};

    (void)state;
    store_and_load(TRAP_RIP_AT);
    PUT(CODE, "\xee\x90"); /* out %al, (%dx), where a site was */
    w.r.rip = CODE;
    w.at = w.r;
    assert_false(patch_take(w.patch, 0, &t));
    assert_int_equal(t.kind, TRAP_PIO);
    w.at.rip = CODE + 1; /* the same, seen from behind */
    assert_false(patch_take(w.patch, 0, &t));
    PUT(OTHER, "\xe6\xef\x89\x07"); /* no code goes by this port */
    w.r.rip = OTHER;
    assert_true(pw_step(&w));
    assert_int_equal(w.outs, 1);
    assert_int_equal(w.r.rip, OTHER + 2);
    assert_int_equal(*mem(OTHER), 0xe6);
}

static void a_copy_is_put_back(void **state)
{
    (void)state;
    store_and_load(TRAP_RIP_AT);
    put(OTHER, (const char *)mem(CODE), 4);
    w.r.gpr[REG_RDX] = 77;
    run(OTHER);
    assert_int_equal(le32_get(w.cell + 8), 77);
    assert_int_equal(w.r.rip, OTHER + 2);
    assert_int_equal(patch_stats(w.patch).healed, 1);
    run(OTHER);
    assert_int_equal(w.r.rip, OTHER + 2);
    patch_restore_all(w.patch);
    assert_memory_equal(mem(OTHER), "\x89\x17", 2);
}

static void a_breakpoint_set_and_taken_away(void **state)
{
    char was;

    (void)state;
    store_and_load(TRAP_RIP_AT);
    was = (char)*mem(CODE);
    PUT(CODE, "\xcc");
    put(CODE, &was, 1);
    assert_memory_equal(mem(CODE), "\xe6\x17", 2); /* half a patch */
    w.r.gpr[REG_RDX] = 78;
    run(CODE);
    assert_int_equal(le32_get(w.cell + 8), 78);
    assert_int_equal(w.r.rip, CODE + 2);
    assert_int_equal(w.outs, 0);
}

/* A store that nobody announced, of one byte of the two. */
static void half_a_patch_is_put_back(void **state)
{
    (void)state;
    store_and_load(TRAP_RIP_AT);
    mem(CODE)[1] = 0x1f; /* mov %ebx, (%rdi) */
    mem(CODE + 2)[0] = 0x89;
    patch_restore_all(w.patch);
    assert_memory_equal(mem(CODE), "\x89\x1f\x89\x07", 4);
    assert_int_equal(patch_stats(w.patch).lost, 2);
}

static void bytes_behind_a_patch_are_the_guests(void **state)
{
    (void)state;
    PUT(CODE, "\xc7\x07\x01\x02\x03\x04");
    w.r.gpr[REG_RDI] = PW_REGS;
    run(CODE);
    memcpy(mem(CODE + 2), "\x11\x12\x13\x14", 4); /* unannounced */
    run(CODE);
    assert_int_equal(le32_get(w.cell), 0x14131211);
    assert_int_equal(w.patched, 1);
}

static void what_is_not_a_register_is_left_to_the_cpu(void **state)
{
    (void)state;
    PUT(CODE, "\x89\x17");
    for (unsigned i = 0; i < 30; i++) {
        w.r.gpr[REG_RDI] = PW_REGS;
        w.r.gpr[REG_RDX] = i;
        run(CODE);
        assert_int_equal(le32_get(w.cell), i);
        w.r.gpr[REG_RDI] = OTHER;
        run(CODE);
        assert_int_equal(le32_get(mem(OTHER)), i);
    }
    assert_true(patch_stats(w.patch).made < 10); /* patience has an end */
    assert_int_equal(*mem(CODE), 0x89);
}

static void no_patch(const char *bytes, size_t n)
{
    PUT(CODE, "\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90");
    put(CODE, bytes, n);
    w.r.rip = CODE;
    w.r.gpr[REG_RDI] = PW_REGS;
    assert_true(pw_step(&w));
    assert_memory_equal(mem(CODE), bytes, n);
}

static void who_is_not_patched(void **state)
{
    (void)state;
    w.r.rflags |= 0x100; /* single-stepping */
    no_patch("\x89\x17", 2);
    w.r.rflags = 0x20002; /* virtual-8086 */
    no_patch("\x89\x17", 2);
    w.r.rflags = 2;
    w.r.seg[SEG_SS].attr = 0xc0f3; /* a user program */
    no_patch("\x89\x17", 2);
    w.r.seg[SEG_SS].attr = 0xc093;
    for (unsigned at = CODE + 60; at < CODE + 68; at++) { /* OUT must lie in one line */
        PUT(at, "\x89\x17");
        w.r.rip = at;
        assert_true(pw_step(&w));
        assert_int_equal(*mem(at), at % 64 == 63 ? 0x89 : 0xe6);
        patch_restore_all(w.patch);
    }
}

/* RIP is behind, and two readings of the bytes before it would have made the same store. */
static void two_that_could_have_done_it(void **state)
{
    (void)state;
    w.where = TRAP_RIP_BEHIND;
    no_patch("\x40\x89\x17", 3); /* a prefix that changes nothing */
    assert_int_equal(patch_stats(w.patch).made, 0);
}

static void there_are_32_beginnings(void **state)
{
    unsigned n = 0;

    (void)state;
    w.r.gpr[REG_RBX] = w.r.gpr[REG_RDI] = PW_REGS;
    for (unsigned reg = 0; reg < 8; reg++) /* (%rbx) and (%rdi), three opcodes */
        for (unsigned k = 0; k < 6; k++) {
            char code[2] = {(char)(k < 2   ? 0x88
                                   : k < 4 ? 0x89
                                           : 0x8b),
                            (char)(reg << 3 | (k & 1 ? 3 : 7))};
            gpa_t at = CODE + 4 * (reg * 6 + k);

            if (k >= 4 && (reg == REG_RBX || reg == REG_RDI))
                continue;
            put(at, code, 2);
            w.r.rip = at;
            assert_true(pw_step(&w));
            assert_true(pw_step(&w) || true);
            n++;
        }
    assert_true(n > 32);
    assert_int_equal(patch_stats(w.patch).made, 32);
    patch_restore_all(w.patch);
    assert_int_equal(w.ram.patches, 0);
}

static void a_full_table_patches_no_more(void **state)
{
    (void)state;
    w.r.gpr[REG_RDI] = PW_REGS;
    for (unsigned i = 0; i < 4096; i++) {
        gpa_t at = CODE + 16 * i;

        PUT(at, "\x89\x17");
        w.r.rip = at;
        assert_true(pw_step(&w));
        assert_int_equal(w.r.rip, at + 2);
    }
    assert_true(patch_stats(w.patch).made > 500 && patch_stats(w.patch).made <= 1024);
    patch_restore_all(w.patch);
    for (unsigned i = 0; i < 4096; i++)
        assert_memory_equal(mem(CODE + 16 * i), "\x89\x17", 2);
}

/* ---- the decoder ---- */

struct row {
    enum pw_mode mode;
    uint8_t len;
    const char *bytes;
    bool good;
};

static void what_can_be_patched(void **state)
{
    static const struct row rows[] = {
        {PW_64, 2, "\x89\x07", true},
        {PW_64, 7, "\x67\x89\x05\x01\x02\x03\x04", true},
        {PW_64, 8, "\x48\xc7\x40\x08\xff\xff\xff\xff", true},
        {PW_64, 4, "\x48\x0f\xbf\x07", true},
        {PW_64, 3, "\x48\x63\x07", true},
        {PW_64, 3, "\x65\x8b\x07", true},
        {PW_64, 9, "\xa2\x01\x02\x03\x04\x05\x06\x07\x08", true},
        {PW_32, 5, "\xa3\x01\x02\x03\x04", true},
        {PW_16, 3, "\xa3\x01\x02", true},
        {PW_REAL, 4, "\x67\x66\x89\x07", true},
        {PW_16, 2, "\x89\x00", true},      /* (%bx,%si) */
        {PW_64, 3, "\xf0\x89\x07", false}, /* LOCK */
        {PW_64, 3, "\xf3\x89\x07", false}, /* XRELEASE */
        {PW_64, 2, "\x89\xc7", false},     /* no memory */
        {PW_64, 2, "\x8c\x07", false},     /* a segment register */
        {PW_64, 2, "\x8e\x07", false},
        {PW_64, 2, "\x01\x07", false},         /* ADD */
        {PW_64, 2, "\x87\x07", false},         /* XCHG */
        {PW_64, 1, "\xab", false},             /* STOS */
        {PW_64, 3, "\x0f\x11\x07", false},     /* MOVUPS */
        {PW_64, 4, "\x0f\x38\xf1\x07", false}, /* MOVBE */
        {PW_64, 3, "\x0f\xc3\x07", false},     /* MOVNTI */
        {PW_64, 1, "\x88", false},             /* cut short */
        {PW_32, 2, "\x63\x07", false},         /* ARPL */
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct patch_insn insn;

        pw_mode(&w, rows[i].mode);
        bool good = patch_decode(&w.r, (const uint8_t *)rows[i].bytes, rows[i].len, &insn);
        if (good != rows[i].good || (good && insn.len != rows[i].len))
            fail_msg("row %u", i);
    }
}

static void segments_have_limits(void **state)
{
    struct patch_insn i;
    uint64_t lin;

    (void)state;
    pw_mode(&w, PW_32);
    assert_true(patch_decode(&w.r, (const uint8_t *)"\x89\x07", 2, &i));
    w.r.gpr[REG_RDI] = 0x100;
    w.r.seg[SEG_DS] = (struct cpu_seg){.attr = 0xc093, .limit = 0x103, .base = 0x5000};
    assert_true(patch_operand(&i, &w.r, 0, &lin));
    assert_int_equal(lin, 0x5100);
    w.r.seg[SEG_DS].limit = 0x102;
    assert_false(patch_operand(&i, &w.r, 0, &lin));
    w.r.seg[SEG_DS].limit = 0x103;
    w.r.seg[SEG_DS].attr = 0xc091; /* read-only */
    assert_false(patch_operand(&i, &w.r, 0, &lin));
    w.r.seg[SEG_DS].attr = 0xc097; /* expand-down: left to the CPU */
    assert_false(patch_operand(&i, &w.r, 0, &lin));
    w.r.seg[SEG_DS].attr = 0xc013; /* not present */
    assert_false(patch_operand(&i, &w.r, 0, &lin));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_second_time_it_is_patched),
        T(also_where_rip_is_behind),
        T(and_where_it_may_be_either),
        T(it_is_put_back_on_demand),
        T(a_trap_that_comes_late),
        T(out_of_the_guests_own),
        T(a_copy_is_put_back),
        T(a_breakpoint_set_and_taken_away),
        T(half_a_patch_is_put_back),
        T(bytes_behind_a_patch_are_the_guests),
        T(what_is_not_a_register_is_left_to_the_cpu),
        T(who_is_not_patched),
        T(two_that_could_have_done_it),
        T(there_are_32_beginnings),
        T(a_full_table_patches_no_more),
        T(what_can_be_patched),
        T(segments_have_limits),
    };

    return cmocka_run_group_tests_name("patch", tests, NULL, NULL);
}
