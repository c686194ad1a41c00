/*
 * The translated side: 16 MiB of guest RAM, long mode, the same linear addresses. Exceptions use an
 * IST stack of their own; each handler saves the vector state and halts. Intel SDM volume 3,
 * chapters 4 (paging), 6 (interrupts).
 */
#include "core/error.h"
#include "diff.h"
#include "engine/dbt/cpu.h"
#include "engine/engine.h"
#include "mem/ram.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SYS_AT = 0x30000000, /* GDT, then a page each */
    IDT_AT = SYS_AT + 0x1000,
    TSS_AT = SYS_AT + 0x2000,
    IST_TOP = SYS_AT + 0x4000,
    STUB_AT = SYS_AT + 0x5000,
    FX_OUT = SYS_AT + 0x6000,
    FX_IN = SYS_AT + 0x7000,
    SYS_PAGES = 8,
    ROUNDS_GPA = 0x180000,
    SYS_GPA = 0x300000,
    ENTRY = STUB_AT + 0x800,
    ENTRY32 = STUB_AT + 0x880,
    CS_USER32 = 0x23, /* as Linux has them */
    DS_USER = 0x2b,
    CS_USER = 0x33,
    CS_KERNEL32 = 0x18,
    ENTRY16 = STUB_AT + 0x900,
    LDT_AT = SYS_AT + 0x100,
    STUB_LEN = 32,
    STUB_END = 10, /* behind its HLT */
};

static struct {
    struct ram ram;
    struct engine *e;
} g;

static uint64_t data_gpa(unsigned page)
{
    return 0x100000 + (page * 5 + 3) % 16 * PAGE; /* neighbours aren't neighbours */
}

static uint64_t code_gpa(unsigned page)
{
    return 0x200000 - page * 3 * PAGE;
}

static uint8_t *at(uint64_t gpa)
{
    return ram_ptr(&g.ram, gpa, 8);
}

static void put(uint64_t gpa, uint64_t v)
{
    le64_put(at(gpa), v);
}

static uint8_t *sys(uint32_t lin)
{
    return at(SYS_GPA + (lin - SYS_AT));
}

static void map(uint64_t lin, uint64_t gpa, bool write)
{
    uint64_t pt = 0x4000 + (lin >> 28) * 0x1000;
    put(0x3000 + (lin >> 21 & 511) * 8, pt | 7);
    put(pt + (lin >> 12 & 511) * 8, gpa | 5 | (write ? 2 : 0));
}

/* A 32-bit stub, since it reads through CS: fxrstor; far jump into 16-bit code. */
static void tables16(void)
{
    uint8_t entry[] = {0x2e, 0x0f, 0xae, 0x0d, 0, 0, 0, 0, 0x2e, 0xff, 0x2d, 0, 0, 0, 0};
    le32_put(entry + 4, FX_IN);
    le32_put(entry + 11, FX_IN + 0x800);
    memcpy(sys(ENTRY16), entry, sizeof(entry));
}

static void tables(void)
{
    put(0x1000, 0x2007);
    put(0x2000, 0x3007);
    for (unsigned i = 0; i < DATA_LEN / PAGE; i++)
        map(DATA_AT + i * PAGE, data_gpa(i) | 1ull << 63, i > 0);
    map(ROUNDS_AT, ROUNDS_GPA | 1ull << 63, true);
    for (unsigned i = 0; i < CODE_LEN / PAGE; i++)
        map(CODE_AT + i * PAGE, code_gpa(i), false);
    for (unsigned i = 0; i < SYS_PAGES; i++)
        map(SYS_AT + i * PAGE, SYS_GPA + i * PAGE, true);
    put(SYS_GPA + 8, 0x00af9b000000ffff); /* code, data of level 0 */
    put(SYS_GPA + 16, 0x00cf93000000ffff);
    put(SYS_GPA + 0x18, 0x00cf9b000000ffff); /* code of 32 bits, both levels */
    put(SYS_GPA + 0x20, 0x00cffb000000ffff);
    put(SYS_GPA + 0x28, 0x00cff3000000ffff); /* of level 3, at Linux's selectors */
    put(SYS_GPA + 0x30, 0x00affb000000ffff);
    put(SYS_GPA + 0x40,
        0x0000890000000067 | (uint64_t)(TSS_AT & 0xffffff) << 16 | (uint64_t)(TSS_AT >> 24) << 56);
    le64_put(sys(TSS_AT + 36), IST_TOP);
    for (unsigned v = 0; v < 32; v++) {
        uint64_t stub = STUB_AT + v * STUB_LEN;
        uint64_t gate = v == 3 || v == 4 ? 0xee : 0x8e; /* INT3 and INTO are for programs */
        le64_put(sys(IDT_AT + v * 16),
                 (stub & 0xffff) | 8 << 16 | 1ull << 32 | gate << 40 | (stub >> 16 & 0xffff) << 48);
        uint8_t code[] = {0x48, 0x0f, 0xae, 0x04, 0x25, 0, 0, 0, 0, 0xf4}; /* fxsave64; hlt */
        le32_put(code + 5, FX_OUT);
        memcpy(sys((uint32_t)stub), code, sizeof(code));
    }
    uint8_t entry[] = {0x48, 0x0f, 0xae, 0x0c, 0x25, 0, 0, 0, 0, 0xff, 0x24, 0x25, 0, 0, 0, 0};
    le32_put(entry + 5, FX_IN);
    le32_put(entry + 12, FX_IN + 0x800);
    memcpy(sys(ENTRY), entry, sizeof(entry));
    uint8_t entry32[] = {0x0f, 0xae, 0x0d, 0, 0, 0, 0, 0xff, 0x25, 0, 0, 0, 0};
    le32_put(entry32 + 3, FX_IN);
    le32_put(entry32 + 9, FX_IN + 0x800);
    memcpy(sys(ENTRY32), entry32, sizeof(entry32));
    tables16();
}

