/*
 * Code that changes: written by itself, from its own page and from others, across page boundaries,
 * by a device; and jumps into the middle of instructions. 32 bits, paging off; the same on every
 * engine. With via=pio and a register disk (dev/regdisk_regs.h), code also arrives by DMA; with
 * pages, code runs on each page of memory, of which there must be more than 32 MiB.
 */
#include "dev/regdisk_regs.h"
#include "guest.h"
#include "irq.h"

static uint8_t page[3 * 4096] __attribute__((aligned(4096)));
static uint8_t sector[512];

typedef uint32_t fn(void);

static uint32_t call(const void *at)
{
    return ((fn *)(uintptr_t)at)();
}

/* mov $v, %eax; ret */
static void put_mov(uint8_t *at, uint32_t v)
{
    at[0] = 0xb8;
    mem_copy(at + 1, &v, 4);
    at[5] = 0xc3;
}

static void from_outside(void)
{
    bool ok = true;

    for (uint32_t i = 0; i < 20; i++) {
        put_mov(page + 64, i * 0x01010101);
        ok &= call(page + 64) == i * 0x01010101;
    }
    check("code written and called, again and again", ok);
    put_mov(page + 100, 1);
    put_mov(page + 200, 2);
    ok = call(page + 100) == 1;
    page[201] = 3;
    check("one function of a page changes, the other doesn't",
          ok && call(page + 200) == 3 && call(page + 100) == 1);
    for (uint32_t i = 0; i < 20; i++) {
        *(volatile uint32_t *)(page + 3000) = i; /* data beside code */
        ok &= call(page + 100) == 1 && *(volatile uint32_t *)(page + 3000) == i;
    }
    check("data beside code", ok);
}

/* Each writes into its own page: the immediate of the next instruction; a counter. */
asm(".pushsection .data\n.p2align 12\n"
    ".globl self_next, self_count, self_string, self_invalid\n"
    "self_next: movl $0x77777777, 1f + 1\n"
    "1: movl $0x11111111, %eax; ret\n"
    "self_count: movl $1000, %ecx; movl $0, 9f\n"
    "2: incl 9f; loop 2b\n"
    "movl 9f, %eax; ret\n"
    "self_string: pushl %edi; movl $3f, %edi; movl $0x40404040, %eax; movl $8, %ecx; rep stosb\n"
    "xorl %eax, %eax\n"
    "3: .fill 8, 1, 0x90\n" /* becomes eight times inc %eax */
    "popl %edi; ret\n"
    "self_invalid: movl $0x11223344, %eax; movb $0xc8, 4f + 1\n"
    "4: .byte 0x0f, 0x04; ret\n" /* no instruction; becomes bswap %eax */
    "9: .long 0\n"
    ".popsection");
extern uint8_t self_next[], self_count[], self_string[], self_invalid[];

static void from_inside(void)
{
    check_eq("a store into the next instruction", call(self_next), 0x77777777);
    check_eq("a counter beside the loop that counts", call(self_count), 1000);
    check_eq("a string store into what follows", call(self_string), 8);
    check_eq("and once more", call(self_string), 8);
    check_eq("a store that makes the next one valid", call(self_invalid), 0x44332211);
}

static void straddle(void)
{
    uint8_t *edge = page + 4096;

    put_mov(edge - 3, 0xaabbccdd);
    check_eq("an instruction across two pages", call(edge - 3), 0xaabbccdd);
    edge[0] = 0x11;
    check_eq("its second page changes", call(edge - 3), 0xaa11ccdd);
    edge[-1] = 0x22;
    check_eq("its first page changes", call(edge - 3), 0xaa1122dd);
    put_mov(edge + 3, 5); /* a neighbour of its end */
    check_eq("code follows on the second page", call(edge + 3), 5);
    check_eq("both still work", call(edge - 3), 0xaa1122dd);
    edge[-2] = 0x0f; /* 0f 00 /6: no such instruction; 0f 00 /1 to a register: STR */
    edge[-1] = 0x00;
    edge[0] = 0xf0;
    edge[1] = 0xc3;
    TRY("movl %0, %%eax; call *%%eax", "r"(edge - 2));
    check_trap("an invalid one across two pages", V_UD, 0);
    edge[0] = 0xc8;
    check_eq("its second page makes it valid", call(edge - 2) & 0xffff, SEL_TSS);
}

