/*
 * What the software CPU does with each instruction Zydis knows, against docs/dbt-instructions.md.
 * All opcodes are decoded with all prefixes that make another instruction of them, in 64-, 32- and
 * 16-bit code; what runs natively, with which CPUID bit, what has a helper and what has no effect
 * must be what the page says, neither more nor less. The page's CPUID bits are all that is claimed.
 */
#include "engine/dbt/sys.h"
#include "unit.h"
#include <Zydis/Zydis.h>
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>

enum { SECTIONS = 96, ALWAYS = 0, HELPER = 1, NO_EFFECT = 2, FEATURES = 3 };
enum { MNEMONICS = ZYDIS_MNEMONIC_MAX_VALUE + 1 };

bool legacy_decode(const ZydisDecodedInstruction *zi, struct insn *out); /* legacy.c */

struct section {
    uint32_t leaf;
    unsigned reg, bit; /* of eax, ebx, ecx, edx */
    bool listed;       /* has instructions */
    struct cpu *cpu;   /* that claims this bit alone */
};

static struct {
    struct section sec[SECTIONS];
    unsigned sections;
    bool said[SECTIONS][MNEMONICS], seen[SECTIONS][MNEMONICS];
    struct cpu *none, *all;
    struct engine_env env;
    unsigned decoded;
} t;

static struct cpu *cpu_new(void)
{
    struct cpu *c = calloc(1, sizeof(*c));
    assert_non_null(c);
    c->cr0 = CR0_PE;
    c->env = &t.env;
    return c;
}

/* ---- the page ---- */

static uint32_t *claim(struct cpu *c, uint32_t leaf, unsigned reg)
{
    switch (leaf ^ reg << 8) {
    case 1 ^ 2 << 8: return &c->feat.ecx1;
    case 1 ^ 3 << 8: return &c->feat.edx1;
    case 7 ^ 1 << 8: return &c->feat.ebx7;
    case 7 ^ 3 << 8: return &c->feat.edx7;
    case 0x80000001u ^ 2u << 8: return &c->feat.ecx81;
    case 0x80000001u ^ 3u << 8: return &c->feat.edx81;
    default: fail_msg("leaf 0x%x register %u is no claim", leaf, reg); return NULL;
    }
}

static unsigned heading(const char *line)
{
    struct section s = {0};
    char reg;
    if (!strncmp(line, "### Always", 10))
        return ALWAYS;
    if (!strncmp(line, "## By a helper", 14))
        return HELPER;
    if (!strncmp(line, "## Without effect", 17))
        return NO_EFFECT;
    if (sscanf(line, "### Leaf %x E%cX bit %u:", &s.leaf, &reg, &s.bit) != 3)
        return SECTIONS;
    assert_in_range(reg, 'A', 'D');
    assert_in_range(s.bit, 0, 31);
    assert_true(t.sections < SECTIONS);
    s.reg = (unsigned)(reg - 'A');
    s.cpu = cpu_new();
    *claim(s.cpu, s.leaf, s.reg) = 1u << s.bit;
    t.sec[t.sections] = s;
    return t.sections++;
}

static unsigned mnemonic(const char *name)
{
    for (unsigned m = 0; m < MNEMONICS; m++)
        if (!strcmp(ZydisMnemonicGetString((ZydisMnemonic)m), name))
            return m;
    fail_msg("the page lists \"%s\", which Zydis does not know", name);
    return 0;
}

static void list(unsigned section, char *line)
{
    assert_true(section < SECTIONS);
    t.sec[section].listed = true;
    for (char *w = strtok(line, " \n"); w; w = strtok(NULL, " \n"))
        t.said[section][mnemonic(w)] = true;
}

static void read_page(void)
{
    char line[256];
    unsigned section = SECTIONS;
    bool code = false;
    FILE *f = fopen(PAGE, "r");
    assert_non_null(f);
    t.sections = FEATURES;
    while (fgets(line, sizeof(line), f)) {
        if (!strncmp(line, "```", 3))
            code = !code;
        else if (code)
            list(section, line);
        else if (line[0] == '#')
            section = heading(line);
    }
    fclose(f);
    assert_true(t.sections > FEATURES);
}

/* ---- the translator's decisions ---- */

