/* Running one program: what it is given, the engine under it, and its end. */
#include "exec/exec.h"
#include "back/blk.h"
#include "core/error.h"
#include "core/ledger.h"
#include "core/loop.h"
#include "engine/engine.h"
#include "exec/prog.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MESSAGES 64 /* lines a program may cause */

struct exec {
    struct prog p;
};

static int disks_open(struct prog *p, const struct exec_setup *s, struct error *err)
{
    for (unsigned i = 0; i < s->disks; i++) {
        char name[16];
        struct blk_open_opts o = {
            .path = s->disk[i].path, .readonly = s->disk[i].readonly, .name = name};
        int code;

        snprintf(name, sizeof(name), "disk%u", i);
        code = blk_open(&p->disk[i], &o, p->loop, p->ledger, err);
        if (code)
            return code;
        p->disks++;
    }
    return 0;
}

static int rows_make(struct prog *p)
{
    static const char *const way[TRAP_WAYS] = {"syscall", "int80", "sysenter"};
    bool all;

    for (unsigned i = 0; i < TRAP_WAYS; i++)
        p->row_way[i] = ledger_row(p->ledger, LEDGER_EXIT, "cpu0", way[i]);
    p->row_fault = ledger_row(p->ledger, LEDGER_EXIT, "cpu0", "fault");
    p->row_unknown = ledger_row(p->ledger, LEDGER_CALL, p->abi->name, "unserved");
    all = p->row_way[0] && p->row_way[1] && p->row_way[2] && p->row_fault && p->row_unknown;
    for (unsigned nr = 0; nr < p->abi->calls; nr++)
        if (p->abi->call[nr].run) {
            p->row_call[nr] =
                ledger_row(p->ledger, LEDGER_CALL, p->abi->name, p->abi->call[nr].name);
            all &= p->row_call[nr] != NULL;
        }
    return all ? 0 : -ENOMEM;
}

static int engine_make(struct prog *p, struct error *err)
{
    const struct engine_env env = {.ram = &p->ram,
                                   .ledger = p->ledger,
                                   .vcpus = 1,
                                   .trap = prog_trap,
                                   .trap_ctx = p,
                                   .program = true,
                                   .program_narrow = p->abi->word == 4,
                                   .program_low = p->space.low * SPACE_PAGE,
                                   .tsc_hz = 0 /* what measures it costs 8 ms */};

    if (!(p->ops->programs & (p->abi == &abi_amd64 ? ENGINE_AMD64 : ENGINE_I386)))
        return error_set(err, -EINVAL, "--engine %s can't run %s programs; use --engine dbt",
                         p->ops->name, p->abi->name);
    p->engine_open = !p->ops->open(&p->engine, &env, err);
    return p->engine_open ? 0 : -EINVAL;
}

/* Descriptors 0, 1 and 2 are the host's, as far as they are open. */
static int stdio_give(struct prog *p)
{
    static const int mode[3] = {O_RDONLY, O_WRONLY, O_WRONLY};

    for (int fd = 0; fd < 3; fd++) {
        int own = fcntl(fd, F_DUPFD_CLOEXEC, 3), flags = fcntl(fd, F_GETFL);
        struct file *f;

        if (own < 0 || (flags >= 0 && (flags & O_PATH))) { /* main.c holds the place of one */
            if (own >= 0)
                close(own);
            continue;
        }
        f = file_host(own, flags < 0 ? mode[fd] : flags);
        if (!f)
            return -ENOMEM;
        f->stream = lseek(own, 0, SEEK_CUR) < 0;
        f->row = ledger_row(p->ledger, LEDGER_FILE, p->name,
                            fd ? fd > 1 ? "stderr" : "stdout" : "stdin");
        p->files.slot[fd].file = f;
    }
    return 0;
}

static void name_it(struct prog *p, const struct exec_setup *s)
{
    const char *slash = strrchr(s->program, '/');

    snprintf(p->name, sizeof(p->name), "%.15s", slash ? slash + 1 : s->program);
}

static int exec_make(struct prog *p, const struct exec_setup *s, struct error *err)
{
    struct cpu_regs r;
    int code = ram_open(&p->ram, s->memory);

    if (code)
        return error_set(err, code, "--memory: %s", strerror(-code));
    p->ledger = ledger_open();
    p->loop = loop_open(NULL, false);
    if (!p->ledger || !p->loop)
        return error_set(err, -ENOMEM, "out of memory");
    name_it(p, s);
    code = root_open(&p->root, s->root, s->root_readonly, err);
    if (!code)
        code = disks_open(p, s, err);
    if (!code)
        code = prog_load(p, s, &r, err);
    if (!code && (rows_make(p) || stdio_give(p)))
        code = error_set(err, -ENOMEM, "out of memory");
    if (!code)
        code = engine_make(p, err);
    if (!code)
        p->ops->set_regs(p->engine, 0, &r);
    return code;
}

int exec_open(struct exec **out, const struct exec_setup *s, struct error *err)
{
    struct exec *x = calloc(1, sizeof(*x));
    int code;

    if (!x)
        return error_set(err, -ENOMEM, "out of memory");
    x->p.ops = s->engine;
    x->p.ram.fd = x->p.root.fd = x->p.root.self = -1;
    x->p.budget.left = MESSAGES;
    x->p.uid = getuid();
    x->p.gid = getgid();
    x->p.umask_bits = umask(022);
    umask((mode_t)x->p.umask_bits);
    code = exec_make(&x->p, s, err);
    if (code)
        exec_close(x);
    else
        *out = x;
    return code;
}

/* What a call changed that the engine keeps: segments, and translations it may remember. */
static void engine_tell(struct prog *p)
{
    struct cpu_regs r;

    p->ops->get_regs(p->engine, 0, &r);
    if (p->set_fs)
        r.seg[SEG_FS].base = p->fs;
    if (p->set_gs)
        r.seg[SEG_GS].base = p->gs;
    p->ops->set_regs(p->engine, 0, &r);
    p->set_fs = p->set_gs = p->set_tls = p->space.stale = false;
}

struct exec_end exec_run(struct exec *x)
{
    struct prog *p = &x->p;

    prog_thread_begin();
    while (!p->ended) {
        struct trap end = {0};

        p->ops->run(p->engine, 0, &end);
        if (end.kind == TRAP_KICK) {
            engine_tell(p);
        } else if (!p->ended) {
            log_error("%s: the engine can't go on at address 0x%llx: %s", p->name,
                      (unsigned long long)end.addr, end.why);
            p->ended = p->end.failed = true;
        }
    }
    file_close_all(&p->files); /* what is written to disks is with the back end before the report */
    return p->end;
}

struct prog *exec_prog(struct exec *x)
{
    return &x->p;
}

int exec_root(const struct exec *x)
{
    return x->p.root.fd;
}

struct ledger *exec_ledger(struct exec *x)
{
    return x->p.ledger;
}

void exec_close(struct exec *x)
{
    if (!x)
        return;
    if (x->p.engine_open)
        x->p.ops->close(x->p.engine);
    file_close_all(&x->p.files);
    space_close(&x->p.space);
    for (unsigned i = 0; i < x->p.disks; i++)
        blk_close(x->p.disk[i]);
    root_close(&x->p.root);
    if (x->p.loop)
        loop_close(x->p.loop);
    ledger_close(x->p.ledger);
    if (x->p.ram.fd >= 0)
        ram_close(&x->p.ram);
    free(x);
}
