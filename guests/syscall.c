/*
 * SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS, segment bases, IRETQ between rings and 64-bit gates.
 * Intel SDM vol. 2 (the instructions), vol. 3 sections 5.8.7 and 5.8.8; AMD APM vol. 2 section 6.1.
 */
#include "guest.h"
#include "user.h"

#define MSR_STAR           0xc0000081u
#define MSR_LSTAR          0xc0000082u
#define MSR_FMASK          0xc0000084u
#define MSR_FS_BASE        0xc0000100u
#define MSR_GS_BASE        0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_EFER           0xc0000080u
#define NONCANONICAL       0x0000900000000000ull

uint64_t syscall_got[8];

/* The kernel's side: notes what it was given, then a trap ends the excursion. */
CODE_FN(k_syscall, "movq %rcx, syscall_got(%rip); movq %r11, syscall_got+8(%rip)\n"
                   "movq %rsp, syscall_got+16(%rip); pushfq; popq syscall_got+24(%rip)\n"
                   "movq %rax, syscall_got+32(%rip); movw %ss, syscall_got+40(%rip); ud2");
/* A kernel that answers: rax + 1, back to user code. */
CODE_FN(k_answer, "incq %rax; sysretq");
CODE_FN(k_answer32, "incl %eax; sysretl");
CODE_FN(k_enter, "movq %rsp, syscall_got+16(%rip); pushfq; popq syscall_got+24(%rip); ud2");
CODE_FN(k_exit64, "movq $u_after_exit, %rdx; movq $user_stack_top, %rcx; sysexitq");
CODE_FN(k_exit32, "movl $u_after_exit, %edx; movl $user_stack_top, %ecx; sysexitl");
CODE_FN(u_after_exit, "nop; int $0x80");

CODE_FN(u_syscall, "movl $41, %eax; syscall\nu_syscall_next: int $0x80");
CODE_FN(u_syscall32, ".code32; movl $41, %eax; syscall; int $0x80; .code64");
CODE_FN(u_sysenter, "sysenter");
CODE_FN(u_sysret, "sysretq");
CODE_FN(u_swapgs, "swapgs");
CODE_FN(u_gs, "movq %gs:0, %rax; int $0x80");
void u_syscall_next(void);

/* rax at the time of the trap, through a hook. */
static word seen_ax;
static bool note_ax(struct frame *f)
{
    seen_ax = f->ax;
    return false;
}

static void syscalls(void)
{
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~1ull);
    user64(u_syscall, 0);
    check_trap("syscall without SCE", V_UD, 0);
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | 1);
    wrmsr(MSR_STAR, (uint64_t)0x18 << 48 | (uint64_t)SEL_K64 << 32);
    wrmsr(MSR_LSTAR, (word)k_syscall);
    wrmsr(MSR_FMASK, 0x4700); /* TF IF DF NT */
    user64(u_syscall, 0x601); /* IF DF CF: ring 0 must see CF only */
    check_trap("syscall reaches LSTAR", V_UD, 0);
    check_eq("in the kernel's code segment", seen.cs, SEL_K64);
    check_eq("rcx is the return address", syscall_got[0], (word)u_syscall_next);
    check_eq("r11 is rflags", syscall_got[1] & 0x4fff, 0x603);
    check_eq("the stack is not switched", syscall_got[2], (word)user_stack_top);
    check_eq_real("flags are masked", syscall_got[3] & 0x4fff, 3);
    check_eq("rax passes", syscall_got[4], 41);
    check_eq("ss", syscall_got[5] & 0xffff, SEL_KDATA);
    wrmsr(MSR_LSTAR, (word)k_answer);
    user64(u_syscall, 1);
    check_trap("sysret comes back", 0x80, 0);
    check_eq("with the answer", seen_ax, 42);
    check_eq("to 64-bit user code", seen.cs, SEL_U64);
    check_eq("with its stack segment", seen.ss, SEL_UDATA);
    check_eq("and flags", seen.flags & 0xcd5, 1);
    user64(u_sysret, 0);
    check_trap("sysret from ring 3", V_GP, 0);
    TRY("movq %0, %%rcx; movl $2, %%r11d; sysretq", "r"(NONCANONICAL));
    check_trap_real("sysret to a non-canonical rip", V_GP, 0);
    wrmsr(MSR_LSTAR, (word)k_answer32);
    user64(u_syscall, 0);
    check_eq("sysretl goes to 32-bit user code", seen.cs, SEL_U32);
}

