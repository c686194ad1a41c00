/* Waiting for descriptors: host files by the host's poll; disks and small devices are ready. */
#include "exec/call.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>

#define POLLFD 8 /* sizeof struct pollfd, in both ABIs */
#define READY  (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM)

/* One wait; rev[] is filled. How many have events, or -errno. */
static int wait_for(struct prog *p, struct pollfd *want, int n, const struct timespec *ts)
{
    struct timespec zero = {0, 0};
    struct pollfd host[FILE_FDS_MAX];
    bool others = false; /* somebody else could make one of them ready */
    int ready = 0, r;

    for (int i = 0; i < n; i++) {
        struct file *f = want[i].fd < 0 ? NULL : file_at(&p->files, want[i].fd);

        host[i] = (struct pollfd){.fd = f ? f->fd : -1, .events = want[i].events};
        want[i].revents = 0;
        others |= f && f->fd >= 0 && !f->pipe;
        if (want[i].fd >= 0 && !f)
            want[i].revents = POLLNVAL;
        else if (f && f->fd < 0)
            want[i].revents = (short)(want[i].events & READY);
        ready += want[i].revents != 0;
    }
    r = ppoll(host, (nfds_t)n, ready || (!ts && !others) ? &zero : ts, NULL);
    if (r < 0)
        return -errno;
    if (!ready && !r && !ts && !others)
        return (int)prog_refuse(p, prog_nr(p), "nobody would ever end the wait", -EDEADLK);
    for (int i = 0; i < n; i++)
        if (host[i].fd >= 0)
            want[i].revents = host[i].revents;
    return ready + r;
}

static int64_t poll_do(struct prog *p, uint64_t at, uint64_t n, const struct timespec *ts)
{
    struct pollfd want[FILE_FDS_MAX];
    int r;

    if (n > FILE_FDS_MAX)
        return -EINVAL;
    if (n && space_read(&p->space, at, want, n * POLLFD))
        return -EFAULT;
    r = wait_for(p, want, (int)n, ts);
    if (r >= 0 && n && space_write(&p->space, at, want, n * POLLFD))
        return -EFAULT;
    return r;
}

int64_t call_poll(struct prog *p, const uint64_t a[6])
{
    int ms = (int)a[2];
    struct timespec ts = {ms / 1000, (long)(ms % 1000) * 1000000};

    return poll_do(p, a[0], a[1] & UINT32_MAX, ms < 0 ? NULL : &ts);
}

int64_t call_ppoll(struct prog *p, const uint64_t a[6])
{
    struct timespec ts;

    if (a[2] && prog_get_time(p, a[2], &ts))
        return -EFAULT;
    return poll_do(p, a[0], a[1] & UINT32_MAX, a[2] ? &ts : NULL);
}

/* ---- select: three bit maps of up to FILE_FDS_MAX descriptors ---- */

struct maps {
    uint8_t bits[3][FILE_FDS_MAX / 8];
    uint64_t at[3];
    size_t len;
};

static int maps_get(struct prog *p, const uint64_t a[6], struct maps *m)
{
    unsigned word = p->abi->word * 8;

    memset(m, 0, sizeof(*m));
    if (a[0] > FILE_FDS_MAX)
        return -EINVAL;
    m->len = (a[0] + word - 1) / word * (word / 8);
    for (unsigned k = 0; k < 3; k++) {
        m->at[k] = a[1 + k];
        if (m->at[k] && m->len && space_read(&p->space, m->at[k], m->bits[k], m->len))
            return -EFAULT;
    }
    return 0;
}

static const short select_in[3] = {POLLIN, POLLOUT, POLLPRI};
static const short select_out[3] = {POLLIN | POLLHUP | POLLERR, POLLOUT | POLLERR, POLLPRI};

static int maps_list(const struct maps *m, uint64_t n, struct pollfd *want)
{
    int count = 0;

    for (unsigned fd = 0; fd < n; fd++) { /* at most FILE_FDS_MAX */
        short events = 0;

        for (unsigned k = 0; k < 3; k++)
            if (m->bits[k][fd / 8] >> (fd % 8) & 1)
                events = (short)(events | select_in[k]);
        if (events)
            want[count++] = (struct pollfd){.fd = (int)fd, .events = events};
    }
    return count;
}

static int maps_answer(struct maps *m, const struct pollfd *want, int n)
{
    int set = 0;

    for (int i = 0; i < n; i++)
        for (unsigned k = 0; k < 3; k++) {
            uint8_t *byte = &m->bits[k][want[i].fd / 8];
            uint8_t bit = (uint8_t)(1u << (want[i].fd % 8));

            if (!(want[i].events & select_in[k]))
                continue;
            *byte = (uint8_t)(*byte & ~bit);
            if (want[i].revents & select_out[k]) {
                *byte |= bit;
                set++;
            }
        }
    return set;
}

static int64_t select_do(struct prog *p, const uint64_t a[6], const struct timespec *ts)
{
    struct pollfd want[FILE_FDS_MAX];
    struct maps m;
    int n, r = maps_get(p, a, &m);

    if (r)
        return r;
    n = maps_list(&m, a[0], want);
    r = wait_for(p, want, n, ts);
    if (r < 0)
        return r;
    for (int i = 0; i < n; i++)
        if (want[i].revents & POLLNVAL)
            return -EBADF;
    r = maps_answer(&m, want, n);
    for (unsigned k = 0; k < 3; k++)
        if (m.at[k] && m.len && space_write(&p->space, m.at[k], m.bits[k], m.len))
            return -EFAULT;
    return r;
}

/* Microseconds, as many as the program likes to say. */
static bool from_timeval(struct timespec *ts)
{
    long us = ts->tv_nsec;

    if (us < 0 || ts->tv_sec < 0 || __builtin_add_overflow(ts->tv_sec, us / 1000000, &ts->tv_sec))
        return false;
    ts->tv_nsec = us % 1000000 * 1000;
    return true;
}

int64_t call_select(struct prog *p, const uint64_t a[6])
{
    struct timespec ts;

    if (a[4] && prog_get_time(p, a[4], &ts))
        return -EFAULT;
    if (a[4] && !from_timeval(&ts))
        return -EINVAL;
    return select_do(p, a, a[4] ? &ts : NULL);
}

int64_t call_pselect6(struct prog *p, const uint64_t a[6])
{
    struct timespec ts;

    if (a[4] && prog_get_time(p, a[4], &ts))
        return -EFAULT;
    return select_do(p, a, a[4] ? &ts : NULL);
}
