/* Character backends by name: stdio, pty, null, file=PATH, socket=PATH[,log=FILE]. */
#include "back/chr.h"
#include "back/chr_fd.h"
#include "back/chr_log.h"
#include "back/chr_sock.h"
#include "core/error.h"
#include "core/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* ---- pty ---- */

static int pty_open(struct chr **out, const char *option, struct loop *loop, struct error *err)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    struct termios t;
    char name[64];
    int code;

    if (fd < 0 || grantpt(fd) || unlockpt(fd) || ptsname_r(fd, name, sizeof(name))) {
        code = -errno;
        if (fd >= 0)
            close(fd);
        return error_set(err, code, "%s pty: no pseudo-terminal: %s", option, strerror(-code));
    }
    if (!tcgetattr(fd, &t)) {
        cfmakeraw(&t);
        tcsetattr(fd, TCSANOW, &t);
    }
    code = chr_fd_open(out, loop, fd, fd, true);
    if (code)
        return error_set(err, code, "%s pty: %s", option, strerror(-code));
    chr_fd_of(*out)->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    chr_fd_of(*out)->lost = true; /* nobody may be there: output is not waited for */
    log_info("%s: %s", option + strspn(option, "-"), name);
    return 0;
}

/* ---- file ---- */

static int file_open(struct chr **out, const char *path, const char *option, struct loop *loop,
                     struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666), code;

    if (fd < 0)
        return error_set(err, -errno, "%s file=%s: %s", option, path, strerror(errno));
    code = chr_fd_open(out, loop, -1, fd, true);
    return code ? error_set(err, code, "%s file=%s: %s", option, path, strerror(-code)) : 0;
}

/* ---- socket ---- */

/* what: PATH[,log=FILE] */
static int socket_open(struct chr **out, const char *what, const char *option, struct loop *loop,
                       struct error *err)
{
    const char *log = strstr(what, ",log=");
    char path[128];
    int code;

    if (!log)
        return chr_sock_open(out, option, what, loop, err);
    if ((size_t)(log - what) >= sizeof(path) || !log[5])
        return error_set(err, -EINVAL, "%s socket=%s: must be socket=PATH,log=FILE", option, what);
    memcpy(path, what, (size_t)(log - what));
    path[log - what] = 0;
    code = chr_sock_open(out, option, path, loop, err);
    return code ? code : chr_log_open(out, *out, option, log + 5, loop, err);
}

int chr_open(struct chr **out, const struct chr_open_opts *o, struct loop *loop, struct error *err)
{
    const char *spec = o->spec;
    int code;

    if (!strcmp(spec, "pty"))
        return pty_open(out, o->option, loop, err);
    if (!strncmp(spec, "file=", 5) && spec[5])
        return file_open(out, spec + 5, o->option, loop, err);
    if (!strncmp(spec, "socket=", 7))
        return socket_open(out, spec + 7, o->option, loop, err);
    if (!strcmp(spec, "stdio"))
        code = chr_stdio_open(out, loop, o->escape, o->arg);
    else if (!strcmp(spec, "null"))
        code = chr_fd_open(out, loop, -1, -1, false); /* swallows output, has no input */
    else
        return error_set(err, -EINVAL, "%s %s: must be stdio, pty, null, file=PATH or socket=PATH",
                         o->option, spec);
    return code ? error_set(err, code, "%s %s: %s", o->option, spec, strerror(-code)) : 0;
}

void chr_send(struct chr *c, const uint8_t *buf, size_t len)
{
    c->ops->send(c, buf, len);
}

void chr_ready(struct chr *c)
{
    if (c->ops && c->ops->ready)
        c->ops->ready(c);
}

size_t chr_space(struct chr *c)
{
    return c->ops->space ? c->ops->space(c) : SIZE_MAX;
}

bool chr_size(struct chr *c, uint16_t *cols, uint16_t *rows)
{
    return c->ops->size && c->ops->size(c, cols, rows);
}

void chr_resized(struct chr *c)
{
    if (c && c->resized)
        c->resized(c->front);
}

void chr_close(struct chr *c)
{
    if (c)
        c->ops->close(c);
}
