/*
 * Engine kvm: registers between struct cpu_regs and KVM's structures, and the reset state.
 * Linux Documentation/virt/kvm/api.rst (KVM_SET_REGS, KVM_SET_SREGS); Intel SDM vol. 3 table 10-1.
 *
 * An ioctl that fails here leaves the vCPU as it was; KVM_RUN then refuses, and the user is told
 * by TRAP_FAIL. The x87/SSE state is not in cpu_regs: it is touched by reset only.
 */
#include "engine/kvm_apic.h"
#include <string.h>
#include <sys/ioctl.h>

#define MSR_COUNT_MAX   16
#define APIC_BASE_RESET 0xfee00800ull
#define APIC_BASE_BSP   0x100u
#define XCR0_X87        1

union msr_one {
    struct kvm_msrs head;
    uint8_t room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
};

static struct kvm_segment seg_to_kvm(const struct cpu_seg *s)
{
    return (struct kvm_segment){
        .base = s->base,
        .limit = s->limit,
        .selector = s->sel,
        .type = s->attr & 0xf,
        .s = s->attr >> 4 & 1,
        .dpl = s->attr >> 5 & 3,
        .present = s->attr >> 7 & 1,
        .avl = s->attr >> 12 & 1,
        .l = s->attr >> 13 & 1,
        .db = s->attr >> 14 & 1,
        .g = s->attr >> 15 & 1,
        .unusable = !(s->attr >> 7 & 1),
    };
}

static struct cpu_seg seg_from_kvm(const struct kvm_segment *k)
{
    unsigned attr = (k->type & 0xfu) | (k->s & 1u) << 4 | (k->dpl & 3u) << 5 |
                    (k->present & 1u) << 7 | (k->avl & 1u) << 12 | (k->l & 1u) << 13 |
                    (k->db & 1u) << 14 | (k->g & 1u) << 15;
    return (struct cpu_seg){
        .sel = k->selector,
        .attr = (uint16_t)(k->unusable ? attr & ~0x80u : attr),
        .limit = k->limit,
        .base = k->base,
    };
}

void kvm_regs_from(struct cpu_regs *r, const struct kvm_regs *g, const struct kvm_sregs *s)
{
    const uint64_t gpr[16] = {g->rax, g->rcx, g->rdx, g->rbx, g->rsp, g->rbp, g->rsi, g->rdi,
                              g->r8,  g->r9,  g->r10, g->r11, g->r12, g->r13, g->r14, g->r15};
    memcpy(r->gpr, gpr, sizeof(gpr));
    r->rip = g->rip;
    r->rflags = g->rflags;
    const struct kvm_segment *seg[6] = {&s->es, &s->cs, &s->ss, &s->ds, &s->fs, &s->gs};
    for (unsigned i = 0; i < 6; i++)
        r->seg[i] = seg_from_kvm(seg[i]);
    r->ldtr = seg_from_kvm(&s->ldt);
    r->tr = seg_from_kvm(&s->tr);
    r->gdtr.base = s->gdt.base;
    r->gdtr.limit = s->gdt.limit;
    r->idtr.base = s->idt.base;
    r->idtr.limit = s->idt.limit;
    r->cr0 = s->cr0;
    r->cr2 = s->cr2;
    r->cr3 = s->cr3;
    r->cr4 = s->cr4;
    r->efer = s->efer;
}

void kvm_get_regs(struct engine *e, unsigned vcpu, struct cpu_regs *r)
{
    struct kvm_vcpu *v = &e->vcpu[vcpu];
    struct kvm_regs g = {0};
    struct kvm_sregs s = {0};

    memset(r, 0, sizeof(*r));
    if (ioctl(v->fd, KVM_GET_REGS, &g) < 0 || ioctl(v->fd, KVM_GET_SREGS, &s) < 0)
        return;
    kvm_regs_from(r, &g, &s);
    r->cr8 = v->run->cr8;
}

void kvm_regs_to(struct kvm_regs *g, const struct cpu_regs *r)
{
    const uint64_t *p = r->gpr;
    *g = (struct kvm_regs){
        .rax = p[REG_RAX],
        .rcx = p[REG_RCX],
        .rdx = p[REG_RDX],
        .rbx = p[REG_RBX],
        .rsp = p[REG_RSP],
        .rbp = p[REG_RBP],
        .rsi = p[REG_RSI],
        .rdi = p[REG_RDI],
        .r8 = p[REG_R8],
        .r9 = p[REG_R9],
        .r10 = p[REG_R10],
        .r11 = p[REG_R11],
        .r12 = p[REG_R12],
        .r13 = p[REG_R13],
        .r14 = p[REG_R14],
        .r15 = p[REG_R15],
        .rip = r->rip,
        .rflags = r->rflags | 2,
    };
}

static void gprs_set(struct kvm_vcpu *v, const struct cpu_regs *r)
{
    struct kvm_regs g;

    kvm_regs_to(&g, r);
    (void)ioctl(v->fd, KVM_SET_REGS, &g);
}

