/*
 * Exceptions in 64-bit mode: each vector with the right error code, saved RIP, stack and flags.
 * Intel SDM vol. 3 sections 6.13 to 6.15.
 */
#include "guest.h"
#include "user.h"

#define NONCANONICAL 0x0000900000000000ull
#define FLAG_IF      0x200u
#define FLAG_AC      0x40000u
#define CR0_TS       8u
#define CR0_AM       0x40000u

CODE_FN(u_int80, "int $0x80");
CODE_FN(u_int81, "int $0x81");
CODE_FN(u_int3, "int3");
CODE_FN(u_hlt, "hlt");
CODE_FN(u_cli, "cli; ud2");
CODE_FN(u_in, "inb $0x80, %al; ud2");
CODE_FN(u_in81, "inb $0x81, %al; ud2");
CODE_FN(u_cr0, "mov %cr0, %rax");
CODE_FN(u_rdmsr, "movl $0x10, %ecx; rdmsr");
CODE_FN(u_lgdt, "lgdt (%rsp)");
CODE_FN(u_invlpg, "invlpg (%rsp)");
CODE_FN(u_ltr, "ltr %ax");
CODE_FN(u_clts, "clts");
CODE_FN(u_align, "movl 1(%rsp), %eax; ud2");
CODE_FN(u_align0, "movl -4(%rsp), %eax; ud2");
CODE_FN(u_div, "xorl %ecx, %ecx; divl %ecx");

static void faults_plain(void)
{
    TRY("xorl %%ecx, %%ecx; divl %%ecx", "a"(1), "d"(0));
    check_trap("divide by zero", V_DE, 0);
    TRY("divl %%ecx", "a"(0), "d"(2), "c"(2));
    check_trap("divide overflow", V_DE, 0);
    TRY("movl $-1, %%ecx; cltd; idivl %%ecx", "a"(0x80000000));
    check_trap("idiv overflow", V_DE, 0);
    TRY("movq $8f, %%rax; movq %%rax, (%%rcx); 8: int3", "c"(user_stack_top - 64));
    check_trap("int3", V_BP, 0);
    check_eq("int3 saves the next rip", seen.ip, *(uint64_t *)(user_stack_top - 64) + 1);
    TRY("movq $8f, %%rax; movq %%rax, (%%rcx); 8: ud2", "c"(user_stack_top - 64));
    check_trap("ud2", V_UD, 0);
    check_eq("ud2 saves its own rip", seen.ip, *(uint64_t *)(user_stack_top - 64));
    TRY("int $4");
    check_trap("int 4", V_OF, 0);
    TRY("int $0x55");
    check_trap("int n", 0x55, 0);
    TRY(".byte 0xf0, 0x90");
    check_trap("lock nop", V_UD, 0);
    TRY(".byte 0xf0, 0x8b, 0x00", "a"(user_stack_top - 64));
    check_trap_real("lock mov", V_UD, 0);
    TRY(".byte 0x06");
    check_trap("push es in 64-bit mode", V_UD, 0);
    TRY(".byte 0x8e, 0xc8");
    check_trap("mov to cs", V_UD, 0);
    TRY(".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x90");
    check_trap("sixteen bytes of instruction", V_GP, 0);
    cr0_set(cr0_get() | CR0_TS);
    TRY("fninit");
    check_trap("x87 with TS", V_NM, 0);
    TRY("clts; fninit");
    check_trap("x87 after clts", NO_TRAP, 0);
}

static void faults_segment(void)
{
    gdt[SEL_FREE / 8] = desc_seg(0, 0xfffff, 0x13, 0xc);     /* data, not present */
    gdt[SEL_FREE / 8 + 1] = desc_seg(0, 0xfffff, 0x9b, 0xa); /* code */
    TRY("movl %0, %%ds", "r"(SEL_FREE));
    check_trap("not-present ds", V_NP, SEL_FREE);
    TRY("movl %0, %%ss", "r"(SEL_FREE));
    check_trap("not-present ss", V_SS, SEL_FREE);
    TRY("movl %0, %%ss", "r"(SEL_FREE + 8));
    check_trap("code in ss", V_GP, SEL_FREE + 8);
    TRY("movl %0, %%ss", "r"(3));
    check_trap_real("null ss with wrong rpl", V_GP, 0);
    TRY("movl %0, %%ds", "r"(GDT_ENTRIES * 8));
    check_trap("ds beyond the gdt", V_GP, GDT_ENTRIES * 8);
    TRY("movl %0, %%ds; movl %1, %%ds", "r"(0), "r"(SEL_KDATA));
    check_trap("null ds", NO_TRAP, 0);
    TRY("ltr %w0", "r"(SEL_TSS));
    check_trap("ltr of a busy tss", V_GP, SEL_TSS);
    TRY("ltr %w0", "r"(SEL_KDATA));
    check_trap("ltr of data", V_GP, SEL_KDATA);
    TRY("lldt %w0", "r"(SEL_KDATA));
    check_trap("lldt of data", V_GP, SEL_KDATA);
    TRY("lldt %w0", "r"(0));
    check_trap("null ldt", NO_TRAP, 0);
    TRY("movl %0, %%ds", "r"(12));
    check_trap("ds from a null ldt", V_GP, 12);
}

