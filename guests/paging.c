/*
 * Paging in 64-bit mode: permissions and error codes, accessed and dirty bits, large and global
 * pages, what INVLPG and CR3 writes flush. Intel SDM vol. 3 chapter 4.
 *
 * A region above 4 GiB gets tables of its own; its pages are those of `pool`.
 */
#include "guest.h"
#include "user.h"

#define P       1ull
#define W       2ull
#define U       4ull
#define A       0x20ull
#define D       0x40ull
#define PS      0x80ull
#define G       0x100ull
#define NX      (1ull << 63)
#define REGION  0x140000000ull /* 5 GiB: entry 5 of the PDPT */
#define CR0_WP  0x10000u
#define CR4_PGE 0x80u

enum { E_P = 1, E_W = 2, E_U = 4, E_RSVD = 8, E_I = 16 };

extern volatile uint64_t boot_pml4[512], pdpt[512];
static volatile uint64_t pd[512] __attribute__((aligned(4096)));
static volatile uint64_t pt[512] __attribute__((aligned(4096)));
static volatile uint64_t deep[3][512] __attribute__((aligned(4096)));
static volatile uint8_t pool[16][4096] __attribute__((aligned(4096)));

#define AT(page, off)    ((volatile uint8_t *)(REGION + (page)*4096ull + (off)))
#define PTR32(page, off) ((volatile uint32_t *)AT(page, off))

static void page_set(unsigned page, unsigned frame, uint64_t bits)
{
    pt[page] = bits ? (uint64_t)(uintptr_t)pool[frame] | bits : 0;
    invlpg(AT(page, 0));
}

static void region_init(void)
{
    pdpt[5] = (uint64_t)(uintptr_t)pd | P | W | U;
    pd[0] = (uint64_t)(uintptr_t)pt | P | W | U;
    for (unsigned i = 0; i < 16; i++) {
        page_set(i, i, P | W | U);
        *(volatile uint32_t *)pool[i] = 0x1000 + i;
    }
    cr3_set(cr3_get());
}

static void accessed_dirty(void)
{
    page_set(1, 1, P | W | U);
    (void)*PTR32(1, 0);
    check_eq("a read sets A only", pt[1] & (A | D), A);
    *PTR32(1, 4) = 1;
    check_eq("a write sets D", pt[1] & (A | D), A | D);
    page_set(1, 1, P | W | U);
    *PTR32(1, 4) = 1;
    check_eq("a first write sets both", pt[1] & (A | D), A | D);
    page_set(1, 1, P | W | U);
    (void)*PTR32(1, 0);
    page_set(1, 1, P | W | U | A);
    asm volatile("lock; addl $0, %0" : "+m"(*PTR32(1, 8)));
    check_eq("a locked add of zero sets D", pt[1] & (A | D), A | D);
    pd[0] &= ~A;
    pdpt[5] &= ~A;
    boot_pml4[0] &= ~A;
    cr3_set(cr3_get());
    (void)*PTR32(1, 0);
    check("A in the page directory", pd[0] & A);
    check("A in the pdpt", pdpt[5] & A);
    check("A in the pml4", boot_pml4[0] & A);
    check_eq("no D in the page directory", pd[0] & D, 0);
    page_set(1, 1, P | U);
    TRY("movl $1, (%0)", "r"(AT(1, 0)));
    check_eq("a refused write leaves D alone", pt[1] & D, 0);
}

CODE_FN(u_read, "movl (%rdi), %eax; ud2");
CODE_FN(u_write, "movl %eax, (%rdi); ud2");
CODE_FN(u_jump, "jmp *%rdi");

static void user_at(void (*fn)(void), volatile uint8_t *at)
{
    TRY("pushq %0; pushq %1; pushq $2; pushq %2; pushq %3; iretq", "i"(SEL_UDATA),
        "r"((word)user_stack_top), "i"(SEL_U64), "r"(fn), "D"(at));
}

