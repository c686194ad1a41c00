/*
 * modes_trip: from 64-bit mode through every other mode and back. Results are stored from LOW
 * (0x6000) on, where 16-bit code can reach them; modes.c has their meaning and prepares the tables.
 * Intel SDM vol. 3 sections 10.8.5 and 10.9.
 */
#define LOW      0x6000
#define R(n)     (LOW + 4 * (n))
#define TRAMP    0x8000
#define LOW_STACK 0x7000
#define AT(label) (label - tramp_start + TRAMP)

    .text
    .code64
    .globl modes_trip
modes_trip:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, saved_rsp
    sidt saved_idt
    pushq $0x38
    leaq compat(%rip), %rax
    pushq %rax
    lretq

    .code32
compat:
    movl $1, %eax
    .byte 0x40                  /* inc eax; a mere prefix in 64-bit mode */
    nop
    movl %eax, R(0)
    movl %esp, %ebx
    pushl %eax
    subl %esp, %ebx
    movl %ebx, R(1)
    addl $4, %esp
    lcall $0x08, $sub64
    movl %eax, R(2)
    movl $0xfffffff0, %eax      /* 32-bit effective addresses wrap */
    movl $LOW + 0x10 + 0x200, %ecx
    movl $0x77, LOW + 0x200
    movl (%eax, %ecx), %edx
    movl %edx, R(3)

    movl %cr0, %eax             /* paging off leaves long mode */
    andl $0x7fffffff, %eax
    movl %eax, %cr0
    jmp 1f
1:  movl $0xc0000080, %ecx
    rdmsr
    movl %eax, R(4)
    andl $~0x100, %eax
    wrmsr
    lidt modes_idt32_ptr
    movl $0, R(5)
    int $0x30
    ud2                         /* its handler steps over it */

    movl modes_pae_cr3, %eax    /* PAE paging */
    movl %eax, %cr3
    movl $0x20, %eax
    movl %eax, %cr4
    movl %cr0, %eax
    orl $0x80000000, %eax
    movl %eax, %cr0
    jmp 1f
1:  movl modes_alias, %ebx
    movl (%ebx), %eax
    movl %eax, R(7)
    .byte 0x8b, 0x1d            /* mov ebx, [0xc0000123]: not mapped */
    .long 0xc0000123
    movl R(8), %eax
    movl %eax, R(10)
    movl R(9), %eax
    movl %eax, R(11)
    movl %cr0, %eax
    andl $0x7fffffff, %eax
    movl %eax, %cr0
    jmp 1f

1:  movl modes_pg32_cr3, %eax   /* 32-bit paging with 4 MiB pages */
    movl %eax, %cr3
    movl $0x10, %eax
    movl %eax, %cr4
    movl %cr0, %eax
    orl $0x80000000, %eax
    movl %eax, %cr0
    jmp 1f
1:  movl modes_alias4, %ebx
    movl (%ebx), %eax
    movl %eax, R(12)
    movl 0x80000000, %eax       /* through a page table */
    movl %eax, R(13)
    movl %eax, 0x80001004
    .byte 0x8b, 0x1d
    .long 0xc0000456
    movl %cr0, %eax
    andl $0x7fffffff, %eax
    movl %eax, %cr0
    jmp 1f
1:  movl $0, %eax
    movl %eax, %cr4
    ljmp $0x40, $AT(pm16)

    .code64
sub64:                          /* far-called from compatibility mode */
    .byte 0x48, 0xc7, 0xc0      /* mov rax, 0x64: with REX.W */
    .long 0x64
    lretl

    .code32
    .globl modes_h30, modes_hud, modes_hpf, modes_hgp
modes_h30:
    movl $0x3030, R(5)
    iret
modes_hud:
    movl $0x0606, R(6)
    addl $2, (%esp)
    iret
modes_hpf:
    popl R(8)
    movl %cr2, %ebx
    movl %ebx, R(9)
    addl $6, (%esp)
    iret
modes_hgp:
    popl %ebx
    movl %ebx, %fs:R(17)
    addl $3, (%esp)
    iret

    .globl tramp_start, tramp_end
tramp_start:
    .code16
pm16:
    movw $0x10, %ax
    movw %ax, %fs               /* flat: keeps its limit in real mode */
    movw $0x48, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl $LOW_STACK, %esp
    movl %esp, %ebx
    pushw %ax
    subl %esp, %ebx
    movl %ebx, R(14)
    addw $2, %sp
    movw $0xffff, %ax           /* 16-bit arithmetic and addresses */
    incw %ax
    movw %ax, R(15)
    movw $0, R(15) + 2
    movl $0x12345678, %eax
    addl $0x11111111, %eax
    movl %eax, R(16)
    .byte 0xa1, 0xff, 0xff      /* mov ax, [0xffff]: beyond the limit */
    movl %cr0, %eax
    andl $~1, %eax
    movl %eax, %cr0
    ljmpw $TRAMP / 16, $real - tramp_start

real:
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $LOW_STACK, %sp
    lidtl AT(ivt_ptr)
    smsw %ax
    movzwl %ax, %eax
    andl $1, %eax
    movl %eax, R(18)
    movw %cs, %ax
    movzwl %ax, %eax
    movl %eax, R(19)
    int $0x21
    movl $0, R(21)
    xorw %cx, %cx
    divw %cx                    /* two bytes; the handler steps over them */
    .byte 0xa1, 0xff, 0xff      /* #GP without an error code */
    movw $LOW / 16 + 0x50, %ax
    movw %ax, %ds
    movl %ds:0x10, %eax         /* LOW + 0x510 */
    movw $0, %bx
    movw %bx, %ds
    movl %eax, R(23)
    addr32 movl %fs:0x100000, %eax
    movl %eax, R(24)
    movw $0xffff, %ax           /* ffff:0010 is 1 MiB: A20 is on */
    movw %ax, %ds
    movl %ds:0x10, %eax
    movw %bx, %ds
    movl %eax, R(25)
    movw $LOW + 0x600, %si      /* string move across a wrap of DI */
    movw $0xfffe, %di
    movw $4, %cx
    cld
    pushw %es
    movw $0x0900, %ax
    movw %ax, %es
    rep movsb
    movzwl %di, %eax
    popw %es
    movl %eax, R(26)
    lcallw $TRAMP / 16, $real_sub - tramp_start
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $0x38, $back32

real_sub:
    movl $0, R(27)
    movw $0x5a5a, R(27)
    pushfw
    popw %ax
    lretw
    .globl real_h21, real_hde, real_hgp
real_h21:
    movl $0x2121, R(20)
    iretw
real_hde:
    movl $0x0000de, R(21)
    pushw %bp
    movw %sp, %bp
    addw $2, 2(%bp)
    popw %bp
    iretw
real_hgp:
    movl $0x0d0d, R(22)
    pushw %bp
    movw %sp, %bp
    addw $3, 2(%bp)
    popw %bp
    iretw
ivt_ptr:
    .word 0x3ff
    .long 0
tramp_end:

    .code32
back32:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $stack_top - 8192, %esp
    movl $0x20, %eax
    movl %eax, %cr4
    movl $boot_pml4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x100, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80000000, %eax
    movl %eax, %cr0
    ljmp $0x08, $back64
    .code64
back64:
    xorl %eax, %eax
    movl %eax, %fs
    lidt saved_idt
    movq saved_rsp, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    movl $0xc0000080, %ecx
    rdmsr
    ret

    .bss
    .align 8
saved_rsp: .skip 8
saved_idt: .skip 16
    .section .note.GNU-stack, "", @progbits
