/*
 * Multiboot-1 entry of the 64-bit guests (Multiboot Specification 0.6.96, section 3.2): from
 * 32-bit protected mode with paging off to 64-bit mode (Intel SDM vol. 3 section 10.8.5) with the
 * first 4 GiB mapped at their own addresses in 2 MiB pages.
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
    movl $stack_top, %esp
    movl %ebx, mbi_addr
    /* PML4 → PDPT → four page directories of 2 MiB pages */
    movl $pdpt + 7, boot_pml4
    movl $pds + 7, %eax
    movl $pdpt, %edi
    movl $4, %ecx
1:  movl %eax, (%edi)
    addl $4096, %eax
    addl $8, %edi
    loop 1b
    movl $0x87, %eax
    movl $pds, %edi
    movl $2048, %ecx
2:  movl %eax, (%edi)
    addl $0x200000, %eax
    addl $8, %edi
    loop 2b
    movl $0x20, %eax            /* PAE */
    movl %eax, %cr4
    movl $boot_pml4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx      /* EFER: LME, SCE; NXE if the CPU has it */
    movl $0x80000001, %eax
    cpuid
    movl %edx, %esi
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x101, %eax
    testl $1 << 20, %esi
    jz 3f
    orl $0x800, %eax
3:  wrmsr
    movl $0x80010013, %eax      /* PG, WP, ET, MP, PE */
    movl %eax, %cr0
    lgdt gdt_ptr
    ljmp $0x08, $4f
    .code64
4:  movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movq $stack_top, %rsp
    movl mbi_addr, %edi
    call guest_start

    .data
    .align 8
    .globl gdt
gdt:
    .quad 0
    .quad 0x00af9b000000ffff    /* 08 kernel 64-bit code */
    .quad 0x00cf93000000ffff    /* 10 kernel data */
    .quad 0x00cffb000000ffff    /* 18 user 32-bit code */
    .quad 0x00cff3000000ffff    /* 20 user data */
    .quad 0x00affb000000ffff    /* 28 user 64-bit code */
    .quad 0x00cff3000000ffff    /* 30 user data */
    .quad 0x00cf9b000000ffff    /* 38 kernel 32-bit code */
    .quad 0x00009b000000ffff    /* 40 16-bit code */
    .quad 0x000093000000ffff    /* 48 16-bit data */
    .fill 54, 8, 0
    .globl gdt_ptr
gdt_ptr:
    .word 64 * 8 - 1
    .quad gdt
mbi_addr:
    .long 0

    .bss
    .align 4096
    .globl boot_pml4, pdpt, pds
boot_pml4: .skip 4096
pdpt: .skip 4096
pds: .skip 4096 * 4
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
