/* Shared by the files of exec/: one running program, and how its calls are served. */
#ifndef EXEC_PROG_H
#define EXEC_PROG_H

#include "core/log.h"
#include "core/trap.h"
#include "exec/elf.h"
#include "exec/exec.h"
#include "exec/file.h"
#include "exec/root.h"
#include "exec/space.h"
#include "mem/ram.h"
#include <time.h>

#define PROG_PATH_MAX     4096
#define PROG_CALLS_MAX    512 /* numbers below this have a place in the tables */
#define PROG_SIGS         65
#define PROG_TLS          3  /* i386's TLS descriptors */
#define PROG_SEEN         32 /* calls that are refused are named once each, and no more than this */
#define PROG_SYSINFO_BACK 9  /* in the entry page: behind SYSENTER and INT 0x80 */

struct cpu_regs; /* core/cpu_regs.h and <signal.h> have the same names: not both in a file */
struct loop;
struct engine;
struct prog;
struct blk;

/* One call of one ABI. Arguments as the registers had them (i386: 32 bits, zero-extended). */
struct call {
    const char *name; /* NULL: not served */
    int64_t (*run)(struct prog *p, const uint64_t a[6]);
    bool narrow; /* times and offsets in its structures have 32 bits */
};

/* What differs between the two ABIs beyond numbers: widths and the shapes of structures. */
struct abi {
    const char *name;
    const struct call *call; /* by number */
    unsigned calls;
    unsigned word; /* 8 or 4 */
    uint64_t top;  /* of the program's addresses */
    uint64_t pie;  /* where position-independent programs go */
    const char *platform, *machine;
    unsigned ways; /* 1 << enum trap_way: the instructions that call it */
    int (*put_stat)(struct prog *p, uint64_t at, const struct stat *st);
};
extern const struct abi abi_amd64, abi_i386;

struct prog {
    const struct abi *abi;
    struct ram ram;
    struct space space;
    struct file_table files;
    struct root root;
    struct blk *disk[EXEC_DISKS_MAX];
    unsigned disks;
    struct loop *loop;
    struct ledger *ledger;
    const struct engine_ops *ops;
    struct engine *engine;
    bool engine_open;

    const struct call *now;  /* the call being served */
    char cwd[PROG_PATH_MAX]; /* below the root, with no slash at its end; "": the root itself */
    char name[16];
    unsigned umask_bits;
    uid_t uid; /* as viaduct started */
    gid_t gid;
    uint64_t sig_handler[PROG_SIGS]; /* as the program set them; none is ever delivered */
    uint64_t sig_mask;
    uint64_t tls[PROG_TLS]; /* i386 descriptors */
    uint64_t gdt;           /* gpa */
    uint64_t sysinfo;       /* i386: the page with the entry for SYSENTER */

    /* What the engine has to be told before the program goes on. */
    bool set_fs, set_gs, set_tls;
    uint64_t fs, gs;
    bool ended;
    struct exec_end end;

    unsigned file_rows;
    struct ledger_row *row_way[TRAP_WAYS], *row_fault, *row_unknown;
    struct ledger_row *row_call[PROG_CALLS_MAX];
    struct log_budget budget;
    unsigned refused[PROG_SEEN], refusals;
};

/* prog_load.c: the program, its stack and registers. */
int prog_load(struct prog *p, const struct exec_setup *s, struct cpu_regs *r, struct error *err);
/* prog_cpu.c: tables and registers for ring 3. */
int prog_cpu(struct prog *p, struct cpu_regs *r);
int prog_tls(struct prog *p, unsigned slot, uint64_t descriptor);
/* SYSENTER says neither where to go on nor where the stack is: both are the entry page's. */
void prog_sysenter_return(struct prog *p);
void prog_pause(struct prog *p); /* the engine's run comes back after this trap */
void prog_thread_begin(void);    /* call_proc.c: the thread that runs the vCPU takes no signals */
/* prog_trap.c */
void prog_trap(void *prog, unsigned vcpu, struct trap *t);
/* The program ends here: with a status, or by a signal. */
void prog_exit(struct prog *p, int status);
void prog_die(struct prog *p, int sig);
/* A call that this ABI has and viaduct serves not at all, or not so: named once; -ENOSYS or err. */
int64_t prog_refuse(struct prog *p, uint64_t nr, const char *why, int err);
uint64_t prog_nr(const struct prog *p); /* the number of the call in hand */
/* Bytes that the call in hand moved to (or from) the program. */
void prog_bytes(struct prog *p, bool to_program, uint64_t n);

/* ---- helpers of the calls ---- */
struct prog_path {
    char text[PROG_PATH_MAX];
};
/* A path argument, made whole: below the root, "" for the root itself. 0 or -errno. */
int prog_path(struct prog *p, int dirfd, uint64_t at, struct prog_path *out);
struct file *prog_file(struct prog *p, uint64_t fd);                /* NULL: -EBADF */
int64_t prog_install(struct prog *p, struct file *f, bool cloexec); /* f may be NULL: -ENOMEM */
int prog_get_time(struct prog *p, uint64_t at, struct timespec *ts);
int prog_put_time(struct prog *p, uint64_t at, const struct timespec *ts);
int prog_put_word(struct prog *p, uint64_t at, uint64_t v); /* a long of the ABI */
int prog_get_word(struct prog *p, uint64_t at, uint64_t *v);
/* Opens disk n (0 is /dev/vda). */
struct file *prog_disk(struct prog *p, unsigned n, int flags);
/* Which of the devices that are made here a path names: disk number, -1 - enum file_small, or
 * PROG_NO_DEV. */
bool prog_disk_readonly(const struct prog *p, unsigned n);
#define PROG_NO_DEV 1000
int prog_dev(const struct prog *p, const char *path);

typedef int64_t call_fn(struct prog *p, const uint64_t a[6]);

#endif
