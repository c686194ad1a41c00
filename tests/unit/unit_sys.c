/* The software CPU's system instructions, delivery and returns, on a flat memory. */
#include "fake_mmu.h"

#define EXEC(cpu, b) fake_exec(cpu, b, sizeof(b) - 1)

static void go_user(struct cpu *cpu)
{
    cs_put_flat(cpu, SEL_UCODE | 3, 3, true);
    ss_put_flat(cpu, SEL_UDATA | 3, 3);
    cpu->gpr[REG_RSP] = USTACK;
}

static void assert_fault(struct cpu *cpu, int r, uint8_t vector, uint32_t error)
{
    assert_int_equal(r, -1);
    assert_int_equal(cpu->fault.vector, vector);
    assert_int_equal(cpu->fault.error, error);
}

static void interrupt_and_iretq_come_back_to_user(void **st)
{
    struct cpu *cpu = fake_cpu();

    (void)st;
    go_user(cpu);
    cpu->flags_sys |= FL_IF;
    cpu_set_flags_arith(cpu, FL_CF | FL_ZF);
    assert_int_equal(fake_deliver(cpu, EXC_PF, INTR_EXC, true, 6, 0x1234), 0);
    assert_int_equal(cpu->cpl, 0);
    assert_int_equal(cpu->rip, HANDLER + EXC_PF);
    assert_int_equal(cpu->gpr[REG_RSP], KSTACK - 48);
    assert_int_equal(le64_get(fake_mem + KSTACK - 48), 6);
    assert_int_equal(le64_get(fake_mem + KSTACK - 40), 0x1234);
    assert_int_equal(le64_get(fake_mem + KSTACK - 32), SEL_UCODE | 3);
    assert_int_equal(le64_get(fake_mem + KSTACK - 24), 2 | FL_IF | FL_CF | FL_ZF | FL_RF);
    assert_int_equal(le64_get(fake_mem + KSTACK - 16), USTACK);
    assert_int_equal(le64_get(fake_mem + KSTACK - 8), SEL_UDATA | 3);
    assert_false(cpu->flags_sys & FL_IF);
    assert_int_equal(cpu->seg[SEG_SS].sel, 0);
    cpu->gpr[REG_RSP] += 8;
    cpu_set_flags_arith(cpu, 0);
    assert_int_equal(EXEC(cpu, "\x48\xcf"), INSN_JUMP);
    assert_int_equal(cpu->rip, 0x1234);
    assert_int_equal(cpu->cpl, 3);
    assert_int_equal(cpu->gpr[REG_RSP], USTACK);
    assert_int_equal(cpu_rflags(cpu), 2 | FL_IF | FL_CF | FL_ZF | FL_RF);
    assert_int_equal(cpu->exc_vector, -1);
}

static void ist_switches_stack_at_the_same_level(void **st)
{
    struct cpu *cpu = fake_cpu();

    (void)st;
    fake_mem[IDT + 2 * 16 + 4] = 1;
    assert_int_equal(fake_deliver(cpu, 2, INTR_EXT, false, 0, 0x77), 0);
    assert_int_equal(cpu->gpr[REG_RSP], IST1 - 40);
    assert_int_equal(cpu->seg[SEG_SS].sel, SEL_KDATA);
}

static void int_n_needs_the_gates_level(void **st)
{
    struct cpu *cpu = fake_cpu();

    (void)st;
    go_user(cpu);
    assert_fault(cpu, EXEC(cpu, "\xcd\x30"), EXC_GP, 0x30 * 8 + 2);
    assert_int_equal(cpu->rip, CODE);
    cpu->exc_vector = -1;
    fake_mem[IDT + 0x30 * 16 + 5] |= 0x60;
    assert_int_equal(EXEC(cpu, "\xcd\x30"), INSN_JUMP);
    assert_int_equal(cpu->rip, HANDLER + 0x30);
    assert_int_equal(le64_get(fake_mem + KSTACK - 40), CODE + 2);
}

