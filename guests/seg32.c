/*
 * 32-bit protected mode: segment limits and types, expand-down and conforming segments, call gates
 * with parameters, rings, far calls in each size, #TS, #NP and #SS with their error codes, BOUND
 * and INTO, hardware task switches. Intel SDM vol. 3 chapters 5, 6 and 7.
 */
#include "guest.h"
#include "user.h"

enum { SEL_A = SEL_FREE, SEL_B = SEL_FREE + 8, SEL_C = SEL_FREE + 16, SEL_LDT = SEL_FREE + 24 };

static volatile uint8_t bytes[8192] __attribute__((aligned(4096)));
uint32_t seg_got[8];

static void seg_put(unsigned sel, const volatile void *base, uint32_t limit, unsigned access,
                    unsigned flags)
{
    gdt[sel / 8] = desc_seg((uint32_t)base, limit, access, flags);
}

static void limits(void)
{
    uint32_t v;

    bytes[100] = 0x5a;
    seg_put(SEL_A, bytes, 100, 0x93, 4);
    asm volatile("movw %w1, %%fs; movzbl %%fs:100, %0" : "=r"(v) : "r"(SEL_A));
    check_eq("the last byte of a segment", v, 0x5a);
    TRY("movb %%fs:101, %%al");
    check_trap_real("the byte behind it", V_GP, 0);
    TRY("movw %%fs:100, %%ax");
    check_trap_real("a word across the limit", V_GP, 0);
    TRY("movb $1, %%fs:-1");
    check_trap_real("wrapping below a segment", V_GP, 0);
    seg_put(SEL_A, bytes, 0, 0x93, 0xc); /* one page */
    asm volatile("movw %w1, %%fs; movzbl %%fs:4095, %0" : "=r"(v) : "r"(SEL_A));
    check("page granularity", v == bytes[4095]);
    TRY("movl %%fs:4093, %%eax");
    check_trap_real("its limit", V_GP, 0);
    seg_put(SEL_A, bytes, 0xfff, 0x97, 4); /* expand-down: 0x1000 … 4 GiB - 1 */
    bytes[4096] = 0x77;
    asm volatile("movw %w1, %%fs; movzbl %%fs:0x1000, %0" : "=r"(v) : "r"(SEL_A));
    check_eq("expand-down: above the limit", v, 0x77);
    TRY("movb %%fs:0xfff, %%al");
    check_trap_real("expand-down: at the limit", V_GP, 0);
    seg_put(SEL_A, bytes, 0xff, 0x97, 0); /* 16-bit: up to 0xffff */
    asm volatile("movw %w0, %%fs" ::"r"(SEL_A));
    TRY("movb %%fs:0x10000, %%al");
    check_trap_real("expand-down, 16 bits: above 64 KiB", V_GP, 0);
}

/* What a type doesn't allow. */
static void types(void)
{
    seg_put(SEL_A, bytes, 0xfff, 0x91, 4);
    asm volatile("movw %w0, %%fs" ::"r"(SEL_A));
    TRY("movb $1, %%fs:0");
    check_trap_real("a write to read-only data", V_GP, 0);
    asm volatile("movw %w0, %%fs" ::"r"(SEL_K64));
    TRY("movb $1, %%fs:0");
    check_trap_real("a write to code", V_GP, 0);
    seg_put(SEL_A, bytes, 0xfff, 0x99, 4); /* execute only */
    TRY("movw %w0, %%fs", "r"(SEL_A));
    check_trap("loading execute-only code", V_GP, SEL_A);
    asm volatile("movw %w0, %%fs" ::"r"(0));
    TRY("movb %%fs:0, %%al");
    check_trap_real("a null segment", V_GP, 0);
}

static void hidden_part(void)
{
    uint32_t v;

    seg_put(SEL_A, bytes, 0xffff, 0x93, 4);
    seg_put(SEL_A, (void *)0x100000, 0xfff, 0x92, 4);
    asm volatile("movw %w0, %%fs" ::"r"(SEL_A));
    check_eq("loading sets the accessed bit", gdt[SEL_A / 8] >> 40 & 1, 1);
    asm volatile("movl %%fs:0, %0" : "=r"(v));
    check_eq("a base", v, 0x1badb002);
    /* the hidden part stays until the selector is loaded again */
    gdt[SEL_A / 8] = 0;
    asm volatile("movl %%fs:0, %0" : "=r"(v));
    check_eq("the hidden descriptor stays", v, 0x1badb002);
    asm volatile("movw %w0, %%fs" ::"r"(SEL_KDATA));
}

/* Loads that are refused. */
static void loads(void)
{
    seg_put(SEL_A, bytes, 0xfff, 0x13, 4);
    TRY("movw %w0, %%ss", "r"(SEL_A));
    check_trap("ss not present", V_SS, SEL_A);
    TRY("movw %w0, %%es", "r"(SEL_A));
    check_trap("es not present", V_NP, SEL_A);
    TRY("movw %w0, %%ss", "r"(0));
    check_trap("null ss", V_GP, 0);
    TRY("movw %w0, %%ss", "r"(SEL_UDATA));
    check_trap("ss of another ring", V_GP, SEL_UDATA & ~3);
}