static void faults_address(void)
{
    TRY("movq (%0), %%rax", "r"(NONCANONICAL));
    check_trap("non-canonical load", V_GP, 0);
    TRY("movq %0, %%rbp; movq (%%rbp), %%rax", "r"(NONCANONICAL));
    check_trap_real("non-canonical stack load", V_SS, 0);
}

static void control_illegal(void)
{
    TRY("movq %0, %%cr0", "r"(cr0_get() & ~1ul));
    check_trap("PG without PE", V_GP, 0);
    TRY("movq %0, %%cr0", "r"((cr0_get() | 0x20000000) & ~0x40000000ul));
    check_trap("NW without CD", V_GP, 0);
    TRY("movq %0, %%cr4", "r"(cr4_get() & ~0x20ul));
    check_trap("PAE off in long mode", V_GP, 0);
    TRY("movq %0, %%cr4", "r"(cr4_get() | 1ul << 40));
    check_trap("reserved cr4 bit", V_GP, 0);
    TRY("movq %0, %%cr0", "r"(cr0_get() | 1ul << 40));
    check_trap("high half of cr0", V_GP, 0);
    TRY("wrmsr", "c"(0xc0000080), "a"(0x10000000), "d"(0));
    check_trap("reserved efer bit", V_GP, 0);
}

static void faults_control(void)
{
    if (!on_tcg)
        control_illegal();
    TRY("movq %0, %%cr8", "r"(16ul));
    check_trap_real("cr8 above 15", V_GP, 0);
    TRY("wrmsr", "c"(0xc0000100), "a"(0), "d"(0x8000));
    check_trap_real("non-canonical fs base", V_GP, 0);
    TRY("rdmsr", "c"(0xdead0000));
    check_trap_real("unknown msr", V_GP, 0);
    TRY(".byte 0x0f, 0x20, 0xc8"); /* mov eax, cr1 */
    check_trap("cr1", V_UD, 0);
}

static void delivery(void)
{
    uint64_t sp;

    idt_gate(0x60, idt_default(0x60), SEL_K64, 0x0e, 0); /* not present */
    TRY("int $0x60");
    check_trap_real("not-present gate", V_NP, 0x60 * 8 + 2);
    idt_gate(0x60, idt_default(0x60), SEL_K64, 0x85, 0); /* task gate: no such thing here */
    TRY("int $0x60");
    check_trap_real("gate of a wrong type", V_GP, 0x60 * 8 + 2);
    idt_gate(0x60, idt_default(0x60), 0, 0x8e, 0);
    TRY("int $0x60");
    check_trap("gate with a null cs", V_GP, 0);
    idt_gate(0x60, idt_default(0x60), SEL_K32, 0x8e, 0);
    TRY("int $0x60");
    check_trap("gate to 32-bit code", V_GP, SEL_K32);
    idt_gate(0x60, NONCANONICAL, SEL_K64, 0x8e, 0);
    TRY("int $0x60");
    check_trap("gate to a non-canonical rip", V_GP, 0);
    idt_gate(0x60, idt_default(0x60), SEL_K64, 0x8e, 0);

    idt_gate(V_GP, idt_default(V_GP), SEL_K64, 0x0e, 0);
    TRY("movq (%0), %%rax", "r"(NONCANONICAL));
    check_trap("double fault", V_DF, 0);
    idt_gate(V_GP, idt_default(V_GP), SEL_K64, 0x8e, 0);

    idt_gate(V_UD, idt_default(V_UD), SEL_K64, 0x8e, 1);
    TRY("ud2");
    check_trap("trap on an ist", V_UD, 0);
    check_eq("ist stack", seen.handler_sp + sizeof(struct frame), (word)ist_stack_top);
    idt_gate(V_UD, idt_default(V_UD), SEL_K64, 0x8e, 0);

    TRY("subq $3, %%rsp; movq %%rsp, (%0); ud2", "r"(&sp));
    check_trap("trap with an odd stack", V_UD, 0);
    check_eq("saved rsp is the odd one", seen.sp, sp);
    check_eq("frame is aligned to 16", seen.handler_sp + sizeof(struct frame), sp & ~15ull);
}

static bool flags_hook(struct frame *f)
{
    asm volatile("pushfq; popq %0" : "=r"(f->ax));
    return true;
}