/* #PF whose stack is missing: #DF on IST; that stack missing too: shutdown. */
static void faults_in_delivery_double_and_then_triple(void **st)
{
    struct cpu *cpu = fake_cpu();

    (void)st;
    go_user(cpu);
    fake_hole[(KSTACK - 1) / 4096] = true;
    fake_mem[IDT + EXC_DF * 16 + 4] = 1;
    assert_fault(cpu, fake_deliver(cpu, EXC_PF, INTR_EXC, true, 4, CODE), EXC_PF, 0);
    assert_int_equal(fake_deliver(cpu, EXC_PF, INTR_EXC, true, 0, CODE), 0);
    assert_int_equal(cpu->rip, HANDLER + EXC_DF);
    assert_int_equal(le64_get(fake_mem + IST1 - 48), 0);
    assert_false(cpu->shutdown);

    cpu = fake_cpu();
    go_user(cpu);
    fake_hole[(KSTACK - 1) / 4096] = true;
    assert_int_equal(fake_deliver(cpu, EXC_GP, INTR_EXC, true, 0, CODE), -1);
    assert_int_equal(fake_deliver(cpu, EXC_PF, INTR_EXC, true, 0, CODE), -1); /* serial */
    assert_int_equal(fake_deliver(cpu, EXC_PF, INTR_EXC, true, 0, CODE), -1); /* double */
    assert_int_equal(fake_deliver(cpu, EXC_PF, INTR_EXC, true, 0, CODE), 0);
    assert_true(cpu->shutdown);
}

static void segment_loads_are_judged(void **st)
{
    struct cpu *cpu = fake_cpu();

    (void)st;
    cpu->gpr[REG_RAX] = SEL_ABSENT;
    assert_fault(cpu, EXEC(cpu, "\x8e\xd8"), EXC_NP, SEL_ABSENT);
    assert_fault(cpu, EXEC(cpu, "\x8e\xd0"), EXC_SS, SEL_ABSENT);
    cpu->gpr[REG_RAX] = SEL_READONLY;
    assert_fault(cpu, EXEC(cpu, "\x8e\xd0"), EXC_GP, SEL_READONLY);
    cpu->gpr[REG_RAX] = 0x60; /* beyond the table */
    assert_fault(cpu, EXEC(cpu, "\x8e\xd8"), EXC_GP, 0x60);
    cpu->gpr[REG_RAX] = SEL_UDATA;
    assert_int_equal(EXEC(cpu, "\x8e\xd8"), INSN_NEXT);
    assert_int_equal(cpu->seg[SEG_DS].limit, 0xffffffff);
    go_user(cpu);
    cpu->gpr[REG_RAX] = SEL_KDATA | 3;
    assert_fault(cpu, EXEC(cpu, "\x8e\xd8"), EXC_GP, SEL_KDATA);
    cpu->gpr[REG_RAX] = 0;
    assert_fault(cpu, EXEC(cpu, "\x8e\xd0"), EXC_GP, 0); /* null SS at level 3 */
}

static void syscall_and_sysret_pair(void **st)
{
    struct cpu *cpu = fake_cpu();

    (void)st;
    cpu->star = (uint64_t)0x20 << 48 | (uint64_t)SEL_KCODE << 32;
    cpu->lstar = 0x7000;
    cpu->sfmask = FL_IF | FL_DF;
    go_user(cpu);
    cpu->flags_sys |= FL_IF | FL_DF;
    assert_int_equal(EXEC(cpu, "\x0f\x05"), INSN_JUMP);
    assert_int_equal(cpu->rip, 0x7000);
    assert_int_equal(cpu->cpl, 0);
    assert_int_equal(cpu->gpr[REG_RCX], CODE + 2);
    assert_int_equal(cpu->gpr[REG_R11], 2 | FL_IF | FL_DF);
    assert_int_equal(cpu_rflags(cpu), 2);
    assert_int_equal(EXEC(cpu, "\x48\x0f\x07"), INSN_JUMP);
    assert_int_equal(cpu->rip, CODE + 2);
    assert_int_equal(cpu->seg[SEG_CS].sel, SEL_UCODE | 3);
    assert_int_equal(cpu->seg[SEG_SS].sel, SEL_UDATA | 3);
    assert_int_equal(cpu_rflags(cpu), 2 | FL_IF | FL_DF);
    assert_fault(cpu, EXEC(cpu, "\x48\x0f\x07"), EXC_GP, 0);
}

