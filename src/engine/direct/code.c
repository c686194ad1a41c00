/*
 * The code view: a second picture of guest RAM, the only one that the cage may execute. It holds
 * instructions that were decoded and found fit, each at its own address, and CAGE_FILL, which
 * faults, everywhere else: for what was not yet decoded, and in place of instructions that must not
 * run there. Guest RAM itself is never patched, so a guest that reads its code, or a device that
 * does, sees what it wrote.
 *
 * A page that something was decoded of is write-protected in the cage's picture of data and watched
 * by engine dbt for writes of devices and of emulated instructions; when it is written, all of it
 * is forgotten (code_gone), and decoded anew when it is executed.
 *
 * Known gap: a jump into the middle of a decoded instruction runs what is there with nobody having
 * looked at it. docs/engine-direct.md says how far that goes.
 */
#include "engine/direct/code.h"
#include "mem/ram.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LIVES_MAX  8192u /* 32 MiB of code; four mappings each at the most, of Linux's 65,530 */
#define SCAN_INSNS 512u  /* decoded ahead of the guest at once */
#define SCAN_TODO  64u

/* ---- pages ---- */

static uint32_t number(uint32_t lin)
{
    return lin / PAGE;
}

static void page_forget(struct direct *d, uint32_t n)
{
    struct code *c = d->code;
    struct view_page *p = c->page[n];
    uint32_t last = c->live[--c->lives];

    c->live[p->at] = last;
    c->page[last]->at = p->at;
    c->page[n] = NULL;
    c->gen++;
    free(p);
    bare_unwatch(d->cpu->dbt, (gpa_t)n * PAGE);
}

static bool patched(const struct direct *d, uint32_t n)
{
    return d->ram->page_flags[ram_page(d->ram, (gpa_t)n * PAGE)] & RAM_PATCH;
}

/* As data: pages with patched instructions stay read-only (mem/ram.h). */
static void data_open(struct direct *d, uint32_t n)
{
    uint32_t prot = patched(d, n) ? PROT_READ : PROT_READ | PROT_WRITE;

    cage_protect(d, CAGE_DATA + (uint64_t)n * PAGE, PAGE, prot);
}

bool code_write_again(struct direct *d, uint32_t lin)
{
    if (lin >= d->code->len || d->code->page[number(lin)] || patched(d, number(lin)))
        return false;
    data_open(d, number(lin));
    return true;
}

/* All of it is forgotten, and the host has its memory back: so that a guest that runs a little on
 * every page can't make us keep more than for lives_max of them. */
static void start_afresh(struct direct *d)
{
    struct code *c = d->code;

    while (c->lives)
        page_forget(d, c->live[0]);
    memset(c->executes, 0, number(c->len));
    madvise(c->view, c->len, MADV_REMOVE);
    cage_protect(d, CAGE_CODE, c->len, PROT_NONE);
    cage_protect(d, CAGE_DATA, c->len, PROT_READ | PROT_WRITE);
    for (uint32_t n = 0; n < number(c->len) && d->ram->patches; n++)
        if (patched(d, n))
            data_open(d, n);
}

struct view_page *view_page_live(struct direct *d, uint32_t lin)
{
    struct code *c = d->code;
    uint32_t n = number(lin);
    struct view_page *p = c->page[n];

    if (p)
        return p;
    if (c->lives >= c->lives_max)
        start_afresh(d);
    bare_watch(d->cpu->dbt, (gpa_t)n * PAGE);
    p = calloc(1, sizeof(*p));
    if (!p) {
        cage_fail(d, "out of memory");
        return NULL;
    }
    memset(c->view + (size_t)n * PAGE, CAGE_FILL, PAGE);
    p->at = c->lives;
    c->live[c->lives++] = n;
    c->page[n] = p;
    cage_protect(d, CAGE_DATA + (uint64_t)n * PAGE, PAGE, PROT_READ);
    if (!c->executes[n])
        cage_protect(d, CAGE_CODE + (uint64_t)n * PAGE, PAGE, PROT_READ | PROT_EXEC);
    c->executes[n] = 1;
    return p;
}