static void gate_flags(void)
{
    uint64_t fl;

    trap_hook[0x61] = flags_hook;
    idt_gate(0x61, idt_default(0x61), SEL_K64, 0x8f, 0);
    asm volatile("sti; nop; int $0x61; cli" : "=a"(fl)::"memory");
    check_eq("trap gate keeps IF", fl & FLAG_IF, FLAG_IF);
    idt_gate(0x61, idt_default(0x61), SEL_K64, 0x8e, 0);
    asm volatile("sti; nop; int $0x61; cli" : "=a"(fl)::"memory");
    check_eq("interrupt gate clears IF", fl & FLAG_IF, 0);
    asm volatile(
        "pushfq; orq $0x4000, (%%rsp); popfq; int $0x61; pushfq; popq %%rdx; pushq $2; popfq"
        : "=a"(fl)::"memory", "rdx");
    check_eq("delivery clears NT", fl & 0x4000, 0);
    trap_hook[0x61] = NULL;
}

static void from_user(void)
{
    user64(u_int80, 0);
    check_trap("int 0x80 from ring 3", 0x80, 0);
    check_eq("it comes from user code", seen.cs, SEL_U64);
    check_eq("on the stack of the tss", seen.handler_sp + sizeof(struct frame),
             *(uint64_t *)(tss + 4));
    check_eq("and saves the user stack", seen.sp, (word)user_stack_top);
    check_eq("with its segment", seen.ss, SEL_UDATA);
    user64(u_int81, 0);
    check_trap_real("int to a kernel gate", V_GP, 0x81 * 8 + 2);
    user64(u_int3, 0);
    check_trap("int3 from ring 3", V_BP, 0);
    user64(u_div, 0);
    check_trap("divide error from ring 3", V_DE, 0);
    user64(u_hlt, 0);
    check_trap("hlt from ring 3", V_GP, 0);
    user64(u_cr0, 0);
    check_trap("mov cr0 from ring 3", V_GP, 0);
    user64(u_rdmsr, 0);
    check_trap("rdmsr from ring 3", V_GP, 0);
    user64(u_lgdt, 0);
    check_trap("lgdt from ring 3", V_GP, 0);
    user64(u_invlpg, 0);
    check_trap("invlpg from ring 3", V_GP, 0);
    user64(u_ltr, 0);
    check_trap("ltr from ring 3", V_GP, 0);
    user64(u_clts, 0);
    check_trap("clts from ring 3", V_GP, 0);
    user32(u_int80, 0);
    check_trap("int 0x80 from 32-bit ring 3", 0x80, 0);
    check_eq("it comes from 32-bit code", seen.cs, SEL_U32);
}

static void user_io(void)
{
    static uint8_t big_tss[TSS_LEN + 0x20 + 1] __attribute__((aligned(16)));
    uint64_t old = gdt[SEL_TSS / 8];

    user64(u_cli, 0);
    check_trap("cli at iopl 0", V_GP, 0);
    user64(u_cli, 0x3000);
    check_trap("cli at iopl 3", V_UD, 0);
    user64(u_in, 0);
    check_trap("in at iopl 0", V_GP, 0);
    user64(u_in, 0x3000);
    check_trap("in at iopl 3", V_UD, 0);
    mem_copy(big_tss, tss, TSS_LEN);
    mem_set(big_tss + TSS_LEN, 0xff, sizeof(big_tss) - TSS_LEN);
    big_tss[TSS_LEN + 0x80 / 8] = 0xfe; /* port 0x80 is allowed, 0x81 is not */
    *(uint16_t *)(big_tss + 102) = TSS_LEN;
    gdt[SEL_TSS / 8] = desc_seg((uint32_t)(word)big_tss, sizeof(big_tss) - 1, 0x89, 0);
    asm volatile("ltr %w0" ::"r"(SEL_TSS));
    user64(u_in, 0);
    check_trap("in by the i/o bitmap", V_UD, 0);
    user64(u_in81, 0);
    check_trap("in against the i/o bitmap", V_GP, 0);
    gdt[SEL_TSS / 8] = old & ~(2ull << 40);
    asm volatile("ltr %w0" ::"r"(SEL_TSS));
}

static void alignment(void)
{
    cr0_set(cr0_get() | CR0_AM);
    user64(u_align, FLAG_AC);
    check_trap_real("alignment check", V_AC, 0);
    user64(u_align, 0);
    check_trap("no alignment check without AC", V_UD, 0);
    user64(u_align0, FLAG_AC);
    check_trap("no alignment check when aligned", V_UD, 0);
    cr0_set(cr0_get() & ~(word)CR0_AM);
    user64(u_align, FLAG_AC);
    check_trap("no alignment check without AM", V_UD, 0);
}

void guest_main(const uint8_t *mbi)
{
    (void)mbi;
    faults_plain();
    faults_segment();
    faults_address();
    faults_control();
    delivery();
    gate_flags();
    from_user();
    user_io();
    alignment();
}
