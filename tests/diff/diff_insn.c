/*
 * Engine dbt against the CPU it runs on: seeded random instruction sequences, native and
 * translated, must leave the same registers, flags, memory, vector state and exception.
 *
 *   diff_insn [--seed N] [--count N] [--keep-going] [--align] [--bits 64|32|16] [--show]
 *             [--cases FILE]
 */
#include "diff.h"
#include <Zydis/Zydis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FL_ARITH = 0x8d5, FL_SEEN = 0x244ed5 | 0x40000 /* not RF, TF, IF */ };

static const char *const reg_name[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                         "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
static uint64_t flags_of(const struct outcome *o)
{
    /* In a fault's frame, flags that nobody reads again may be stale: flags.c says so. */
    uint64_t mask = o->vector == 6 ? FL_SEEN : FL_SEEN & ~(uint64_t)FL_ARITH;
    return o->at.rflags & mask;
}

static bool fx_same(const uint8_t *a, const uint8_t *b, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        bool pointer = i >= 6 && i < 24, mask = i >= 28 && i < 32;
        bool pad = i >= 32 && i < 160 && i % 16 >= 10;
        if (!pointer && !mask && !pad && a[i] != b[i])
            return false;
    }
    return true;
}

static bool error_same(const struct outcome *n, const struct outcome *g, bool user)
{
    /* Linux hides whether its own half of the address space is mapped. */
    uint32_t hidden = n->cr2 >> 63 ? 5 : 4;
    if (n->vector == 14)
        return n->cr2 == g->cr2 && (n->error & ~hidden) == (g->error & ~hidden) &&
               (g->error & 4) == (user ? 4u : 0u);
    return n->error == g->error;
}

static bool same(const struct seq *s, const struct outcome *n, const struct outcome *g)
{
    if (n->vector != g->vector || n->vector < 0 || n->at.rip != g->at.rip ||
        memcmp(n->at.gpr, g->at.gpr, sizeof(n->at.gpr)) || flags_of(n) != flags_of(g) ||
        !error_same(n, g, s->user) ||
        !fx_same(n->at.fx, g->at.fx, s->bits != 64 ? FX_COMPARED32 : FX_COMPARED))
        return false;
    for (unsigned i = 0; i < DATA_LEN / PAGE; i++)
        if (memcmp(n->page[i], g->page[i], PAGE))
            return false;
    return true;
}

static bool run_both(const struct seq *s, struct outcome *n, struct outcome *g)
{
    uint8_t code[ITEMS * 15 + 2];
    unsigned len = gen_layout(s, code);
    n->why[0] = g->why[0] = 0;
    native_run(s, code, len, n);
    guest_run(s, code, len, g);
    for (unsigned i = 0; i < 16 && s->bits != 64; i++) { /* what that mode doesn't know */
        uint64_t mask = i < 8 ? UINT32_MAX : 0;
        n->at.gpr[i] &= mask;
        g->at.gpr[i] &= mask;
    }
    bool ok = same(s, n, g);
    if (g->vector < 0) {
        guest_again();
        native_signals();
        memset(g->page, 0, sizeof(g->page));
    }
    return ok;
}

/* ---- a mismatch: make it small, show it ---- */

static void set_dead(struct seq *s, unsigned i, bool dead)
{
    for (unsigned k = 0; k < s->items; k++)
        if (k == i || (s->item[i].group && s->item[k].group == s->item[i].group))
            s->item[k].dead = dead;
}

static void shrink(struct seq *s, struct outcome *n, struct outcome *g)
{
    for (bool again = true; again;) {
        again = false;
        for (unsigned i = 0; i < s->items; i++) {
            if (s->item[i].dead)
                continue;
            set_dead(s, i, true);
            bool still = !run_both(s, n, g);
            if (still && n->vector >= 0)
                again = true;
            else
                set_dead(s, i, false);
        }
    }
    run_both(s, n, g);
}