static void drop(struct direct *d, uint32_t n)
{
    page_forget(d, n);
    memset(d->code->view + (size_t)n * PAGE, CAGE_FILL, PAGE);
    data_open(d, n);
}

/* With the pages that share an instruction with it, and so on: bounded by the pages there are. */
void code_gone(struct direct *d, gpa_t page)
{
    struct code *c = d->code;
    uint32_t lo = number((uint32_t)page), hi = lo, pages = number(c->len);

    if (page >= c->len || !c->page[lo])
        return;
    while (lo && c->page[lo]->head && c->page[lo - 1])
        lo--;
    while (hi + 1 < pages && c->page[hi + 1] && c->page[hi + 1]->head)
        hi++;
    for (uint32_t n = lo; n <= hi; n++)
        drop(d, n);
}

void code_all_gone(struct direct *d)
{
    while (d->code->lives)
        drop(d, d->code->live[0]);
}

void code_mode(struct direct *d, uint32_t mode)
{
    if (d->code->mode != mode)
        code_all_gone(d);
    d->code->mode = mode;
}

/* ---- finding instructions ---- */

static bool covered(const struct view_page *p, uint32_t lin)
{
    return p && bit_get(p->covered, lin);
}

static bool aimed_at(const struct view_page *p, uint32_t lin)
{
    return p && bit_get(p->target, lin);
}

/* With another instruction, or with a branch into the middle of this one. */
static bool conflict(const struct code *c, uint32_t lin, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        const struct view_page *p = c->page[number(lin + i)];

        if (covered(p, lin + i) || (i && aimed_at(p, lin + i)))
            return true;
    }
    return false;
}

/* A branch into the middle of an instruction, or of itself: the translator takes it, and the guest
 * arrives where nothing is known, which is looked at then. */
static bool branch_odd(struct direct *d, uint32_t lin, const struct found *f)
{
    const struct code *c = d->code;

    if (f->target - lin - 1 < f->len - 1u)
        return true;
    return f->target < c->len && covered(c->page[number(f->target)], f->target) &&
           !code_known(d, f->target);
}

/* False: not this way. first: it is the instruction that the guest stands at, so what contradicts
 * it goes. */
static bool place(struct direct *d, uint32_t lin, const struct found *f, bool first)
{
    struct code *c = d->code;
    struct view_page *p, *q;

    if (conflict(c, lin, f->len)) {
        if (!first)
            return false;
        code_gone(d, lin);
        code_gone(d, lin + f->len - 1);
    }
    p = view_page_live(d, lin);
    q = p ? view_page_live(d, lin + f->reach - 1) : NULL;
    if (!q || c->page[number(lin)] != p)
        return false; /* the translator started afresh meanwhile, and so shall we */
    if (memcmp(ram_ptr(d->ram, lin, f->reach), f->bytes, f->reach))
        return false; /* a device wrote there before both pages were watched */
    for (unsigned i = 0; i < f->len; i++) {
        bit_set(c->page[number(lin + i)]->covered, lin + i);
        if (f->kind != INSN_PATCH)
            c->view[lin + i] = f->bytes[i];
    }
    bit_set(p->known, lin);
    if (f->kind != INSN_NATIVE)
        bit_set(p->ours, lin);
    q->head |= q != p;
    return true;
}