/* Intel has SYSENTER but no 32-bit SYSCALL in long mode; AMD the reverse. KVM emulates the missing
 * one. So SYSENTER is tested from 64-bit code only where the CPU takes it. */
static void sysenters(void)
{
    uint32_t c[4];

    cpuid(0, 0, c);
    wrmsr(0x174, 0);
    wrmsr(0x175, (word)ist_stack_top);
    wrmsr(0x176, (word)k_enter);
    if (c[1] != 0x756e6547) {
        skip("sysenter", "not an Intel CPU");
        return;
    }
    user64(u_sysenter, 0);
    check_trap("sysenter without a selector", V_GP, 0);
    wrmsr(0x174, SEL_K64);
    user64(u_sysenter, 0x200);
    check_trap("sysenter", V_UD, 0);
    check_eq("its stack", syscall_got[2], (word)ist_stack_top);
    check_eq("its flags: IF is clear", syscall_got[3] & 0x200, 0);
    check_eq("its cs", seen.cs, SEL_K64);
    wrmsr(0x176, (word)k_exit64);
    user64(u_sysenter, 0);
    check_trap("sysexit", 0x80, 0);
    check_eq("to 64-bit code", seen.cs, SEL_U64);
    check_eq("with the stack of rcx", seen.sp, (word)user_stack_top);
    wrmsr(0x176, (word)k_exit32);
    user64(u_sysenter, 0);
    check_trap("sysexit to 32 bits", 0x80, 0);
    check_eq("its cs", seen.cs, SEL_U32);
}

static void bases(void)
{
    static volatile uint64_t a[2] = {0x1111, 0x2222}, b[2] = {0x3333, 0x4444};
    uint64_t v;

    wrmsr(MSR_FS_BASE, (word)a);
    asm volatile("movq %%fs:8, %0" : "=r"(v));
    check_eq("fs base", v, 0x2222);
    wrmsr(MSR_GS_BASE, (word)a);
    wrmsr(MSR_KERNEL_GS_BASE, (word)b);
    asm volatile("movq %%gs:0, %0" : "=r"(v));
    check_eq("gs base", v, 0x1111);
    asm volatile("swapgs; movq %%gs:0, %0" : "=r"(v));
    check_eq("swapgs", v, 0x3333);
    check_eq("gs base msr after swapgs", rdmsr(MSR_GS_BASE), (word)b);
    check_eq("kernel gs base msr after swapgs", rdmsr(MSR_KERNEL_GS_BASE), (word)a);
    user64(u_swapgs, 0);
    check_trap("swapgs from ring 3", V_GP, 0);
    user64(u_gs, 0);
    check_trap("gs base holds in ring 3", 0x80, 0);
    check_eq("its value", seen_ax, 0x3333);
    asm volatile("movl %0, %%fs" ::"r"(SEL_KDATA));
    check_eq("loading fs loads its base", rdmsr(MSR_FS_BASE), 0);
    /* addresses wrap at 64 bits with a base */
    wrmsr(MSR_FS_BASE, (word)a + 0x1000);
    asm volatile("movq %%fs:-0x1000, %0" : "=r"(v));
    check_eq("a negative offset from a base", v, 0x1111);
    TRY("addr32 movq %%fs:(%%ecx), %%rax", "c"(0xfffff000));
    check_trap("a 32-bit offset does not sign-extend", V_PF, 0);
    check_eq("its address", seen.cr2, (word)a + 0x100000000);
    asm volatile("movl %0, %%gs" ::"r"(0));
}

/* 64-bit call gate, far calls and returns of each size, interrupt returns inside a ring. */
CODE_FN(k_gate, "movq %rsp, syscall_got(%rip); movq (%rsp), %rax; movq %rax, syscall_got+8(%rip)\n"
                "movq 8(%rsp), %rax; movq %rax, syscall_got+16(%rip)\n"
                "movq 16(%rsp), %rax; movq %rax, syscall_got+24(%rip); movl $0x600d, %eax; lretq");
CODE_FN(k_far, "movl $0xfa1, %eax; lretq");
CODE_FN(u_gate, "lcall *gate_ptr\nu_gate_next: int $0x80");
void u_gate_next(void);
struct {
    uint32_t off;
    uint16_t sel;
} __attribute__((packed)) gate_ptr = {0x12345678, SEL_FREE | 3};
struct {
    uint64_t off;
    uint16_t sel;
} __attribute__((packed)) far64 = {0, SEL_K64};