static void show_code(const struct seq *s)
{
    uint8_t code[ITEMS * 15 + 2];
    unsigned len = gen_layout(s, code);
    ZydisDecoder dec;
    ZydisFormatter fmt;
    ZydisDecoderInit(&dec,
                     s->bits == 64   ? ZYDIS_MACHINE_MODE_LONG_64
                     : s->bits == 32 ? ZYDIS_MACHINE_MODE_LEGACY_32
                                     : ZYDIS_MACHINE_MODE_LEGACY_16,
                     s->bits == 64   ? ZYDIS_STACK_WIDTH_64
                     : s->bits == 32 ? ZYDIS_STACK_WIDTH_32
                                     : ZYDIS_STACK_WIDTH_16);
    ZydisFormatterInit(&fmt, ZYDIS_FORMATTER_STYLE_INTEL);
    for (unsigned at = 0; at < len;) {
        ZydisDecodedInstruction zi;
        ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
        char text[128] = "?";
        uint64_t rip = CODE_AT + s->start + at;
        if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&dec, code + at, len - at, &zi, op)))
            zi.length = 1;
        else
            ZydisFormatterFormatInstruction(&fmt, &zi, op, zi.operand_count_visible, text,
                                            sizeof(text), rip, NULL);
        printf("#  %08llx  ", (unsigned long long)rip);
        for (unsigned i = 0; i < 15; i++)
            printf(i < zi.length ? "%02x" : "  ", i < zi.length ? code[at + i] : 0);
        printf("  %s\n", text);
        at += zi.length;
    }
}

static void show_value(const char *name, uint64_t in, uint64_t n, uint64_t g)
{
    printf("# %c %-7s in %016llx  cpu %016llx  dbt %016llx\n", n == g ? ' ' : '*', name,
           (unsigned long long)in, (unsigned long long)n, (unsigned long long)g);
}

static void show_fx(const struct seq *s, const struct outcome *n, const struct outcome *g)
{
    const uint8_t *i = s->in.fx, *a = n->at.fx, *b = g->at.fx;
    show_value("fcw/fsw", *(const uint32_t *)i, *(const uint32_t *)a, *(const uint32_t *)b);
    show_value("ftw", i[4], a[4], b[4]);
    show_value("mxcsr", *(const uint32_t *)(i + 24), *(const uint32_t *)(a + 24),
               *(const uint32_t *)(b + 24));
    for (unsigned r = 32; r < (s->bits != 64 ? FX_COMPARED32 : FX_COMPARED); r += 8) {
        char name[16];
        uint64_t vi, va, vb, mask = r < 160 && r % 16 ? 0xffff : UINT64_MAX;
        memcpy(&vi, i + r, 8), memcpy(&va, a + r, 8), memcpy(&vb, b + r, 8);
        snprintf(name, sizeof(name), "%s%u%s", r < 160 ? "st" : "xmm",
                 r < 160 ? (r - 32) / 16 : (r - 160) / 16, r % 16 ? "h" : "l");
        if ((va & mask) != (vb & mask))
            show_value(name, vi & mask, va & mask, vb & mask);
    }
}

static void show(const struct seq *s, const struct outcome *n, const struct outcome *g)
{
    printf("# seed %llu, CPL %d%s\n", (unsigned long long)s->seed, s->user ? 3 : 0,
           s->align_check ? ", CR0.AM" : "");
    show_code(s);
    if (n->vector < 0 || g->vector < 0) {
        printf("# cpu: %s  dbt: %s\n", n->vector < 0 ? n->why : "ok",
               g->vector < 0 ? g->why : "ok");
        if (g->vector < 0)
            return;
    }
    printf("# %c vector  cpu %d error %x cr2 %llx, dbt %d error %x cr2 %llx\n",
           n->vector == g->vector && error_same(n, g, s->user) ? ' ' : '*', n->vector, n->error,
           (unsigned long long)n->cr2, g->vector, g->error, (unsigned long long)g->cr2);
    show_value("rip", CODE_AT + s->start, n->at.rip, g->at.rip);
    show_value("rflags", s->in.rflags, n->at.rflags & FL_SEEN, g->at.rflags & FL_SEEN);
    for (unsigned i = 0; i < 16; i++)
        show_value(reg_name[i], s->in.gpr[i], n->at.gpr[i], g->at.gpr[i]);
    show_fx(s, n, g);
    unsigned shown = 0;
    for (unsigned i = 0; i < DATA_LEN && shown < 16; i += 8)
        if (memcmp(n->page[i / PAGE] + i % PAGE, g->page[i / PAGE] + i % PAGE, 8)) {
            char name[16];
            uint64_t va, vb;
            memcpy(&va, n->page[i / PAGE] + i % PAGE, 8);
            memcpy(&vb, g->page[i / PAGE] + i % PAGE, 8);
            snprintf(name, sizeof(name), "[%x]", DATA_AT + i);
            printf("# * %s cpu %016llx dbt %016llx\n", name, (unsigned long long)va,
                   (unsigned long long)vb);
            shown++;
        }
}