void kvm_set_regs(struct engine *e, unsigned vcpu, const struct cpu_regs *r)
{
    struct kvm_vcpu *v = &e->vcpu[vcpu];
    struct kvm_sregs s = {0};

    if (ioctl(v->fd, KVM_GET_SREGS, &s) < 0)
        return;
    struct kvm_segment *seg[6] = {&s.es, &s.cs, &s.ss, &s.ds, &s.fs, &s.gs};
    for (unsigned i = 0; i < 6; i++)
        *seg[i] = seg_to_kvm(&r->seg[i]);
    s.ldt = seg_to_kvm(&r->ldtr);
    s.tr = seg_to_kvm(&r->tr);
    /* VM entry wants a present, busy task segment even where the loader left none: the reset
     * state of TR is one (SDM table 10-1). */
    if (!(r->tr.attr & 0x80)) {
        s.tr = (struct kvm_segment){.limit = 0xffff, .type = 11, .present = 1};
    }
    s.gdt = (struct kvm_dtable){.base = r->gdtr.base, .limit = r->gdtr.limit};
    s.idt = (struct kvm_dtable){.base = r->idtr.base, .limit = r->idtr.limit};
    s.cr0 = r->cr0;
    s.cr2 = r->cr2;
    s.cr3 = r->cr3;
    s.cr4 = r->cr4;
    s.cr8 = r->cr8;
    s.efer = r->efer;
    memset(s.interrupt_bitmap, 0, sizeof(s.interrupt_bitmap));
    (void)ioctl(v->fd, KVM_SET_SREGS, &s);
    v->run->cr8 = r->cr8;
    gprs_set(v, r);
}

static struct cpu_seg seg_real(uint16_t sel, unsigned type)
{
    return (struct cpu_seg){
        .sel = sel, .attr = (uint16_t)(0x80 | type), .limit = 0xffff, .base = (uint64_t)sel << 4};
}

static void regs_reset(struct kvm_vcpu *v)
{
    struct cpu_regs r = {.rip = 0xfff0, .rflags = 2, .cr0 = 0x60000010};

    for (unsigned i = 0; i < 6; i++)
        r.seg[i] = seg_real(0, 0x13);
    r.seg[SEG_CS] = seg_real(0xf000, 0x1b);
    r.seg[SEG_CS].base = 0xffff0000;
    r.ldtr = (struct cpu_seg){.attr = 0x82, .limit = 0xffff};
    r.tr = (struct cpu_seg){.attr = 0x8b, .limit = 0xffff};
    r.gdtr.limit = r.idtr.limit = 0xffff;
    r.gpr[REG_RDX] = 0x600; /* family 6, as CPUID-less software expects */
    kvm_set_regs(v->engine, v->index, &r);
}

/* SYSENTER, SYSCALL and segment-base MSRs are zero after reset, PAT and MISC_ENABLE are not. */
static void msrs_reset(struct kvm_vcpu *v)
{
    static const struct {
        uint32_t index;
        uint64_t value;
    } msr[] = {
        {0x174, 0},      {0x175, 0},
        {0x176, 0},      {0xc0000081, 0},
        {0xc0000082, 0}, {0xc0000083, 0},
        {0xc0000084, 0}, {0xc0000102, 0},
        {0xc0000103, 0}, {0x277, 0x0007040600070406},
    };
    /* One call each: KVM stops at the first MSR a host does not know. */
    for (unsigned i = 0; i < ARRAY_LEN(msr); i++) {
        union msr_one set = {.head.nmsrs = 1};
        set.head.entries[0].index = msr[i].index;
        set.head.entries[0].data = msr[i].value;
        (void)ioctl(v->fd, KVM_SET_MSRS, &set);
    }
}

void kvm_reset(struct engine *e, unsigned vcpu)
{
    struct kvm_vcpu *v = &e->vcpu[vcpu];
    struct kvm_vcpu_events events = {.flags = KVM_VCPUEVENT_VALID_NMI_PENDING};
    struct kvm_fpu fpu = {.fcw = 0x37f, .mxcsr = 0x1f80};
    struct kvm_debugregs dr = {.dr6 = 0xffff0ff0, .dr7 = 0x400};
    struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs = {{.xcr = 0, .value = XCR0_X87}}};
    struct kvm_mp_state mp = {.mp_state = KVM_MP_STATE_RUNNABLE};
    struct kvm_sregs s = {0};

    /* CR4.OSXSAVE goes first: XCR0 can't lose a bit that is in use. */
    regs_reset(v);
    msrs_reset(v);
    (void)ioctl(v->fd, KVM_SET_XCRS, &xcrs);
    (void)ioctl(v->fd, KVM_SET_FPU, &fpu);
    (void)ioctl(v->fd, KVM_SET_DEBUGREGS, &dr);
    (void)ioctl(v->fd, KVM_SET_VCPU_EVENTS, &events);
    (void)ioctl(v->fd, KVM_SET_MP_STATE, &mp);
    /* KVM shows CPUID's APIC bit only while the base register says enabled. */
    if (ioctl(v->fd, KVM_GET_SREGS, &s) == 0) {
        s.apic_base = APIC_BASE_RESET | (vcpu == 0 ? APIC_BASE_BSP : 0);
        (void)ioctl(v->fd, KVM_SET_SREGS, &s);
    }
    if (e->routes)
        kvm_apic_reset(v);
    v->wait_sipi = vcpu != 0 && !e->routes;
    v->halted = false;
}

void kvm_startup(struct kvm_vcpu *v, uint8_t vector)
{
    struct cpu_regs r;

    kvm_get_regs(v->engine, v->index, &r);
    r.seg[SEG_CS] = seg_real((uint16_t)(vector << 8), 0x1b);
    r.rip = 0;
    kvm_set_regs(v->engine, v->index, &r);
    v->wait_sipi = false;
}