static void faulted_real(const char *name, word error, volatile uint8_t *at)
{
    if (check_trap_real(name, V_PF, error) && !on_tcg && seen.cr2 != (word)at)
        check_eq("  its cr2", seen.cr2, (word)at);
}

static void faulted(const char *name, word error, volatile uint8_t *at)
{
    if (check_trap(name, V_PF, error) && seen.cr2 != (word)at)
        check_eq("  its cr2", seen.cr2, (word)at);
}

static void permissions(void)
{
    page_set(2, 2, 0);
    TRY("movl (%0), %%eax", "r"(AT(2, 12)));
    faulted("read of a missing page", 0, AT(2, 12));
    TRY("movl %%eax, (%0)", "r"(AT(2, 12)));
    faulted("write of a missing page", E_W, AT(2, 12));
    user_at(u_read, AT(2, 16));
    faulted("user read of a missing page", E_U, AT(2, 16));
    user_at(u_write, AT(2, 16));
    faulted("user write of a missing page", E_U | E_W, AT(2, 16));
    page_set(2, 2, P | W);
    user_at(u_read, AT(2, 20));
    faulted("user read of a kernel page", E_P | E_U, AT(2, 20));
    user_at(u_write, AT(2, 20));
    faulted("user write of a kernel page", E_P | E_U | E_W, AT(2, 20));
    page_set(2, 2, P | U);
    user_at(u_read, AT(2, 24));
    check_trap("user read of a read-only page", V_UD, 0);
    user_at(u_write, AT(2, 24));
    faulted("user write of a read-only page", E_P | E_U | E_W, AT(2, 24));
    TRY("movl %%eax, (%0)", "r"(AT(2, 28)));
    faulted("kernel write of a read-only page", E_P | E_W, AT(2, 28));
    cr0_set(cr0_get() & ~(word)CR0_WP);
    TRY("movl $77, (%0)", "r"(AT(2, 28)));
    check_trap("the same without WP", NO_TRAP, 0);
    user_at(u_write, AT(2, 28));
    faulted("user write without WP", E_P | E_U | E_W, AT(2, 28));
    cr0_set(cr0_get() | CR0_WP);
    TRY("movl %%eax, (%0)", "r"(AT(2, 28)));
    faulted("WP again", E_P | E_W, AT(2, 28));
    TRY("movl $1, %%eax; lock; cmpxchgl %%ecx, (%0)", "r"(AT(2, 0)));
    faulted("a failing cmpxchg still writes", E_P | E_W, AT(2, 0));
    page_set(2, 2, P | W | U);
    pd[0] &= ~U;
    cr3_set(cr3_get());
    user_at(u_read, AT(2, 32));
    faulted("U must be set at every level", E_P | E_U, AT(2, 32));
    pd[0] = (pd[0] | U) & ~W;
    cr3_set(cr3_get());
    TRY("movl %%eax, (%0)", "r"(AT(2, 32)));
    faulted("W must be set at every level", E_P | E_W, AT(2, 32));
    pd[0] |= W;
    cr3_set(cr3_get());
}

