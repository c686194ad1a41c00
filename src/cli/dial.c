/* dial.h tells. A request is the path's number; an answer is 0 or -errno, and carries a descriptor.
 */
#include "cli/dial.h"
#include "cli/ctl_call.h"
#include "cli/pass.h"
#include "core/error.h"
#include "core/log.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct known {
    const char *const *path;
    unsigned paths, patience;
};

_Noreturn static void serve(int sock, const struct known *k)
{
    unsigned n;

    while (read(sock, &n, sizeof(n)) == (ssize_t)sizeof(n)) {
        struct error none;
        int fd = n < k->paths ? ctl_dial(k->path[n], k->patience, &none) : -EINVAL;
        int code = fd < 0 ? fd : 0;

        if (pass_send(sock, &code, sizeof(code), &fd, fd >= 0))
            break;
        if (fd >= 0)
            close(fd);
    }
    _exit(0);
}

/* Has nothing but the socket, and stderr for its last words. */
_Noreturn static void become(int sock, const struct client *client, const struct known *k)
{
    const struct client own = {.role = "top's dialler",
                               .mode = client->mode,
                               .sets = BOX_BIT(BOX_CORE) | BOX_BIT(BOX_DIAL)};
    struct error err = {0};

    prctl(PR_SET_NAME, "dialler");
    if (dup2(sock, STDIN_FILENO) < 0 || close(STDOUT_FILENO) || close_range(3, ~0u, 0))
        _exit(EXIT_VMM);
    if (client_box_enter(&own, &err)) {
        log_error("%s", err.text);
        _exit(EXIT_VMM);
    }
    serve(STDIN_FILENO, k);
}

int dial_open(struct dial *d, const struct client *client, const char *const *path, unsigned paths,
              unsigned patience)
{
    const struct known k = {path, paths, patience};
    int pair[2];
    pid_t pid;

    d->sock = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return -errno;
    pid = fork();
    if (!pid)
        become(pair[1], client, &k);
    close(pair[1]);
    d->sock = pair[0];
    if (pid > 0)
        return 0;
    dial_close(d);
    return -EAGAIN;
}

int dial_again(const struct dial *d, unsigned path)
{
    int code = -EPIPE, fd[PASS_FDS];
    unsigned fds = 0;

    if (send(d->sock, &path, sizeof(path), MSG_NOSIGNAL) < 0)
        return -errno;
    if (pass_take(d->sock, &code, sizeof(code), fd, &fds) != (ssize_t)sizeof(code) || fds != 1)
        return code < 0 ? code : -EPIPE;
    return fd[0];
}

void dial_close(struct dial *d)
{
    if (d->sock >= 0)
        close(d->sock);
    d->sock = -1;
}
