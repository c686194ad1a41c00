/*
 * A few bytes of 16-bit code, run by the translator. VEX is an instruction in protected mode and
 * #UD in real mode (Intel SDM volume 2, table 2-29), whichever was translated first. An NMI that
 * comes in the shadow of an STI comes after it, with nothing else to remind of it.
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

/* An NMI that arrives while STI asks whether something waits, so in its shadow. */
struct late_nmi {
    struct engine *e;
    bool sent, taken;
};

static int nmi_pending(void *ctl, unsigned vcpu)
{
    struct late_nmi *n = ctl;
    struct cpu_regs r;

    engine_dbt.get_regs(n->e, vcpu, &r);
    if (!n->sent && (r.rflags & FL_IF)) {
        n->sent = true;
        engine_dbt.kick(n->e, vcpu, false);
    }
    return -1;
}

static bool nmi_wanted(void *ctl, unsigned vcpu)
{
    const struct late_nmi *n = ctl;

    (void)vcpu;
    return n->sent && !n->taken;
}

static bool nmi_take(void *ctl, unsigned vcpu)
{
    struct late_nmi *n = ctl;
    bool some = nmi_wanted(ctl, vcpu);

    n->taken |= some;
    return some;
}

static void an_nmi_in_the_shadow_of_sti_is_not_forgotten(void **state)
{
    static const struct intr_ops ops = {
        .pending = nmi_pending, .nmi = nmi_take, .wanted = nmi_wanted};
    static const uint8_t code[] = {
        0xfb, 0x90, 0x90, 0xb9, 0,
        1,    0x49, 0x75, 0xfd, 0xf4}; /* sti; nop; nop; mov cx, 256; dec cx; jnz; hlt */
    struct world *w = *state;
    struct late_nmi n = {0};
    struct engine_env env = w->env;
    struct world with = {.ram = w->ram};
    struct error err;

    env.intr = &ops;
    env.intr_ctl = &n;
    assert_int_equal(engine_dbt.open(&with.e, &env, &err), 0);
    n.e = with.e;
    memcpy(ram_ptr(&w->ram, CODE, sizeof(code)), code, sizeof(code));
    le32_put(ram_ptr(&w->ram, EXC_NMI * 4, 4), HANDLER);
    assert_int_equal(run(&with, 0), HANDLER + 1); /* not at the end of the code */
    assert_true(n.taken);
    /* It came behind the instruction that STI shields. */
    assert_int_equal(le16_get(ram_ptr(&w->ram, 0x8000 - 6, 2)), CODE + 2);
    engine_dbt.close(with.e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_nmi_in_the_shadow_of_sti_is_not_forgotten, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(vex_is_of_protected_mode, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
