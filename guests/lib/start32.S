/*
 * Multiboot-1 entry of the 32-bit guests (Multiboot Specification 0.6.96, section 3.2): protected
 * mode with paging off and flat segments from a GDT of our own.
 */
    .section .multiboot, "a"
    .align 4
    .long 0x1badb002
    .long 3
    .long -(0x1badb002 + 3)

    .text
    .code32
    .globl _start
_start:
    cli
    cld
    lgdt gdt_ptr
    ljmp $0x08, $1f
1:  movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    movl $stack_top, %esp
    pushl %ebx
    call guest_start

    .data
    .align 8
    .globl gdt
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff    /* 08 kernel code */
    .quad 0x00cf93000000ffff    /* 10 kernel data */
    .quad 0x00cffb000000ffff    /* 18 user code */
    .quad 0x00cff3000000ffff    /* 20 user data */
    .quad 0                     /* 28 */
    .quad 0x00cff3000000ffff    /* 30 user data */
    .quad 0x00cf9b000000ffff    /* 38 kernel code */
    .quad 0x00009b000000ffff    /* 40 16-bit code */
    .quad 0x000093000000ffff    /* 48 16-bit data */
    .fill 54, 8, 0
    .globl gdt_ptr
gdt_ptr:
    .word 64 * 8 - 1
    .long gdt

    .bss
    .align 4096
    .skip 16384
    .globl stack_top, user_stack_top, ist_stack_top
stack_top:
    .skip 8192
user_stack_top:
    .skip 8192
ist_stack_top:
    .globl tss
    .align 16
tss: .skip 128
    .section .note.GNU-stack, "", @progbits
