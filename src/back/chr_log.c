/*
 * A character backend around another, with a log of what the guest says. The log is bounded: a file
 * that has reached CHR_LOG_MAX keeps its newer half, so a guest can't fill a disk. While nobody is
 * at the other end what the guest says goes to the log alone; whoever comes later is not handed an
 * hour of it.
 *
 * Bytes are gathered for a moment, so that a line costs one system call. A write that fails (a full
 * disk) is not tried again: the guest goes on, the log has a gap.
 */
#include "back/chr_log.h"
#include "core/error.h"
#include "core/loop.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GATHER_ROOM 4096u
#define GATHER_NS   10000000ull

struct chr_log {
    struct chr chr;
    struct chr *inner;
    int fd;
    uint64_t size; /* of the file */
    struct loop_timer flush;
    size_t len;
    uint8_t buf[GATHER_ROOM];
};

static struct chr_log *log_of(struct chr *c)
{
    return container_of(c, struct chr_log, chr);
}

/* ---- the file ---- */

/* Keeps the newer half, from the start of a line if it has any. */
static void halve(struct chr_log *l)
{
    size_t room = CHR_LOG_MAX / 2;
    char *keep = malloc(room), *from, *line;
    ssize_t n = keep ? pread(l->fd, keep, room, (off_t)(l->size - room)) : 0;

    if (n < 0)
        n = 0;
    line = n ? memchr(keep, '\n', (size_t)n) : NULL;
    from = line ? line + 1 : keep;
    l->size = 0;
    if (!ftruncate(l->fd, 0) && n) {
        n = write(l->fd, from, (size_t)(keep + n - from));
        l->size = n > 0 ? (uint64_t)n : 0;
    }
    free(keep);
}

static void log_write(void *arg)
{
    struct chr_log *l = arg;
    ssize_t n;

    loop_timer_stop(&l->flush);
    if (!l->len)
        return;
    n = write(l->fd, l->buf, l->len);
    l->size += n > 0 ? (uint64_t)n : 0;
    l->len = 0;
    if (l->size >= CHR_LOG_MAX)
        halve(l);
}

static void log_keep(struct chr_log *l, const uint8_t *buf, size_t len)
{
    bool armed = l->len;

    while (len) { /* each round takes a byte at least */
        size_t n = len < GATHER_ROOM - l->len ? len : GATHER_ROOM - l->len;

        memcpy(l->buf + l->len, buf, n);
        l->len += n;
        buf += n;
        len -= n;
        if (l->len == GATHER_ROOM)
            log_write(l);
    }
    if (l->len && !armed)
        loop_timer_set(&l->flush, loop_now(l->chr.loop) + GATHER_NS);
}

/* ---- from the front end ---- */

static void log_send(struct chr *c, const uint8_t *buf, size_t len)
{
    struct chr_log *l = log_of(c);

    log_keep(l, buf, len);
    if (!l->inner->away)
        chr_send(l->inner, buf, len);
}

static void log_flush(struct chr *c)
{
    log_write(log_of(c));
    log_of(c)->inner->ops->flush(log_of(c)->inner);
}

static void log_ready(struct chr *c)
{
    chr_ready(log_of(c)->inner);
}

static size_t log_space(struct chr *c)
{
    struct chr *inner = log_of(c)->inner;

    return inner->away ? SIZE_MAX : chr_space(inner);
}

static bool log_size(struct chr *c, uint16_t *cols, uint16_t *rows)
{
    return chr_size(log_of(c)->inner, cols, rows);
}

static void log_close(struct chr *c)
{
    struct chr_log *l = log_of(c);

    log_write(l);
    l->inner->link = l->inner->drained = NULL;
    chr_close(l->inner);
    if (l->fd >= 0)
        close(l->fd);
    free(l);
}

static const struct chr_ops log_ops = {.send = log_send,
                                       .flush = log_flush,
                                       .ready = log_ready,
                                       .close = log_close,
                                       .space = log_space,
                                       .size = log_size};

/* ---- from the other end ---- */

static size_t inner_room(void *log)
{
    struct chr_log *l = log;

    return l->chr.room ? l->chr.room(l->chr.front) : 0;
}

static void inner_recv(void *log, const uint8_t *buf, size_t len)
{
    struct chr_log *l = log;

    if (l->chr.recv)
        l->chr.recv(l->chr.front, buf, len);
}

static void inner_drained(void *log)
{
    struct chr_log *l = log;

    if (l->chr.drained)
        l->chr.drained(l->chr.front);
}

/* Who has gone holds nobody back any more. The front end hears of both: it may be waiting. */
static void inner_link(void *log)
{
    struct chr_log *l = log;

    l->chr.away = l->inner->away;
    if (l->chr.link)
        l->chr.link(l->chr.front);
    if (l->chr.away)
        inner_drained(l);
}

static void inner_resized(void *log)
{
    chr_resized(&((struct chr_log *)log)->chr);
}

int chr_log_open(struct chr **out, struct chr *inner, const char *option, const char *path,
                 struct loop *loop, struct error *err)
{
    struct chr_log *l = calloc(1, sizeof(*l));
    int code = l ? 0 : -ENOMEM;

    if (l) {
        l->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
        code = l->fd < 0 ? -errno : 0;
    }
    if (code) {
        chr_close(inner);
        free(l);
        return error_set(err, code, "%s log=%s: %s", option, path, strerror(-code));
    }
    l->chr = (struct chr){.ops = &log_ops, .loop = loop, .away = inner->away};
    l->inner = inner;
    loop_timer_init(&l->flush, loop, log_write, l);
    inner->front = l;
    inner->room = inner_room;
    inner->recv = inner_recv;
    inner->drained = inner_drained;
    inner->link = inner_link;
    inner->resized = inner_resized;
    *out = &l->chr;
    return 0;
}