static void popf_changes_what_the_level_allows(void **st)
{
    struct cpu *cpu = fake_cpu();

    (void)st;
    le64_put(fake_mem + 0x8000, FL_IF | FL_IOPL | FL_ID | FL_CF | FL_VM);
    assert_int_equal(EXEC(cpu, "\x9d"), INSN_NEXT);
    assert_int_equal(cpu_rflags(cpu), 2 | FL_IF | FL_IOPL | FL_ID | FL_CF);
    assert_int_equal(cpu->gpr[REG_RSP], 0x8008);
    cpu_set_rflags(cpu, 0);
    go_user(cpu);
    le64_put(fake_mem + USTACK, FL_IF | FL_IOPL | FL_ZF);
    assert_int_equal(EXEC(cpu, "\x9d"), INSN_NEXT);
    assert_int_equal(cpu_rflags(cpu), 2 | FL_ZF);
    assert_fault(cpu, EXEC(cpu, "\xfa"), EXC_GP, 0);
}

static void control_registers_refuse_what_is_reserved(void **st)
{
    struct cpu *cpu = fake_cpu();

    (void)st;
    cpu->gpr[REG_RAX] = 0x1000;
    assert_int_equal(EXEC(cpu, "\x0f\x22\xd8"), INSN_JUMP);
    assert_int_equal(cpu->cr3, 0x1000);
    assert_int_equal(fake_flushes[0], 1);
    assert_int_equal(fake_flushes[1], 0);
    cpu->gpr[REG_RAX] = CR4_PAE | CR4_SMEP;
    assert_fault(cpu, EXEC(cpu, "\x0f\x22\xe0"), EXC_GP, 0);
    cpu->gpr[REG_RAX] = CR4_PGE;
    assert_fault(cpu, EXEC(cpu, "\x0f\x22\xe0"), EXC_GP, 0); /* PAE can't go in long mode */
    cpu->gpr[REG_RAX] = CR0_PE;
    assert_fault(cpu, EXEC(cpu, "\x0f\x22\xc0"), EXC_GP, 0); /* nor paging from 64-bit code */
    cpu->gpr[REG_RAX] = CR4_PAE | CR4_PGE;
    assert_int_equal(EXEC(cpu, "\x0f\x22\xe0"), INSN_JUMP);
    assert_int_equal(fake_flushes[1], 1);
    go_user(cpu);
    assert_fault(cpu, EXEC(cpu, "\x0f\x22\xd8"), EXC_GP, 0);
}

static void unknown_msrs_fault(void **st)
{
    struct cpu *cpu = fake_cpu();

    (void)st;
    cpu->gpr[REG_RCX] = 0xfe; /* MTRRs aren't claimed */
    assert_fault(cpu, EXEC(cpu, "\x0f\x32"), EXC_GP, 0);
    cpu->gpr[REG_RCX] = 0xc0000100;
    cpu->gpr[REG_RAX] = 0x89abcdef;
    cpu->gpr[REG_RDX] = 0x1234;
    assert_int_equal(EXEC(cpu, "\x0f\x30"), INSN_NEXT);
    assert_true(cpu->seg[SEG_FS].base == 0x123489abcdef);
    cpu->gpr[REG_RDX] = 0x8000;
    assert_fault(cpu, EXEC(cpu, "\x0f\x30"), EXC_GP, 0); /* not canonical */
}

