/* The state after RESET and INIT, and the start of the other CPUs. SDM volume 3, table 10-1, and
 * 9.4.3 (INIT-SIPI-SIPI). */
#include "engine/dbt/sys.h"

static void seg_reset(struct cpu *cpu, unsigned seg)
{
    struct cpu_seg s = {.attr = 0x93, .limit = 0xffff};

    if (seg == SEG_CS) {
        s.sel = 0xf000;
        s.base = 0xffff0000;
        s.attr = 0x9b;
    }
    seg_put(cpu, seg, &s);
}

static void fpu_reset(struct cpu *cpu)
{
    for (unsigned n = 0; n < sizeof(cpu->fpu); n++)
        cpu->fpu[n] = 0;
    /* FCW after RESET: exceptions unmasked, single precision; or as a kernel starts a program. */
    le16_put(cpu->fpu, cpu->env->program ? 0x37f : 0x40);
    le32_put(cpu->fpu + 24, 0x1f80); /* MXCSR */
    le32_put(cpu->fpu + 28, 0xffff);
    cpu->fpu_saved = true;
}

void sys_reset(struct cpu *cpu)
{
    for (unsigned n = 0; n < 16; n++)
        cpu->gpr[n] = 0;
    cpu->gpr[REG_RDX] = 0x106ca; /* the CPU's signature */
    cpu->rip = 0xfff0;
    for (unsigned n = 0; n < 6; n++)
        seg_reset(cpu, n);
    cpu->ldtr = (struct cpu_seg){.attr = 0x82, .limit = 0xffff};
    cpu->tr = (struct cpu_seg){.attr = 0x8b, .limit = 0xffff};
    cpu->gdtr.base = cpu->idtr.base = 0;
    cpu->gdtr.limit = cpu->idtr.limit = 0xffff;
    cpu->cr0 = CR0_ET | CR0_NW | CR0_CD;
    cpu->cr2 = cpu->cr3 = cpu->cr4 = cpu->efer = 0;
    for (unsigned n = 0; n < 8; n++)
        cpu->dr[n] = 0;
    cpu->dr[6] = 0xffff0ff0;
    cpu->dr[7] = 0x400;
    cpu->star = cpu->lstar = cpu->cstar = cpu->sfmask = cpu->kernel_gs_base = cpu->tsc_aux = 0;
    cpu->sysenter_cs = cpu->sysenter_esp = cpu->sysenter_eip = 0;
    cpu->pat = 0x0007040600070406;
    cpu->misc_enable = 1; /* fast strings */
    cpu_set_rflags(cpu, 2);
    cpu->cpl = 0;
    cpu->shadow = SHADOW_NONE;
    cpu->wait_sipi = cpu->index != 0;
    cpu->nmi_blocked = cpu->halted = cpu->shutdown = cpu->icebp = false;
    cpu->exc_vector = -1;
    fpu_reset(cpu);
    mmu_flush(cpu, true);
}

/* A start-up message: real mode at vector * 4 KiB. */
static void startup(struct cpu *cpu, uint8_t vector)
{
    struct cpu_seg cs = {.sel = (uint16_t)(vector << 8),
                         .base = (uint64_t)vector << 12,
                         .limit = 0xffff,
                         .attr = 0x9b};

    seg_put(cpu, SEG_CS, &cs);
    cpu->rip = 0;
    cpu->wait_sipi = false;
}

bool sys_init_take(struct cpu *cpu)
{
    const struct intr_ops *ops = cpu->env->intr;
    uint8_t vector = 0;
    unsigned what = ops && ops->init ? ops->init(cpu->env->intr_ctl, cpu->index, &vector) : 0;

    if (what & 1)
        sys_reset(cpu);
    if ((what & 2) && cpu->wait_sipi)
        startup(cpu, vector);
    return !cpu->wait_sipi;
}