static void no_trap(void *ctx, unsigned vcpu, struct trap *t)
{
    (void)ctx, (void)vcpu;
    t->value = 0;
}

void guest_open(void)
{
    struct error err = {0};
    if (ram_open(&g.ram, 16u << 20)) {
        fprintf(stderr, "diff_insn: no guest RAM\n");
        exit(2);
    }
    struct engine_env env = {.ram = &g.ram, .vcpus = 1, .trap = no_trap, .tsc_hz = 1000000000};
    if (engine_dbt.open(&g.e, &env, &err)) {
        fprintf(stderr, "diff_insn: no engine\n");
        exit(2);
    }
    tables();
    struct seq s; /* the engine's signal handlers are installed by its first run */
    struct outcome o;
    uint8_t ud2[] = {0x0f, 0x0b};
    gen_make(&s, 0);
    guest_run(&s, ud2, sizeof(ud2), &o);
}

void guest_close(void)
{
    engine_dbt.close(g.e);
    ram_close(&g.ram);
}

/* Compatibility mode, as Linux runs 32-bit programs; FS and GS hold nothing. */
static void start_32(bool user, struct cpu_regs *r)
{
    r->rip = ENTRY32;
    r->seg[SEG_CS].sel = user ? CS_USER32 : CS_KERNEL32;
    r->seg[SEG_CS].attr = (uint16_t)((r->seg[SEG_CS].attr & ~SEG_L) | SEG_D);
    r->seg[SEG_DS].sel = r->seg[SEG_ES].sel = DS_USER;
    r->seg[SEG_FS] = r->seg[SEG_GS] = (struct cpu_seg){0};
}

/* Segments that native.c makes as well, with the same selectors at level 3. */
static void start_16(const struct seq *s, struct cpu_regs *r)
{
    unsigned level = s->user ? 3 : 0;
    uint64_t access = 0x9b | level << 5;
    struct cpu_seg data = {.base = DATA_AT, .limit = DATA_LEN - 1, .attr = SEG_P | SEG_S | 3};
    data.attr |= (uint16_t)(level << 5);
    le64_put(sys(LDT_AT), (CODE_LEN - 1) | access << 40 | (uint64_t)(CODE_AT >> 24) << 56);
    le32_put(sys(FX_IN + 0x800), s->start);
    le16_put(sys(FX_IN + 0x804), (uint16_t)(SEL16_CS & ~3u) | (uint16_t)level);
    r->rip = ENTRY16;
    r->seg[SEG_SS] = r->seg[SEG_DS] = r->seg[SEG_ES] = data;
    r->seg[SEG_SS].sel = (uint16_t)((SEL16_SS & ~3u) | level);
    r->seg[SEG_DS].sel = SEL16_DS;
    r->seg[SEG_ES].sel = SEL16_ES;
    r->seg[SEG_DS].limit = DS_LEN16 - 1;
    r->ldtr = (struct cpu_seg){.sel = 0x50, .base = LDT_AT, .limit = 7, .attr = 0x82};
}

