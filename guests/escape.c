/*
 * Tries to get out of engine direct's cage (docs/engine-direct.md): instructions hidden in the
 * middle of others, which nobody decodes before they run. With no option, what must look the same
 * on every engine: a hidden INT 0x80 is the guest's own vector, wherever it runs.
 *
 * attack=NAME: by a hidden far jump into the host's 64-bit code segment, then from there. On any
 * other engine the selector is not in the guest's GDT, and that is the end of it.
 */
#include "guest.h"
#include "user.h"

#define HOST_CS64 "0x33"

/* movl $imm32, disp32: eight bytes of anybody's choice, of which the last two jump over the opcode
 * of the next one. */
#define SIX(bytes) ".byte 0xc7, 0x05, " bytes ", 0xeb, 0x02\n"

/*
 * A function that the decoder follows into its hidden parts, since a branch leads there; the
 * branch is never taken, and an indirect jump goes to the middle of the first of them. There, a far
 * jump goes to the middle of the second one, in 64-bit mode: the cage has code 2 GiB up.
 */
#define ATTACK(name, setup, hidden)                                                                \
    CODE_FN(name, ".p2align 8\n" setup "movl $1f + 2, %edx\n"                                      \
                  "testl %esp, %esp\n"                                                             \
                  "jz 1f\n"                                                                        \
                  "jmp *%edx\n"                                                                    \
                  "1: .byte 0xc7, 0x05, 0xea\n"                                                    \
                  ".long 0x80000000 + 2f + 2\n"                                                    \
                  ".byte " HOST_CS64 ", 0, 0x90\n"                                                 \
                  "2: " hidden "3: jmp 3b")

/* syscall; then hlt, in case it came back */
#define SYSCALL_HLT SIX("0x0f, 0x05, 0xf4, 0xf4, 0xf4, 0xf4")
/* rax = eax << 32: an address of the monitor's pages */
#define SHL_RAX_32 SIX("0x48, 0xc1, 0xe0, 0x20, 0x90, 0x90")

ATTACK(a_getpid, "movl $39, %eax\n", SYSCALL_HLT);
ATTACK(a_fork, "movl $57, %eax\n", SYSCALL_HLT);
ATTACK(a_exit, "movl $231, %eax; xorl %edi, %edi\n", SYSCALL_HLT);
ATTACK(a_return, "movl $15, %eax\n", SYSCALL_HLT);
/* mprotect of the monitor's code, from the wrong place */
ATTACK(a_mprotect, "movl $10, %eax; xorl %edi, %edi; movl $4096, %esi; movl $7, %edx\n",
       SYSCALL_HLT);
/* jmp *rax into the monitor's start-up code: its first system call is an mmap */
ATTACK(a_monitor, "movl $0x7d00, %eax\n", SHL_RAX_32 SIX("0xff, 0xe0, 0xf4, 0xf4, 0xf4, 0xf4"));
/* rdi = rax; al = cl; then the whole of the shared pages gets that byte: turn, frame, stack */
#define FILL                                                                                       \
    SHL_RAX_32 SIX("0x48, 0x89, 0xc7, 0x88, 0xe8, 0x90") SIX("0xb9, 0x00, 0x00, 0x02, 0x00, 0x90") \
        SIX("0xf3, 0xaa, 0xf4, 0xf4, 0xf4, 0xf4")
ATTACK(a_stack, "movl $0x7e00, %eax; movb $0xff, %ch\n", FILL);
ATTACK(a_stack_zero, "movl $0x7e00, %eax; movb $0, %ch\n", FILL);
/* spoils where the frame is (offset 40), then stops like any guest */
ATTACK(a_frame, "movl $0x7e00, %eax; movl $0xfff8, %ecx\n",
       SHL_RAX_32 SIX("0x66, 0x89, 0x48, 0x28, 0x90, 0x90")
           SIX("0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4"));
