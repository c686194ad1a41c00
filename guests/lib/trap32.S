/* 256 entry points of 16 bytes; one common path builds struct frame and calls trap_entry. A trap
 * that trap_entry redirects (it returns the new stack) leaves by a far return, whatever ring it
 * came from. */
    .text
    .code32
    .globl trap_stubs
    .align 16
trap_stubs:
    .set vector, 0
    .rept 256
    .align 16
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
    pushl $0
    .endif
    pushl $vector
    jmp common
    .set vector, vector + 1
    .endr
common:
    pushl %es
    pushl %ds
    pushal
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    cld
    movl %esp, %eax
    pushl %eax
    call trap_entry
    addl $4, %esp
    testl %eax, %eax
    jnz redirect
    popal
    popl %ds
    popl %es
    addl $8, %esp
    iret
redirect:
    /* eax: the stack to go on with; trap_resume: where. Registers as at the trap. */
    movl $0x10, %ecx
    movl %ecx, %ss
    movl %esp, %ebx
    movl %eax, %esp
    pushl $2
    popfl
    pushl trap_resume
    pushl 28(%ebx)              /* ax */
    pushl 24(%ebx)              /* cx */
    pushl 20(%ebx)              /* dx */
    pushl 16(%ebx)              /* bx */
    pushl $0
    pushl 8(%ebx)               /* bp */
    pushl 4(%ebx)               /* si */
    pushl 0(%ebx)               /* di */
    popal
    ret
    .section .note.GNU-stack, "", @progbits