static void execution(void)
{
    pool[3][64] = 0xcc; /* int3 */
    page_set(3, 3, P | W | U);
    TRY("jmp *%0", "r"(AT(3, 64)));
    check_trap("code in a new page", V_BP, 0);
    user_at(u_jump, AT(3, 64));
    check_trap("user code in a new page", V_BP, 0);
    if (!(rdmsr(0xc0000080) & 0x800)) {
        skip("no-execute", "no NX");
        return;
    }
    page_set(3, 3, P | W | U | NX);
    TRY("jmp *%0", "r"(AT(3, 64)));
    faulted("jump into a no-execute page", E_P | E_I, AT(3, 64));
    user_at(u_jump, AT(3, 64));
    faulted("user jump into a no-execute page", E_P | E_U | E_I, AT(3, 64));
    (void)*PTR32(3, 0);
    page_set(3, 3, 0);
    TRY("jmp *%0", "r"(AT(3, 64)));
    faulted("jump into a missing page", E_I, AT(3, 64));
    page_set(3, 3, P | W);
    user_at(u_jump, AT(3, 64));
    faulted("user jump into a kernel page", E_P | E_U | E_I, AT(3, 64));
    /* an instruction across two pages, the second missing: mov eax, imm32 at 4094 */
    pool[3][4094] = 0xb8;
    page_set(3, 3, P | W | U);
    page_set(4, 4, 0);
    TRY("jmp *%0", "r"(AT(3, 4094)));
    faulted("an instruction into a missing page", E_I, AT(4, 0));
    check_eq("its rip", seen.ip, (word)AT(3, 4094));
    pool[4][3] = 0xcc;
    page_set(4, 4, P | W | U);
    TRY("jmp *%0", "r"(AT(3, 4094)));
    check_trap("and into a present one", V_BP, 0);
    check_eq("ends behind it", seen.ip, (word)AT(4, 4));
    wrmsr(0xc0000080, rdmsr(0xc0000080) & ~0x800ull);
    page_set(3, 3, P | W | U | NX);
    TRY("movl (%0), %%eax", "r"(AT(3, 0)));
    faulted_real("NX is reserved without NXE", E_P | E_RSVD, AT(3, 0));
    wrmsr(0xc0000080, rdmsr(0xc0000080) | 0x800);
    page_set(3, 3, P | W | U);
}

static void straddle(void)
{
    page_set(5, 5, P | W | U);
    page_set(6, 6, 0);
    *(volatile uint32_t *)(pool[5] + 4092) = 0x11223344;
    TRY("movl (%0), %%eax", "r"(AT(5, 4094)));
    faulted("a read across into a missing page", 0, AT(6, 0));
    TRY("movl $-1, (%0)", "r"(AT(5, 4094)));
    faulted("a write across into a missing page", E_W, AT(6, 0));
    check_eq("wrote nothing", *(volatile uint32_t *)(pool[5] + 4092), 0x11223344);
    page_set(6, 6, P | U);
    TRY("movq $-1, (%0)", "r"(AT(5, 4093)));
    faulted("a write across into a read-only page", E_P | E_W, AT(6, 0));
    check_eq("wrote nothing there", *(volatile uint32_t *)(pool[5] + 4092), 0x11223344);
    page_set(5, 5, 0);
    TRY("movl (%0), %%eax", "r"(AT(5, 4094)));
    faulted("a read across out of a missing page", 0, AT(5, 4094));
    page_set(5, 5, P | W | U);
    page_set(6, 9, P | W | U); /* not adjacent in memory */
    *(volatile uint64_t *)AT(5, 4091) = 0x8877665544332211;
    check_eq("a write across, low part", pool[5][4095], 0x55);
    check_eq("a write across, high part", *(volatile uint16_t *)pool[9], 0x7766);
    check_eq("and read back", *(volatile uint64_t *)AT(5, 4091), 0x8877665544332211);
    *(volatile uint64_t *)AT(5, 4091) = 0;
    asm volatile("lock; addq %1, %0"
                 : "+m"(*(volatile uint64_t *)AT(5, 4091))
                 : "r"(0x0102030405060708));
    check_eq("a locked add across", *(volatile uint64_t *)AT(5, 4091), 0x0102030405060708);
}