static void gates(void)
{
    uint64_t v;

    gdt[SEL_FREE / 8] = desc_gate((uint32_t)(word)k_gate, SEL_K64, 0, 0xec);
    gdt[SEL_FREE / 8 + 1] = (word)k_gate >> 32;
    user64(u_gate, 0);
    check_trap("a call gate and back", 0x80, 0);
    check_eq("the gate's code ran", seen_ax, 0x600d);
    check_eq("on the stack of the tss", syscall_got[0], *(uint64_t *)(tss + 4) - 32);
    check_eq("with the return address", syscall_got[1], (word)u_gate_next);
    check_eq("the caller's cs", syscall_got[2], SEL_U64);
    check_eq("and the caller's stack", syscall_got[3], (word)user_stack_top);
    check_eq("back in ring 3", seen.cs, SEL_U64);
    check_eq("with its stack", seen.sp, (word)user_stack_top);
    gdt[SEL_FREE / 8] = desc_gate((uint32_t)(word)k_gate, SEL_K64, 0, 0x8c);
    user64(u_gate, 0);
    check_trap("a gate of ring 0 refused", V_GP, SEL_FREE);
    gdt[SEL_FREE / 8] = desc_gate((uint32_t)(word)k_gate, SEL_K64, 0, 0x6c);
    user64(u_gate, 0);
    check_trap("a gate that is not present", V_NP, SEL_FREE);
    far64.off = (word)k_far;
    asm volatile(".byte 0x48; lcall *far64" : "=a"(v)::"memory");
    check_eq("far call with a 64-bit offset", v, 0xfa1);
    asm volatile("pushq %1; leaq 1f(%%rip), %%rax; pushq %%rax; movl $5, %%eax; lretq; 1:"
                 : "=&a"(v)
                 : "i"(SEL_K64)
                 : "memory");
    check_eq("far return", v, 5);
    TRY("pushq %0; pushq $0; pushq %1; pushq $0; lretq", "i"(SEL_KDATA), "i"(SEL_U64));
    check_trap("a far return to ring 3 with ring 0's stack", V_GP, SEL_KDATA);
}

static void irets(void)
{
    uint64_t sp = 0;

    asm volatile("movq %%rsp, %%rbx; movl %%ss, %%ecx; pushq %%rcx; leaq -64(%%rbx), %%rcx\n"
                 "pushq %%rcx; pushfq; movl %%cs, %%ecx; pushq %%rcx; leaq 1f(%%rip), %%rcx\n"
                 "pushq %%rcx; iretq; 1: subq %%rsp, %%rbx; addq %%rbx, %%rsp; movq %%rbx, %0"
                 : "=r"(sp)::"rbx", "rcx", "memory");
    check_eq("iretq loads rsp in the same ring", sp, 64);
    TRY("pushq %0; pushq %%rsp; pushq $2; pushq %1; pushq $0; iretq", "i"(SEL_KDATA),
        "i"(SEL_KDATA));
    check_trap("iretq to a data segment", V_GP, SEL_KDATA);
    TRY("pushq %0; pushq %%rsp; pushq $2; pushq $0; pushq $0; iretq", "i"(SEL_KDATA));
    check_trap("iretq to a null cs", V_GP, 0);
    TRY("pushq %0; pushq %%rsp; pushq $2; pushq %1; pushq %2; iretq", "i"(SEL_UDATA), "i"(SEL_U64),
        "r"(NONCANONICAL));
    check_trap_real("iretq to a non-canonical rip", V_GP, 0);
    TRY("pushq %0; pushq %%rsp; pushq $2; pushq %1; pushq $0; iretq", "i"(SEL_KDATA), "i"(SEL_U64));
    check_trap("iretq to ring 3 with ring 0's stack", V_GP, SEL_KDATA);
    TRY("pushq $0x4002; popfq; pushq %0; pushq %%rsp; pushq $2; pushq %1; pushq $0; iretq",
        "i"(SEL_KDATA), "i"(SEL_K64));
    check_trap("iretq with NT", V_GP, 0);
}

void guest_main(const uint8_t *mbi)
{
    (void)mbi;
    trap_hook[0x80] = note_ax;
    syscalls();
    sysenters();
    bases();
    gates();
    irets();
}