static void real_mode_interrupt_and_iret(void **st)
{
    struct cpu *cpu = fake_cpu();

    (void)st;
    sys_reset(cpu);
    cpu->idtr.limit = 0x3ff;
    seg_put_real(cpu, SEG_CS, 0x500);
    seg_put_real(cpu, SEG_SS, 0x800);
    cpu->rip = 0x10;
    cpu->gpr[REG_RSP] = 0x100;
    cpu->flags_sys |= FL_IF;
    le32_put(fake_mem + 0x21 * 4, 0x06001234);
    assert_int_equal(EXEC(cpu, "\xcd\x21"), INSN_JUMP);
    assert_int_equal(cpu->seg[SEG_CS].base, 0x6000);
    assert_int_equal(cpu->rip, 0x1234);
    assert_false(cpu->flags_sys & FL_IF);
    assert_int_equal(le16_get(fake_mem + 0x80fa), 0x12);
    assert_int_equal(EXEC(cpu, "\xcf"), INSN_JUMP);
    assert_int_equal(cpu->rip, 0x12);
    assert_int_equal(cpu->seg[SEG_CS].sel, 0x500);
    assert_int_equal(cpu->gpr[REG_RSP], 0x100);
    assert_true(cpu->flags_sys & FL_IF);
}

/* 32-bit protected mode: the same tables, read without LMA. */
static struct cpu *legacy_cpu(void)
{
    struct cpu *cpu = fake_cpu();

    cpu->efer = 0;
    cpu->cr4 = 0;
    le64_put(fake_mem + GDT + SEL_KCODE, 0x00cf9b000000ffff);
    le32_put(fake_mem + TSS + 4, KSTACK);
    le16_put(fake_mem + TSS + 8, SEL_KDATA);
    cs_put_flat(cpu, SEL_UCODE32 | 3, 3, false);
    ss_put_flat(cpu, SEL_UDATA | 3, 3);
    cpu->gpr[REG_RSP] = USTACK;
    return cpu;
}

static void protected_mode_interrupt_and_iret(void **st)
{
    struct cpu *cpu = legacy_cpu();

    (void)st;
    le32_put(fake_mem + IDT + 14 * 8, SEL_KCODE << 16 | 0x6100);
    le32_put(fake_mem + IDT + 14 * 8 + 4, 0x8f00);
    cpu->flags_sys |= FL_IF;
    assert_int_equal(fake_deliver(cpu, EXC_PF, INTR_EXC, true, 5, CODE), 0);
    assert_int_equal(cpu->rip, 0x6100);
    assert_int_equal(cpu->seg[SEG_SS].sel, SEL_KDATA);
    assert_int_equal(cpu->gpr[REG_RSP], KSTACK - 24);
    assert_int_equal(le32_get(fake_mem + KSTACK - 24), 5);
    assert_int_equal(le32_get(fake_mem + KSTACK - 8), USTACK);
    assert_true(cpu->flags_sys & FL_IF); /* a trap gate */
    cpu->gpr[REG_RSP] += 4;
    assert_int_equal(EXEC(cpu, "\xcf"), INSN_JUMP);
    assert_int_equal(cpu->cpl, 3);
    assert_int_equal(cpu->rip, CODE);
    assert_int_equal(cpu->gpr[REG_RSP], USTACK);
}

static void call_gate_switches_stack_and_copies_parameters(void **st)
{
    struct cpu *cpu = legacy_cpu();

    (void)st;
    le32_put(fake_mem + GDT + SEL_READONLY, SEL_KCODE << 16 | 0x6200);
    le32_put(fake_mem + GDT + SEL_READONLY + 4, 0xec02); /* DPL 3, two parameters */
    le32_put(fake_mem + USTACK, 0x11111111);
    le32_put(fake_mem + USTACK + 4, 0x22222222);
    assert_int_equal(EXEC(cpu, "\x9a\0\0\0\0\x5b\0"), INSN_JUMP);
    assert_int_equal(cpu->cpl, 0);
    assert_int_equal(cpu->rip, 0x6200);
    assert_int_equal(cpu->gpr[REG_RSP], KSTACK - 24);
    assert_int_equal(le32_get(fake_mem + KSTACK - 24), CODE + 7);
    assert_int_equal(le32_get(fake_mem + KSTACK - 16), 0x11111111);
    assert_int_equal(le32_get(fake_mem + KSTACK - 12), 0x22222222);
    assert_int_equal(EXEC(cpu, "\xca\x08\0"), INSN_JUMP);
    assert_int_equal(cpu->cpl, 3);
    assert_int_equal(cpu->rip, CODE + 7);
    assert_int_equal(cpu->gpr[REG_RSP], USTACK + 8);
}

