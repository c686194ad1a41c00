/*
 * Where a start-up message sends an application processor: real mode at a page below 1 MiB, where
 * the guest has copied this. From there to 64-bit mode with the boot CPU's tables and a stack of
 * its own (Intel SDM vol. 3 sections 9.4.4 and 10.8.5).
 */
#define AT 0x8000
#define HERE(x) (AT + (x) - ap_start)
    .text
    .globl ap_start, ap_end, ap_idt
    .code16
ap_start:
    cli
    cld
    xorw %ax, %ax
    movw %ax, %ds
    lgdtl HERE(ap_gdt)
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $0x38, $HERE(1f)
    .code32
1:  movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $0x20, %eax            /* PAE */
    movl %eax, %cr4
    movl $boot_pml4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx      /* EFER: LME, SCE */
    rdmsr
    orl $0x101, %eax
    wrmsr
    movl $0x80010013, %eax      /* PG, WP, ET, MP, PE */
    movl %eax, %cr0
    ljmp $0x08, $ap_long
    .align 8
ap_gdt:
    .word 64 * 8 - 1
    .long gdt
ap_end:
    .code64
ap_long:
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movl $0xfee00020, %edi      /* the local APIC's ID picks the stack */
    movl (%rdi), %edi
    shrl $24, %edi
    movl %edi, %eax
    incl %eax
    shll $13, %eax
    addq $ap_stacks, %rax
    movq %rax, %rsp
    lidt ap_idt
    call ap_main
    .bss
    .align 16
ap_idt: .skip 16
ap_stacks: .skip 8192 * 8
    .section .note.GNU-stack, "", @progbits