static void start_regs(const struct seq *s, struct cpu_regs *r)
{
    const struct cpu_seg flat = {.limit = UINT32_MAX, .attr = SEG_P | SEG_S | 3 | SEG_D | SEG_G};
    memset(r, 0, sizeof(*r));
    memcpy(r->gpr, s->in.gpr, sizeof(r->gpr));
    r->rip = ENTRY;
    r->rflags = s->in.rflags;
    unsigned dpl = s->user ? 0x60 : 0;
    r->seg[SEG_CS] = (struct cpu_seg){.sel = s->user ? CS_USER : 8, .limit = UINT32_MAX};
    r->seg[SEG_CS].attr = (uint16_t)(SEG_P | SEG_S | 0xb | SEG_L | SEG_G | dpl);
    r->seg[SEG_SS] = flat;
    r->seg[SEG_SS].sel = s->user ? DS_USER : 16;
    r->seg[SEG_SS].attr |= (uint16_t)dpl;
    r->seg[SEG_DS] = r->seg[SEG_ES] = r->seg[SEG_FS] = r->seg[SEG_GS] = r->seg[SEG_SS];
    r->seg[SEG_DS].sel = r->seg[SEG_ES].sel = r->seg[SEG_FS].sel = r->seg[SEG_GS].sel = 0;
    r->seg[SEG_FS].base = s->in.fs_base;
    r->seg[SEG_GS].base = s->in.gs_base;
    r->ldtr = (struct cpu_seg){.attr = 0x82};
    if (s->bits != 64)
        start_32(s->user, r);
    if (s->bits == 16)
        start_16(s, r);
    r->tr = (struct cpu_seg){.sel = 0x40, .attr = 0x8b, .limit = 0x67, .base = TSS_AT};
    r->gdtr.base = SYS_AT, r->gdtr.limit = 0x4f;
    r->idtr.base = IDT_AT, r->idtr.limit = 32 * 16 - 1;
    r->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
    if (s->align_check)
        r->cr0 |= CR0_AM;
    r->cr3 = 0x1000;
    r->cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    r->efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
}

static void put_code(const struct seq *s, const uint8_t *code, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        unsigned off = s->start + i;
        ram_ptr(&g.ram, code_gpa(off / PAGE) | off % PAGE, 1)[0] = code[i];
    }
    for (unsigned i = 0; i < CODE_LEN / PAGE; i++)
        ram_written(&g.ram, code_gpa(i), PAGE);
}

static bool has_error(int vector)
{
    return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
}

static void read_frame(struct outcome *o, const struct cpu_regs *r)
{
    const uint8_t *top = sys(IST_TOP - 40);
    memcpy(o->at.gpr, r->gpr, sizeof(o->at.gpr));
    o->at.rip = le64_get(top);
    o->at.rflags = le64_get(top + 16);
    o->at.gpr[REG_RSP] = le64_get(top + 24);
    o->error = has_error(o->vector) ? (uint32_t)le64_get(top - 8) : 0;
    o->cr2 = r->cr2;
    memcpy(o->at.fx, sys(FX_OUT), FX_SIZE);
}

void guest_again(void)
{
    guest_close();
    guest_open();
}

void guest_kick(void)
{
    engine_dbt.kick(g.e, 0, true);
}

void guest_run(const struct seq *s, const uint8_t *code, unsigned len, struct outcome *o)
{
    uint8_t *page[DATA_LEN / PAGE];
    struct cpu_regs r;
    struct trap end = {.kind = TRAP_KINDS};
    for (unsigned i = 0; i < DATA_LEN / PAGE; i++)
        o->page[i] = page[i] = at(data_gpa(i));
    gen_memory(s, page);
    le32_put(at(ROUNDS_GPA), ROUNDS);
    put_code(s, code, len);
    memcpy(sys(FX_IN), s->in.fx, FX_SIZE);
    le64_put(sys(FX_IN + 0x800), CODE_AT + s->start);
    start_regs(s, &r);
    engine_dbt.set_regs(g.e, 0, &r);
    native_watch();
    do /* a kick may come from the run before */
        engine_dbt.run(g.e, 0, &end);
    while (end.kind == TRAP_KICK && !native_late());
    engine_dbt.get_regs(g.e, 0, &r);
    o->vector = -1;
    uint64_t off = r.rip - STUB_AT - STUB_END;
    if (end.kind == TRAP_HALT && off < 32 * STUB_LEN && off % STUB_LEN == 0) {
        o->vector = (int)(off / STUB_LEN);
        read_frame(o, &r);
    } else if (end.kind == TRAP_KICK) {
        snprintf(o->why, sizeof(o->why), "runs for ever at 0x%llx", (unsigned long long)r.rip);
    } else {
        snprintf(o->why, sizeof(o->why), "run ended with trap %d at 0x%llx: %.100s", end.kind,
                 (unsigned long long)r.rip, end.kind == TRAP_FAIL ? end.why : "");
    }
}
