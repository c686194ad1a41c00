/*
 * The process of a share: this program once more (/proc/self/exe), so that nothing of the machine's
 * memory is in it, with four descriptors beside an empty standard input and output: its end of the
 * socket pair, the shared memory, the directory, its end of the pipe. What it does with them first
 * is told in p9_main.c.
 */
#include "back/p9_main.h"
#include "back/p9_wire.h"
#include "core/error.h"
#include "core/log.h"
#include "core/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LINGER_US = 1000,
    START_MS = 30000,
    PATIENCE_MS = 30000,
    SOCK_BUF = 256 << 10,
    PIPE_ROOM = 1 << 20,
    GIVEN = P9_FD_END - P9_FD_SOCK
};

/* ---- a wire ---- */

struct p9_shared *p9_shared_map(int mem)
{
    void *m = mmap(NULL, sizeof(struct p9_shared), PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0);

    return m == MAP_FAILED ? NULL : m;
}

/* Sealed: nobody can make it shorter under the one who reads it. */
static int shared_make(struct p9_shared **out)
{
    int err, fd = memfd_create("viaduct-share", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -errno;
    if (ftruncate(fd, sizeof(struct p9_shared)) ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) ||
        !(*out = p9_shared_map(fd))) {
        err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

static int pipe_make(int fd[2])
{
    if (pipe2(fd, O_CLOEXEC))
        return -errno;
    if (fcntl(fd[0], F_SETFL, O_NONBLOCK)) {
        close(fd[0]);
        close(fd[1]);
        return -errno;
    }
    fcntl(fd[1], F_SETPIPE_SZ, PIPE_ROOM); /* or as much as this user may have */
    return 0;
}

static void linger_set(int sock)
{
    const struct timeval linger = {0, LINGER_US}; /* the host rounds it up to its own ticks */
    const int size = SOCK_BUF;

    setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)); /* room for all slots */
    setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &linger, sizeof(linger));
}

int p9_wire_open(struct p9_wire *w, struct p9_ends *far)
{
    int pair[2], tube[2], err, fd = shared_make(&w->shared);

    if (fd < 0)
        return fd;
    err = pipe_make(tube);
    if (!err && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
        err = -errno;
        close(tube[0]);
        close(tube[1]);
    }
    if (err) {
        close(fd);
        munmap(w->shared, sizeof(*w->shared));
        return err;
    }
    linger_set(pair[0]);
    w->sock = pair[0];
    w->pipe = tube[0];
    w->patience_ms = PATIENCE_MS;
    *far = (struct p9_ends){.sock = pair[1], .mem = fd, .pipe = tube[1]};
    return 0;
}

void p9_wire_close(struct p9_wire *w)
{
    close(w->sock);
    close(w->pipe);
    munmap(w->shared, sizeof(*w->shared));
}

/* ---- the process ---- */

/* Out of the way of the numbers that the child has them by. Closes fd. */
static int high(int fd)
{
    int h = fcntl(fd, F_DUPFD_CLOEXEC, P9_FD_END);

    close(fd);
    return h;
}

/* fd: socket, memory, directory, pipe. A session of its own: a Ctrl-C at the terminal is the
 * machine's.
 */
static int start(struct p9_wire *w, const struct p9_opts *o, const int fd[GIVEN])
{
    char *argv[] = {"viaduct", P9_VERB, (char *)(uintptr_t)o->name,
                    o->readonly ? P9_WORD_READONLY : NULL, NULL};
    struct spawn_fd given[GIVEN];
    struct spawn s = {.path = "/proc/self/exe",
                      .argv = argv,
                      .apart = POSIX_SPAWN_SETSID,
                      .fd = given,
                      .fds = GIVEN};

    for (int i = 0; i < GIVEN; i++)
        given[i] = (struct spawn_fd){fd[i], P9_FD_SOCK + i};
    return spawn_start(&s, &w->pid, &w->pidfd);
}

/* What the server says first. 0 or -errno. */
static int hello(const struct p9_wire *w, const struct p9_opts *o)
{
    struct pollfd ready = {.fd = w->sock, .events = POLLIN};
    struct p9_hello h;

    if (poll(&ready, 1, START_MS) != 1)
        return -ETIMEDOUT;
    if (recv(w->sock, &h, sizeof(h), MSG_DONTWAIT) != (ssize_t)sizeof(h) || h.magic != P9_MAGIC)
        return -EPROTO;
    if (h.err < 0)
        return h.err;
    if (h.lack & P9_NO_LANDLOCK)
        log_warn(
            "--share %s: this host has no Landlock (Linux 5.19): only viaduct's own rules keep "
            "its server inside the directory",
            o->dir);
    if (h.lack & P9_NO_SECCOMP)
        log_warn(
            "--share %s: this host has no seccomp filters: its server may make any system call",
            o->dir);
    return 0;
}

/* By its pidfd: this process, in its jail, can't end any other. */
static void end_it(const struct p9_wire *w)
{
    if (w->pidfd < 0)
        kill(w->pid, SIGKILL);
    else
        (void)syscall(SYS_pidfd_send_signal, w->pidfd, SIGKILL, NULL, 0);
}

int p9_spawn_end(struct p9_wire *w, bool now, int wait_ms)
{
    struct pollfd gone = {.events = POLLIN};
    int status = -1;

    if (!w->pid)
        return -1;
    gone.fd = w->pidfd;
    if (now)
        end_it(w);
    if (gone.fd >= 0)
        poll(&gone, 1, wait_ms);
    if (waitpid(w->pid, &status, WNOHANG) != w->pid) {
        end_it(w); /* it may wait for a disk: whoever is left over ends by itself */
        status = -1;
    }
    if (w->pidfd >= 0)
        close(w->pidfd);
    w->pid = 0;
    return status;
}

static int dir_open(const struct p9_opts *o, struct error *err)
{
    int fd = open(o->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? error_set(err, -errno, "--share %s: %s", o->dir, strerror(errno)) : fd;
}

/* fd is closed. 0 or -errno. */
static int start_high(struct p9_wire *w, const struct p9_opts *o, int fd[GIVEN])
{
    int code = 0;

    for (int i = 0; i < GIVEN; i++) {
        fd[i] = high(fd[i]);
        code = fd[i] < 0 ? -EMFILE : code;
    }
    if (!code)
        code = start(w, o, fd);
    for (int i = 0; i < GIVEN; i++)
        close(fd[i]);
    return code;
}

int p9_spawn(struct p9_wire *w, const struct p9_opts *o, struct error *err)
{
    struct p9_ends far;
    int code, dir = dir_open(o, err);

    if (dir < 0)
        return dir;
    code = p9_wire_open(w, &far);
    if (code) {
        close(dir);
        return error_set(err, code, "--share %s: %s", o->dir, strerror(-code));
    }
    code = start_high(w, o, (int[GIVEN]){far.sock, far.mem, dir, far.pipe});
    if (!code)
        code = hello(w, o);
    if (!code)
        return 0;
    p9_spawn_end(w, true, START_MS);
    p9_wire_close(w);
    return error_set(err, code, "--share %s: its server could not be started: %s", o->dir,
                     strerror(-code));
}