static void tables(void)
{
    static uint64_t ldt[4];
    uint32_t v, w;

    ldt[1] = desc_seg((uint32_t)bytes, 0xfff, 0x93, 4);
    gdt[SEL_LDT / 8] = desc_seg((uint32_t)ldt, sizeof(ldt) - 1, 0x82, 0);
    asm volatile("lldt %w0; movw %w1, %%fs" ::"r"(SEL_LDT), "r"(8 | 4));
    bytes[0] = 0x3c;
    asm volatile("movzbl %%fs:0, %0" : "=r"(v));
    check_eq("a segment of the ldt", v, 0x3c);
    TRY("movw %w0, %%fs", "r"(32 | 4));
    check_trap("beyond the ldt", V_GP, 32 | 4);
    asm volatile("sldt %w0" : "=r"(v) : "0"(0));
    check_eq("sldt", v & 0xffff, SEL_LDT);
    asm volatile("lar %2, %0; setz %b1" : "=r"(v), "=q"(w) : "r"(SEL_K64), "1"(0));
    check("lar", w == 1 && (v & 0xf0ff00) == 0xc09b00);
    asm volatile("lsl %2, %0; setz %b1" : "=r"(v), "=q"(w) : "r"(SEL_LDT), "1"(0));
    check("lsl", w == 1 && v == sizeof(ldt) - 1);
    asm volatile("lar %2, %0; setz %b1" : "=r"(v), "=q"(w) : "r"(0), "1"(1));
    check("lar of null", w == 0);
    asm volatile("verr %w1; setz %b0" : "=q"(v) : "r"(SEL_K64), "0"(0));
    check_eq("verr of readable code", v, 1);
    asm volatile("verw %w1; setz %b0" : "=q"(v) : "r"(SEL_K64), "0"(0));
    check_eq("verw of code", v, 0);
    asm volatile("movw %w0, %%fs; lldt %w1" ::"r"(SEL_KDATA), "r"(0));
}

CODE_FN(f_ret32, "movl $32, seg_got; lret");
CODE_FN(f_ret16, "movl $16, seg_got; .byte 0x66; lret");
CODE_FN(f_ret8, "movl $8, seg_got; lret $8");
struct {
    uint32_t off;
    uint16_t sel;
} __attribute__((packed)) far_ptr;

static void far_calls(void)
{
    uint32_t sp;

    asm volatile("lcall $0x08, $f_ret32" ::: "memory");
    check_eq("far call, 32 bits", seg_got[0], 32);
    far_ptr.off = (uint32_t)f_ret32;
    far_ptr.sel = SEL_K32;
    seg_got[0] = 0;
    asm volatile("lcall *far_ptr" ::: "memory");
    check_eq("far call through memory", seg_got[0], 32);
    asm volatile("movl %%esp, %0; pushl $1; pushl $2; lcall $0x08, $f_ret8; subl %%esp, %0"
                 : "=&r"(sp)::"memory");
    check_eq("far return drops its parameters", sp, 0);
    far_ptr.sel = SEL_KDATA;
    TRY("lcall *far_ptr");
    check_trap("far call to data", V_GP, SEL_KDATA);
    far_ptr.sel = 0;
    TRY("lcall *far_ptr");
    check_trap("far call to null", V_GP, 0);
    far_ptr.sel = SEL_U32;
    TRY("lcall *far_ptr");
    check_trap("far call to another ring", V_GP, SEL_U32 & ~3);
    seg_put(SEL_A, 0, 0xfffff, 0x1b, 0xc);
    far_ptr.sel = SEL_A;
    TRY("lcall *far_ptr");
    check_trap("far call to code not present", V_NP, SEL_A);
    seg_put(SEL_A, 0, 0x1000, 0x9b, 0x4);
    TRY("lcall *far_ptr");
    check_trap_real("far call beyond the limit", V_GP, 0);
    /* 16-bit code far below: mov word [seg_got], then a 16-bit far return with a 32-bit prefix */
    static const uint8_t code16[] = {0x66, 0xc7, 0x06, 0x00, 0x70, 0x16,
                                     0x16, 0x00, 0x00, 0x66, 0xcb};
    mem_copy((void *)0x8000, code16, sizeof(code16));
    seg_put(SEL_B, 0, 0xffff, 0x9b, 0);
    far_ptr.off = 0x8000;
    far_ptr.sel = SEL_B;
    *(volatile uint32_t *)0x7000 = 0;
    asm volatile("lcall *far_ptr" ::: "memory");
    check_eq("far call to 16-bit code", *(volatile uint32_t *)0x7000, 0x1616);
}

CODE_FN(u_int80, "int $0x80");
CODE_FN(u_conform, "movl %cs, %eax; movl %eax, seg_got; lret");
CODE_FN(u_call_conform, "lcall $0x68, $u_conform; int $0x80");
CODE_FN(u_load_k, "movl $0x10, %eax; movl %eax, %ds");
CODE_FN(k_gate,
        "movl %cs, %eax; movl %eax, seg_got; movl %esp, seg_got+4; movl (%esp), %eax\n"
        "movl %eax, seg_got+8; movl 4(%esp), %eax; movl %eax, seg_got+12; movl 8(%esp), %eax\n"
        "movl %eax, seg_got+16; movl 12(%esp), %eax; movl %eax, seg_got+20\n"
        "movl 16(%esp), %eax; movl %eax, seg_got+24; lret $8");
