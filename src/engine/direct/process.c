/* The cage as a process: posix_spawn(3) of a memory file, pidfd_open(2), pidfd_send_signal(2). */
#include "engine/direct/process.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u /* Linux 6.3: else vm.memfd_noexec may forbid it */
#endif
#define FD_HIGH 200 /* out of the way of the child's descriptors */
#define FDS_MAX 16

/* A memory file with the monitor in it, ready to be executed. */
static int image_make(const struct process_image *image)
{
    int fd = memfd_create("viaduct-cage", MFD_CLOEXEC | MFD_EXEC);

    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("viaduct-cage", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (write(fd, image->bytes, image->len) != (ssize_t)image->len) {
        close(fd);
        return -ENOSPC;
    }
    return fd;
}

static int spawn(struct process *p, int image, const int *high, unsigned fds)
{
    char path[32], name[] = "viaduct-cage";
    char *argv[] = {name, NULL}, *envp[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    int err = posix_spawn_file_actions_init(&actions);

    if (err)
        return -err;
    err = posix_spawnattr_init(&attr);
    if (!err) {
        /* The attribute's signal mask is empty; nothing the user types on a terminal goes there. */
        posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
        for (unsigned i = 0; i < fds && !err; i++)
            err = posix_spawn_file_actions_adddup2(&actions, high[i], 3 + (int)i);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", image);
        if (!err)
            err = posix_spawn(&p->pid, path, &actions, &attr, argv, envp);
        posix_spawnattr_destroy(&attr);
    }
    posix_spawn_file_actions_destroy(&actions);
    return -err;
}

int process_start(struct process *p, const struct process_image *program, const int *fd,
                  unsigned fds)
{
    int high[FDS_MAX], image = image_make(program), err = image < 0 ? image : 0;
    unsigned n = 0;

    *p = (struct process){.pidfd = -1};
    for (; n < fds && n < FDS_MAX && !err; n++) {
        high[n] = fcntl(fd[n], F_DUPFD_CLOEXEC, FD_HIGH);
        if (high[n] < 0)
            err = -errno;
    }
    if (!err)
        err = spawn(p, image, high, n);
    for (unsigned i = 0; i < n; i++)
        if (high[i] >= 0)
            close(high[i]);
    if (image >= 0)
        close(image);
    if (err) {
        p->pid = 0;
        return err;
    }
    p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
    if (p->pidfd < 0) {
        err = -errno;
        process_end(p);
    }
    return err;
}

void process_end(struct process *p)
{
    if (!p->pid)
        return;
    if (p->pidfd < 0)
        kill(p->pid, SIGKILL); /* our child, not yet waited for: the number is still its own */
    else
        (void)syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0);
    while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (p->pidfd >= 0)
        close(p->pidfd);
    *p = (struct process){.pidfd = -1};
}

void process_poke(const struct process *p)
{
    if (p->pid)
        (void)syscall(SYS_pidfd_send_signal, p->pidfd, SIGUSR1, NULL, 0);
}

bool process_gone(const struct process *p)
{
    siginfo_t info = {0};

    return !p->pid || waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) ||
           info.si_pid != 0;
}