static void fxrstor_refuses_reserved_mxcsr(void **st)
{
    struct cpu *cpu = fake_cpu();

    (void)st;
    cpu->gpr[REG_RAX] = 0x10000;
    le32_put(fake_mem + 0x10000 + 24, 0x10000);
    assert_fault(cpu, EXEC(cpu, "\x0f\xae\x08"), EXC_GP, 0);
    le32_put(fake_mem + 0x10000 + 24, 0x1fa0);
    le64_put(fake_mem + 0x10000 + 8, 0xdeadbeef);
    assert_int_equal(EXEC(cpu, "\x0f\xae\x08"), INSN_NEXT);
    assert_int_equal(le32_get(cpu->fpu + 24), 0x1fa0);
    cpu->gpr[REG_RAX] = 0x10200;
    assert_int_equal(EXEC(cpu, "\x0f\xae\x00"), INSN_NEXT);
    assert_int_equal(le32_get(fake_mem + 0x10200 + 24), 0x1fa0);
    assert_int_equal(le64_get(fake_mem + 0x10200 + 8), 0);
    cpu->gpr[REG_RAX] = 0x10208;
    assert_fault(cpu, EXEC(cpu, "\x0f\xae\x00"), EXC_GP, 0); /* alignment */
}

/* ---- string instructions against a model that goes byte by byte ---- */

static uint64_t rnd(uint64_t *s)
{
    *s = *s * 6364136223846793005ull + 1442695040888963407ull;
    return *s >> 24;
}

/* What the architecture does: one element after the other. False: stopped by a page fault. */
static bool model(uint8_t *mem, bool movs, unsigned size, bool down, uint64_t g[16])
{
    while (g[REG_RCX]) {
        uint64_t v = g[REG_RAX];

        for (unsigned n = 0; movs && n < size; n += size - 1 ? size - 1 : 1)
            if (fake_hole[(g[REG_RSI] + n) / 4096])
                return false;
        for (unsigned n = 0; n < size; n += size - 1 ? size - 1 : 1)
            if (fake_hole[(g[REG_RDI] + n) / 4096])
                return false;
        if (movs)
            memcpy(&v, mem + g[REG_RSI], size);
        memcpy(mem + g[REG_RDI], &v, size);
        g[REG_RSI] += movs ? (down ? -(uint64_t)size : size) : 0;
        g[REG_RDI] += down ? -(uint64_t)size : size;
        g[REG_RCX]--;
    }
    return true;
}

static void rep_movs_and_stos_match_the_model(void **st)
{
    static uint8_t want[FAKE_SIZE];
    struct cpu *cpu = fake_cpu();
    uint64_t seed = 1;

    (void)st;
    for (unsigned round = 0; round < 3000; round++) {
        unsigned size = 1u << rnd(&seed) % 4;
        bool movs = rnd(&seed) % 3, down = rnd(&seed) % 2;
        struct insn i = {.run = movs ? sys_movs : sys_stos,
                         .len = 2,
                         .opsize = (uint8_t)size,
                         .addrsize = 8,
                         .rep = 0xf3,
                         .seg = SEG_DS,
                         .code_bits = 64};
        uint64_t g[16] = {0};
        bool done;

        for (unsigned p = 0x40; p < 0x60; p++) {
            fake_hole[p] = rnd(&seed) % 12 == 0;
            fake_slow[p] = rnd(&seed) % 6 == 0;
        }
        for (unsigned n = 0x48000; n < 0x58000; n += 8)
            le64_put(fake_mem + n, rnd(&seed));
        memcpy(want, fake_mem, FAKE_SIZE);
        g[REG_RCX] = rnd(&seed) % (8192 / size);
        g[REG_RSI] = 0x50000 + rnd(&seed) % 4096;
        g[REG_RDI] =
            rnd(&seed) % 2 ? g[REG_RSI] + rnd(&seed) % 40 - 20 : 0x50000 + rnd(&seed) % 8192;
        g[REG_RAX] = rnd(&seed) << 20;
        for (unsigned r = 0; r < 16; r++)
            cpu->gpr[r] = g[r];
        cpu_set_rflags(cpu, down ? FL_DF : 0);
        cpu->rip = CODE;
        done = model(want, movs, size, down, g);
        assert_int_equal(fake_run(cpu, &i), done ? INSN_NEXT : -1);
        assert_memory_equal(cpu->gpr, g, sizeof(g));
        assert_memory_equal(fake_mem + 0x40000, want + 0x40000, 0x20000);
        if (!done)
            assert_int_equal(cpu->rip, CODE);
    }
}

