/* posix_spawn(3) as it is used for servers: spawn.h. */
#include "core/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <unistd.h>

static int files_set(posix_spawn_file_actions_t *files, const struct spawn *s)
{
    int err = posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDWR, 0);

    for (int i = 1; i <= 2 && !err; i++)
        err = posix_spawn_file_actions_adddup2(files, 0, i);
    for (unsigned i = 0; i < s->fds && !err; i++)
        err = posix_spawn_file_actions_adddup2(files, s->fd[i].from, s->fd[i].to);
    return err;
}

static void signals_set(posix_spawnattr_t *attr, short apart)
{
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setflags(attr, (short)(apart | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
    posix_spawnattr_setsigmask(attr, &none);
    posix_spawnattr_setsigdefault(attr, &all);
}

int spawn_start(const struct spawn *s, pid_t *pid, int *pidfd)
{
    char *const no_env[] = {NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    int err;

    *pid = *pidfd = -1;
    if (posix_spawn_file_actions_init(&files))
        return -ENOMEM;
    if (posix_spawnattr_init(&attr)) {
        posix_spawn_file_actions_destroy(&files);
        return -ENOMEM;
    }
    signals_set(&attr, s->apart);
    err = files_set(&files, s);
    if (!err)
        err = posix_spawnp(pid, s->path, &files, &attr, s->argv, no_env);
    if (err)
        *pid = -1;
    else
        *pidfd = (int)syscall(SYS_pidfd_open, *pid, 0);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return -err;
}
