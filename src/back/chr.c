/* Character backends by name: stdio, pty, null, file=PATH. */
#include "back/chr.h"
#include "back/chr_fd.h"
#include "core/error.h"
#include "core/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* ---- pty ---- */

static int pty_open(struct chr **out, struct loop *loop, struct error *err)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    struct termios t;
    char name[64];
    int code;

    if (fd < 0 || grantpt(fd) || unlockpt(fd) || ptsname_r(fd, name, sizeof(name))) {
        code = -errno;
        if (fd >= 0)
            close(fd);
        return error_set(err, code, "--console pty: no pseudo-terminal: %s", strerror(-code));
    }
    if (!tcgetattr(fd, &t)) {
        cfmakeraw(&t);
        tcsetattr(fd, TCSANOW, &t);
    }
    code = chr_fd_open(out, loop, fd, fd, true);
    if (code)
        return error_set(err, code, "--console pty: %s", strerror(-code));
    chr_fd_of(*out)->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    chr_fd_of(*out)->lost = true; /* nobody may be there: output is not waited for */
    log_info("console: %s", name);
    return 0;
}

/* ---- file ---- */

static int file_open(struct chr **out, const char *path, struct loop *loop, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666), code;

    if (fd < 0)
        return error_set(err, -errno, "--console file=%s: %s", path, strerror(errno));
    code = chr_fd_open(out, loop, -1, fd, true);
    return code ? error_set(err, code, "--console file=%s: %s", path, strerror(-code)) : 0;
}

int chr_open(struct chr **out, const char *spec, struct loop *loop, void (*escape)(void *),
             void *arg, struct error *err)
{
    int code;

    if (!strcmp(spec, "pty"))
        return pty_open(out, loop, err);
    if (!strncmp(spec, "file=", 5) && spec[5])
        return file_open(out, spec + 5, loop, err);
    if (!strcmp(spec, "stdio"))
        code = chr_stdio_open(out, loop, escape, arg);
    else if (!strcmp(spec, "null"))
        code = chr_fd_open(out, loop, -1, -1, false); /* swallows output, has no input */
    else
        return error_set(err, -EINVAL, "--console %s: must be stdio, pty, null or file=PATH", spec);
    return code ? error_set(err, code, "--console %s: %s", spec, strerror(-code)) : 0;
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

void chr_close(struct chr *c)
{
    if (c)
        c->ops->close(c);
}
