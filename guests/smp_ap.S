/*
 * Where the second CPU starts: real mode at the page its start-up message named (Intel SDM vol. 3,
 * 9.4). From there to 64-bit mode with the first CPU's tables, and to ap_main. The code is copied
 * to that page, so it knows its place by CS alone; ap_cs and ap_starts are for the first CPU to see.
 */
    .text
    .code16
    .globl ap_start, ap_start_end
ap_start:
    cli
    xorl %eax, %eax
    movw %cs, %ax
    movw %ax, %ds
    movl %eax, %ebp
    shll $4, %ebp               /* linear address of this copy */
    leal ap_gdt - ap_start(%ebp), %edx
    movl %edx, ap_gdt_ptr + 2 - ap_start
    lgdtl ap_gdt_ptr - ap_start
    movl %cr0, %edx
    orl $1, %edx
    movl %edx, %cr0
    leal ap_32 - ap_start(%ebp), %edx
    movl %edx, ap_far - ap_start
    ljmpl *(ap_far - ap_start)
    .balign 8
ap_far: .long 0
    .word 8
    .balign 8
ap_gdt: .quad 0
    .quad 0x00cf9b000000ffff    /* 08 32-bit code */
    .quad 0x00cf93000000ffff    /* 10 data */
ap_gdt_ptr: .word 23
    .long 0
    .code32
ap_32:
    movw $0x10, %dx
    movw %dx, %ds
    movw %dx, %es
    movw %dx, %ss
    movl %eax, ap_cs
    movl $0x20, %eax            /* PAE */
    movl %eax, %cr4
    movl $boot_pml4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx      /* EFER as the first CPU has it */
    movl ap_efer, %eax
    xorl %edx, %edx
    wrmsr
    movl $0x80010013, %eax
    movl %eax, %cr0
    lgdt gdt_ptr
    ljmp $0x08, $ap_64
ap_start_end:
    .code64
ap_64:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movq $ap_stack_top, %rsp
    lock incl ap_starts
    call ap_main
1:  cli
    hlt
    jmp 1b

    .data
    .globl ap_cs, ap_starts, ap_efer
    .align 4
ap_cs: .long 0
ap_starts: .long 0
ap_efer: .long 0
    .bss
    .align 16
    .skip 8192
ap_stack_top:
    .section .note.GNU-stack, "", @progbits
