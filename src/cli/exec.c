/*
 * viaduct exec PROGRAM [ARGS]: a static Linux program in ring 3 of a vCPU, its system calls served
 * by viaduct (docs/exec.md). The exit status is the program's own, or 128 + its signal.
 */
#include "exec/exec.h"
#include "cli/cli.h"
#include "cli/exec_box.h"
#include "core/error.h"
#include "core/ledger.h"
#include "core/log.h"
#include "engine/engine.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENV_MAX    256
#define DISK_SPEC  512
#define STATUS_SIG 128

extern char **environ;

struct exec_opt {
    struct exec_setup s;
    char disk_spec[EXEC_DISKS_MAX][DISK_SPEC], root_spec[DISK_SPEC];
    char *env[ENV_MAX + 1];
    unsigned envs;
    const char *ledger;
    FILE *ledger_file; /* open since the start */
    enum box_mode sandbox;
};

static int take_engine(void *ctx, const char *value, struct error *err)
{
    static const struct engine_ops *const known[] = {&engine_dbt, &engine_direct_program};
    struct exec_opt *o = ctx;

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (!strcmp(known[i]->name, value)) {
            o->s.engine = known[i];
            return 0;
        }
    return error_set(err, -EINVAL, "--engine %s: must be dbt or direct", value);
}

/* FILE[,readonly] into spec: the name, and whether that word was there. */
static int words(char *spec, const char *value, const char *option, bool *readonly,
                 struct error *err)
{
    char *comma;

    if (snprintf(spec, DISK_SPEC, "%s", value) >= DISK_SPEC)
        return error_set(err, -EINVAL, "%s: the name is too long", option);
    comma = strrchr(spec, ',');
    *readonly = comma && !strcmp(comma, ",readonly");
    if (*readonly)
        *comma = 0;
    return *spec ? 0 : error_set(err, -EINVAL, "%s: names no file", option);
}

static int take_root(void *ctx, const char *value, struct error *err)
{
    struct exec_opt *o = ctx;

    o->s.root = o->root_spec;
    return words(o->root_spec, value, "--root", &o->s.root_readonly, err);
}

static int take_disk(void *ctx, const char *value, struct error *err)
{
    struct exec_opt *o = ctx;
    struct exec_disk *d = &o->s.disk[o->s.disks];

    if (o->s.disks == EXEC_DISKS_MAX)
        return error_set(err, -EINVAL, "--disk: at most %d", EXEC_DISKS_MAX);
    d->path = o->disk_spec[o->s.disks];
    return words(o->disk_spec[o->s.disks++], value, "--disk", &d->readonly, err);
}

static int take_memory(void *ctx, const char *value, struct error *err)
{
    struct exec_opt *o = ctx;

    if (opt_size(value, &o->s.memory) || o->s.memory % (1 << 20) || o->s.memory < EXEC_MEMORY_MIN ||
        o->s.memory > EXEC_MEMORY_MAX)
        return error_set(err, -EINVAL, "--memory %s: must be whole MiB, from 4M to 16G", value);
    return 0;
}

static int take_env(void *ctx, const char *value, struct error *err)
{
    struct exec_opt *o = ctx;

    if (!strchr(value, '='))
        return error_set(err, -EINVAL, "--env %s: must be NAME=VALUE", value);
    if (o->envs == ENV_MAX)
        return error_set(err, -EINVAL, "--env: at most %d", ENV_MAX);
    o->env[o->envs++] = (char *)(uintptr_t)value;
    return 0;
}

static int take_ledger(void *ctx, const char *value, struct error *err)
{
    ((struct exec_opt *)ctx)->ledger = value;
    return *value ? 0 : error_set(err, -EINVAL, "--ledger: names no file; - prints the table");
}

static int take_sandbox(void *ctx, const char *value, struct error *err)
{
    return box_take_mode(&((struct exec_opt *)ctx)->sandbox, value, err);
}

static int take_no_sandbox(void *ctx, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    ((struct exec_opt *)ctx)->sandbox = BOX_OFF;
    return 0;
}

