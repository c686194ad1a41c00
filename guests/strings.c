/*
 * String instructions at page boundaries: a fault in the middle leaves SI, DI and CX at the element
 * that faulted, and the instruction goes on when the page is there. Also direction, widths,
 * overlap, REP with no count, and self-modifying code. Intel SDM vol. 2 REP, vol. 3 section 9.1.3.
 */
#include "guest.h"
#include "user.h"

#define P      1ull
#define W      2ull
#define REGION 0x140000000ull

extern volatile uint64_t pdpt[512];
static volatile uint64_t pd[512] __attribute__((aligned(4096)));
static volatile uint64_t pt[512] __attribute__((aligned(4096)));
static uint8_t pool[8][4096] __attribute__((aligned(4096)));

#define AT(page, off) ((uint8_t *)(REGION + (page)*4096ull + (off)))

static void page_set(unsigned page, unsigned frame, uint64_t bits)
{
    pt[page] = bits ? (uint64_t)(uintptr_t)pool[frame] | bits : 0;
    invlpg(AT(page, 0));
}

struct regs {
    uint64_t ax, cx, si, di, flags;
};
static struct regs at_fault;
static bool fill_page; /* the handler maps the missing page and lets the instruction go on */
static unsigned faults;

static bool pf_hook(struct frame *f)
{
    unsigned page = (unsigned)((cr2_get() - REGION) >> 12);

    faults++;
    at_fault = (struct regs){f->ax, f->cx, f->si, f->di, f->flags};
    if (!fill_page || page >= 8)
        return false;
    page_set(page, page, P | W);
    return true;
}

#define STRING(insn)                                                                               \
    static void do_##insn(struct regs *r)                                                          \
    {                                                                                              \
        asm volatile(#insn "\n\tpushfq; popq %4"                                                   \
                     : "+a"(r->ax), "+c"(r->cx), "+S"(r->si), "+D"(r->di), "=r"(r->flags)          \
                     :                                                                             \
                     : "memory", "cc");                                                            \
    }
#define REP(name, insn)                                                                            \
    static void do_##name(struct regs *r)                                                          \
    {                                                                                              \
        asm volatile(insn "\n\tpushfq; popq %4; cld"                                               \
                     : "+a"(r->ax), "+c"(r->cx), "+S"(r->si), "+D"(r->di), "=r"(r->flags)          \
                     :                                                                             \
                     : "memory", "cc");                                                            \
    }
STRING(movsb)
REP(rep_movsb, "rep movsb")
REP(rep_movsq, "rep movsq")
REP(rep_movsw_down, "std; rep movsw")
REP(rep_stosb, "rep stosb")
REP(rep_stosq, "rep stosq")
REP(rep_lodsb, "rep lodsb")
REP(repe_cmpsb, "repe cmpsb")
REP(repne_scasb, "repne scasb")
REP(rep_movsb32, "addr32 rep movsb")

static void init(void)
{
    pdpt[5] = (uint64_t)(uintptr_t)pd | P | W | 4;
    pd[0] = (uint64_t)(uintptr_t)pt | P | W | 4;
    for (unsigned i = 0; i < 8; i++)
        page_set(i, i, P | W);
    for (unsigned i = 0; i < sizeof(pool); i++)
        ((uint8_t *)pool)[i] = (uint8_t)(i * 7 + i / 4096);
    cr3_set(cr3_get());
    trap_hook[V_PF] = pf_hook;
}