CODE_FN(u_gate, "pushl $0xaaaa; pushl $0xbbbb; lcall $0x63, $0\nu_gate_next: int $0x80");
void u_gate_next(void);

static void rings(void)
{
    uint32_t esp0 = *(uint32_t *)(tss + 4);

    user32(u_int80, 0);
    check_trap("ring 3 and back", 0x80, 0);
    check_eq("cs", seen.cs, SEL_U32);
    check_eq("esp", seen.sp, (word)user_stack_top);
    check_eq("ss", seen.ss, SEL_UDATA);
    check_eq("the frame is on the stack of the tss", seen.handler_sp + sizeof(struct frame), esp0);
    user32(u_load_k, 0);
    check_trap("ring 3 can't load kernel data", V_GP, SEL_KDATA);
    seg_put(SEL_B, 0, 0xfffff, 0x9f, 0xc); /* conforming */
    user32(u_call_conform, 0);
    check_trap("a conforming segment from ring 3", 0x80, 0);
    check_eq("it runs in ring 3", seg_got[0], SEL_B | 3);
    gdt[SEL_A / 8] = desc_gate((uint32_t)k_gate, SEL_K64, 2, 0xec);
    user32(u_gate, 0);
    check_trap("a call gate from ring 3", 0x80, 0);
    check_eq("runs in ring 0", seg_got[0], SEL_K64);
    check_eq("on the stack of the tss", seg_got[1], esp0 - 24);
    check_eq("return address", seg_got[2], (word)u_gate_next);
    check_eq("caller's cs", seg_got[3], SEL_U32);
    check_eq("first parameter", seg_got[4], 0xbbbb);
    check_eq("second parameter", seg_got[5], 0xaaaa);
    check_eq("caller's esp", seg_got[6], (word)user_stack_top - 8);
    check_eq("back: both stacks have dropped the parameters", seen.sp, (word)user_stack_top);
    gdt[SEL_A / 8] = desc_gate((uint32_t)k_gate, SEL_K64, 2, 0x8c);
    user32(u_gate, 0);
    check_trap("a gate of ring 0", V_GP, SEL_A);
    gdt[SEL_A / 8] = desc_gate((uint32_t)k_gate, SEL_K64, 2, 0x6c);
    user32(u_gate, 0);
    check_trap("a gate not present", V_NP, SEL_A);
    gdt[SEL_A / 8] = desc_gate((uint32_t)k_gate, SEL_KDATA, 2, 0xec);
    user32(u_gate, 0);
    check_trap("a gate to data", V_GP, SEL_KDATA);
}

static void bound_into(void)
{
    static const int32_t pair[2] = {10, 20};

    TRY("boundl %0, (%1)", "r"(15), "r"(pair));
    check_trap("bound inside", NO_TRAP, 0);
    TRY("boundl %0, (%1)", "r"(21), "r"(pair));
    check_trap("bound above", V_BR, 0);
    TRY("boundl %0, (%1)", "r"(-1), "r"(pair));
    check_trap("bound below", V_BR, 0);
    TRY("movl $0x7fffffff, %%eax; incl %%eax; into");
    check_trap("into with overflow", V_OF, 0);
    TRY("xorl %%eax, %%eax; into");
    check_trap("into without", NO_TRAP, 0);
    TRY("pushal; popal; pushl $0x1234; movl $0x55, %%eax; aam; aad; daa; das; aaa; aas");
    check_trap("decimal adjustments exist", NO_TRAP, 0);
    TRY("aam $0");
    check_trap("aam by zero", V_DE, 0);
    uint32_t v = 0;
    asm volatile("movl $0x17, %%eax; aam; movl %%eax, %0" : "=r"(v)::"eax");
    check_eq("aam", v & 0xffff, 0x0203);
    asm volatile("movl $0x79, %%eax; addb $0x35, %%al; daa; movl %%eax, %0" : "=r"(v)::"eax");
    check_eq("daa", v & 0xff, 0x14);
    asm volatile("movl $0x0203, %%eax; aad; movl %%eax, %0" : "=r"(v)::"eax");
    check_eq("aad", v & 0xffff, 23);
    asm volatile("stc; .byte 0xd6; movzbl %%al, %0" : "=r"(v)::"eax");
    check_eq("salc", v, 0xff);
    uint16_t arpl_a = 0x10, arpl_b = 3;
    asm volatile("arpl %2, %0; setz %b1" : "+r"(arpl_a), "=q"(v) : "r"(arpl_b));
    check("arpl", arpl_a == 0x13 && (v & 1));
}

void guest_main(const uint8_t *mbi)
{
    (void)mbi;
    limits();
    types();
    hidden_part();
    loads();
    tables();
    far_calls();
    rings();
    bound_into();
}
