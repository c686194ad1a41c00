/*
 * The same 16-bit code in protected and in real mode, by the translator: VEX is an instruction in
 * the one and #UD in the other (Intel SDM volume 2, table 2-29), whichever was translated first.
 */
#include "engine/engine.h"
#include "core/error.h"
#include "engine/dbt/cpu.h"
#include "mem/ram.h"
#include "unit.h"
#include <cpuid.h>

enum { RAM = 1 << 20, CODE = 0x1000, HANDLER = 0x2000 };

struct world {
    struct ram ram;
    struct engine_env env;
    struct engine *e;
};

static void no_trap(void *ctx, unsigned vcpu, struct trap *t)
{
    (void)ctx, (void)vcpu;
    t->value = 0;
}

static int setup(void **state)
{
    static const uint8_t code[] = {0xc4, 0xe2, 0x78,
                                   0xf2, 0xc1, 0xf4}; /* andn eax, eax, ecx; hlt */
    struct world *w = calloc(1, sizeof(*w));
    struct error err;

    assert_non_null(w);
    assert_int_equal(ram_open(&w->ram, RAM), 0);
    w->env = (struct engine_env){.ram = &w->ram, .vcpus = 1, .trap = no_trap, .tsc_hz = 1000000000};
    assert_int_equal(engine_dbt.open(&w->e, &w->env, &err), 0);
    memcpy(ram_ptr(&w->ram, CODE, sizeof(code)), code, sizeof(code));
    ram_ptr(&w->ram, HANDLER, 1)[0] = 0xf4;
    le32_put(ram_ptr(&w->ram, EXC_UD * 4, 4), HANDLER);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    engine_dbt.close(w->e);
    ram_close(&w->ram);
    free(w);
    return 0;
}

static uint64_t run(struct world *w, uint64_t cr0)
{
    const struct cpu_seg data = {.limit = 0xffff, .attr = SEG_P | SEG_S | SEG_W | SEG_A};
    struct cpu_regs r = {.rip = CODE, .rflags = 2, .cr0 = CR0_ET | cr0};
    struct trap end = {.kind = TRAP_FAIL};

    for (unsigned i = 0; i < 6; i++)
        r.seg[i] = data;
    r.seg[SEG_CS].attr = SEG_P | SEG_S | SEG_X | SEG_R | SEG_A;
    r.gpr[REG_RSP] = 0x8000;
    r.gpr[REG_RAX] = 0x0f;
    r.gpr[REG_RCX] = 0x3c;
    r.idtr.limit = 0x3ff;
    engine_dbt.set_regs(w->e, 0, &r);
    engine_dbt.run(w->e, 0, &end);
    assert_int_equal(end.kind, TRAP_HALT);
    engine_dbt.get_regs(w->e, 0, &r);
    if (cr0 & CR0_PE)
        assert_int_equal(r.gpr[REG_RAX], 0x30);
    else
        assert_int_equal(r.gpr[REG_RAX], 0x0f);
    return r.rip;
}

static void vex_is_of_protected_mode(void **state)
{
    struct world *w = *state;
    uint32_t a, b = 0, c, d;

    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & 8))
        skip(); /* no BMI1 here, so none in the guest */
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(run(w, CR0_PE), CODE + 6);
        assert_int_equal(run(w, 0), HANDLER + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(vex_is_of_protected_mode, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
