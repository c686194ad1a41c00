/* How viaduct compare measures a cell: children, their ledgers, and the difference of two. */
#ifndef CLI_COMPARE_CHILD_H
#define CLI_COMPARE_CHILD_H

#include "cli/compare.h"
#include <sys/types.h>

/* A ledger that was read back: compare_ledger.c */
struct compare_row {
    char kind[8], dev[32], name[32];
    double reads, writes, read_bytes, write_bytes, refused, copied;
};
struct compare_ledger {
    struct compare_row *row;
    unsigned rows;
};
int compare_ledger_read(struct compare_ledger *l, int fd, struct error *err);
void compare_ledger_free(struct compare_ledger *l);

struct compare_runs { /* two of one cell, and what the second had more */
    const struct compare_ledger *few, *many;
    double requests;
    uint32_t size;
    const char *line; /* of its way */
};
void compare_count(struct figures *f, const struct compare_runs *runs);

struct child { /* one run of the guest */
    const struct cell *cell;
    uint32_t per_round, rounds;
    double ns[COMPARE_ROUNDS_MAX]; /* out: a round */
    struct compare_ledger ledger;  /* out */
};
/* 0; -ENOTSUP: refused, err says why; else it failed, err says how. */
int compare_child(struct compare *c, struct child *k, struct error *err);

/* Another program, with fd and what it would inherit; stdin is empty. It is killed when we end:
 * compare_start.c. 0 and its pid, or -errno. */
struct spawn_fd;
int child_start(pid_t *pid, const char *path, char **argv, const struct spawn_fd *fd, unsigned fds);
/* Its wait status; -ETIMEDOUT if it had to be killed after so long. */
int child_wait(pid_t pid, int ms, int *status);

/* ---- compare_command.c ---- */

#define CHILD_ARGS_MAX      32
#define CHILD_GUEST_SECONDS "60"
#define CHILD_JSON_AT       "/proc/self/fd/100" /* FD_LEDGER, as a name */
enum { FD_LEDGER = 100, FD_IMAGE, FD_FILE };    /* in the child; far from those in here */

struct child_command {
    char *argv[CHILD_ARGS_MAX];
    unsigned args;
    char words[256], disk[96], file[32], ledger[32];
};

void child_command(struct child_command *m, const struct compare *c, const struct child *k);
int child_file(const struct compare *c, const struct cell *cell); /* what it runs */

#endif