/* Whatever the lists say: nothing of this kind may ever run natively. */
static void surely_harmless(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *op)
{
    static const ZydisInstructionCategory never[] = {
        ZYDIS_CATEGORY_SYSTEM, ZYDIS_CATEGORY_IO,      ZYDIS_CATEGORY_IOSTRINGOP,
        ZYDIS_CATEGORY_SEGOP,  ZYDIS_CATEGORY_SYSCALL, ZYDIS_CATEGORY_INTERRUPT,
        ZYDIS_CATEGORY_SYSRET, ZYDIS_CATEGORY_VTX,     ZYDIS_CATEGORY_XSAVE,
    };
    const char *name = ZydisMnemonicGetString(zi->mnemonic);
    if (zi->attributes & ZYDIS_ATTRIB_IS_PRIVILEGED)
        fail_msg("%s is privileged", name);
    if (zi->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
        fail_msg("%s is far", name);
    for (unsigned i = 0; i < ARRAY_LEN(never); i++)
        if (zi->meta.category == never[i])
            fail_msg("%s is of category %s", name, ZydisCategoryGetString(never[i]));
    for (unsigned i = 0; i < zi->operand_count; i++) {
        if (op[i].type != ZYDIS_OPERAND_TYPE_REGISTER)
            continue;
        switch (ZydisRegisterGetClass(op[i].reg.value)) {
        case ZYDIS_REGCLASS_YMM:
        case ZYDIS_REGCLASS_ZMM:
        case ZYDIS_REGCLASS_MASK:
        case ZYDIS_REGCLASS_BOUND:
        case ZYDIS_REGCLASS_TEST:
        case ZYDIS_REGCLASS_CONTROL:
        case ZYDIS_REGCLASS_DEBUG:
        case ZYDIS_REGCLASS_SEGMENT: fail_msg("%s of a special register", name); break;
        default: break;
        }
    }
}

static void see_native(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *op)
{
    unsigned m = zi->mnemonic;
    bool any = false;
    surely_harmless(zi, op);
    if (sys_claimed(t.none, zi)) {
        t.seen[ALWAYS][m] = true;
        return;
    }
    for (unsigned s = FEATURES; s < t.sections; s++)
        if (sys_claimed(t.sec[s].cpu, zi))
            t.seen[s][m] = any = true;
    if (!any)
        fail_msg("%s runs with no single CPUID bit", ZydisMnemonicGetString(zi->mnemonic));
}

static void see(const ZydisDecoder *d, const uint8_t bytes[15])
{
    ZydisDecodedInstruction zi;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
    struct insn i = {0};
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(d, bytes, 15, &zi, op)))
        return;
    t.decoded++;
    if (sys_decode(&zi, op, 0, &i) || legacy_decode(&zi, &i)) {
        if (i.run != sys_ud)
            t.seen[i.run == sys_nop ? NO_EFFECT : HELPER][zi.mnemonic] = true;
    } else if (sys_claimed(t.all, &zi)) {
        see_native(&zi, op);
    }
}

/* ---- every opcode ---- */

/* The ModRM bytes that may make a difference: each reg with memory, and all of registers. */
static uint8_t modrm(unsigned i)
{
    return (uint8_t)(i < 8 ? i << 3 : 0xc0 + (i - 8));
}
enum { MODRMS = 8 + 64 };

static void see_legacy(const ZydisDecoder *d, uint8_t rex)
{
    static const uint8_t prefix[] = {0, 0x66, 0xf2, 0xf3, 0x67};
    static const uint8_t map[][2] = {{0, 0}, {0x0f, 0}, {0x0f, 0x38}, {0x0f, 0x3a}, {0x0f, 0x0f}};
    for (unsigned p = 0; p < ARRAY_LEN(prefix); p++)
        for (unsigned m = 0; m < ARRAY_LEN(map); m++)
            for (unsigned i = 0; i < 256u * MODRMS; i++) {
                uint8_t b[15] = {0};
                unsigned n = 0;
                if (prefix[p])
                    b[n++] = prefix[p];
                if (rex)
                    b[n++] = rex;
                for (unsigned k = 0; k < 2 && map[m][k]; k++)
                    b[n++] = map[m][k];
                b[n] = (uint8_t)(i / MODRMS);
                b[n + 1] = modrm(i % MODRMS);
                if (m == 4) /* 3DNow!: the opcode is behind */
                    b[n + 1] = b[n], b[n] = modrm(i % MODRMS);
                see(d, b);
            }
}

static void see_vex(const ZydisDecoder *d, uint8_t first)
{
    for (unsigned map = 0; map < 12; map++)
        for (unsigned w_l_pp = 0; w_l_pp < 16; w_l_pp++)
            for (unsigned i = 0; i < 256u * 16; i++) {
                uint8_t b[15] = {first, (uint8_t)(0xe0 | map),
                                 (uint8_t)((w_l_pp & 8) << 4 | 0x78 | (w_l_pp & 7)),
                                 (uint8_t)(i / 16), modrm(i % 16)};
                see(d, b);
            }
}

static void see_evex(const ZydisDecoder *d)
{
    for (unsigned map = 0; map < 8; map++)
        for (unsigned w_pp = 0; w_pp < 8; w_pp++)
            for (unsigned i = 0; i < 256u * 16 * 4; i++) {
                uint8_t b[15] = {0x62,
                                 (uint8_t)(0xf0 | map),
                                 (uint8_t)(0x7c | (w_pp & 4) << 5 | (w_pp & 3)),
                                 (uint8_t)(0x08 | (i & 3) << 5),
                                 (uint8_t)(i / 64),
                                 modrm(i / 4 % 16)};
                see(d, b);
            }
}

