/*
 * Thunks: the few pieces of hand-made code between C and translated code, written into the cache
 * once. Convention: GS is struct cpu; r10 and r11 carry arguments; guest r10/r11 are always in
 * gpr[]; C runs on the stack it called `enter` on (cpu->host_rsp, 16-byte aligned).
 */
#include "engine/dbt/dbt.h"

#define GS(f)  offsetof(struct cpu, f)
#define GPR(n) (GS(gpr) + 8 * (size_t)(n))

static void regs_store(struct buf *b)
{
    for (unsigned r = 0; r < 16; r++)
        if (r != H_R10 && r != H_R11)
            e_store(b, r, GPR(r));
}

static void regs_load(struct buf *b)
{
    for (unsigned r = 0; r < 16; r++)
        if (r != H_R10 && r != H_R11)
            e_load(b, r, GPR(r));
}

/* C has kept rbx, rbp, r12-r15 for us. */
static void regs_load_clobbered(struct buf *b)
{
    static const uint8_t reg[] = {H_RAX, H_RCX, H_RDX, H_RSI, H_RDI, H_R8, H_R9, H_RSP};
    for (unsigned i = 0; i < ARRAY_LEN(reg); i++)
        e_load(b, reg[i], GPR(reg[i]));
}

static void jmp_gs(struct buf *b, size_t off) /* jmp gs:[off] */
{
    e8(b, 0x65);
    e8(b, 0xff);
    e_gs_modrm(b, 4, off);
}

static void call_c(struct buf *b, const void *fn)
{
    e_load(b, H_RDI, GS(self));
    e_load(b, H_RSP, GS(host_rsp));
    e_mov_imm(b, H_RAX, (uint64_t)(uintptr_t)fn);
    e8(b, 0xff);
    e8(b, 0xd0);
}

static void leave_to_c(struct buf *b) /* return from enter; guest registers are stored */
{
    static const uint8_t pop[] = {0x48, 0x83, 0xc4, 0x08, 0x41, 0x5f, 0x41, 0x5e,
                                  0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3};
    e_load(b, H_RSP, GS(host_rsp));
    ebytes(b, pop, sizeof(pop));
}

static const uint8_t *enter_thunk(struct buf *b)
{
    static const uint8_t push[] = {0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41,
                                   0x56, 0x41, 0x57, 0x48, 0x83, 0xec, 0x08};
    const uint8_t *at = rx_here(b);
    ebytes(b, push, sizeof(push));
    e_store(b, H_RSP, GS(host_rsp));
    e_store(b, H_RSI, GS(ret));
    regs_load(b);
    jmp_gs(b, GS(ret));
    return at;
}

/* r10 = RIP to go on at; flags are in memory; cpu->link says which exit asks. */
static const uint8_t *exit_thunk(struct buf *b)
{
    const uint8_t *at = rx_here(b);
    regs_store(b);
    e_store(b, H_R10, GS(rip));
    leave_to_c(b);
    return at;
}

void emit_flags_save(struct buf *b, size_t off)
{
    e_mov(b, H_R11, H_RAX);
    e8(b, 0x9f);                           /* lahf */
    e8(b, 0x0f), e8(b, 0x90), e8(b, 0xc0); /* seto al */
    e8(b, 0x65), e8(b, 0x66), e8(b, 0x89); /* mov gs:[off], ax */
    e_gs_modrm(b, H_RAX, off);
    e_mov(b, H_RAX, H_R11);
}

void emit_flags_restore(struct buf *b, size_t off, unsigned tmp)
{
    e_mov(b, tmp, H_RAX);
    e8(b, 0x65), e8(b, 0x0f), e8(b, 0xb7); /* movzx eax, word gs:[off] */
    e_gs_modrm(b, H_RAX, off);
    e8(b, 0x04), e8(b, 0x7f); /* add al, 0x7f: OF from bit 0 */
    e8(b, 0x9e);              /* sahf */
    e_mov(b, H_RAX, tmp);
}

void emit_poll(struct buf *b) /* sets the host's ZF: clear when somebody wants us out */
{
    e8(b, 0x65), e8(b, 0x83); /* cmp dword gs:[exit_request], 0 */
    e_gs_modrm(b, 7, GS(exit_request));
    e8(b, 0);
}

