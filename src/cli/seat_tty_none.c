/* In place of seat_tty.c and seat_console.c where libvterm is not there. */
#include "cli/seat.h"
#include "core/error.h"
#include <errno.h>

int seat_tty_open(struct seat_tty **out, struct seating *s, struct error *err)
{
    (void)out, (void)s;
    return error_set(err, -ENOTSUP,
                     "seat --terminal: this viaduct was built without libvterm (package "
                     "libvterm-dev)");
}

void seat_tty_close(struct seat_tty *t)
{
    (void)t;
}

void seat_tty_size(const struct seat_tty *t, unsigned *rows, unsigned *cols)
{
    (void)t;
    *rows = *cols = 0;
}

void seat_tty_resized(struct seat_tty *t)
{
    (void)t;
}

void seat_tty_paint(struct seat_tty *t)
{
    (void)t;
}

int seat_console_open(struct seat_console **out, struct svm *v, unsigned rows, unsigned cols)
{
    (void)out, (void)v, (void)rows, (void)cols;
    return -ENOTSUP;
}

void seat_console_close(struct seat_console *c)
{
    (void)c;
}