static void moves(void)
{
    struct regs r = {0, 3000, (word)AT(0, 2000), (word)AT(2, 3500), 0};
    bool same = true;

    do_rep_movsb(&r);
    for (unsigned i = 0; i < 3000; i++)
        same &= *AT(0, 2000 + i) == *AT(2, 3500 + i);
    check("rep movsb across pages", same);
    check_eq("rep movsb: cx", r.cx, 0);
    check_eq("rep movsb: si", r.si, (word)AT(0, 5000));
    check_eq("rep movsb: di", r.di, (word)AT(2, 6500));
    r = (struct regs){0, 0, 1, 2, 0};
    do_rep_movsb(&r);
    check("rep movsb of nothing touches nothing", r.si == 1 && r.di == 2 && r.cx == 0);
    for (unsigned i = 0; i < 64; i++)
        *AT(4, i) = (uint8_t)i;
    r = (struct regs){0, 60, (word)AT(4, 0), (word)AT(4, 1), 0};
    do_rep_movsb(&r);
    check("an overlapping rep movsb smears", *AT(4, 60) == 0 && *AT(4, 30) == 0);
    for (unsigned i = 0; i < 64; i++)
        *AT(4, i) = (uint8_t)i;
    r = (struct regs){0, 4, (word)AT(4, 0), (word)AT(4, 3), 0};
    do_rep_movsq(&r);
    check("an overlapping rep movsq moves whole elements",
          *AT(4, 3) == 0 && *AT(4, 11) == 5 && *AT(4, 14) == 11 && *AT(4, 19) == 13);
    r = (struct regs){0, 20, (word)AT(4, 4096 - 20), (word)AT(6, 20), 0};
    do_rep_movsw_down(&r);
    check("rep movsw downwards: registers",
          r.si == (word)AT(4, 4096 - 60) && r.di == (word)AT(6, 0) - 20);
    check("rep movsw downwards: data",
          *AT(6, 20) == *AT(4, 4096 - 20) && *AT(6, -18) == *AT(4, 4096 - 58));
    r = (struct regs){0, 0x100000005, (word)pool[0], (word)pool[1], 0};
    r.si |= 0xabcd00000000;
    do_rep_movsb32(&r);
    check("addr32 rep movsb uses ecx, esi, edi", r.cx == 0 && r.si == (uint32_t)(word)pool[0] + 5);
}

static void faulting(void)
{
    struct regs r = {0, 5000, (word)AT(0, 0), (word)AT(2, 0), 0};

    page_set(3, 3, 0);
    fill_page = true;
    faults = 0;
    do_rep_movsb(&r);
    check_eq("rep movsb into a missing page: faults", faults, 1);
    check_eq("cx at the fault", at_fault.cx, 904);
    check_eq("si at the fault", at_fault.si, (word)AT(1, 0));
    check_eq("di at the fault", at_fault.di, (word)AT(3, 0));
    check("it goes on and ends",
          r.cx == 0 && r.di == (word)AT(3, 904) && *AT(3, 903) == *AT(1, 903));
    page_set(1, 1, 0);
    r = (struct regs){0, 5000, (word)AT(0, 0), (word)AT(2, 10), 0};
    do_rep_movsb(&r);
    check_eq("rep movsb out of a missing page: cx", at_fault.cx, 904);
    check_eq("its di", at_fault.di, (word)AT(3, 10));
    page_set(5, 5, 0);
    r = (struct regs){0x1122334455667788, 600, 0, (word)AT(4, 4), 0};
    do_rep_stosq(&r);
    check_eq("rep stosq with an element across the boundary: cx", at_fault.cx, 600 - 511);
    check_eq("its di", at_fault.di, (word)AT(4, 4092));
    check_eq("the element is whole", *(uint64_t *)AT(4, 4092), 0x1122334455667788);
    page_set(5, 5, 0);
    r = (struct regs){'x', 200, 0, (word)AT(4, 4000), 0};
    do_rep_stosb(&r);
    check("rep stosb into a missing page", at_fault.cx == 104 && *AT(5, 103) == 'x' && r.cx == 0);
    page_set(1, 1, 0);
    r = (struct regs){0, 100, (word)AT(0, 4050), 0, 0};
    do_rep_lodsb(&r);
    check("rep lodsb", at_fault.cx == 54 && (r.ax & 0xff) == *AT(1, 53));
    mem_copy(AT(2, 0), AT(0, 0), 8192);
    page_set(1, 1, 0);
    *AT(3, 100) ^= 1;
    r = (struct regs){0, 8192, (word)AT(0, 0), (word)AT(2, 0), 0};
    do_repe_cmpsb(&r);
    check("repe cmpsb stops behind the difference",
          r.cx == 8192 - 4197 && r.si == (word)AT(1, 101));
    check_eq("and its ZF", r.flags & 0x40, 0);
    mem_set(AT(6, 0), 1, 8192);
    *AT(7, 9) = 2;
    page_set(7, 7, 0);
    r = (struct regs){2, 8192, 0, (word)AT(6, 0), 0};
    do_repne_scasb(&r);
    check("repne scasb finds it", r.di == (word)AT(7, 10) && (r.flags & 0x40));
    fill_page = false;
    page_set(3, 3, 0);
    TRY("movq %0, %%rsi; movq %1, %%rdi; movl $5000, %%ecx; rep movsb", "r"(AT(0, 0)),
        "r"(AT(2, 0)));
    check_trap("a fault in rep movsb", V_PF, 2);
    check_eq("its address", seen.cr2, (word)AT(3, 0));
    page_set(3, 3, P | W);
}