uint8_t *emit_jc_lookup(struct buf *b, unsigned slot)
{
    size_t jc = GS(jc) + slot * sizeof(struct jc_entry) * JC_SETS;
    e_mov(b, H_R11, H_R10);
    e8(b, 0x49), e8(b, 0xc1), e8(b, 0xeb), e8(b, JC_BITS);                    /* shr r11, 12 */
    e_rr(b, true, 0x31, H_R11, H_R10);                                        /* xor r11, r10 */
    e8(b, 0x41), e8(b, 0x81), e8(b, 0xe3), e32(b, JC_SETS - 1);               /* and r11d */
    e8(b, 0x41), e8(b, 0xc1), e8(b, 0xe3), e8(b, 4);                          /* shl r11d, 4 */
    e8(b, 0x65), e8(b, 0x4d), e8(b, 0x3b), e8(b, 0x93), e32(b, (uint32_t)jc); /* cmp r10, */
    e8(b, 0x0f), e8(b, 0x85);                                                 /* jne miss */
    uint8_t *miss = e_later(b);
    e8(b, 0x65), e8(b, 0x41), e8(b, 0xff), e8(b, 0xa3), e32(b, (uint32_t)jc + 8); /* jmp */
    return miss;
}

/* A direct exit that isn't linked: r10 = target RIP, cpu->link = the exit. */
static const uint8_t *jc_thunk(struct buf *b, unsigned slot, bool host_flags,
                               const uint8_t *exit_at)
{
    const uint8_t *at = rx_here(b);
    if (host_flags)
        emit_flags_save(b, GS(fl));
    emit_poll(b);
    e_jcc(b, CC_NE, exit_at);
    e_here(b, emit_jc_lookup(b, slot), exit_at);
    return at;
}

/* r10 = struct sysop, r11 = where to go on. Flags are in memory. */
static const uint8_t *sysop_thunk(struct buf *b)
{
    const uint8_t *at = rx_here(b);
    regs_store(b);
    e_store(b, H_R11, GS(ret));
    e_mov(b, H_RSI, H_R10);
    call_c(b, (const void *)(uintptr_t)dbt_sysop);
    e8(b, 0x85), e8(b, 0xc0); /* test eax, eax */
    e8(b, 0x0f), e8(b, 0x85); /* jnz leave */
    uint8_t *leave = e_later(b);
    regs_load(b);
    jmp_gs(b, GS(ret));
    e_here(b, leave, rx_here(b));
    leave_to_c(b);
    return at;
}

static void shift(struct buf *b, unsigned op, unsigned reg, unsigned n) /* 64-bit, rax..rdi */
{
    e8(b, 0x48), e8(b, 0xc1), e8(b, op << 3 | 0xc0 | reg), e8(b, n);
}

/* Is the page among those the TLB evicted? rax and rcx are lent; falls through when it isn't. */
static void victim_probe(struct buf *b, unsigned areg, unsigned table)
{
    enum { SHL = 4, SHR = 5 };
    size_t at = GS(victim) + table * VICTIM_SETS * sizeof(struct tlb_entry);
    unsigned ret = areg == H_R10 ? H_R11 : H_R10;
    e_store(b, H_RAX, GS(scratch) + 32);
    e_store(b, H_RCX, GS(scratch) + 40);
    e_mov(b, H_RAX, areg);
    shift(b, SHR, H_RAX, 12);
    e_mov(b, H_RCX, H_RAX);
    shift(b, SHR, H_RCX, TLB_BITS);
    e_rr(b, true, 0x31, H_RAX, H_RCX);
    shift(b, SHR, H_RCX, 4);
    e_rr(b, true, 0x31, H_RAX, H_RCX);
    e8(b, 0x25), e32(b, VICTIM_SETS - 1); /* and eax, imm32 */
    shift(b, SHL, H_RAX, 4);
    e_mov(b, H_RCX, areg);
    e8(b, 0x65), e8(b, 0x48), e8(b, 0x2b), e8(b, 0x88), e32(b, (uint32_t)at); /* sub rcx, tag */
    e8(b, 0x48), e8(b, 0x81), e8(b, 0xf9), e32(b, 4095);                      /* cmp rcx, 4095 */
    e8(b, 0x0f), e8(b, 0x80 | CC_A);
    uint8_t *miss = e_later(b);
    e8(b, 0x65), e8(b, 0x48), e8(b, 0x8b), e8(b, 0x80),
        e32(b, (uint32_t)at + 8); /* mov rax, host */
    e_rr(b, true, 0x01, H_RAX, H_RCX);
    e_store(b, H_RAX, GS(scratch) + 48);
    e8(b, 0x65), e8(b, 0x0f), e8(b, 0xb6); /* movzx eax, byte gs:[site + 2]: the size */
    e_gs_modrm(b, H_RAX, GS(site) + SITE_SIZE_SHIFT / 8);
    e_rr(b, true, 0x01, H_RCX, H_RAX);
    e8(b, 0x48), e8(b, 0x81), e8(b, 0xf9), e32(b, 4096); /* cmp rcx, 4096: the end is in it */
    e8(b, 0x0f), e8(b, 0x80 | CC_A);
    uint8_t *across = e_later(b);
    e_load(b, areg, GS(scratch) + 48);
    e_load(b, H_RAX, GS(scratch) + 32);
    e_load(b, H_RCX, GS(scratch) + 40);
    e8(b, 0x41), e8(b, 0xff), e8(b, 0xe0 | (ret & 7)); /* jmp ret */
    e_here(b, miss, rx_here(b));
    e_here(b, across, rx_here(b));
    e_load(b, H_RAX, GS(scratch) + 32);
    e_load(b, H_RCX, GS(scratch) + 40);
}