static const struct opt options[] = {
    {"root", "DIR[,readonly]", "the directory that is the program's /; without it, it has no files",
     take_root},
    {"disk", "FILE[,readonly]",
     "a raw image, block device or mem:SIZE: the program's /dev/vda, /dev/vdb …", take_disk},
    {"memory", "SIZE", "what it may use, page tables included: 4M to 16G (256M)", take_memory},
    {"env", "NAME=VALUE", "its environment, repeated; none is inherited but TERM and LANG",
     take_env},
    {"engine", "dbt|direct",
     "who runs it: the translator, or the CPU itself in a process apart (dbt)", take_engine},
    {"ledger", "FILE|-", "write the ledger at its end: JSON to FILE, or with - a table to stderr",
     take_ledger},
    {"sandbox", BOX_VALUE, BOX_HELP, take_sandbox},
    {"no-sandbox", NULL, BOX_NO_HELP, take_no_sandbox},
    {0},
};

static void env_inherit(struct exec_opt *o, const char *name)
{
    size_t n = strlen(name);

    for (unsigned i = 0; i < o->envs; i++)
        if (!strncmp(o->env[i], name, n) && o->env[i][n] == '=')
            return;
    for (char **e = environ; *e && o->envs < ENV_MAX; e++)
        if (!strncmp(*e, name, n) && (*e)[n] == '=')
            o->env[o->envs++] = *e;
}

/* Options end where the program is named: what follows is the program's. */
static int program_at(int argc, char **argv)
{
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++) {
        if (!strcmp(argv[i], "--"))
            return i;
        for (const struct opt *o = options; o->name; o++)
            if (!strncmp(argv[i], "--", 2) && !strcmp(argv[i] + 2, o->name) && o->value)
                i++; /* its value */
    }
    return i < argc ? i : argc;
}

struct runner {
    struct exec *x;
    struct exec_end end;
};

static void *runner_main(void *arg)
{
    struct runner *r = arg;

    r->end = exec_run(r->x);
    return NULL;
}

static int ledger_out(const struct exec_opt *o, struct exec *x)
{
    int err;

    if (!o->ledger)
        return 0;
    if (!strcmp(o->ledger, "-")) {
        ledger_print(exec_ledger(x), stderr);
        return 0;
    }
    err = ledger_put(exec_ledger(x), o->ledger_file);
    if (err)
        log_error("--ledger %s: %s", o->ledger, strerror(-err));
    return err;
}

/* The vCPU's thread takes no signals; this one does, so that ^C ends a program that computes. */
static int program_run(const struct exec_opt *o, struct exec *x)
{
    struct runner r = {.x = x};
    pthread_t thread;
    int status;

    if (pthread_create(&thread, NULL, runner_main, &r)) {
        log_error("out of memory");
        return EXIT_VMM;
    }
    pthread_join(thread, NULL);
    status = r.end.failed ? EXIT_VMM : r.end.signalled ? STATUS_SIG + r.end.value : r.end.value;
    return ledger_out(o, x) && !status ? EXIT_VMM : status;
}

/* All there is to open, and then the jail. */
static int exec_begin(struct exec_opt *o, struct exec **x, struct error *err)
{
    int code = exec_open(x, &o->s, err);

    if (code)
        return code;
    if (o->ledger && strcmp(o->ledger, "-")) {
        o->ledger_file = ledger_place(o->ledger);
        if (!o->ledger_file)
            code = error_set(err, -errno, "--ledger %s: %s", o->ledger, strerror(errno));
    }
    if (!code)
        code = exec_box_enter(&o->s, exec_root(*x), o->ledger_file, o->sandbox, err);
    if (code)
        exec_close(*x);
    return code;
}

static int exec_main(int argc, char **argv)
{
    struct exec_opt o = {.s = {.engine = &engine_dbt, .memory = EXEC_MEMORY}};
    int at = program_at(argc, argv), status;
    struct error err = {0};
    struct exec *x;
    bool help;

    if (opt_parse(options, at, argv, &o, NULL, &help, &err)) {
        log_error("%s", err.text);
        return EXIT_USAGE;
    }
    if (help) {
        opt_help(&verb_exec, options);
        return EXIT_OFF;
    }
    at += at < argc && !strcmp(argv[at], "--");
    if (at >= argc) {
        log_error("exec: no program; viaduct exec [options] PROGRAM [ARGS]");
        return EXIT_USAGE;
    }
    env_inherit(&o, "TERM");
    env_inherit(&o, "LANG");
    o.s.program = argv[at];
    o.s.argv = argv + at;
    o.s.envp = o.env;
    if (exec_begin(&o, &x, &err)) {
        log_error("%s", err.text);
        return EXIT_USAGE;
    }
    status = program_run(&o, x);
    exec_close(x);
    return status;
}

const struct verb verb_exec = {"exec", "[options] PROGRAM …",
                               "run a static Linux program, its system calls served here",
                               exec_main};
