/*
 * The user's terminal as a serial line. It is made raw, so that every key reaches the guest; the
 * escape prefix Ctrl-A is the one exception: Ctrl-A x quits, Ctrl-A Ctrl-A sends one Ctrl-A.
 */
#include "back/chr_fd.h"
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PREFIX 1 /* Ctrl-A */

size_t chr_stdio_filter(struct chr_fd *f, uint8_t *buf, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        uint8_t c = buf[i];

        if (!f->prefix && c == PREFIX) {
            f->prefix = true;
            continue;
        }
        if (f->prefix && (c == 'x' || c == 'X'))
            f->escape(f->arg);
        else if (!f->prefix || c == PREFIX)
            buf[kept++] = c;
        f->prefix = false; /* any other key after the prefix is swallowed with it */
    }
    return kept;
}

void chr_stdio_restore(struct chr_fd *f)
{
    if (f->raw)
        tcsetattr(f->in, TCSADRAIN, &f->was);
    f->raw = false;
}

bool chr_stdio_size(struct chr *c, uint16_t *cols, uint16_t *rows)
{
    const struct chr_fd *f = chr_fd_of(c);
    struct winsize w;

    if (f->out != STDOUT_FILENO || ioctl(f->out, TIOCGWINSZ, &w))
        return false;
    *cols = w.ws_col;
    *rows = w.ws_row;
    return true;
}

int chr_stdio_open(struct chr **out, struct loop *loop, void (*escape)(void *), void *arg)
{
    int err = chr_fd_open(out, loop, STDIN_FILENO, STDOUT_FILENO, false);
    struct chr_fd *f;
    struct termios t;

    if (err)
        return err;
    f = chr_fd_of(*out);
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &f->was))
        return 0; /* a pipe: bytes pass as they are */
    f->escape = escape;
    f->arg = arg;
    t = f->was;
    cfmakeraw(&t);
    f->raw = !tcsetattr(STDIN_FILENO, TCSADRAIN, &t);
    return 0;
}
