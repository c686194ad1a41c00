/*
 * starter.h tells. A message holds the words, each with its NUL, and carries the descriptors; the
 * answer is the process id, or -errno, and carries a pidfd. clone(2) with CLONE_PARENT makes the
 * new process a child of who asked.
 */
#include "cli/starter.h"
#include "cli/cli.h"
#include "cli/pass.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOM                                                                                       \
    (128u << 10) /* bytes of words: a socket takes more at once (net.core.wmem_default)            \
                  */
#define WORDS 4096u
#define ABOVE 64 /* descriptors wait there for their places */

struct asked {
    size_t len;
    unsigned fds;
    int fd[STARTER_FDS];
    char *argv[WORDS + 1];
    char words[ROOM];
};

/* ---- the process that starts others ---- */

static bool words_split(struct asked *a)
{
    unsigned n = 0;

    if (!a->len || a->words[a->len - 1])
        return false;
    for (size_t at = 0; at < a->len && n < WORDS; at += strlen(a->words + at) + 1)
        a->argv[n++] = a->words + at;
    a->argv[n] = NULL;
    return n < WORDS;
}

_Noreturn static void become(const struct starter_opts *o, struct asked *a)
{
    static char *none[] = {NULL};
    char **env = o->bare ? none : environ;
    sigset_t set;
    bool good = true;

    for (unsigned i = 0; i < a->fds && good; i++)
        good = (a->fd[i] = fcntl(a->fd[i], F_DUPFD, ABOVE)) >= 0;
    for (unsigned i = 0; i < a->fds && good; i++)
        good = dup2(a->fd[i], (int)i) >= 0;
    good = good && !close_range(a->fds, ~0u, 0);
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (good) {
        execve(o->program, a->argv, env);
        execve("/proc/self/exe", a->argv, env); /* that file was replaced: what we are still runs */
        dprintf(STDERR_FILENO, "viaduct: error: %s: %s\n", o->program, strerror(errno));
    }
    _exit(EXIT_VMM);
}

static int start(const struct starter_opts *o, struct asked *a, int *pidfd)
{
    long pid = -EINVAL;

    if (words_split(a) && (!o->may || o->may(a->argv))) {
        pid = syscall(SYS_clone, CLONE_PARENT | CLONE_PIDFD | SIGCHLD, NULL, pidfd, NULL, NULL);
        pid = pid < 0 ? -errno : pid;
    }
    if (!pid)
        become(o, a);
    return (int)pid;
}

_Noreturn static void serve(int sock, const struct starter_opts *o)
{
    struct asked a;
    ssize_t n;

    while ((n = pass_take(sock, a.words, sizeof(a.words), a.fd, &a.fds)) > 0) {
        int pidfd = -1, pid;

        a.len = (size_t)n;
        pid = start(o, &a, &pidfd);
        if (pass_send(sock, &pid, sizeof(pid), &pidfd, pidfd >= 0))
            break;
        if (pidfd >= 0)
            close(pidfd);
        for (unsigned i = 0; i < a.fds; i++)
            close(a.fd[i]);
    }
    _exit(0);
}

/* Whatever a terminal tells its processes, this one ends with its maker. */
_Noreturn static void starter_become(int sock, const struct starter_opts *o)
{
    sigset_t set;

    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    prctl(PR_SET_NAME, "starter");
    if (!o->privileges)
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (sock != 3)
        dup2(sock, 3);
    close_range(4, ~0u, 0);
    fcntl(3, F_SETFD, FD_CLOEXEC);
    serve(3, o);
}

/* ---- its maker ---- */

int starter_open(struct starter *s, const struct starter_opts *o)
{
    int pair[2];

    *s = (struct starter){.sock = -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return -errno;
    s->pid = fork();
    if (!s->pid)
        starter_become(pair[1], o);
    close(pair[1]);
    s->sock = pair[0];
    if (s->pid > 0)
        return 0;
    starter_close(s);
    return -EAGAIN;
}

int starter_start(const struct starter *s, char *const argv[], const int *fd, unsigned fds,
                  struct started *out)
{
    char words[ROOM];
    size_t len = 0;
    int pid = -EPIPE, passed[STARTER_FDS], code;
    unsigned n;

    for (char *const *w = argv; *w; w++) {
        size_t more = strlen(*w) + 1;

        if (more > sizeof(words) - len)
            return -E2BIG;
        memcpy(words + len, *w, more);
        len += more;
    }
    code = pass_send(s->sock, words, len, fd, fds);
    if (code)
        return code;
    code = (int)pass_take(s->sock, &pid, sizeof(pid), passed, &n);
    if (code != (int)sizeof(pid) || pid <= 0 || n != 1)
        return code < 0 ? code : pid < 0 ? pid : -EPIPE;
    *out = (struct started){.pid = pid, .pidfd = passed[0]};
    return 0;
}

void starter_close(struct starter *s)
{
    if (s->sock > 0)
        close(s->sock); /* it reads that and ends */
    if (s->pid > 0)
        waitpid(s->pid, NULL, 0);
    *s = (struct starter){.sock = -1};
}
