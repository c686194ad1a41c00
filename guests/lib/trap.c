/*
 * Traps of the bare-metal guests: an IDT whose entries record what happened in `seen` and go on
 * where the test said (trap_resume), unless a hook takes the vector. Intel SDM vol. 3 chapter 6.
 */
#include "guest.h"

enum { HLT = 0xf4, STI = 0xfb, FLAGS_IF = 0x200 };

volatile struct trap_seen seen;
volatile word trap_resume, trap_sp;
volatile unsigned trap_count;
volatile unsigned shadows_lost, doubles; /* by QEMU */
bool (*trap_hook[256])(struct frame *f);
extern uint8_t trap_stubs[];

#ifdef __x86_64__
static uint64_t idt[512] __attribute__((aligned(16)));
word trap_entry(struct frame *f);
#else
static uint64_t idt[256] __attribute__((aligned(16)));
word trap_entry(struct frame *f);
#endif

struct table_ptr {
    uint16_t limit;
    word base;
} __attribute__((packed));

word idt_default(unsigned vector)
{
    return (word)trap_stubs + 16 * vector;
}

void idt_gate(unsigned vector, word handler, unsigned sel, unsigned type_dpl, unsigned ist)
{
    uint64_t low = desc_gate((uint32_t)handler, sel, ist, type_dpl);
#ifdef __x86_64__
    idt[2 * vector] = low;
    idt[2 * vector + 1] = handler >> 32;
#else
    idt[vector] = low;
#endif
}

static void tss_init(void)
{
    mem_set(tss, 0, TSS_LEN);
#ifdef __x86_64__
    *(uint64_t *)(tss + 4) = (word)stack_top - 4096; /* RSP0 */
    *(uint64_t *)(tss + 36) = (word)ist_stack_top;   /* IST1 */
    *(uint16_t *)(tss + 102) = TSS_LEN;              /* no I/O bitmap */
    gdt[SEL_TSS / 8] = desc_seg((uint32_t)(word)tss, TSS_LEN - 1, 0x89, 0);
    gdt[SEL_TSS / 8 + 1] = 0;
#else
    *(uint32_t *)(tss + 4) = (word)stack_top - 4096; /* ESP0 */
    *(uint16_t *)(tss + 8) = SEL_KDATA;
    *(uint16_t *)(tss + 102) = TSS_LEN;
    gdt[SEL_TSS / 8] = desc_seg((uint32_t)(word)tss, TSS_LEN - 1, 0x89, 0);
#endif
    asm volatile("ltr %w0" ::"r"(SEL_TSS));
}

void trap_init(void)
{
    struct table_ptr p = {sizeof(idt) - 1, (word)idt};

    for (unsigned v = 0; v < 256; v++)
        idt_gate(v, idt_default(v), SEL_K64, v == V_BP || v == V_OF || v == 0x80 ? 0xee : 0x8e, 0);
    asm volatile("lidt %0" ::"m"(p));
    tss_init();
    outb(0x21, 0xff); /* both PICs masked */
    outb(0xa1, 0xff);
}

static void trap_record(struct frame *f)
{
    bool outer = f->cs & 3;

    trap_count++;
    seen.vector = (unsigned)f->vector;
    seen.error = f->error;
    seen.ip = f->ip;
    seen.cs = f->cs;
    seen.flags = f->flags;
    seen.cr2 = cr2_get();
    seen.handler_sp = (word)f;
#ifdef __x86_64__
    (void)outer;
    seen.sp = f->sp;
    seen.ss = f->ss;
#else
    seen.sp = outer ? f->sp : (word)&f->sp;
    seen.ss = outer ? f->ss : 0;
#endif
}

static void trap_unexpected(struct frame *f)
{
    say("FAIL unexpected trap: vector %lu error %lx at %lx:%lx flags %lx cr2 %lx\n", f->vector,
        f->error, f->cs, f->ip, f->flags, cr2_get());
    guest_exit(126);
}

/*
 * STI's shadow covers the HLT of sti_hlt_cli: an interrupt between the two would leave the guest
 * waiting for the next. QEMU's SVM loses the shadow when the outer machine is interrupted just
 * there (its VMRUN never reads int_state), so on it such an interrupt counts as one that ended HLT;
 * everywhere else it is a failure.
 */
static void shadow_check(struct frame *f)
{
    const uint8_t *at = (const uint8_t *)f->ip;

    if (f->vector < 32 || (f->cs & 3) || at[0] != HLT || at[-1] != STI)
        return;
    if (on_tcg)
        shadows_lost++;
    else
        check("no interrupt between sti and hlt", false);
    f->ip++;
}

/*
 * An interrupt that found interrupts off, at the very entry of its own handler, is one that was
 * delivered before: QEMU's SVM now and then delivers an injected event a second time. There the
 * copy is dropped; everywhere else it is a failure.
 */
static bool copy_of_one(const struct frame *f)
{
    if (f->vector < 32 || (f->flags & FLAGS_IF) || f->ip != idt_default((unsigned)f->vector))
        return false;
    if (on_tcg)
        doubles++;
    else
        check("an interrupt comes once", false);
    return on_tcg;
}

word trap_entry(struct frame *f)
{
    if (trap_hook[f->vector & 255]) {
        if (copy_of_one(f))
            return 0;
        shadow_check(f);
    }
    if (trap_hook[f->vector & 255] && trap_hook[f->vector & 255](f))
        return 0;
    trap_record(f);
    if (!trap_resume)
        trap_unexpected(f);
#ifdef __x86_64__
    f->ip = trap_resume;
    f->cs = SEL_K64;
    f->sp = trap_sp;
    f->ss = SEL_KDATA;
    f->flags = 2;
    return 0;
#else
    return trap_sp;
#endif
}
