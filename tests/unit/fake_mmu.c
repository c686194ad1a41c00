/* The flat memory and the CPU set-up of fake_mmu.h. */
#include "fake_mmu.h"
#include <Zydis/Zydis.h>

uint8_t fake_mem[FAKE_SIZE] __attribute__((aligned(4096)));
bool fake_hole[FAKE_PAGES], fake_slow[FAKE_PAGES];
unsigned fake_flushes[2];

void cpu_fault(struct cpu *cpu, uint8_t vector)
{
    cpu->fault.vector = vector;
    cpu->fault.has_error = false;
    cpu->fault.error = 0;
    longjmp(cpu->fault_jmp, 1);
}

void cpu_fault_err(struct cpu *cpu, uint8_t vector, uint32_t error)
{
    cpu->fault.vector = vector;
    cpu->fault.has_error = true;
    cpu->fault.error = error;
    longjmp(cpu->fault_jmp, 1);
}

static void check(struct cpu *cpu, uint64_t lin)
{
    if (lin >= FAKE_SIZE || fake_hole[lin / 4096]) {
        cpu->cr2 = lin;
        cpu_fault_err(cpu, EXC_PF, 0);
    }
}

uint64_t mem_read(struct cpu *cpu, uint64_t lin, unsigned size, bool user)
{
    uint64_t v = 0;

    (void)user;
    check(cpu, lin);
    check(cpu, lin + size - 1);
    memcpy(&v, fake_mem + lin, size);
    return v;
}

void mem_write(struct cpu *cpu, uint64_t lin, unsigned size, uint64_t val, bool user)
{
    (void)user;
    check(cpu, lin);
    check(cpu, lin + size - 1);
    memcpy(fake_mem + lin, &val, size);
}

void mem_probe_write(struct cpu *cpu, uint64_t lin, unsigned len, bool user)
{
    (void)user;
    check(cpu, lin);
    check(cpu, lin + len - 1);
}

uint8_t *mem_span(struct cpu *cpu, uint64_t lin, bool write, bool user, unsigned *room)
{
    (void)write, (void)user;
    check(cpu, lin);
    *room = 4096 - (unsigned)(lin & 4095);
    return fake_slow[lin / 4096] ? NULL : fake_mem + lin;
}

void mmu_flush(struct cpu *cpu, bool global)
{
    (void)cpu;
    fake_flushes[global]++;
}

void mmu_flush_page(struct cpu *cpu, uint64_t lin)
{
    (void)cpu, (void)lin;
}

void mmu_load_pdptes(struct cpu *cpu)
{
    (void)cpu;
}

void cpu_trap(struct cpu *cpu, struct trap *t)
{
    (void)cpu;
    t->value = 0x5a5a5a5a & size_mask(t->size);
}

void cpu_vec_save(struct cpu *cpu)
{
    (void)cpu; /* no vector state is live here */
}

void cpu_fpu_save(struct cpu *cpu)
{
    cpu->fpu_saved = true;
}

static void gdt_put(unsigned sel, uint32_t lo, uint32_t hi)
{
    le32_put(fake_mem + GDT + sel, lo);
    le32_put(fake_mem + GDT + sel + 4, hi);
}

struct cpu *fake_cpu(void)
{
    static const struct engine_env env;
    static struct cpu *cpu;

    if (!cpu)
        cpu = aligned_alloc(4096, (sizeof(*cpu) + 4095) & ~(size_t)4095);
    memset(cpu, 0, sizeof(*cpu));
    memset(fake_mem, 0, sizeof(fake_mem));
    memset(fake_hole, 0, sizeof(fake_hole));
    memset(fake_slow, 0, sizeof(fake_slow));
    cpu->env = &env;
    sys_init(cpu, 3000000000u);
    sys_reset(cpu);
    fake_flushes[0] = fake_flushes[1] = 0;
    gdt_put(SEL_KCODE, 0xffff, 0x00af9b00);
    gdt_put(SEL_KDATA, 0xffff, 0x00cf9300);
    gdt_put(SEL_UCODE32, 0xffff, 0x00cffb00);
    gdt_put(SEL_UDATA, 0xffff, 0x00cff300);
    gdt_put(SEL_UCODE, 0xffff, 0x00affb00);
    gdt_put(SEL_TSS, (TSS & 0xffff) << 16 | 0x67, 0x8900);
    gdt_put(SEL_ABSENT, 0xffff, 0x00cf1300);
    gdt_put(SEL_READONLY, 0xffff, 0x00cf9100);
    le64_put(fake_mem + TSS + 4, KSTACK);
    le64_put(fake_mem + TSS + 36, IST1);
    for (unsigned v = 0; v < 256; v++) {
        le32_put(fake_mem + IDT + v * 16, SEL_KCODE << 16 | (HANDLER + v));
        le32_put(fake_mem + IDT + v * 16 + 4, 0x8e00);
    }
    cpu->gdtr.base = GDT, cpu->gdtr.limit = 0x5f;
    cpu->idtr.base = IDT, cpu->idtr.limit = 0xfff;
    cpu->tr = (struct cpu_seg){SEL_TSS, 0x8b, 0x67, TSS};
    cpu->ldtr.attr = 0;
    cpu->cr0 = CR0_PE | CR0_PG | CR0_ET;
    cpu->cr4 = CR4_PAE;
    cpu->efer = EFER_LME | EFER_LMA | EFER_SCE;
    cs_put_flat(cpu, SEL_KCODE, 0, true);
    ss_put_flat(cpu, SEL_KDATA, 0);
    cpu->gpr[REG_RSP] = 0x8000;
    cpu->rip = CODE;
    return cpu;
}

int fake_run(struct cpu *cpu, const struct insn *i)
{
    int r;

    if (setjmp(cpu->fault_jmp))
        return -1;
    r = i->run(cpu, i);
    if (r == INSN_NEXT)
        cpu->rip += i->len;
    return r;
}

int fake_deliver(struct cpu *cpu, uint8_t vector, enum intr_kind kind, bool has_error,
                 uint32_t error, uint64_t rip)
{
    if (setjmp(cpu->fault_jmp))
        return -1;
    intr_deliver(cpu, vector, kind, has_error, error, rip);
    return 0;
}

int fake_exec(struct cpu *cpu, const char *bytes, unsigned len)
{
    bool code64 = cpu_code64(cpu), wide = cpu->seg[SEG_CS].attr & SEG_D;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
    ZydisDecodedInstruction zi;
    ZydisDecoder dec;
    struct insn i;

    ZydisDecoderInit(&dec,
                     code64 ? ZYDIS_MACHINE_MODE_LONG_64
                     : wide ? ZYDIS_MACHINE_MODE_LEGACY_32
                            : ZYDIS_MACHINE_MODE_LEGACY_16,
                     code64 ? ZYDIS_STACK_WIDTH_64
                     : wide ? ZYDIS_STACK_WIDTH_32
                            : ZYDIS_STACK_WIDTH_16);
    assert_true(ZYAN_SUCCESS(ZydisDecoderDecodeFull(&dec, bytes, len, &zi, ops)));
    assert_true(sys_decode(&zi, ops, cpu->rip, &i));
    assert_int_equal(i.len, len);
    return fake_run(cpu, &i);
}