/* Self-modifying code: the new bytes run at once, with no serializing instruction between (Intel
 * since Pentium; AMD likewise), when changed by this CPU through the same linear address. */
static uint8_t smc[4096 * 2] __attribute__((aligned(4096)));

static void smc_tests(void)
{
    uint32_t (*fn)(void) = (uint32_t(*)(void))(uintptr_t)(smc + 100);
    uint32_t sum = 0;

    smc[100] = 0xb8; /* mov eax, imm32; ret */
    smc[105] = 0xc3;
    for (uint32_t i = 0; i < 200; i++) {
        *(volatile uint32_t *)(smc + 101) = i;
        sum += fn() == i;
    }
    check_eq("code rewritten and called, 200 times", sum, 200);
    /* the store changes the instruction right behind it */
    static const uint8_t code[] = {0xc6, 0x05, 0x01, 0x00, 0x00,
                                   0x00, 0x2a,                   /* mov byte [rip+1], 42 */
                                   0xb8, 0x07, 0x00, 0x00, 0x00, /* mov eax, 7 */
                                   0xc3};
    mem_copy(smc + 200, code, sizeof(code));
    fn = (uint32_t(*)(void))(uintptr_t)(smc + 200);
    check_eq("a store into the next instruction", fn(), 42);
    check_eq("and again", (smc[208] = 9, fn()), 42);
    /* across two pages: the immediate lies in the second */
    smc[4094] = 0xb8;
    *(volatile uint32_t *)(smc + 4095) = 1;
    smc[4099] = 0xc3;
    fn = (uint32_t(*)(void))(uintptr_t)(smc + 4094);
    check_eq("code across pages", fn(), 1);
    smc[4096] = 1;
    check_eq("its second page changed", fn(), 0x101);
    /* through another linear address */
    pt[100] = (uint64_t)(uintptr_t)smc | P | W;
    invlpg(AT(100, 0));
    asm volatile("cpuid" ::"a"(0) : "ebx", "ecx", "edx", "memory");
    *(volatile uint32_t *)AT(100, 101) = 0x777;
    asm volatile("cpuid" ::"a"(0) : "ebx", "ecx", "edx", "memory");
    fn = (uint32_t(*)(void))(uintptr_t)(smc + 100);
    check_eq("changed through an alias", fn(), 0x777);
    /* by rep movs */
    static const uint8_t other[] = {0xb8, 0x34, 0x12, 0x00, 0x00, 0xc3};
    struct regs r = {0, sizeof(other), (word)other, (word)smc + 100, 0};
    do_rep_movsb(&r);
    check_eq("changed by rep movsb", fn(), 0x1234);
    /* one page, code and data in turn */
    sum = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        *(volatile uint32_t *)(smc + 3000) += i;
        sum += fn();
    }
    check_eq("data beside code", *(volatile uint32_t *)(smc + 3000), 499500);
    check_eq("and the code still runs", sum, 0x1234u * 1000);
    struct regs one = {0, 1, (word)AT(0, 0), (word)AT(2, 0), 0};
    do_movsb(&one);
    check("movsb", one.si == (word)AT(0, 1) && *AT(0, 0) == *AT(2, 0));
}

void guest_main(const uint8_t *mbi)
{
    (void)mbi;
    init();
    moves();
    faulting();
    smc_tests();
}
