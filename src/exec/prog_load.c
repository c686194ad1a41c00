/*
 * A program's beginning: its segments as mappings of its file, its stack with arguments,
 * environment and auxiliary vector (System V ABI for AMD64 3.4.1, i386 2.3). No vDSO is offered;
 * i386 programs get a page with the entry that AT_SYSINFO names, since SYSENTER can't be used
 * without one.
 */
#include "core/cpu_regs.h"
#include "core/error.h"
#include "exec/prog.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define STACK_SIZE (8ull << 20)
#define STACK_GAP  (1ull << 20) /* between the stack and the end of addresses: the entry page */
#define ARGS_MAX   (2ull << 20) /* bytes of arguments and environment; Linux has a quarter of 8M */
#define ARGC_MAX   65536u
#define AUX_MAX    20
#define BRK_GAP    SPACE_PAGE

enum {
    AT_NULL,
    AT_PHDR = 3,
    AT_PHENT,
    AT_PHNUM,
    AT_PAGESZ,
    AT_BASE,
    AT_FLAGS,
    AT_ENTRY,
    AT_UID = 11,
    AT_EUID,
    AT_GID,
    AT_EGID,
    AT_PLATFORM,
    AT_CLKTCK = 17,
    AT_SECURE = 23,
    AT_RANDOM = 25,
    AT_EXECFN = 31,
    AT_SYSINFO = 32
};

/* push ecx; push edx; push ebp; mov ebp, esp; sysenter; int 0x80; pop ebp; pop edx; pop ecx; ret */
static const uint8_t sysinfo_code[] = {0x51, 0x52, 0x55, 0x89, 0xe5, 0x0f, 0x34,
                                       0xcd, 0x80, 0x5d, 0x5a, 0x59, 0xc3};

struct stack {
    struct prog *p;
    uint64_t sp;
    int err;
};

static uint64_t push(struct stack *k, const void *buf, size_t len)
{
    k->sp -= len;
    if (!k->err)
        k->err = space_write(&k->p->space, k->sp, buf, len);
    return k->sp;
}

static uint64_t push_text(struct stack *k, const char *text)
{
    return push(k, text, strlen(text) + 1);
}

static void push_word(struct stack *k, uint64_t v)
{
    uint8_t b[8];

    le64_put(b, v);
    push(k, b, k->p->abi->word);
}

static unsigned count(char **list)
{
    unsigned n = 0;

    while (list[n]) /* the user's own command line */
        n++;
    return n;
}

static uint64_t bytes_of(char **list)
{
    uint64_t n = 0;

    for (; *list; list++)
        n += strlen(*list) + 1 + 8;
    return n;
}

/* Pushes pointers to strings that stand one after another from at on. */
static void push_list(struct stack *k, char **list, const uint64_t at)
{
    uint64_t end = at + bytes_of(list) - 8ull * count(list);

    push_word(k, 0);
    for (unsigned i = count(list); i-- > 0;) {
        end -= strlen(list[i]) + 1;
        push_word(k, end);
    }
}

static uint64_t push_strings(struct stack *k, char **list)
{
    for (unsigned i = count(list); i-- > 0;)
        push_text(k, list[i]);
    return k->sp;
}

struct aux {
    uint64_t v[AUX_MAX][2];
    unsigned n;
};

static void aux_add(struct aux *a, uint64_t type, uint64_t v)
{
    a->v[a->n][0] = type;
    a->v[a->n++][1] = v;
}

static void aux_fill(struct aux *a, const struct prog *p, const struct elf *e, uint64_t bias)
{
    aux_add(a, AT_PHDR, e->phdr ? e->phdr + bias : 0);
    aux_add(a, AT_PHENT, e->phent);
    aux_add(a, AT_PHNUM, e->phnum);
    aux_add(a, AT_PAGESZ, SPACE_PAGE);
    aux_add(a, AT_BASE, 0);
    aux_add(a, AT_FLAGS, 0);
    aux_add(a, AT_ENTRY, e->entry + bias);
    aux_add(a, AT_UID, p->uid);
    aux_add(a, AT_EUID, p->uid);
    aux_add(a, AT_GID, p->gid);
    aux_add(a, AT_EGID, p->gid);
    aux_add(a, AT_SECURE, 0);
    aux_add(a, AT_CLKTCK, 100);
    if (p->sysinfo)
        aux_add(a, AT_SYSINFO, p->sysinfo);
}

static int stack_fill(struct prog *p, const struct exec_setup *s, struct aux *a, uint64_t *sp)
{
    struct stack k = {.p = p, .sp = *sp - 16};
    unsigned words = 1 + count(s->argv) + 1 + count(s->envp) + 1;
    uint8_t noise[16];
    uint64_t args, env;

    if (getrandom(noise, sizeof(noise), 0) != sizeof(noise))
        return -EIO;
    aux_add(a, AT_EXECFN, push_text(&k, s->argv[0]));
    aux_add(a, AT_PLATFORM, push_text(&k, p->abi->platform));
    aux_add(a, AT_RANDOM, push(&k, noise, sizeof(noise)));
    env = push_strings(&k, s->envp);
    args = push_strings(&k, s->argv);
    aux_add(a, AT_NULL, 0);
    words += 2 * a->n;
    k.sp = ((k.sp - words * p->abi->word) & ~15ull) + words * p->abi->word;
    for (unsigned i = a->n; i-- > 0;) {
        push_word(&k, a->v[i][1]);
        push_word(&k, a->v[i][0]);
    }
    push_list(&k, s->envp, env);
    push_list(&k, s->argv, args);
    push_word(&k, count(s->argv));
    *sp = k.sp;
    return k.err;
}