/* areg = linear address, the other = where to go on, cpu->site = what access. The host address
 * comes back in areg. Flags are saved or dead. */
static const uint8_t *slow_thunk(struct buf *b, unsigned areg, unsigned table)
{
    const uint8_t *at = rx_here(b);
    victim_probe(b, areg, table);
    regs_store(b);
    e_store(b, areg == H_R10 ? H_R11 : H_R10, GS(ret));
    e_mov(b, H_RSI, areg);
    call_c(b, (const void *)(uintptr_t)dbt_slow);
    e_rr(b, true, 0x85, H_RAX, H_RAX); /* 0: a group was refused, leave before it */
    e8(b, 0x0f), e8(b, 0x84);
    uint8_t *leave = e_later(b);
    e_mov(b, areg, H_RAX);
    regs_load_clobbered(b);
    jmp_gs(b, GS(ret));
    e_here(b, leave, rx_here(b));
    leave_to_c(b);
    return at;
}

/* After a store on the slow path: r11 = where to go on. The host's flags may be live. */
static const uint8_t *post_thunk(struct buf *b)
{
    const uint8_t *at = rx_here(b);
    e_store(b, H_R11, GS(ret));
    emit_flags_save(b, GS(post_fl));
    regs_store(b);
    call_c(b, (const void *)(uintptr_t)dbt_post);
    e8(b, 0x85), e8(b, 0xc0);
    e8(b, 0x0f), e8(b, 0x85);
    uint8_t *leave = e_later(b);
    regs_load_clobbered(b);
    emit_flags_restore(b, GS(post_fl), H_R11);
    jmp_gs(b, GS(ret));
    e_here(b, leave, rx_here(b));
    leave_to_c(b);
    return at;
}

static const uint8_t *seg_fault_thunk(struct buf *b)
{
    const uint8_t *at = rx_here(b);
    regs_store(b);
    e_store(b, H_R11, GS(ret));
    call_c(b, (const void *)(uintptr_t)dbt_seg_fault);
    e8(b, 0x0f), e8(b, 0x0b); /* never comes back */
    return at;
}

void dbt_thunks(struct dbt *d)
{
    struct buf *b = &d->hot;
    d->thunk.enter = enter_thunk(b);
    d->thunk.exit = exit_thunk(b);
    for (unsigned s = 0; s < 3; s++) {
        d->thunk.jc_host[s] = jc_thunk(b, s, true, d->thunk.exit);
        d->thunk.jc_mem[s] = jc_thunk(b, s, false, d->thunk.exit);
    }
    d->thunk.sysop = sysop_thunk(b);
    for (unsigned table = 0; table < 4; table++) {
        d->thunk.slow[0][table] = slow_thunk(b, H_R10, table);
        d->thunk.slow[1][table] = slow_thunk(b, H_R11, table);
    }
    d->thunk.post = post_thunk(b);
    d->thunk.slow_fault = seg_fault_thunk(b);
}
