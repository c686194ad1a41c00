/*
 * Writing host instructions: a cursor over code bytes and the few x86 encodings the translator
 * itself needs. Intel SDM volume 2, chapter 2. CPU state is addressed as gs:[offset in struct cpu].
 */
#ifndef ENGINE_DBT_EMIT_H
#define ENGINE_DBT_EMIT_H

#include "core/types.h"

struct buf { /* p is the writable alias; p + rx is where the code runs */
    uint8_t *p, *end;
    intptr_t rx;
};

enum { /* host registers by number; r10 and r11 are the translator's own */
       H_RAX,
       H_RCX,
       H_RDX,
       H_RBX,
       H_RSP,
       H_RBP,
       H_RSI,
       H_RDI,
       H_R8,
       H_R9,
       H_R10,
       H_R11,
       H_R12,
       H_R13,
       H_R14,
       H_R15
};

static inline void e8(struct buf *b, unsigned v)
{
    *b->p++ = (uint8_t)v;
}

static inline void e16(struct buf *b, unsigned v)
{
    le16_put(b->p, (uint16_t)v);
    b->p += 2;
}

static inline void e32(struct buf *b, uint32_t v)
{
    le32_put(b->p, v);
    b->p += 4;
}

static inline void e64(struct buf *b, uint64_t v)
{
    le64_put(b->p, v);
    b->p += 8;
}

static inline void ebytes(struct buf *b, const uint8_t *src, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        *b->p++ = src[i];
}

/* The address at which the next byte will run. */
static inline uint8_t *rx_here(const struct buf *b)
{
    return b->p + b->rx;
}

/* ModRM for gs:[off] (SIB without base or index). */
static inline void e_gs_modrm(struct buf *b, unsigned reg, size_t off)
{
    e8(b, (reg & 7) << 3 | 4);
    e8(b, 0x25);
    e32(b, (uint32_t)off);
}

/* op reg, gs:[off] or op gs:[off], reg: 64-bit (w) or 32-bit, one-byte opcode */
static inline void e_gs(struct buf *b, bool w, unsigned op, unsigned reg, size_t off)
{
    unsigned rex = 0x40u | (w ? 8u : 0u) | (reg & 8 ? 4u : 0u);
    e8(b, 0x65);
    if (rex != 0x40)
        e8(b, rex);
    e8(b, op);
    e_gs_modrm(b, reg, off);
}

static inline void e_load(struct buf *b, unsigned reg, size_t off) /* mov r64, gs:[off] */
{
    e_gs(b, true, 0x8b, reg, off);
}

static inline void e_store(struct buf *b, unsigned reg, size_t off) /* mov gs:[off], r64 */
{
    e_gs(b, true, 0x89, reg, off);
}

static inline void e_store32_imm(struct buf *b, size_t off, uint32_t v)
{
    e8(b, 0x65);
    e8(b, 0xc7);
    e_gs_modrm(b, 0, off);
    e32(b, v);
}

/* op rm, reg between registers */
static inline void e_rr(struct buf *b, bool w, unsigned op, unsigned rm, unsigned reg)
{
    unsigned rex = 0x40u | (w ? 8u : 0u) | (reg & 8 ? 4u : 0u) | (rm & 8 ? 1u : 0u);
    if (rex != 0x40)
        e8(b, rex);
    e8(b, op);
    e8(b, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

static inline void e_mov(struct buf *b, unsigned dst, unsigned src)
{
    if (dst != src)
        e_rr(b, true, 0x89, dst, src);
}

static inline void e_mov32(struct buf *b, unsigned dst, unsigned src) /* also zero-extends */
{
    e_rr(b, false, 0x89, dst, src);
}

static inline void e_mov_imm(struct buf *b, unsigned reg, uint64_t v)
{
    if (v <= UINT32_MAX) {
        if (reg & 8)
            e8(b, 0x41);
        e8(b, 0xb8 | (reg & 7));
        e32(b, (uint32_t)v);
    } else if ((int64_t)v == (int32_t)v) {
        e8(b, 0x48 | (reg & 8 ? 1u : 0u));
        e8(b, 0xc7);
        e8(b, 0xc0 | (reg & 7));
        e32(b, (uint32_t)v);
    } else {
        e8(b, 0x48 | (reg & 8 ? 1u : 0u));
        e8(b, 0xb8 | (reg & 7));
        e64(b, v);
    }
}

/* op [base + disp], reg; base is any register, reg any; w: 64-bit */
static inline void e_mem(struct buf *b, bool w, unsigned op, unsigned reg, unsigned base,
                         int32_t disp)
{
    unsigned rex = 0x40u | (w ? 8u : 0u) | (reg & 8 ? 4u : 0u) | (base & 8 ? 1u : 0u);
    unsigned mod = disp == 0 && (base & 7) != 5 ? 0u : disp == (int8_t)disp ? 1u : 2u;
    if (rex != 0x40)
        e8(b, rex);
    e8(b, op);
    e8(b, mod << 6 | (reg & 7) << 3 | (base & 7));
    if ((base & 7) == 4)
        e8(b, 0x24);
    if (mod == 1)
        e8(b, (uint8_t)disp);
    else if (mod == 2)
        e32(b, (uint32_t)disp);
}

static inline void e_lea(struct buf *b, bool w, unsigned dst, unsigned base, int32_t disp)
{
    e_mem(b, w, 0x8d, dst, base, disp);
}

/* jmp/jcc rel32 to a run address */
static inline void e_rel32(struct buf *b, const uint8_t *target)
{
    e32(b, (uint32_t)(int32_t)(target - (rx_here(b) + 4)));
}

static inline void e_jmp(struct buf *b, const uint8_t *target)
{
    e8(b, 0xe9);
    e_rel32(b, target);
}

static inline void e_jcc(struct buf *b, unsigned cc, const uint8_t *target)
{
    e8(b, 0x0f);
    e8(b, 0x80 | cc);
    e_rel32(b, target);
}

/* A rel32 whose target comes later: returns where to patch. */
static inline uint8_t *e_later(struct buf *b)
{
    e32(b, 0);
    return b->p - 4;
}

static inline void e_here(const struct buf *b, uint8_t *later, const uint8_t *rx_target)
{
    le32_put(later, (uint32_t)(int32_t)(rx_target - (later + 4 + b->rx)));
}

enum {
    CC_O,
    CC_NO,
    CC_B,
    CC_AE,
    CC_E,
    CC_NE,
    CC_BE,
    CC_A,
    CC_S,
    CC_NS,
    CC_P,
    CC_NP,
    CC_L,
    CC_GE,
    CC_LE,
    CC_G
};

#endif