static void repe_cmps_and_repne_scas_stop_where_they_should(void **st)
{
    struct cpu *cpu = fake_cpu();
    uint64_t seed = 7;

    (void)st;
    for (unsigned round = 0; round < 1000; round++) {
        uint64_t n = rnd(&seed) % 9000 + 1, at = rnd(&seed) % 10000;
        uint64_t stop = at < n ? at + 1 : n;

        memset(fake_mem + 0x20000, 0x41, 0x8000);
        memset(fake_mem + 0x30000, 0x41, 0x8000);
        fake_mem[0x30123 + at] = 0x42;
        cpu->gpr[REG_RSI] = 0x20456, cpu->gpr[REG_RDI] = 0x30123, cpu->gpr[REG_RCX] = n;
        cpu_set_rflags(cpu, 0);
        assert_int_equal(EXEC(cpu, "\xf3\xa6"), INSN_NEXT);
        assert_int_equal(cpu->gpr[REG_RCX], n - stop);
        assert_int_equal(cpu->gpr[REG_RSI], 0x20456 + stop);
        assert_int_equal(cpu->gpr[REG_RDI], 0x30123 + stop);
        /* 0x41 - 0x42: borrow, negative */
        assert_int_equal(cpu_flags_arith(cpu),
                         at < n ? FL_CF | FL_PF | FL_AF | FL_SF : FL_ZF | FL_PF);
        cpu->gpr[REG_RDI] = 0x30123, cpu->gpr[REG_RCX] = n, cpu->gpr[REG_RAX] = 0x42;
        assert_int_equal(EXEC(cpu, "\xf2\xae"), INSN_NEXT);
        assert_int_equal(cpu->gpr[REG_RCX], n - stop);
        assert_int_equal(!!(cpu_flags_arith(cpu) & FL_ZF), at < n);
    }
}

static void long_rep_pauses_when_asked(void **st)
{
    struct cpu *cpu = fake_cpu();

    (void)st;
    cpu->exit_request = 1;
    cpu->gpr[REG_RDI] = 0x20000, cpu->gpr[REG_RCX] = 0x20000;
    assert_int_equal(EXEC(cpu, "\xf3\xaa"), INSN_JUMP);
    assert_int_equal(cpu->rip, CODE);
    assert_int_equal(cpu->gpr[REG_RDI] + cpu->gpr[REG_RCX], 0x40000);
    assert_in_range(cpu->gpr[REG_RCX], 1, 0x10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interrupt_and_iretq_come_back_to_user),
        cmocka_unit_test(ist_switches_stack_at_the_same_level),
        cmocka_unit_test(int_n_needs_the_gates_level),
        cmocka_unit_test(faults_in_delivery_double_and_then_triple),
        cmocka_unit_test(segment_loads_are_judged),
        cmocka_unit_test(syscall_and_sysret_pair),
        cmocka_unit_test(popf_changes_what_the_level_allows),
        cmocka_unit_test(control_registers_refuse_what_is_reserved),
        cmocka_unit_test(unknown_msrs_fault),
        cmocka_unit_test(real_mode_interrupt_and_iret),
        cmocka_unit_test(protected_mode_interrupt_and_iret),
        cmocka_unit_test(call_gate_switches_stack_and_copies_parameters),
        cmocka_unit_test(fxrstor_refuses_reserved_mxcsr),
        cmocka_unit_test(rep_movs_and_stos_match_the_model),
        cmocka_unit_test(repe_cmps_and_repne_scas_stop_where_they_should),
        cmocka_unit_test(long_rep_pauses_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
