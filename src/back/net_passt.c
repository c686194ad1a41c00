/*
 * passt (Debian package passt, 2023_03_09): started in the foreground with one end of a socket pair
 * as its standard input's neighbour, descriptor 3 (--fd), so that it ends with that socket whatever
 * becomes of us. It gives up its rights by itself: another user when started as root, namespaces of
 * its own, an empty root directory, seccomp.
 */
#include "back/net_passt.h"
#include "core/error.h"
#include "core/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCK    3
#define LAST_MS 3000

/* ---- options ---- */

static const char *number(const char *s, unsigned *v)
{
    char *end;
    unsigned long n;

    if (*s < '0' || *s > '9')
        return NULL;
    n = strtoul(s, &end, 10);
    if (n < 1 || n > 65535)
        return NULL;
    *v = (unsigned)n;
    return end;
}

/* [ADDRESS:]HOST:GUEST, an IPv6 address in brackets; without an address: loopback only. */
static bool forward_parse(char *out, size_t room, const char *s)
{
    const char *addr = "127.0.0.1", *end;
    unsigned host, guest, len = 9;

    if (*s == '[') {
        end = strchr(s, ']');
        if (!end || end[1] != ':')
            return false;
        addr = s + 1;
        len = (unsigned)(end - addr);
        s = end + 2;
    } else if (strcspn(s, ":") != strlen(s) && strchr(strchr(s, ':') + 1, ':')) {
        addr = s;
        len = (unsigned)strcspn(s, ":");
        s += len + 1;
    }
    if (!len || len > 45 || strspn(addr, "0123456789abcdefABCDEF.:") < len)
        return false;
    s = number(s, &host);
    if (!s || *s++ != ':')
        return false;
    s = number(s, &guest);
    if (!s || *s)
        return false;
    snprintf(out, room, "%.*s/%u:%u", (int)len, addr, host, guest);
    return true;
}

static int word_parse(struct passt_args *a, const char *w, struct error *err)
{
    bool udp = !strncmp(w, "forward=udp:", 12);

    if (!strcmp(w, "host=no")) {
        a->no_host = true;
        return 0;
    }
    if (!strcmp(w, "host=yes"))
        return 0;
    if (!udp && strncmp(w, "forward=tcp:", 12))
        return error_set(err, -EINVAL,
                         "--net user: \"%s\" is none of forward=tcp:[ADDRESS:]HOST:"
                         "GUEST, forward=udp:…, host=no",
                         w);
    if (a->forwards == PASST_FORWARDS)
        return error_set(err, -EINVAL, "--net user: at most %d forward=", PASST_FORWARDS);
    if (!forward_parse(a->forward[a->forwards], sizeof(a->forward[0]), w + 12))
        return error_set(err, -EINVAL,
                         "--net user: \"%s\": must be as in forward=tcp:8080:80 (port of the host, "
                         "port of the guest) or forward=tcp:0.0.0.0:8080:80",
                         w);
    a->udp[a->forwards++] = udp;
    return 0;
}

int passt_args_parse(struct passt_args *a, const char *args, struct error *err)
{
    char *text = strdup(args), *save = NULL;
    int code = text ? 0 : error_set(err, -ENOMEM, "--net user: not enough memory");

    memset(a, 0, sizeof(*a));
    for (char *w = text ? strtok_r(text, ",", &save) : NULL; w && !code;
         w = strtok_r(NULL, ",", &save))
        code = word_parse(a, w, err);
    free(text);
    return code;
}

/* ---- start and end ---- */

/* A group of its own: Ctrl-C at the terminal is for the machine, which ends passt later. */
static int spawn(struct passt *p, char **argv, int sock, int log)
{
    const struct spawn_fd given[] = {{log, 2}, {sock, SOCK}};
    struct spawn s = {.path = argv[0],
                      .argv = argv,
                      .apart = POSIX_SPAWN_SETPGROUP,
                      .fd = given,
                      .fds = ARRAY_LEN(given)};

    return spawn_start(&s, &p->pid, &p->pidfd);
}

