/*
 * The translator's front end: decoding, claims, flags, code generation, for any bytes in any mode.
 * Blocks are translated and checked, not run (their semantics are tested against the real CPU).
 * First byte: the mode; then where in its page the code begins, 16 bits; then code.
 */
#include "core/cpu_regs.h"
#include "engine/dbt/dbt.h"
#include "engine/dbt/sys.h"
#include "input.h"
#include "mem/ram.h"
#include <stdlib.h>

enum { CODE = 0x10000, CODE_MAX = 512, BLOCKS = 16, PML4 = 0x1000, INSN_MAX = 15 };

/* A fuzz target is a program's main file: one engine for all inputs, as opening it is slow. */
static struct ram ram;
static struct engine_env env;
static struct cpu *cpu;
static struct dbt_share share;
static const struct shadow *reg_page[DBT_SHADOWS_MAX];

static void setup(void)
{
    PROMISE(!ram_open(&ram, 1 << 20));
    env = (struct engine_env){.ram = &ram, .vcpus = 1, .tsc_hz = 1000000000};
    cpu = aligned_alloc(64, (sizeof(*cpu) + 63) & ~63ull);
    PROMISE(cpu);
    memset(cpu, 0, sizeof(*cpu));
    cpu->self = cpu;
    cpu->env = &env;
    cpu->dbt = calloc(1, sizeof(*cpu->dbt));
    PROMISE(cpu->dbt);
    cpu->dbt->cpu = cpu;
    cpu->dbt->ram = &ram;
    cpu->reg_page = reg_page;
    cpu->dbt->share = &share;
    share = (struct dbt_share){
        .watchers = calloc(ram.size >> RAM_PAGE_SHIFT, 1), .cpu = &cpu, .cpus = 1};
    PROMISE(share.watchers);
    PROMISE(!dbt_cache_open(cpu->dbt) && !dbt_translator_open(cpu->dbt));
    sys_init(cpu, env.tsc_hz);
}

/* Low memory mapped to itself, user and writable: one 2 MiB page. */
static void page_tables(void)
{
    uint8_t *p = ram_ptr(&ram, PML4, 0x3000);

    memset(p, 0, 0x3000);
    le64_put(p, (PML4 + 0x1000) | 7);
    le64_put(p + 0x1000, (PML4 + 0x2000) | 7);
    le64_put(p + 0x2000, 0x87);
    cpu->cr3 = PML4;
}

static void segments(uint16_t code)
{
    uint16_t ring = cpu->cpl ? SEG_DPL : 0;

    for (unsigned i = 0; i < 6; i++)
        cpu->seg[i] = (struct cpu_seg){.sel = (uint16_t)(8 | cpu->cpl),
                                       .attr = SEG_S | SEG_P | SEG_W | SEG_A | SEG_D | SEG_G | ring,
                                       .limit = UINT32_MAX};
    cpu->seg[SEG_CS].attr = SEG_S | SEG_P | SEG_X | SEG_R | SEG_A | code | ring;
}

static void mode(uint8_t how)
{
    sys_reset(cpu);
    if (how & 0x10)
        cpu->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    if (how & 0x20)
        cpu->cr0 |= CR0_TS | CR0_MP;
    if (how & 0x40)
        cpu->flags_sys |= FL_TF;
    cpu->cpl = how & 8 && how & 3 ? 3 : 0;
    switch (how & 3) {
    case 0: /* real mode, at CODE */
        cpu->seg[SEG_CS].base = 0;
        cpu->seg[SEG_CS].limit = UINT32_MAX;
        break;
    case 1: /* 16-bit protected */
    case 2: /* 32-bit protected */
        cpu->cr0 |= CR0_PE;
        segments((how & 3) == 2 ? SEG_D | SEG_G : SEG_G);
        break;
    default: /* 64-bit */
        cpu->cr0 |= CR0_PE | CR0_PG;
        cpu->cr4 |= CR4_PAE;
        cpu->efer |= EFER_LME | EFER_LMA;
        page_tables();
        segments(SEG_L | SEG_G);
    }
    mmu_flush(cpu, true);
    cpu_mode_update(cpu);
}

static void check(const struct block *b)
{
    const struct dbt *d = cpu->dbt;

    PROMISE(b->rip == cpu->rip && b->len >= 1 && b->len <= BLOCK_INSNS * INSN_MAX);
    PROMISE(b->exits <= BLOCK_EXITS && b->faults <= BLOCK_INSNS * 2 && b->ranges <= 4);
    PROMISE(b->hot + b->entry < CODE_HOT);
    PROMISE(d->hot.p <= d->rw + CODE_HOT && d->cold.p <= d->rw + CODE_HOT + CODE_COLD);
}

/* One block at cpu->rip. False: a fault, or nothing to go on with. */
static bool block(void)
{
    struct itlb_entry *page;
    struct block *b;

    if (setjmp(cpu->fault_jmp))
        return false;
    page = mmu_fetch(cpu, cpu->rip + cpu->cs_base);
    if (!page->host)
        return false;
    b = dbt_translate(cpu->dbt, page);
    PROMISE(b); /* the cache was emptied before this input */
    check(b);
    cpu->rip += b->len;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct input in = {data, len};
    uint8_t how = take_u8(&in);
    uint64_t start = CODE + take_u16(&in) % RAM_PAGE_SIZE, end;

    if (!cpu)
        setup();
    dbt_flush_all(cpu->dbt);
    memset(ram_ptr(&ram, CODE, 0x2000), 0x90, 0x2000);
    end = start + (in.len < CODE_MAX ? in.len : CODE_MAX);
    take(&in, ram_ptr(&ram, start, CODE_MAX), CODE_MAX);
    mode(how);
    cpu->rip = start;
    for (unsigned n = 0; n < BLOCKS && cpu->rip < end; n++)
        if (!block())
            break;
    return 0;
}
