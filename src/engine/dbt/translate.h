/* The translator's working state while it makes one block, shared by its files. */
#ifndef ENGINE_DBT_TRANSLATE_H
#define ENGINE_DBT_TRANSLATE_H

#include "engine/dbt/dbt.h"
#include <Zydis/Zydis.h>

#define OPERANDS 10

struct decoded {
    ZydisDecodedInstruction zi;
    ZydisDecodedOperand op[OPERANDS];
    uint8_t bytes[15];
    uint16_t off; /* from the block's start */
    bool sys;
    struct insn insn;    /* when sys */
    uint32_t read, kill; /* arithmetic flags it reads; it surely overwrites */
    bool writes;         /* touches arithmetic flags at all */
    uint32_t live;       /* arithmetic flags needed just before it */
    bool grouped;        /* its access is inside the window in r10, at group_disp */
    int64_t group_disp;
    uint32_t taken; /* conditional branch: flags needed where it goes */
};

enum flags_at { FLAGS_HOST, FLAGS_MEM, FLAGS_DEAD };

struct translator {
    ZydisDecoder dec16, dec32, dec64;
    struct dbt *d;
    struct cpu *cpu;
    struct block *b;
    struct buf *hot, *cold;
    const ZydisDecoder *dec;
    uint64_t page_rip;   /* RIP of the page's first byte */
    const uint8_t *page; /* host address of the page's bytes */
    const uint8_t *next; /* of a straddling instruction: of the page its end is on */
    uint8_t copy[4096];  /* the page, as it was decoded: see verify */
    struct decoded in[BLOCK_INSNS];
    unsigned n, at;    /* instructions; the one being generated */
    uint32_t live_end; /* flags needed after the last */
    enum flags_at fl;
    struct exit exits[BLOCK_EXITS];
    struct fault_site fault[BLOCK_FAULTS];
    unsigned group_end; /* instructions before it belong to a group: group.c */
    bool ended;         /* the last instruction left the block by itself */
};

#define GS(f)      offsetof(struct cpu, f)
#define GPR(n)     (GS(gpr) + 8 * (size_t)(n))
#define SEGF(i, f) (GS(seg) + (size_t)(i) * sizeof(struct cpu_seg) + offsetof(struct cpu_seg, f))

static inline const struct decoded *cur(const struct translator *t)
{
    return &t->in[t->at];
}

/* Displacement of the current instruction's operand from areg. */
static inline int32_t op_disp(const struct translator *t)
{
    return cur(t)->grouped ? (int32_t)cur(t)->group_disp : 0;
}

static inline uint32_t live_after(const struct translator *t)
{
    return t->at + 1 < t->n ? t->in[t->at + 1].live : t->live_end;
}

static inline uint64_t rip_next(const struct translator *t)
{
    const struct decoded *in = &t->in[t->at];
    return t->b->rip + in->off + in->zi.length;
}

/* flags.c */
void flags_of(struct decoded *in);
uint32_t flags_live_at(struct translator *t, uint64_t rip);
void flags_live(struct translator *t);
void flags_clobber(struct translator *t); /* about to clobber: put them away if needed */
void flags_to_host(struct translator *t);
void flags_to_mem(struct translator *t); /* r11 is clobbered */

/* gen_mem.c */
unsigned reg_id(ZydisRegister r); /* 0..15, or 16 for none */
unsigned seg_id(ZydisRegister r);
void gen_ea(struct translator *t, const ZydisDecodedOperand *o, unsigned areg, int64_t extra);
void gen_stack_ea(struct translator *t, unsigned areg, int disp);
void gen_linear(struct translator *t, unsigned seg, unsigned areg, unsigned size, bool write);
typedef void (*gen_op)(struct translator *t, struct buf *b, unsigned areg, void *arg);
/* An access of size bytes at the linear address in areg; op is emitted for the fast path and, for
 * writes, once more for the slow one. */
struct access {
    unsigned areg, size;
    bool write, rmw, stack;
    gen_op op;
    void *arg;
};
void gen_access(struct translator *t, const struct access *a);

/* The next instruction in b may raise a host signal: s without its addresses. */
void gen_note_fault(struct translator *t, struct buf *b, struct fault_site s);

/* gen_class.c */
bool insn_is_sse(const ZydisDecodedInstruction *zi);
bool insn_is_x87(const ZydisDecodedInstruction *zi);
bool insn_is_mmx(const ZydisDecodedInstruction *zi);
bool insn_waits(const struct decoded *in);   /* raises a pending x87 exception first */
bool insn_aligned(const struct decoded *in); /* #GP for a misaligned operand of 16 bytes */

/* group.c: several accesses, one check */
void group_begin(struct translator *t);
void gen_window(struct translator *t, unsigned size, bool write); /* r10: linear to host */
void emit_lea_sib(struct buf *b, bool w, unsigned dst, unsigned base, unsigned index,
                  unsigned scale, int32_t disp);
/* gen_insn.c */
void gen_insn(struct translator *t);
/* gen_flow.c */
bool gen_flow(struct translator *t); /* false: not a control transfer */
void gen_exit(struct translator *t, uint64_t target);
void gen_indirect(struct translator *t, int undo); /* r10 = RIP; undo: what RSP has moved */
/* gen_stack.c */
bool gen_stack(struct translator *t); /* push, pop, leave */
void gen_push_imm(struct translator *t, uint64_t v, unsigned size);
void gen_push_scratch(struct translator *t, unsigned size); /* cpu->scratch[0] */
void gen_sp_add(struct translator *t, struct buf *b, int n, unsigned tmp);
void gen_sysop(struct translator *t, const struct insn *insn);
void gen_fault(struct translator *t, uint8_t vector); /* #UD, #NM, #GP(0) */

#endif