int passt_start(struct passt *p, const struct passt_args *a, int sock)
{
    static const char *const island[] = {"-i", "lo",          "-a", PASST_GUEST,        "-n", "24",
                                         "-g", PASST_GATEWAY, "-M", "02:00:00:00:00:02"};
    char *argv[9 + ARRAY_LEN(island) + 2 * PASST_FORWARDS] = {"passt", "-f", "-q", "-F",
                                                              "3",     "-m", "0"};
    unsigned n = 7;
    int pipe_fd[2], err, high, log;

    for (unsigned i = 0; a->island && i < ARRAY_LEN(island); i++)
        argv[n++] = (char *)(uintptr_t)island[i];
    if (a->no_host)
        argv[n++] = "--no-map-gw";
    for (unsigned i = 0; i < a->forwards; i++) {
        argv[n++] = a->udp[i] ? "-u" : "-t";
        argv[n++] = (char *)(uintptr_t)a->forward[i];
    }
    argv[n] = NULL;
    if (pipe2(pipe_fd, O_CLOEXEC | O_NONBLOCK))
        return -errno;
    /* Above those that the child's are copied to, one after the other. */
    high = fcntl(sock, F_DUPFD_CLOEXEC, SOCK + 1);
    log = fcntl(pipe_fd[1], F_DUPFD_CLOEXEC, SOCK + 1);
    err = high < 0 || log < 0 ? -errno : spawn(p, argv, high, log);
    if (high >= 0)
        close(high);
    if (log >= 0)
        close(log);
    close(pipe_fd[1]);
    p->log = pipe_fd[0];
    p->used = 0;
    p->log_end = false;
    return err;
}

static bool noise(const char *line)
{
    /* What it says of itself in a container without a system log, and as root. */
    return !*line || !strncmp(line, "Failed to send ", 15) ||
           !strncmp(line, "Don't run as root", 17);
}

static bool line_cut(struct passt *p, char *line, size_t room)
{
    char *end = memchr(p->text, '\n', p->used);
    size_t len = end ? (size_t)(end - p->text) : p->used, gone = len + (end != NULL);

    if (!end && p->used < sizeof(p->text) && !(p->log_end && p->used))
        return false;
    snprintf(line, room, "%.*s", (int)len, p->text);
    memmove(p->text, p->text + gone, p->used - gone);
    p->used -= gone;
    return true;
}

bool passt_line(struct passt *p, char *line, size_t room)
{
    while (p->log >= 0) { /* ends: a pipe holds 64 KiB, and passt is slower than we are */
        ssize_t n;

        while (line_cut(p, line, room)) /* ends: each cut shortens text */
            if (!noise(line))
                return true;
        if (p->log_end)
            return false;
        n = read(p->log, p->text + p->used, sizeof(p->text) - p->used);
        if (n < 0)
            return false;
        p->log_end = !n;
        p->used += (size_t)n;
    }
    return false;
}

void passt_log_close(struct passt *p)
{
    if (p->log >= 0)
        close(p->log);
    p->log = -1;
}

/* It has nothing to lose. In the jail the signal may be one we have no right to send, since it made
 * itself another user's: then it ends with its socket, which is closed. */
static void last_wait(struct passt *p, int *status)
{
    struct pollfd end = {.fd = p->pidfd, .events = POLLIN};

    if (p->pidfd < 0) {
        kill(p->pid, SIGKILL);
        waitpid(p->pid, status, 0);
        return;
    }
    (void)syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0);
    if (poll(&end, 1, LAST_MS) > 0)
        waitpid(p->pid, status, 0);
}

void passt_stop(struct passt *p, char *how, size_t room)
{
    int status = 0;

    passt_log_close(p);
    if (how)
        snprintf(how, room, "it never ran");
    if (p->pid < 0)
        return;
    if (waitpid(p->pid, &status, WNOHANG) == 0)
        last_wait(p, &status);
    if (p->pidfd >= 0)
        close(p->pidfd);
    p->pid = p->pidfd = -1;
    if (how && WIFEXITED(status))
        snprintf(how, room, "exit status %d", WEXITSTATUS(status));
    else if (how)
        snprintf(how, room, "signal %d", WTERMSIG(status));
}