/* Straight on from lin; where direct branches of this page lead goes to todo. */
static void path(struct direct *d, uint32_t lin, uint32_t *todo, unsigned *todos, unsigned *budget)
{
    uint32_t page = number(lin);
    bool first = *budget == SCAN_INSNS;
    struct found f;

    for (; *budget && lin < d->code->len && number(lin) == page; first = false) {
        --*budget;
        if (code_known(d, lin) || !view_page_live(d, lin)) /* watched before its bytes are read */
            return;
        insn_find(d, lin, &f);
        if (f.branch && branch_odd(d, lin, &f))
            f.kind = INSN_PATCH;
        if (!place(d, lin, &f, first))
            return;
        if (f.branch && f.kind == INSN_NATIVE && number(f.target) == page) {
            bit_set(d->code->page[page]->target, f.target);
            if (*todos < SCAN_TODO)
                todo[(*todos)++] = f.target;
        }
        if (f.ends)
            return;
        lin += f.len;
    }
}

void code_scan(struct direct *d, uint32_t lin)
{
    uint32_t todo[SCAN_TODO] = {lin};
    unsigned todos = 1, budget = SCAN_INSNS;

    while (todos && budget && !d->cpu->failed)
        path(d, todo[--todos], todo, &todos, &budget);
}

/* ---- questions ---- */

bool code_known(struct direct *d, uint32_t lin)
{
    const struct view_page *p = lin < d->code->len ? d->code->page[number(lin)] : NULL;

    return p && bit_get(p->known, lin);
}

const struct insn *code_ours(struct direct *d, uint32_t lin)
{
    struct code *c = d->code;
    const struct view_page *p = lin < c->len ? c->page[number(lin)] : NULL;
    struct kept *k = &c->kept[(lin ^ lin >> 9) % KEPT];
    struct found f;

    if (!p || !bit_get(p->ours, lin))
        return NULL;
    if (k->lin != lin || k->gen != c->gen) {
        insn_find(d, lin, &f);
        *k = (struct kept){lin, c->gen, f.insn};
    }
    return &k->insn;
}

/* ---- making ---- */

static int tables_make(struct code *c)
{
    size_t pages = c->len / PAGE;

    c->page = calloc(pages, sizeof(struct view_page *));
    c->executes = calloc(pages, 1);
    c->live = calloc(pages, sizeof(*c->live));
    if (!c->page || !c->executes || !c->live)
        return -ENOMEM;
    ZydisDecoderInit(&c->dec16, ZYDIS_MACHINE_MODE_LONG_COMPAT_16, ZYDIS_STACK_WIDTH_16);
    ZydisDecoderInit(&c->dec32, ZYDIS_MACHINE_MODE_LONG_COMPAT_32, ZYDIS_STACK_WIDTH_32);
    c->gen = 1;
    return 0;
}

static int view_make(struct code *c, int *readable)
{
    char path_of[32];
    void *p = MAP_FAILED;
    int fd = memfd_create("cage-code", MFD_CLOEXEC), err = 0;

    if (fd < 0 || ftruncate(fd, c->len))
        err = -errno;
    if (!err)
        p = mmap(NULL, c->len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (!err && p == MAP_FAILED)
        err = -errno;
    if (!err) {
        c->view = p;
        snprintf(path_of, sizeof(path_of), "/proc/self/fd/%d", fd);
        *readable = open(path_of, O_RDONLY | O_CLOEXEC);
        err = *readable < 0 ? -errno : 0;
    }
    if (fd >= 0)
        close(fd);
    return err;
}

int code_open(struct direct *d, int *fd)
{
    struct code *c = calloc(1, sizeof(*c));
    int err;

    *fd = -1;
    d->code = c;
    if (!c)
        return -ENOMEM;
    c->len = (uint32_t)d->ram->size;
    c->lives_max = LIVES_MAX;
    err = tables_make(c);
    return err ? err : view_make(c, fd);
}

void code_close(struct direct *d)
{
    struct code *c = d->code;

    if (!c)
        return;
    for (uint32_t i = 0; i < c->lives; i++) {
        bare_unwatch(d->cpu->dbt, (gpa_t)c->live[i] * PAGE);
        free(c->page[c->live[i]]);
    }
    if (c->view)
        munmap(c->view, c->len);
    free(c->page);
    free(c->executes);
    free(c->live);
    free(c);
    d->code = NULL;
}