static void see_all(void)
{
    ZydisDecoder d64, d32, d16;
    ZydisDecoderInit(&d64, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    ZydisDecoderInit(&d32, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
    ZydisDecoderInit(&d16, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
    see_legacy(&d64, 0);
    see_legacy(&d64, 0x48);
    see_legacy(&d32, 0);
    see_legacy(&d16, 0);
    see_vex(&d64, 0xc4);
    see_vex(&d32, 0xc4);
    see_vex(&d64, 0x8f); /* XOP */
    see_evex(&d64);
}

static void the_page_says_what_is_done(void **state)
{
    unsigned wrong = 0;
    (void)state;
    see_all();
    assert_true(t.decoded > 500000);
    for (unsigned s = 0; s < t.sections; s++)
        for (unsigned m = 1; m < MNEMONICS; m++) {
            if (t.said[s][m] == t.seen[s][m])
                continue;
            fprintf(stderr, "section %u (leaf 0x%x register %u bit %u): %s is %s\n", s,
                    t.sec[s].leaf, t.sec[s].reg, t.sec[s].bit,
                    ZydisMnemonicGetString((ZydisMnemonic)m),
                    t.said[s][m] ? "listed, but not done" : "done, but not listed");
            wrong++;
        }
    assert_int_equal(wrong, 0);
}

static void the_list_is_the_pages(void **state)
{
    (void)state;
    for (unsigned m = 1; m < MNEMONICS; m++) {
        bool said = t.said[ALWAYS][m];
        for (unsigned s = FEATURES; s < t.sections; s++)
            said |= t.said[s][m];
        if (sys_native(m) != said)
            fail_msg("%s in sys_native.c", ZydisMnemonicGetString((ZydisMnemonic)m));
    }
    assert_false(sys_native(MNEMONICS));
    assert_false(sys_native(0));
}

/* ---- CPUID ---- */

static void cpuid_says_the_bit(void **state)
{
    (void)state;
    for (unsigned s = FEATURES; s < t.sections; s++) {
        uint32_t out[4];
        cpuid_get(t.sec[s].cpu, t.sec[s].leaf, 0, out);
        bool chip = t.sec[s].leaf == 1 && t.sec[s].reg == 3 && t.sec[s].bit == 9; /* no APIC here */
        assert_int_equal(out[t.sec[s].reg] >> t.sec[s].bit & 1, !chip);
    }
}

static uint32_t documented(uint32_t leaf, unsigned reg, bool listed)
{
    uint32_t bits = 0;
    for (unsigned s = FEATURES; s < t.sections; s++)
        if (t.sec[s].leaf == leaf && t.sec[s].reg == reg && (!listed || t.sec[s].listed))
            bits |= 1u << t.sec[s].bit;
    return bits;
}

static void no_bit_but_those_documented(void **state)
{
    static const uint32_t leaf[] = {1, 7, 0x80000001};
    struct cpu *c = cpu_new();
    (void)state;
    sys_init(c, 1000000000);
    for (unsigned i = 0; i < ARRAY_LEN(leaf); i++) {
        uint32_t out[4], host[4] = {0};
        cpuid_get(c, leaf[i], 0, out);
        __get_cpuid_count(leaf[i], 0, &host[0], &host[1], &host[2], &host[3]);
        for (unsigned r = leaf[i] == 7 ? 1 : 2; r < 4; r++) {
            assert_int_equal(out[r] & ~documented(leaf[i], r, false), 0);
            /* What runs natively must be there. */
            assert_int_equal(out[r] & documented(leaf[i], r, true) & ~host[r], 0);
        }
    }
    free(c);
}

static void real_mode_has_no_vex(void **state)
{
    static const uint8_t andn[15] = {0xc4, 0xe2, 0x78, 0xf2, 0xc0};
    ZydisDecoder d16;
    ZydisDecodedInstruction zi;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
    (void)state;
    ZydisDecoderInit(&d16, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
    assert_true(ZYAN_SUCCESS(ZydisDecoderDecodeFull(&d16, andn, 15, &zi, op)));
    assert_int_equal(zi.mnemonic, ZYDIS_MNEMONIC_ANDN);
    assert_true(sys_claimed(t.all, &zi));
    t.all->flags_sys = FL_VM;
    assert_false(sys_claimed(t.all, &zi));
    t.all->flags_sys = 0;
    t.all->cr0 = 0;
    assert_false(sys_claimed(t.all, &zi));
    t.all->cr0 = CR0_PE;
}

static int setup(void **state)
{
    (void)state;
    t.none = cpu_new();
    t.all = cpu_new();
    memset(&t.all->feat, 0xff, sizeof(t.all->feat));
    read_page();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned s = FEATURES; s < t.sections; s++)
        free(t.sec[s].cpu);
    free(t.none);
    free(t.all);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_says_what_is_done), cmocka_unit_test(the_list_is_the_pages),
        cmocka_unit_test(cpuid_says_the_bit),         cmocka_unit_test(no_bit_but_those_documented),
        cmocka_unit_test(real_mode_has_no_vex),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
