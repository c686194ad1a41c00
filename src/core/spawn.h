/* Programs that serve this process and get nothing of it but what they are given. */
#ifndef CORE_SPAWN_H
#define CORE_SPAWN_H
#include <sys/types.h>

struct spawn_fd {
    int from, to;
};

struct spawn {
    const char *path; /* without a slash: looked for in PATH */
    char **argv;
    short apart; /* POSIX_SPAWN_SETSID or _SETPGROUP: a Ctrl-C at the terminal is not for it */
    const struct spawn_fd *fd; /* beside 0, 1 and 2, which are /dev/null where they are not named */
    unsigned fds;
};

/* Started with no environment, no signal blocked or ignored. 0 and its pid and pidfd, or -errno, -1
 * and -1. */
int spawn_start(const struct spawn *s, pid_t *pid, int *pidfd);

#endif