struct options {
    uint64_t seed, count;
    bool keep_going, show, align;
    unsigned bits;
    const char *cases;
};

static uint64_t run(const struct options *opt, uint64_t ends[32])
{
    uint64_t bad = 0;
    for (uint64_t k = 0; k < opt->count; k++) {
        struct seq s;
        struct outcome n, g;
        gen_make(&s, opt->seed + k);
        bool ok = run_both(&s, &n, &g);
        if (n.vector >= 0)
            ends[n.vector & 31]++;
        if (ok && opt->show)
            show(&s, &n, &g);
        if (ok)
            continue;
        bad++;
        shrink(&s, &n, &g);
        show(&s, &n, &g);
        fflush(stdout);
        if (!opt->keep_going || bad == 50)
            break;
    }
    return bad;
}

/* The lines of a file like "cases": SEED BITS CODE [remark]. */
static uint64_t run_cases(const char *path)
{
    char line[400], hex[300];
    uint64_t bad = 0, done = 0;
    FILE *f = fopen(path, "r");
    if (!f) {
        perror(path);
        return 1;
    }
    while (fgets(line, sizeof(line), f)) {
        struct seq s;
        struct outcome n, g;
        uint64_t seed;
        unsigned bits;
        if (line[0] == '#')
            continue;
        done++;
        if (sscanf(line, "%" SCNu64 " %u %299s", &seed, &bits, hex) != 3 ||
            !gen_case(&s, seed, bits, hex)) {
            printf("# not a case: %s", line);
            bad++;
        } else if (!run_both(&s, &n, &g)) {
            show(&s, &n, &g);
            bad++;
        }
    }
    fclose(f);
    printf("%s 1 - %" PRIu64 " sequences that once differed agree\n",
           bad || !done ? "not ok" : "ok", done);
    return bad + !done;
}

int main(int argc, char **argv)
{
    struct options opt = {.seed = 1, .count = 60000, .bits = 64};
    uint64_t ends[32] = {0};
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--seed") && i + 1 < argc)
            opt.seed = strtoull(argv[++i], NULL, 0);
        else if (!strcmp(argv[i], "--count") && i + 1 < argc)
            opt.count = strtoull(argv[++i], NULL, 0);
        else if (!strcmp(argv[i], "--cases") && i + 1 < argc)
            opt.cases = argv[++i];
        else if (!strcmp(argv[i], "--keep-going"))
            opt.keep_going = true;
        else if (!strcmp(argv[i], "--align"))
            opt.align = true;
        else if (!strcmp(argv[i], "--bits") && i + 1 < argc)
            opt.bits = (unsigned)strtoul(argv[++i], NULL, 0);
        else if (!strcmp(argv[i], "--show"))
            opt.show = true;
        else
            return fprintf(stderr, "diff_insn [--seed N] [--count N] [--keep-going] [--align] "
                                   "[--bits 64|32|16] [--show] [--cases FILE]\n"),
                   2;
    }
    gen_open(opt.align, opt.bits);
    guest_open();
    native_open();
    native_signals();
    if (opt.cases) {
        uint64_t differ = run_cases(opt.cases);
        guest_close();
        return differ != 0;
    }
    uint64_t bad = run(&opt, ends);
    guest_close();
    for (unsigned v = 0; v < 32; v++)
        if (ends[v])
            printf("# %llu ended by exception %u\n", (unsigned long long)ends[v], v);
    printf("%s 1 - %llu sequences from seed %llu: native and translated agree\n",
           bad ? "not ok" : "ok", (unsigned long long)opt.count, (unsigned long long)opt.seed);
    return bad != 0;
}
