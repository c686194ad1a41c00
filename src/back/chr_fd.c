/*
 * A character device over file descriptors. Output is gathered for FLUSH_NS and then written: long
 * enough that a line is one write, too short for a human to see. Input is read only while the front
 * end has room; when it has none the descriptor is taken out of the loop until chr_ready.
 *
 * A reader that stops reading holds the guest back, as a real line with flow control would, but
 * only for STALL_MS; then output is dropped, and a warning says so once. A front end that asks for
 * the space first is never held back, loses nothing, and is told when there is more.
 */
#include "back/chr_fd.h"
#include "core/log.h"
#include "core/types.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define FLUSH_NS 2000000ull
#define SLOW     8u /* nobody reads: looked at that much more seldom */
#define STALL_MS 1000

struct chr_fd *chr_fd_of(struct chr *c)
{
    return container_of(c, struct chr_fd, chr);
}

/* ---- output ---- */

/* Writes what can be written without blocking; then, if the buffer is full, waits a while. */
static void out_flush(struct chr_fd *f, int wait_ms)
{
    size_t at = 0;

    while (at < f->len) {
        struct pollfd p = {.fd = f->out, .events = POLLOUT};
        ssize_t n;

        if (poll(&p, 1, wait_ms) <= 0)
            break;
        /* At most a page: a pipe that polls writable takes that much without blocking. */
        n = write(f->out, f->buf + at, f->len - at < 4096 ? f->len - at : 4096);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            break;
        if (n < 0) { /* the other end is gone: nobody will read this */
            at = f->len;
            break;
        }
        at += (size_t)n;
    }
    memmove(f->buf, f->buf + at, f->len - at);
    f->len -= at;
}

static void out_timer(void *arg)
{
    struct chr_fd *f = arg;
    size_t was = f->len;

    out_flush(f, 0);
    if (f->len)
        loop_timer_set(&f->flush,
                       loop_now(f->chr.loop) + (f->len < was ? FLUSH_NS : SLOW * FLUSH_NS));
    if (f->len < was && f->chr.drained)
        f->chr.drained(f->chr.front);
}

static size_t fd_space(struct chr *c)
{
    const struct chr_fd *f = chr_fd_of(c);

    return f->out < 0 ? SIZE_MAX : CHR_OUT - f->len;
}

static void fd_send(struct chr *c, const uint8_t *buf, size_t len)
{
    struct chr_fd *f = chr_fd_of(c);
    size_t room;

    if (f->out < 0 || !len)
        return;
    if (len > CHR_OUT - f->len)
        out_flush(f, f->lost ? 0 : STALL_MS);
    room = CHR_OUT - f->len;
    if (len > room) {
        if (!f->lost)
            log_warn("console: nobody reads the output; some of it is lost");
        f->lost = true;
        len = room;
    }
    if (!f->len)
        loop_timer_set(&f->flush, loop_now(c->loop) + FLUSH_NS);
    memcpy(f->buf + f->len, buf, len);
    f->len += len;
}

static void fd_flush(struct chr *c)
{
    struct chr_fd *f = chr_fd_of(c);

    if (f->out >= 0)
        out_flush(f, 0);
}

/* ---- input ---- */

static void in_stop(struct chr_fd *f)
{
    if (f->polled)
        loop_fd_drop(f->chr.loop, f->in);
    f->polled = false;
}

/* One read of at most what the front end takes. Returns false when there is no more for now. */
static bool in_read(struct chr_fd *f)
{
    uint8_t buf[CHR_IN];
    size_t room = f->chr.room ? f->chr.room(f->chr.front) : 0;
    ssize_t n;

    if (!room || f->in_end) {
        in_stop(f);
        return false;
    }
    n = read(f->in, buf, room < sizeof(buf) ? room : sizeof(buf));
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return false;
    if (n <= 0) { /* end of input, or a pty that nobody has open */
        f->in_end = n == 0;
        in_stop(f);
        return false;
    }
    if (f->escape)
        n = (ssize_t)chr_stdio_filter(f, buf, (size_t)n);
    if (n)
        f->chr.recv(f->chr.front, buf, (size_t)n);
    return true;
}

static void in_ready(void *arg, uint32_t events)
{
    (void)events;
    in_read(arg);
}

static void in_more(void *arg)
{
    struct chr_fd *f = arg;

    if (in_read(f))
        loop_defer(f->chr.loop, &f->read_more);
}

static void in_start(struct chr_fd *f)
{
    int err;

    if (f->in < 0 || f->in_end || f->polled)
        return;
    if (!f->file_in) {
        err = loop_fd(f->chr.loop, f->in, EPOLLIN, in_ready, f);
        f->polled = !err;
        f->file_in = err == -EPERM;
    }
    if (f->file_in)
        loop_defer(f->chr.loop, &f->read_more);
}

static void fd_ready(struct chr *c)
{
    in_start(chr_fd_of(c));
}

/* ---- life ---- */

static void fd_close(struct chr *c)
{
    struct chr_fd *f = chr_fd_of(c);

    if (f->out >= 0)
        out_flush(f, f->lost ? 0 : STALL_MS);
    loop_timer_stop(&f->flush);
    loop_work_cancel(c->loop, &f->read_more);
    in_stop(f);
    chr_stdio_restore(f);
    if (f->slave >= 0)
        close(f->slave);
    if (f->own && f->in >= 0)
        close(f->in);
    if (f->own && f->out >= 0 && f->out != f->in)
        close(f->out);
    free(f);
}

static const struct chr_ops fd_ops = {.send = fd_send,
                                      .flush = fd_flush,
                                      .ready = fd_ready,
                                      .close = fd_close,
                                      .space = fd_space,
                                      .size = chr_stdio_size};

int chr_fd_open(struct chr **out, struct loop *loop, int in, int out_fd, bool own)
{
    struct chr_fd *f = calloc(1, sizeof(*f));

    if (!f) {
        if (own && in >= 0)
            close(in);
        if (own && out_fd >= 0 && out_fd != in)
            close(out_fd);
        return -ENOMEM;
    }
    f->chr = (struct chr){.ops = &fd_ops, .loop = loop};
    f->in = in;
    f->out = out_fd;
    f->own = own;
    f->slave = -1;
    f->read_more = (struct loop_work){.run = in_more, .arg = f};
    loop_timer_init(&f->flush, loop, out_timer, f);
    in_start(f);
    *out = &f->chr;
    return 0;
}