/* reads where nothing of the VMM is: its process maps such addresses, this one doesn't */
ATTACK(a_read, "movl $0x7fff, %eax\n", SHL_RAX_32 SIX("0x48, 0x8b, 0x18, 0xf4, 0xf4, 0xf4"));
/* for ever, in 64-bit code */
ATTACK(a_spin, "", SIX("0xeb, 0xfe, 0x90, 0x90, 0x90, 0x90"));
/* 32-bit code, but not by the int 0x80 that is looked for: SYSCALL, hidden */
CODE_FN(a_syscall32, ".p2align 8\n"
                     "movl $20, %eax; movl $1f + 2, %edx; testl %esp, %esp; jz 1f; jmp *%edx\n"
                     "1: " SYSCALL_HLT "hlt");

static const struct {
    const char *name;
    void (*run)(void);
} attacks[] = {
    {"getpid", a_getpid}, {"fork", a_fork},         {"exit", a_exit},
    {"return", a_return}, {"mprotect", a_mprotect}, {"monitor", a_monitor},
    {"stack", a_stack},   {"zero", a_stack_zero},   {"frame", a_frame},
    {"read", a_read},     {"spin", a_spin},         {"syscall32", a_syscall32},
};

static void hidden(void)
{
    TRY("movl $20, %%eax; movl $8f + 1, %%edx; testl %%esp, %%esp; jz 8f; jmp *%%edx\n"
        "8: movl $0x01eb80cd, %%eax; nop; nop");
    check_trap("a hidden int 0x80 is our own", 0x80, 0);
    TRY("movl $8f + 1, %%edx; testl %%esp, %%esp; jz 8f; jmp *%%edx\n"
        "8: movl $0x01eb340f, %%eax; nop; nop");
    check_trap("a hidden sysenter goes nowhere", V_GP, 0);
    TRY("movl $8f + 1, %%edx; testl %%esp, %%esp; jz 8f; jmp *%%edx\n"
        "8: movl $0x01ebcc90, %%eax; nop; nop");
    check_trap("a hidden int3", V_BP, 0);
    TRY("movl $8f + 1, %%edx; testl %%esp, %%esp; jz 8f; jmp *%%edx\n"
        "8: movl $0x01ebfa90, %%eax; nop; nop");
    check_trap("a hidden cli", NO_TRAP, 0);
}

static void open_ones(void)
{
    TRY("int $0x80");
    check_trap("int 0x80", 0x80, 0);
    TRY("movl $20, %%eax; sysenter");
    check_trap("sysenter without a target", V_GP, 0);
    TRY("movl $20, %%eax; syscall");
    check_trap("syscall", V_UD, 0);
    TRY("ljmp $" HOST_CS64 ", $0");
    check_trap_real("the host's 64-bit segment", V_GP, 0x30);
    TRY("ljmp $0x23, $0");
    check_trap_real("the host's 32-bit segment", V_GP, 0x20);
    TRY("movl $0x2b, %%eax; mov %%eax, %%ds");
    check_trap_real("the host's data segment", V_GP, 0x28);
}

/* All that is not RAM below the PCI window reads as ones: nothing of anybody else's is there. The
 * pages where engine direct keeps its picture of our own code (docs) are left out. */
static void nothing_there(const uint8_t *mbi)
{
    uint32_t end = 0x100000 + *(const uint32_t *)(mbi + 8) * 1024;
    bool ones = true;

    for (uint32_t at = end; at < 0xfe000000; at += 1u << 20)
        if (at - 0x7fff0000u > 0x40000000u)
            ones &= *(volatile uint32_t *)(at + 0x10) == 0xffffffff;
    for (uint32_t at = 0xffff0000; at; at += 4096)
        ones &= *(volatile uint32_t *)(at + 0x10) == 0xffffffff;
    check("nothing is readable but RAM and devices", ones);
}

void guest_main(const uint8_t *mbi)
{
    if (guest_has(mbi, "wait")) {
        say("waiting\n");
        for (;;)
            asm volatile("pause");
    }
    for (unsigned i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++)
        if (guest_has(mbi, attacks[i].name)) {
            say("ok attack %s\n", attacks[i].name);
            TRY("jmp *%0", "r"(attacks[i].run));
            check_trap("the far jump goes nowhere", V_GP, 0x30);
            return;
        }
    open_ones();
    hidden();
    nothing_there(mbi);
}
