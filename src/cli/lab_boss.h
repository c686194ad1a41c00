/*
 * The supervisor of a lab: the parent of its processes. It starts and stops them in order, sees
 * them end, and starts those again that shall be. One loop, one thread. What it knows is in the
 * run directory's state file, from which another goes on if it is killed: the machines live on.
 */
#ifndef CLI_LAB_BOSS_H
#define CLI_LAB_BOSS_H

#include "back/listen.h"
#include "cli/lab.h"
#include "cli/starter.h"
#include "core/error.h"
#include "core/loop.h"
#include <sys/types.h>

#define LAB_STATE  "state.json"
#define LAB_DOOR   "boss" /* RUN/lab.boss is the supervisor's socket */
#define LAB_LOCK   "lock"
#define BOSS_TICK  20000000ull     /* ns: while something is under way */
#define BOSS_START 120000000000ull /* ns a process has until it listens */
#define BOSS_ASK   5000000000ull   /* ns a client has to say what it wants */
#define BOSS_QUIT  3000000000ull   /* ns a machine has to end when told to */

enum lab_state {
    LAB_OFF,      /* not started, or stopped as asked */
    LAB_STARTING, /* runs, and does not listen yet */
    LAB_UP,
    LAB_STOPPING,
    LAB_WAITING, /* it failed, and will be started again */
    LAB_ENDED,   /* by itself; status tells how */
    LAB_STATES
};

struct boss;

struct boss_unit {
    struct boss *boss;
    struct lab_unit plan; /* owned */
    enum lab_state state;
    pid_t pid;
    uint64_t start;    /* when that process began: guards against another of its number */
    int64_t wall;      /* seconds since the epoch: since when it is in this state */
    int pidfd, ctl;    /* -1: none; ctl: to tell it to stop */
    bool child;        /* else it was there before us, and its status is not known */
    int status;        /* as waitpid tells it; -1: not known */
    unsigned restarts; /* so far */
    unsigned fails;    /* in a row */
    unsigned step;     /* of stopping */
    uint64_t due;      /* loop time of the next step */
    bool tried;        /* by the job under way */
};

enum job_kind { JOB_NONE, JOB_UP, JOB_UNDO, JOB_DOWN };

struct boss_job {
    enum job_kind kind;
    int client;       /* -1: it has gone */
    bool all;         /* down: everything */
    struct error err; /* undo: why */
};

struct boss {
    char name[LAB_NAME + 1], *run, *file, *exe;
    struct loop *loop;
    struct loop_timer tick, patience; /* patience: with the asker */
    struct listen_place door;
    int lock, signals, null;
    struct starter starter; /* of what a plan says, for one in a jail */
    int asker;              /* a client whose request is being read; -1: none */
    char ask[4096];
    size_t asked;
    struct boss_unit *unit[LAB_UNITS]; /* networks, domains, machines */
    unsigned units;
    struct boss_job job;
    bool changed, over;
    char *sockets; /* a copy of /proc/net/unix of this tick; or NULL */
};

/* ---- lab_boss.c ---- */

/* In a process of its own; until everything is down. An exit status. */
int boss_run(const char *name);
/* Something has changed: look again, now. */
void boss_wake(struct boss *b);
/* It ends after this turn; its door is shut now. */
void boss_leave(struct boss *b);
struct boss_unit *boss_find(struct boss *b, const char *name);
bool boss_lives(const struct boss_unit *u); /* has a process */
void boss_clean(struct boss *b);            /* the run directory goes */

/* ---- lab_unit.c: one process ---- */

struct boss_unit *unit_add(struct boss *b); /* NULL: no memory */
void unit_drop(struct boss *b, unsigned n);
int unit_spawn(struct boss_unit *u, bool again); /* again: the log goes on */
/* A process that was there before: false if it is gone. */
bool unit_adopt(struct boss_unit *u);
void unit_stop(struct boss_unit *u, bool quick);
void unit_tick(struct boss_unit *u);
void unit_state(struct boss_unit *u, enum lab_state state);

/* ---- lab_job.c: what clients ask for ---- */

void job_up(struct boss *b, const char *file);
void job_down(struct boss *b, char *names); /* separated by spaces; none: everything */
void job_tick(struct boss *b);
void job_say(struct boss *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- lab_state.c: the state file ---- */

const char *lab_state_name(enum lab_state state);
int state_save(const struct boss *b);
void state_load(struct boss *b); /* and adopts who lives */

/* What others read of it. */
struct lab_view_unit {
    char name[LAB_NAME + 1], kind[16];
    enum lab_state state;
    pid_t pid; /* 0: none lives */
    int64_t wall;
    int status;
    unsigned restarts;
    char **argv; /* ends with NULL */
    char *ready; /* or NULL */
};

struct lab_view {
    char name[LAB_NAME + 1], run[LAB_RUN];
    char *file;
    bool boss; /* a supervisor is there */
    struct lab_view_unit *unit;
    unsigned units;
};

/* 0, or -ENOENT if there is no such lab, or another -errno; err filled. */
int lab_view_read(struct lab_view *v, const char *name, struct error *err);
void lab_view_free(struct lab_view *v);
bool lab_boss_there(const char *run); /* a supervisor holds the lab's directory */
/* When a process began, in ticks since boot (proc(5), stat, field 22); 0: there is none. */
uint64_t lab_process_start(pid_t pid);

#endif
