/*
 * Every mode of the CPU, there and back, three times: 64-bit, compatibility, protected without
 * paging, PAE paging, 32-bit paging, 16-bit protected, real. The journey is in modes_trip.S; what
 * each mode did is judged here. Intel SDM vol. 3 chapters 4, 10 and 21 (real mode).
 */
#include "guest.h"

#define LOW   0x6000
#define TRAMP 0x8000
#define ALIAS 0x40000000u

uint64_t modes_trip(void); /* EFER after it */
extern uint8_t tramp_start[], tramp_end[];
void modes_h30(void), modes_hud(void), modes_hpf(void), modes_hgp(void);
void real_h21(void), real_hde(void), real_hgp(void);

static uint64_t idt32[64];
struct {
    uint16_t limit;
    uint32_t base;
} __attribute__((packed)) modes_idt32_ptr;
uint32_t modes_pae_cr3, modes_pg32_cr3, modes_alias, modes_alias4;

static volatile uint64_t pae_pdpt[4] __attribute__((aligned(32)));
static uint64_t pae_pd[2][512] __attribute__((aligned(4096)));
static uint32_t pg32[1024] __attribute__((aligned(4096)));
static volatile uint32_t pt32[1024] __attribute__((aligned(4096)));
static volatile uint32_t data[2048] __attribute__((aligned(4096)));
static volatile uint32_t *const low = (volatile uint32_t *)LOW;

static uint32_t addr(const volatile void *p)
{
    return (uint32_t)(uintptr_t)p;
}

static void gate32(unsigned v, void (*fn)(void))
{
    idt32[v] = desc_gate(addr(fn), SEL_K32, 0, 0x8e);
}

static void ivt(unsigned v, void (*fn)(void))
{
    ((volatile uint32_t *)0)[v] = (TRAMP / 16) << 16 | (addr(fn) - addr(tramp_start));
}

static void tables_init(void)
{
    for (unsigned i = 0; i < 512; i++)
        pae_pd[0][i] = i << 21 | 0x83;
    pae_pd[1][0] = (addr(data) & ~0x1fffffu) | 0x83;
    modes_pae_cr3 = addr(pae_pdpt);
    modes_alias = ALIAS + (addr(data) & 0x1fffff);
    for (unsigned i = 0; i < 256; i++)
        pg32[i] = i << 22 | 0x83;
    pg32[ALIAS >> 22] = (addr(data) & ~0x3fffffu) | 0x83;
    pg32[0x80000000u >> 22] = addr(pt32) | 3;
    modes_pg32_cr3 = addr(pg32);
    modes_alias4 = ALIAS + (addr(data) & 0x3fffff);
    gate32(0x30, modes_h30);
    gate32(V_UD, modes_hud);
    gate32(V_PF, modes_hpf);
    gate32(V_GP, modes_hgp);
    modes_idt32_ptr.limit = sizeof(idt32) - 1;
    modes_idt32_ptr.base = addr(idt32);
}

static void low_init(void)
{
    pae_pdpt[0] = addr(pae_pd[0]) | 1; /* each round: QEMU sets a reserved bit in them */
    pae_pdpt[1] = addr(pae_pd[1]) | 1;
    mem_set((void *)LOW, 0xee, 0x800);
    mem_copy((void *)TRAMP, tramp_start, (size_t)(tramp_end - tramp_start));
    ivt(0, real_hde);
    ivt(0x0d, real_hgp);
    ivt(0x21, real_h21);
    *(volatile uint32_t *)(LOW + 0x510) = 0xfeedf00d;
    mem_copy((void *)(LOW + 0x600), "wrap", 4);
    pt32[0] = addr(data) | 3;
    pt32[1] = (addr(data) + 4096) | 3;
    data[0] = 0xdadada01;
    data[1025] = 0;
}

static void judge(void)
{
    check_eq("compatibility mode runs 32-bit code", low[0], 2);
    check_eq("and pushes four bytes", low[1], 4);
    check_eq("calls 64-bit code and returns", low[2], 0x64);
    check_eq("and wraps addresses at 4 GiB", low[3], 0x77);
    check_eq("EFER without paging: LME but no LMA", low[4] & 0x500, 0x100);
    check_eq("protected mode takes an interrupt", low[5], 0x3030);
    check_eq("and a fault", low[6], 0x0606);
    check_eq("PAE paging maps 2 MiB pages", low[7], 0xdadada01);
    check_eq("PAE page fault: error code", low[10], 0);
    check_eq("PAE page fault: address", low[11], 0xc0000123);
    check_eq_real("a PDPT entry has no accessed bit", pae_pdpt[1], addr(pae_pd[1]) | 1);
    check_eq("32-bit paging maps 4 MiB pages", low[12], 0xdadada01);
    check_eq("and 4 KiB pages", low[13], 0xdadada01);
    check_eq("and writes them", data[1025], 0xdadada01);
    check_eq("32-bit page table: A", pt32[0] & 0x60, 0x20);
    check_eq("32-bit page table: A and D", pt32[1] & 0x60, 0x60);
    check_eq("32-bit page fault: address", low[9], 0xc0000456);
    check_eq("16-bit protected mode pushes two bytes", low[14], 2);
    check_eq("and wraps ax", low[15], 0);
    check_eq("and has 32-bit operands", low[16], 0x23456789);
    check_eq_real("and checks limits", low[17], 0);
    check_eq("real mode: PE is clear", low[18], 0);
    check_eq("real mode: cs", low[19], TRAMP / 16);
    check_eq("real mode: int 21h", low[20], 0x2121);
    check_eq("real mode: divide error", low[21], 0xde);
    check_eq_real("real mode: beyond the limit", low[22], 0x0d0d);
    check_eq("real mode: segment times 16", low[23], 0xfeedf00d);
    check_eq("real mode keeps a big segment's limit", low[24], *(volatile uint32_t *)0x100000);
    check_eq("real mode: the first bytes above 1 MiB", low[25], *(volatile uint32_t *)0x100000);
    check_eq("real mode: rep movsb wraps di", low[26], 2);
    check("and stores on both sides", *(volatile uint8_t *)(0x9000 + 0xfffe) == 'w' &&
                                          *(volatile uint8_t *)(0x9000 + 1) == 'p');
    check_eq("real mode: far call", low[27], 0x5a5a);
}

void guest_main(const uint8_t *mbi)
{
    (void)mbi;
    tables_init();
    for (unsigned round = 0; round < 3; round++) {
        say("round %u\n", round);
        low_init();
        check_eq("back in 64-bit mode", modes_trip() & 0x500, 0x500);
        judge();
        TRY("ud2");
        check_trap("traps work again", V_UD, 0);
    }
}
