/* Listening Unix sockets: listen.h tells. */
#include "back/listen.h"
#include "core/error.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Is somebody there? Only a socket that nobody answers at may be taken away. */
static int place_clear(const struct sockaddr_un *at, const char *option, struct error *err)
{
    struct stat st;
    int fd, code;

    if (lstat(at->sun_path, &st))
        return 0;
    if (!S_ISSOCK(st.st_mode))
        return error_set(err, -EEXIST, "%s %s: is there, and is no socket", option, at->sun_path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    code = fd < 0 ? -errno : connect(fd, (const struct sockaddr *)at, sizeof(*at)) ? -errno : 0;
    if (fd >= 0)
        close(fd);
    if (code != -ECONNREFUSED)
        return error_set(err, -EADDRINUSE, "%s %s: %s", option, at->sun_path,
                         code ? strerror(-code) : "another machine is there; name another path");
    unlink(at->sun_path);
    return 0;
}

/* The name is the owner's alone from its first moment on, whatever the umask takes away. */
static int socket_make(struct listen_place *p, const struct sockaddr_un *at, int backlog)
{
    struct stat st;

    p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (p->fd < 0 || fchmod(p->fd, 0600) || bind(p->fd, (const struct sockaddr *)at, sizeof(*at)))
        return -errno; /* Linux gives the name the mode that the socket has */
    if (chmod(at->sun_path, 0600) || listen(p->fd, backlog) || lstat(at->sun_path, &st)) {
        int code = -errno;

        unlink(at->sun_path);
        return code;
    }
    p->dev = st.st_dev;
    p->ino = st.st_ino;
    return 0;
}

int listen_open(struct listen_place *p, const char *option, const char *path, int backlog,
                struct error *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int code;

    *p = (struct listen_place){.fd = -1};
    if (!*path || strlen(path) >= sizeof(at.sun_path))
        return error_set(err, -ENAMETOOLONG, "%s %s: a socket's path has 1 to %zu characters",
                         option, path, sizeof(at.sun_path) - 1);
    memcpy(at.sun_path, path, strlen(path));
    memcpy(p->path, path, strlen(path));
    code = place_clear(&at, option, err);
    if (code)
        return code;
    code = socket_make(p, &at, backlog);
    if (code) {
        error_set(err, code, "%s %s: %s", option, path, strerror(-code));
        listen_close(p);
    }
    return code;
}

void listen_close(struct listen_place *p)
{
    struct stat st;

    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    /* Only what is ours: somebody may have put something else there. */
    if (p->ino && !lstat(p->path, &st) && st.st_dev == p->dev && st.st_ino == p->ino)
        unlink(p->path);
    p->ino = 0;
}