static void stack_fault(void)
{
    uint64_t sp;

    page_set(6, 6, 0);
    page_set(7, 7, P | W | U);
    idt_gate(V_PF, idt_default(V_PF), SEL_K64, 0x8e, 1);
    TRY("movq %0, %%rsp; pushq %%rax", "r"(AT(7, 0)));
    faulted("push into a missing page", E_W, AT(6, 4088));
    check_eq("rsp is as before", seen.sp, (word)AT(7, 0));
    TRY("movq %0, %%rsp; call 1f; 1: ud2", "r"(AT(7, 0)));
    faulted("call into a missing page", E_W, AT(6, 4088));
    check_eq("rsp is as before the call", seen.sp, (word)AT(7, 0));
    TRY("movq %0, %%rsp; enter $16, $0", "r"(AT(7, 0)));
    faulted("enter into a missing page", E_W, AT(6, 4088));
    TRY("movq %0, %%rsp; ret", "r"(AT(6, 8)));
    faulted("ret from a missing page", 0, AT(6, 8));
    check_eq("rsp is as before the ret", seen.sp, (word)AT(6, 8));
    TRY("movq %0, %%rsp; popq (%1)", "r"(AT(7, 8)), "r"(AT(6, 16)));
    faulted("pop into a missing page", E_W, AT(6, 16));
    check_eq("rsp is as before the pop", seen.sp, (word)AT(7, 8));
    TRY("movq %0, %%rsp; movq %%rsp, %%rbp; leave; ud2", "r"(AT(7, 2048)));
    sp = seen.sp;
    check_trap("leave", V_UD, 0);
    check_eq("leave pops", sp, (word)AT(7, 2056));
    idt_gate(V_PF, idt_default(V_PF), SEL_K64, 0x8e, 0);
}

static void flushing(void)
{
    page_set(8, 8, P | W | U);
    check_eq("first mapping", *PTR32(8, 0), 0x1008);
    page_set(8, 10, P | W | U);
    check_eq("invlpg shows the new one", *PTR32(8, 0), 0x100a);
    pt[8] = (uint64_t)(uintptr_t)pool[11] | P | W | U;
    cr3_set(cr3_get());
    check_eq("a cr3 write shows the new one", *PTR32(8, 0), 0x100b);
    cr4_set(cr4_get() | CR4_PGE);
    page_set(8, 12, P | W | U | G);
    check_eq("a global page", *PTR32(8, 0), 0x100c);
    page_set(8, 13, P | W | U | G);
    check_eq("invlpg flushes a global page", *PTR32(8, 0), 0x100d);
    pt[8] = (uint64_t)(uintptr_t)pool[14] | P | W | U | G;
    cr4_set(cr4_get() & ~(word)CR4_PGE);
    check_eq("clearing PGE flushes global pages", *PTR32(8, 0), 0x100e);
    cr4_set(cr4_get() | CR4_PGE);
    pt[8] = (uint64_t)(uintptr_t)pool[15] | P | W | U | G;
    cr0_set(cr0_get());
    cr4_set(cr4_get() & ~(word)CR4_PGE);
    check_eq("and again", *PTR32(8, 0), 0x100f);
    page_set(8, 8, 0);
    TRY("movl (%0), %%eax", "r"(AT(8, 0)));
    faulted("unmapped at last", 0, AT(8, 0));
    /* a not-present entry may not be cached: no flush is needed */
    pt[8] = (uint64_t)(uintptr_t)pool[8] | P | W | U;
    check_eq("present without a flush", *PTR32(8, 0), 0x1008);
}

