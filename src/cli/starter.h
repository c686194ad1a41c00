/*
 * A process that starts others, for one that goes into a jail and may not: it is made first, reads
 * nothing but what its maker asks for, and starts one program only. What it starts are its maker's
 * children, not its own: they are waited for there, and outlive it. It ends when its maker does.
 */
#ifndef CLI_STARTER_H
#define CLI_STARTER_H

#include "cli/pass.h"

#define STARTER_FDS PASS_FDS

struct starter_opts {
    const char *program;             /* the one that is started */
    bool (*may)(char *const argv[]); /* with these words? NULL: with any */
    bool bare;                       /* without the environment */
    bool privileges;                 /* may it gain any by what it executes? */
};

struct starter {
    int sock;
    pid_t pid;
};

struct started {
    pid_t pid;
    int pidfd; /* its owner's to close */
};

/* Of a process with one thread. 0 or -errno. */
int starter_open(struct starter *s, const struct starter_opts *o);
/* fd[i] becomes descriptor i of the new process, which has no others. 0 or -errno. */
int starter_start(const struct starter *s, char *const argv[], const int *fd, unsigned fds,
                  struct started *out);
void starter_close(struct starter *s); /* also after a failed open, or none: sock 0 or -1 */

#endif