/* b8 imm32 whose immediate is code: 40 40 c3 90. */
static void overlap(void)
{
    static const uint8_t code[] = {
        0x31, 0xc0,                   /* xorl %eax, %eax */
        0x74, 0x01,                   /* jz into the middle of the next */
        0xb8, 0x40, 0x40, 0xc3, 0x90, /* movl: or incl, incl, ret */
        0xc3,
    };

    mem_copy(page + 512, code, sizeof(code));
    check_eq("a branch into the middle of an instruction", call(page + 512), 2);
    check_eq("the instruction itself", call(page + 512 + 4), 0x90c34040);
    check_eq("its middle again", call(page + 512), 2);
    static const uint8_t self[] = {
        0x31, 0xc0, 0xb1, 0x01, /* xorl %eax, %eax; movb $1, %cl */
        0xeb, 0xff, 0xc0, 0xc3, /* jmp into itself: incl %eax; ret */
    };
    mem_copy(page + 600, self, sizeof(self));
    check_eq("a branch into itself", call(page + 600), 1);
    TRY("movl %0, %%eax; jmp *%%eax", "r"(page + 4096 - 1));
    check("what is there runs or faults", true);
}

/* ---- by DMA ---- */

static void disk(uint32_t dir, const void *mem)
{
    outl(MAP_REGDISK_PIO + REGDISK_X, 1);
    outl(MAP_REGDISK_PIO + REGDISK_Z, (uint32_t)mem);
    outl(MAP_REGDISK_PIO + REGDISK_COUNT, 1);
    outl(MAP_REGDISK_PIO + REGDISK_Y, dir);
    outl(MAP_REGDISK_PIO + REGDISK_CMD, REGDISK_CMD_START);
    for (unsigned i = 0; i < 100000000; i++)
        if (inl(MAP_REGDISK_PIO + REGDISK_STATUS) & REGDISK_STATUS_DONE)
            break;
    outl(MAP_REGDISK_PIO + REGDISK_INTR_ACK, REGDISK_STATUS_DONE | REGDISK_STATUS_FAILED);
}

static void by_dma(void)
{
    bool ok = true;

    for (uint32_t i = 0; i < 10; i++) {
        put_mov(sector, i + 100);
        put_mov(page + 1024, i);
        disk(REGDISK_WRITE, sector);
        ok &= call(page + 1024) == i;
        disk(REGDISK_READ, page + 1024);
        ok &= call(page + 1024) == i + 100;
    }
    check("code that a device wrote", ok);
    mem_set(sector, 0, sizeof(sector));
    put_mov(page + 1024, 0x31337);
    call(page + 1024);
    disk(REGDISK_WRITE, page + 1024);
    disk(REGDISK_READ, sector);
    check("code that a device reads is what was written",
          mem_eq(sector, page + 1024, 6) && sector[0] == 0xb8 && sector[5] == 0xc3);
}

/* Whoever runs this may keep pictures of code, but none that a guest can read. */
static void read_back(void)
{
    static const uint8_t code[] = {0x9c, 0x58, 0x16, 0x5a, 0xfa, 0xc3};
    uint8_t *at = page + 2048;

    mem_copy(at, code, sizeof(code)); /* pushf; pop %eax; push %ss; pop %edx; cli; ret */
    check_eq("sensitive instructions", call(at) & ~0xd5u, 2);
    check("code reads as it was written", mem_eq(at, code, sizeof(code)));
}

/* More pages of code than anybody keeps pictures of. */
static void many_pages(const uint8_t *mbi)
{
    extern uint8_t end_of_image[];
    uint32_t first = ((uint32_t)end_of_image + 4095) & ~4095u;
    uint32_t end = 0x100000 + *(const uint32_t *)(mbi + 8) * 1024;
    bool ok = true;

    for (unsigned turn = 0; turn < 2; turn++)
        for (uint32_t at = first; at < end; at += turn ? 16 * 4096 : 4096) {
            if (!turn)
                put_mov((uint8_t *)at, at);
            ok &= call((void *)at) == at;
        }
    check("a function on each page", ok && (end - first) / 4096 > 8192);
}

void guest_main(const uint8_t *mbi)
{
    from_outside();
    from_inside();
    straddle();
    overlap();
    read_back();
    if (guest_has(mbi, "via=pio"))
        by_dma();
    if (guest_has(mbi, "pages"))
        many_pages(mbi);
}
