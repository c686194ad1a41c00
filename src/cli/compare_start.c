/*
 * Children of viaduct compare: they end when it does, however it does (prctl(2), PR_SET_PDEATHSIG),
 * which posix_spawn(3) can't be asked for. So it is vfork(2): what the child says of its own end is
 * in our memory, and we go on when it is another program or gone.
 */
#include "cli/compare_child.h"
#include "core/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

extern char **environ;

struct become {
    const char *path;
    char **argv;
    const struct spawn_fd *fd;
    unsigned fds;
    pid_t parent;
    int err;
};

/* In the child, whose memory is its parent's. */
static void become(volatile struct become *b)
{
    int null = open("/dev/null", O_RDONLY);
    bool ok = null >= 0 && (!null || (dup2(null, STDIN_FILENO) >= 0 && !close(null)));

    for (unsigned i = 0; i < b->fds && ok; i++)
        ok = dup2(b->fd[i].from, b->fd[i].to) >= 0;
    if (ok && !prctl(PR_SET_PDEATHSIG, SIGKILL) && getppid() == b->parent)
        execve(b->path, b->argv, environ);
    b->err = errno ? errno : ESRCH;
    _exit(EXIT_VMM);
}

int child_start(pid_t *pid, const char *path, char **argv, const struct spawn_fd *fd, unsigned fds)
{
    volatile struct become b = {path, argv, fd, fds, getpid(), 0};

    *pid = vfork();
    if (*pid < 0)
        return -errno;
    if (!*pid)
        become(&b);
    if (b.err)
        child_wait(*pid, -1, &(int){0});
    return -b.err;
}
