/*
 * Where the events of a domain's input device come from: a device of the host (/dev/input/event…),
 * or anything that can be read and polled and says the same: Linux's struct input_event, one after
 * the other (input.h, input-event-codes.h). A device of the host is grabbed: while a machine has
 * it, nobody else sees what is typed. What comes while no machine listens is read and forgotten, so
 * that no machine gets what was not for it.
 */
#include "cli/domain_small.h"
#include "core/error.h"
#include "core/loop.h"
#include "virtio/vinput.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { AT_ONCE = 32, AXES = 2 };

struct domain_input {
    int fd;
    struct loop *loop;
    struct vinput *device;
    struct vinput_event frame[VINPUT_FRAME];
    unsigned events;
    bool lost;   /* the host's own queue ran over: what is at hand is no frame */
    size_t part; /* bytes of an event that came in pieces */
    struct input_event in[AT_ONCE];
    struct input_absinfo axis[AXES];
};

/* A host's tablet has a range of its own. */
static uint32_t scaled(const struct domain_input *in, const struct input_event *e)
{
    const struct input_absinfo *a = e->code < AXES ? &in->axis[e->code] : NULL;
    int64_t range = a ? (int64_t)a->maximum - a->minimum : 0, at;

    if (e->type != EV_ABS || range <= 0)
        return (uint32_t)e->value;
    at = ((int64_t)e->value - a->minimum) * VINPUT_ABS_MAX / range;
    return at < 0 ? 0 : at > VINPUT_ABS_MAX ? VINPUT_ABS_MAX : (uint32_t)at;
}

static void event(struct domain_input *in, const struct input_event *e)
{
    if (e->type == EV_SYN) {
        if (e->code == SYN_REPORT && in->events && !in->lost && vinput_listens(in->device))
            vinput_send(in->device, in->frame, in->events); /* too few buffers: lost, counted */
        in->lost = e->code == SYN_DROPPED;
        in->events = 0;
        return;
    }
    if (!vinput_can(in->device, e->type, e->code) || in->events == VINPUT_FRAME)
        return;
    in->frame[in->events++] =
        (struct vinput_event){.type = e->type, .code = e->code, .value = scaled(in, e)};
}

static void on_events(void *arg, uint32_t events)
{
    struct domain_input *in = arg;
    ssize_t n = read(in->fd, (uint8_t *)in->in + in->part, sizeof(in->in) - in->part);
    size_t whole, got;

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) { /* it was pulled out */
        loop_fd_drop(in->loop, in->fd);
        return;
    }
    got = in->part + (size_t)n;
    whole = got / sizeof(*in->in);
    for (size_t i = 0; i < whole; i++)
        event(in, &in->in[i]);
    in->part = got % sizeof(*in->in);
    memmove(in->in, in->in + whole, in->part);
}

int domain_input_open(struct domain_input **out, const char *from, struct vinput *d,
                      struct loop *loop, struct error *err)
{
    struct domain_input *in = calloc(1, sizeof(*in));
    int code;

    if (!in)
        return error_set(err, -ENOMEM, "--input: not enough memory");
    *in = (struct domain_input){
        .fd = open(from, O_RDWR | O_NONBLOCK | O_CLOEXEC), .loop = loop, .device = d};
    code = in->fd < 0 ? -errno : loop_fd(loop, in->fd, EPOLLIN, on_events, in);
    if (!code && ioctl(in->fd, EVIOCGRAB, 1) && errno != ENOTTY && errno != EINVAL)
        code = -errno; /* somebody else has it */
    if (code) {
        domain_input_close(in);
        return error_set(err, code, "--input from=%s: %s", from, strerror(-code));
    }
    for (unsigned i = 0; i < AXES; i++)
        if (ioctl(in->fd, EVIOCGABS(i), &in->axis[i]) < 0)
            memset(&in->axis[i], 0, sizeof(in->axis[i]));
    *out = in;
    return 0;
}

void domain_input_close(struct domain_input *in)
{
    if (!in)
        return;
    loop_fd_drop(in->loop, in->fd);
    if (in->fd >= 0)
        close(in->fd);
    free(in);
}