static void large_pages(void)
{
    uint32_t c[4];
    uint64_t base = (uint64_t)(uintptr_t)pool & ~0x1fffffull;
    uint64_t off = (uint64_t)(uintptr_t)pool - base;

    pd[1] = base | P | W | PS;
    check_eq("a 2 MiB page", *(volatile uint32_t *)(REGION + 0x200000 + off), 0x1000);
    check_eq("its A", pd[1] & (A | D), A);
    *(volatile uint32_t *)(REGION + 0x200000 + off + 8) = 5;
    check_eq("its D", pd[1] & (A | D), A | D);
    user_at(u_read, (volatile uint8_t *)(REGION + 0x200000));
    faulted("user read of a 2 MiB kernel page", E_P | E_U, (volatile uint8_t *)(REGION + 0x200000));
    pd[2] = base | 0x2000 | P | W | PS;
    TRY("movl (%0), %%eax", "r"(REGION + 0x400000));
    faulted_real("a reserved bit in a 2 MiB entry", E_P | E_RSVD,
                 (volatile uint8_t *)(REGION + 0x400000));
    /* from large to small: the same addresses through a page table */
    for (unsigned i = 0; i < 512; i++)
        deep[0][i] = (base + i * 4096ull) | P | W;
    pd[1] = (uint64_t)(uintptr_t)deep[0] | P | W;
    invlpg((void *)(REGION + 0x200000));
    cr3_set(cr3_get());
    check_eq("split into 4 KiB pages", *(volatile uint32_t *)(REGION + 0x200000 + off), 0x1000);
    cpuid(0x80000001, 0, c);
    if (!(c[3] & 1u << 26)) {
        skip("a 1 GiB page", "none");
        return;
    }
    pdpt[6] = 0 | P | W | PS;
    check_eq("a 1 GiB page", *(volatile uint32_t *)(0x180000000ull + (uintptr_t)pool), 0x1000);
    check_eq("its A and D", pdpt[6] & (A | D), A);
}

/* Another PML4 slot, at the top of the address space: canonical negative addresses. */
static void high_half(void)
{
    volatile uint32_t *p = (volatile uint32_t *)0xffffffff80000000ull;

    boot_pml4[511] = (uint64_t)(uintptr_t)deep[1] | P | W;
    deep[1][510] = (uint64_t)(uintptr_t)deep[2] | P | W;
    deep[2][0] = 0 | P | W | PS;
    check_eq("the high half", p[(uintptr_t)pool / 4], 0x1000);
    TRY("movl (%0), %%eax", "r"(p - 1));
    faulted("below it", 0, (volatile uint8_t *)(p - 1));
    asm volatile("movl -0x80000000, %%eax" ::: "eax");
    check("a 32-bit absolute address is sign-extended", true);
}

/* The runtime's own pages are user pages, so they become the kernel's for the time of the test. */
static void low_user(bool user)
{
    boot_pml4[0] |= U;
    for (unsigned i = 0; i < 4; i++)
        pdpt[i] = user ? pdpt[i] | U : pdpt[i] & ~U;
    cr3_set(cr3_get());
}

static void smep(void)
{
    cr4_set(cr4_get() | 1u << 20);
    page_set(3, 3, P | W | U);
    TRY("jmp *%0", "r"(AT(3, 64)));
    faulted("SMEP: kernel jump into a user page", E_P | E_I, AT(3, 64));
    cr4_set(cr4_get() & ~(1ul << 20));
    TRY("jmp *%0", "r"(AT(3, 64)));
    check_trap("the same without SMEP", V_BP, 0);
}

static void smap(void)
{
    cr4_set(cr4_get() | 1u << 21);
    page_set(3, 3, P | W | U);
    asm volatile("clac");
    TRY("movl (%0), %%eax", "r"(AT(3, 0)));
    faulted("SMAP: kernel read of a user page", E_P, AT(3, 0));
    TRY("movl %%eax, (%0)", "r"(AT(3, 0)));
    faulted("SMAP: kernel write of a user page", E_P | E_W, AT(3, 0));
    TRY("stac; movl (%0), %%eax; clac", "r"(AT(3, 0)));
    check_trap("stac allows it", NO_TRAP, 0);
    cr4_set(cr4_get() & ~(1ul << 21));
}

static void smep_smap(void)
{
    uint32_t c[4];

    cpuid(7, 0, c);
    pool[3][64] = 0xcc;
    low_user(false);
    if (c[1] & 1u << 7)
        smep();
    else
        skip("SMEP", "none");
    if (c[1] & 1u << 20)
        smap();
    else
        skip("SMAP", "none");
    low_user(true);
}

void guest_main(const uint8_t *mbi)
{
    (void)mbi;
    region_init();
    accessed_dirty();
    permissions();
    execution();
    straddle();
    stack_fault();
    flushing();
    large_pages();
    high_half();
    smep_smap();
}