static int map_zero(struct prog *p, uint64_t at, uint64_t end, unsigned prot)
{
    struct area a = {.at = at, .end = end, .prot = prot};

    return space_map(&p->space, &a);
}

static uint64_t page_up(uint64_t v)
{
    return (v + SPACE_PAGE - 1) / SPACE_PAGE * SPACE_PAGE;
}

static int seg_map(struct prog *p, const struct elf_seg *g, uint64_t bias, struct file *f)
{
    uint64_t skew = g->addr % SPACE_PAGE, at = bias + g->addr - skew;
    uint64_t file = g->filesz ? page_up(skew + g->filesz) : 0, all = page_up(skew + g->memsz);
    struct area a = {.at = at,
                     .end = at + file,
                     .prot = g->prot,
                     .file = f,
                     .offset = g->offset - skew,
                     .file_end = g->prot & SPACE_WRITE ? g->offset + g->filesz : UINT64_MAX};
    int err = 0;

    if (file) {
        file_get(f);
        err = space_map(&p->space, &a);
        if (err)
            file_put(f);
    }
    if (!err && all > file)
        err = map_zero(p, at + file, at + all, g->prot);
    return err;
}

static int segs_map(struct prog *p, const struct elf *e, uint64_t bias, struct file *f)
{
    for (unsigned i = 0; i < e->segs; i++) {
        int err = seg_map(p, &e->seg[i], bias, f);

        if (err)
            return err;
    }
    p->space.brk_start = p->space.brk = e->high + bias + BRK_GAP;
    return 0;
}

static int sysinfo_map(struct prog *p, uint64_t at)
{
    int err = map_zero(p, at, at + SPACE_PAGE, SPACE_READ | SPACE_WRITE);

    if (!err)
        err = space_write(&p->space, at, sysinfo_code, sizeof(sysinfo_code));
    if (!err)
        err = space_protect(&p->space, at, SPACE_PAGE, SPACE_READ | SPACE_EXEC);
    return err;
}

static int image_make(struct prog *p, const struct exec_setup *s, const struct elf *e,
                      struct file *f, struct cpu_regs *r)
{
    uint64_t bias = e->moves ? p->abi->pie - e->low : 0, sysinfo = 0, sp;
    struct aux aux = {.n = 0};
    int err = space_open(&p->space, &p->ram, SPACE_PAGE * 16, p->abi->top);

    if (!err)
        err = prog_cpu(p, r);
    if (!err)
        err = segs_map(p, e, bias, f);
    sp = p->abi->top - STACK_GAP;
    if (!err)
        err = map_zero(p, sp - STACK_SIZE, sp,
                       SPACE_READ | SPACE_WRITE | (e->exec_stack ? SPACE_EXEC : 0u));
    if (!err && !e->is64) {
        sysinfo = sp + SPACE_PAGE;
        err = sysinfo_map(p, sysinfo);
    }
    p->sysinfo = sysinfo;
    aux_fill(&aux, p, e, bias);
    if (!err)
        err = stack_fill(p, s, &aux, &sp);
    r->rip = e->entry + bias;
    r->gpr[REG_RSP] = sp;
    return err;
}

static int head_read(const char *path, int *fd, struct elf *e, struct error *err)
{
    uint8_t head[ELF_HEAD];
    struct error why = {{0}};
    struct stat st;
    ssize_t n;

    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0 || fstat(*fd, &st))
        return error_set(err, -errno, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return error_set(err, -EACCES, "%s: not a regular file", path);
    n = pread(*fd, head, sizeof(head), 0);
    if (n < 0)
        return error_set(err, -errno, "%s: %s", path, strerror(errno));
    if (elf_parse(e, head, (size_t)n, (uint64_t)st.st_size, &why))
        return error_set(err, -ENOEXEC, "%s can't be run: %s", path, why.text);
    return 0;
}

int prog_load(struct prog *p, const struct exec_setup *s, struct cpu_regs *r, struct error *err)
{
    struct elf e;
    struct file *f;
    int fd = -1, code = head_read(s->program, &fd, &e, err);

    if (code) {
        if (fd >= 0)
            close(fd);
        return code;
    }
    f = file_host(fd, O_RDONLY);
    if (!f)
        return error_set(err, -ENOMEM, "out of memory");
    p->abi = e.is64 ? &abi_amd64 : &abi_i386;
    if (bytes_of(s->argv) + bytes_of(s->envp) > ARGS_MAX || count(s->argv) > ARGC_MAX ||
        count(s->envp) > ARGC_MAX)
        code = error_set(err, -E2BIG, "the arguments and the environment are too long");
    else if (image_make(p, s, &e, f, r))
        code = error_set(err, -ENOMEM, "%s does not fit in %llu MiB; give more with --memory",
                         s->program, (unsigned long long)(p->ram.size >> 20));
    file_put(f);
    return code;
}
