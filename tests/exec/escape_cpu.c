/*
 * Instructions: what the CPU refuses.
 */
#define _GNU_SOURCE
#include "escape.h"
#include <signal.h>

#define INSN(name, code)                                                                           \
    static void name(void)                                                                         \
    {                                                                                              \
        __asm__ volatile(code);                                                                    \
    }
INSN(peek, "movabs $0xffff800000000000, %rax\n mov (%rax), %rbx")
INSN(poke, "movabs $0xffff800000000000, %rax\n movq $-1, 32(%rax)")
INSN(jump, "movabs $0xffff800000000000, %rax\n jmp *%rax")
INSN(odd_peek, "movabs $0x8000000000000000, %rax\n mov (%rax), %rbx")
INSN(cli, "cli")
INSN(hlt, "hlt")
INSN(inb, "in $0x64, %al")
INSN(outb, "mov $0xfe, %al\n out %al, $0x64")
INSN(insb, "mov $0x1f0, %edx\n mov %rsp, %rdi\n rep insw")
INSN(iopl, "pushf\n orq $0x3000, (%rsp)\n popf\n out %al, $0x80")
INSN(rdmsr, "mov $0xc0000082, %ecx\n rdmsr")
INSN(wrmsr, "mov $0xc0000082, %ecx\n wrmsr")
INSN(cr3, "mov %cr3, %rax")
INSN(cr0, "xor %eax, %eax\n mov %rax, %cr0")
INSN(dr7, "mov %rax, %dr7")
INSN(lgdt, "lgdt -16(%rsp)")
INSN(lidt, "lidt -16(%rsp)")
INSN(lldt, "mov $40, %eax\n lldt %ax")
INSN(ltr, "mov $40, %eax\n ltr %ax")
INSN(invlpg, "invlpg (%rsp)")
INSN(swapgs, "swapgs")
INSN(sysret, "mov $0x1000, %ecx\n sysretq")
INSN(sysexit, "sysexit")
INSN(wbinvd, "wbinvd")
INSN(vmcall, "vmcall")
INSN(vmmcall, "vmmcall")
INSN(wrfsbase, "wrfsbase %rax")
INSN(int80, "mov $1, %eax\n int $0x80")
INSN(sysenter, "mov $1, %eax\n sysenter")
INSN(int81, "int $0x81")
INSN(int_pf, "int $14")
INSN(int_df, "int $8")
INSN(iret_ring0, "mov %rsp, %rax\n push $0\n push %rax\n pushf\n push $0x30\n lea 1f(%rip), %rbx\n "
                 "push %rbx\n iretq\n 1:")
INSN(iret_code32,
     "mov %rsp, %rax\n push $0x2b\n push %rax\n pushf\n push $0x23\n push $1f\n iretq\n 1: nop")
INSN(retf_ring0, "push $0x30\n lea 1f(%rip), %rbx\n push %rbx\n lretq\n 1:")
INSN(retf_code32, "push $0x23\n lea 1f(%rip), %rbx\n push %rbx\n lretq\n 1:")
INSN(callf, "push $0x23\n push $0\n lcall *(%rsp)")
INSN(mov_ss, "mov $0x10, %eax\n mov %ax, %ss")
INSN(mov_ds, "mov $0x33, %eax\n mov %ax, %gs\n mov $0x2b, %eax\n mov %ax, %gs")
INSN(mov_ldt, "mov $0x0f, %eax\n mov %ax, %ds")
INSN(ud2, "ud2")
INSN(nx, "movl $0xc3c3c3c3, -64(%rsp)\n lea -64(%rsp), %rax\n jmp *%rax")
INSN(text, "lea 1f(%rip), %rax\n movb $0x90, (%rax)\n 1: nop")
INSN(divide, "xor %ecx, %ecx\n div %ecx")
INSN(trap, "int3")
INSN(single, "pushf\n orq $0x100, (%rsp)\n popf\n nop\n nop")
INSN(align, "pushf\n orq $0x40000, (%rsp)\n popf\n lea -64(%rsp), %rax\n mov 1(%rax), %rbx")

const struct attempt by_cpu[] = {
    {"peek", peek, DIE(SIGSEGV)},
    {"poke", poke, DIE(SIGSEGV)},
    {"jump", jump, DIE(SIGSEGV)},
    {"odd_peek", odd_peek, DIE(SIGSEGV)},
    {"cli", cli, DIE(SIGSEGV)},
    {"hlt", hlt, DIE(SIGSEGV)},
    {"inb", inb, DIE(SIGSEGV)},
    {"outb", outb, DIE(SIGSEGV)},
    {"insb", insb, DIE(SIGSEGV)},
    {"iopl", iopl, DIE(SIGSEGV)},
    {"rdmsr", rdmsr, DIE(SIGSEGV)},
    {"wrmsr", wrmsr, DIE(SIGSEGV)},
    {"cr3", cr3, DIE(SIGSEGV)},
    {"cr0", cr0, DIE(SIGSEGV)},
    {"dr7", dr7, DIE(SIGSEGV)},
    {"lgdt", lgdt, DIE(SIGSEGV)},
    {"lidt", lidt, DIE(SIGSEGV)},
    {"lldt", lldt, DIE(SIGSEGV)},
    {"ltr", ltr, DIE(SIGSEGV)},
    {"invlpg", invlpg, DIE(SIGSEGV)},
    {"swapgs", swapgs, DIE(SIGSEGV)},
    {"sysret", sysret, DIE(SIGSEGV)},
    {"sysexit", sysexit, DIE(SIGSEGV)},
    {"wbinvd", wbinvd, DIE(SIGSEGV)},
    {"vmcall", vmcall, DIE(SIGSEGV)},
    {"vmmcall", vmmcall, DIE(SIGSEGV)},
    {"wrfsbase", wrfsbase, DIE(SIGILL)},
    {"int80", int80, DIE(SIGSYS)},
    {"sysenter", sysenter, DIE(SIGSYS)},
    {"int81", int81, DIE(SIGSEGV)},
    {"int_pf", int_pf, DIE(SIGSEGV)},
    {"int_df", int_df, DIE(SIGSEGV)},
    {"iret_ring0", iret_ring0, DIE(SIGSEGV)},
    {"iret_code32", iret_code32, DIE(SIGSEGV)},
    {"retf_ring0", retf_ring0, DIE(SIGSEGV)},
    {"retf_code32", retf_code32, DIE(SIGSEGV)},
    {"callf", callf, DIE(SIGSEGV)},
    {"mov_ss", mov_ss, DIE(SIGSEGV)},
    {"mov_ds", mov_ds, 0},
    {"mov_ldt", mov_ldt, DIE(SIGSEGV)},
    {"ud2", ud2, DIE(SIGILL)},
    {"nx", nx, DIE(SIGSEGV)},
    {"text", text, DIE(SIGSEGV)},
    {"divide", divide, DIE(SIGFPE)},
    {"trap", trap, DIE(SIGTRAP)},
    {"single", single, DIE(SIGTRAP)},
    {"align", align, DIE(SIGBUS)},
    {0},
};
