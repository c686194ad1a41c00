/*
 * A static Linux program in ring 3 of a vCPU, with no kernel below: each system call is a trap, and
 * served here, over one directory of the host and over virtual disks (docs/exec.md).
 */
#ifndef EXEC_EXEC_H
#define EXEC_EXEC_H

#include "core/types.h"

#define EXEC_DISKS_MAX  8
#define EXEC_MEMORY     (256ull << 20)
#define EXEC_MEMORY_MIN (4ull << 20)
#define EXEC_MEMORY_MAX (16ull << 30)

struct engine_ops;
struct error;
struct ledger;

struct exec_disk {
    const char *path; /* what blk_open takes */
    bool readonly;
};

struct exec_setup {
    const struct engine_ops *engine;
    const char *program; /* a file of the host, whatever the root */
    char **argv;         /* with argv[0], NULL at its end */
    char **envp;         /* NULL at its end */
    const char *root;    /* the directory that is the program's "/"; NULL: it has no files */
    bool root_readonly;
    uint64_t memory;
    struct exec_disk disk[EXEC_DISKS_MAX]; /* /dev/vda, /dev/vdb … */
    unsigned disks;
};

struct exec_end {
    bool signalled; /* it died by that signal; else it left with that status */
    int value;
    bool failed; /* viaduct could not go on */
};

struct exec;
struct prog;

/* Everything the command line names is looked at here: 0, or -errno and why. */
int exec_open(struct exec **out, const struct exec_setup *s, struct error *err);
/* The directory that is the program's root, open; -1: it has none. For the jail that comes before
 * exec_run: nothing else is opened by then but what is below it. */
int exec_root(const struct exec *x);
/* Until the program's end; on a thread of its own, since it may block. */
struct exec_end exec_run(struct exec *x);
struct prog *exec_prog(struct exec *x); /* for tests: exec/prog.h */
struct ledger *exec_ledger(struct exec *x);
void exec_close(struct exec *x); /* NULL is fine */

#endif
