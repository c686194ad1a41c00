/*
 * Which random instructions are kept: those that Zydis decodes, that are unprivileged and claimed
 * by the engine's CPUID, and that stay inside the data pages. Some registers are pointers and
 * indices that nothing may write.
 */
#include "gen.h"
#include <stdlib.h>
#include <string.h>

static struct {
    ZydisDecoder dec, dec32, dec16;
    struct cpu *cpu; /* what the engine's CPUID claims */
} gen;

void accept_open(void)
{
    ZydisDecoderInit(&gen.dec, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    ZydisDecoderInit(&gen.dec32, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
    ZydisDecoderInit(&gen.dec16, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
    gen.cpu = calloc(1, sizeof(*gen.cpu));
    sys_init(gen.cpu, 1000000000);
    gen.cpu->cr0 = CR0_PE;
}

static const ZydisDecoder *decoder(const struct maker *m)
{
    return m->s->bits == 64 ? &gen.dec : m->s->bits == 32 ? &gen.dec32 : &gen.dec16;
}

static bool category_ok(const ZydisDecodedInstruction *zi)
{
    switch (zi->meta.category) {
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_COND_BR:
    case ZYDIS_CATEGORY_UNCOND_BR:
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_IO:
    case ZYDIS_CATEGORY_IOSTRINGOP:
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_SYSRET:
    case ZYDIS_CATEGORY_SYSTEM:
    case ZYDIS_CATEGORY_SEGOP: return false;
    default: return true;
    }
}

/* Those that Linux lets programs use, now and then: they end the sequence. */
static bool interrupt_ok(struct maker *m, const ZydisDecodedInstruction *zi)
{
    if (zi->meta.category != ZYDIS_CATEGORY_INTERRUPT)
        return true;
    switch (zi->mnemonic) {
    case ZYDIS_MNEMONIC_INT3:
    case ZYDIS_MNEMONIC_INTO:
    case ZYDIS_MNEMONIC_BOUND: return chance(m, 10);
    default: return false;
    }
}

static bool mnemonic_ok(const ZydisDecodedInstruction *zi)
{
    switch (zi->mnemonic) {
    case ZYDIS_MNEMONIC_RDTSC:
    case ZYDIS_MNEMONIC_RDTSCP:
    case ZYDIS_MNEMONIC_RDPMC:
    case ZYDIS_MNEMONIC_RDRAND:
    case ZYDIS_MNEMONIC_RDSEED:
    case ZYDIS_MNEMONIC_CPUID:
    case ZYDIS_MNEMONIC_CLI:
    case ZYDIS_MNEMONIC_STI:
    case ZYDIS_MNEMONIC_POPF:
    case ZYDIS_MNEMONIC_POPFD:
    case ZYDIS_MNEMONIC_POPFQ:
    case ZYDIS_MNEMONIC_PUSHF: /* TF and the like are the same, IOPL is not tested by it */
    case ZYDIS_MNEMONIC_ENTER:
    case ZYDIS_MNEMONIC_LEAVE:
    case ZYDIS_MNEMONIC_FNSTENV:
    case ZYDIS_MNEMONIC_FLDENV:
    case ZYDIS_MNEMONIC_FNSAVE:
    case ZYDIS_MNEMONIC_FRSTOR:
    case ZYDIS_MNEMONIC_FXSAVE:
    case ZYDIS_MNEMONIC_FXSAVE64:
    case ZYDIS_MNEMONIC_FXRSTOR:
    case ZYDIS_MNEMONIC_FXRSTOR64:
    case ZYDIS_MNEMONIC_LDMXCSR:
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_LAR:
    case ZYDIS_MNEMONIC_LSL:
    case ZYDIS_MNEMONIC_VERR:
    case ZYDIS_MNEMONIC_VERW:
    case ZYDIS_MNEMONIC_SLDT:
    case ZYDIS_MNEMONIC_STR:
    case ZYDIS_MNEMONIC_SMSW:
    case ZYDIS_MNEMONIC_CLDEMOTE:
    case ZYDIS_MNEMONIC_MONITOR:
    case ZYDIS_MNEMONIC_MWAIT: return false;
    case ZYDIS_MNEMONIC_PAUSE: return !zi->raw.rex.B; /* Zydis is wrong there: see translate.c */
    default: return true;
    }
}

static unsigned reg_of(ZydisRegister r)
{
    ZydisRegister q = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r);
    return q >= ZYDIS_REGISTER_RAX && q <= ZYDIS_REGISTER_R15 ? (unsigned)(q - ZYDIS_REGISTER_RAX)
                                                              : 16;
}

static bool reg_ok(const struct maker *m, const ZydisDecodedInstruction *zi,
                   const ZydisDecodedOperand *o)
{
    ZydisRegisterClass c = ZydisRegisterGetClass(o->reg.value);
    if (c == ZYDIS_REGCLASS_CONTROL || c == ZYDIS_REGCLASS_DEBUG)
        return false;
    if (c == ZYDIS_REGCLASS_SEGMENT) /* the others' selectors are null on both sides */
        return !(o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
               o->reg.value != ZYDIS_REGISTER_CS && o->reg.value != ZYDIS_REGISTER_SS;
    unsigned r = reg_of(o->reg.value);
    if (r == 16 || !(o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) || !(m->keep & 1u << r))
        return true;
    bool stack =
        zi->meta.category == ZYDIS_CATEGORY_PUSH || zi->meta.category == ZYDIS_CATEGORY_POP;
    return r == 4 && stack && o->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN;
}

/* Bit offsets in registers reach far. */
static bool bit_ok(const struct maker *m, const ZydisDecodedInstruction *zi,
                   const ZydisDecodedOperand *op)
{
    switch (zi->mnemonic) {
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTC: break;
    default: return true;
    }
    if (op[0].type != ZYDIS_OPERAND_TYPE_MEMORY || op[1].type != ZYDIS_OPERAND_TYPE_REGISTER)
        return true;
    unsigned r = reg_of(op[1].reg.value);
    return r == m->bits || r == m->small || op[1].size == 16;
}

/* Stays inside the data, or is made to: patches the displacement. */
static bool mem_ok(struct maker *m, struct item *it, const ZydisDecodedInstruction *zi,
                   const ZydisDecodedOperand *o)
{
    unsigned index = reg_of(o->mem.index), at = zi->raw.disp.offset, size = zi->raw.disp.size;
    if (o->mem.type == ZYDIS_MEMOP_TYPE_AGEN)
        return o->mem.base != ZYDIS_REGISTER_RIP ||
               (it->rip_at = (uint8_t)at, it->rip_to = SCRATCH, 1);
    if (o->mem.type != ZYDIS_MEMOP_TYPE_MEM)
        return false;
    if (index != 16 && index != m->small && !(index == m->bits && o->mem.scale == 1) &&
        !(zi->mnemonic == ZYDIS_MNEMONIC_XLAT))
        return false;
    if (o->mem.base == ZYDIS_REGISTER_RIP || o->mem.base == ZYDIS_REGISTER_EIP) {
        it->rip_at = (uint8_t)at;
        it->rip_to = DATA_AT + PAGE + rnd(m, 3 * PAGE);
        return true;
    }
    if (o->mem.base == ZYDIS_REGISTER_NONE) {
        uint64_t to = DATA_AT - m->base + PAGE + rnd(m, 3 * PAGE);
        if (size < 32 && m->s->bits != 16)
            return false;
        memcpy(it->bytes + at, &to, size / 8u);
        return true;
    }
    unsigned base = reg_of(o->mem.base);
    if (!zi->raw.modrm.mod && size == 32) /* Zydis is wrong about a base here: see translate.c */
        return false;
    if (base == 16 || !(m->ptr & 1u << base))
        return false;
    if (size == 32) {
        int32_t disp = (int32_t)rnd(m, 2048) - 1024;
        if (chance(m, 50))
            disp &= ~15;
        memcpy(it->bytes + at, &disp, 4);
    }
    if (size == 16 && m->s->bits == 16) {
        int16_t disp = (int16_t)(rnd(m, 2048) - 1024);
        memcpy(it->bytes + at, &disp, 2);
    }
    if (size == 8 && chance(m, 50))
        it->bytes[at] &= 0xf0;
    return true;
}

/* Does CPUID claim it, or has it a helper that is nobody's secret? */
static bool known(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *op)
{
    struct insn out = {0};
    if (zi->opcode_map == ZYDIS_OPCODE_MAP_0F && zi->opcode == 0x0d && zi->raw.modrm.mod == 3)
        return false; /* no PREFETCH: NOP on Intel's CPUs and here, #UD on AMD's */
    if (sys_claimed(gen.cpu, zi))
        return true;
    switch (zi->meta.category) {
    case ZYDIS_CATEGORY_STRINGOP:
    case ZYDIS_CATEGORY_FLAGOP:
    case ZYDIS_CATEGORY_INTERRUPT:
    case ZYDIS_CATEGORY_PUSH:
    case ZYDIS_CATEGORY_POP:
    case ZYDIS_CATEGORY_DATAXFER:
    case ZYDIS_CATEGORY_NOP:
    case ZYDIS_CATEGORY_WIDENOP:
    case ZYDIS_CATEGORY_PREFETCH: return sys_decode(zi, op, 0, &out);
    default: return false;
    }
}

bool gen_accept(struct maker *m, struct item *it)
{
    ZydisDecodedInstruction zi;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
    ZydisDecoderContext ctx;
    it->rel_size = it->rip_at = 0;
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(decoder(m), &ctx, it->bytes, 15, &zi)) ||
        !ZYAN_SUCCESS(ZydisDecoderDecodeOperands(decoder(m), &ctx, &zi, op, zi.operand_count)))
        return false;
    if (!category_ok(&zi) || !mnemonic_ok(&zi) || (zi.attributes & ZYDIS_ATTRIB_IS_PRIVILEGED) ||
        !known(&zi, op) || !bit_ok(m, &zi, op) || !interrupt_ok(m, &zi))
        return false;
    bool divide = zi.mnemonic == ZYDIS_MNEMONIC_DIV || zi.mnemonic == ZYDIS_MNEMONIC_IDIV;
    if (divide && !chance(m, 15))
        return false;
    /* CMPS with 16-bit addresses: see gen_template.c. */
    if (m->s->bits == 32 && zi.address_width == 16 && zi.meta.category == ZYDIS_CATEGORY_STRINGOP)
        return false;
    it->len = zi.length;
    for (unsigned i = 0; i < zi.operand_count; i++) {
        if (op[i].type == ZYDIS_OPERAND_TYPE_REGISTER && !reg_ok(m, &zi, &op[i]))
            return false;
        if (op[i].type == ZYDIS_OPERAND_TYPE_MEMORY && !mem_ok(m, it, &zi, &op[i]))
            return false;
    }
    return true;
}

bool moves_stack(const struct maker *m, const struct item *it)
{
    ZydisDecodedInstruction zi;
    ZydisDecoderContext ctx;
    ZydisDecoderDecodeInstruction(decoder(m), &ctx, it->bytes, 15, &zi);
    return zi.meta.category == ZYDIS_CATEGORY_PUSH || zi.meta.category == ZYDIS_CATEGORY_POP;
}
