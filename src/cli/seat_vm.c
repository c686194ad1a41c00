/*
 * One machine's control socket, as the seat uses it (docs/control.md): claim the machine, ask for
 * its screen, then send what the user does, one event after the other, each when the one before it
 * was answered. A machine that does not answer keeps its line waiting and nobody else's. What comes
 * from it is judged: it may be hostile.
 */
#include "cli/screen.h"
#include "cli/seat.h"
#include "core/log.h"
#include "dev/ps2_keys.h"
#include <cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MS        1000000ull
#define AGAIN_NS  (300 * MS)  /* a machine that is not there is looked for so often */
#define FULL_NS   (30 * MS)   /* its guest does not read: asked again */
#define TABLET_NS (3000 * MS) /* no driver listened at the tablet: tried again */
#define HANG_NS   (2000 * MS)
#define READ_MAX  4096
#define FAR       32767

static void ready(void *arg, uint32_t events);

static void watch(struct svm *v)
{
    loop_fd(v->s->loop, v->fd, EPOLLIN | (v->out_at < v->out_len ? (uint32_t)EPOLLOUT : 0), ready,
            v);
}

static void passed_drop(struct svm *v)
{
    if (v->passed >= 0)
        close(v->passed);
    v->passed = -1;
}

static void screen_drop(struct svm *v)
{
    if (v->screen_fd >= 0)
        close(v->screen_fd);
    v->screen_fd = -1;
}

/* Once for each change: the seat knocks at a machine that is taken again and again. */
static void tell(struct svm *v)
{
    if (v->told == v->state)
        return;
    v->told = v->state;
    seating_changed(v->s, v->n);
}

static void gone(struct svm *v, enum svm_state state)
{
    if (v->fd >= 0) {
        loop_fd_drop(v->s->loop, v->fd);
        close(v->fd);
    }
    v->fd = -1;
    v->busy = false;
    v->out_len = v->out_at = 0;
    json_split_free(&v->in);
    v->in = (struct json_split){0};
    passed_drop(v);
    screen_drop(v);
    seat_vm_there(&v->s->seat, v->n, false);
    v->state = state;
    tell(v);
    loop_timer_set(&v->again, loop_now(v->s->loop) + AGAIN_NS);
}

bool svm_hangs(const struct svm *v)
{
    return v->busy && loop_now(v->s->loop) - v->sent_at > HANG_NS;
}

/* ---- out ---- */

static void flush(struct svm *v)
{
    while (v->out_at < v->out_len) {
        ssize_t n =
            send(v->fd, v->out + v->out_at, v->out_len - v->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n > 0)
            v->out_at += (size_t)n;
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            return; /* reading finds out */
    }
    watch(v);
}

static void say(struct svm *v, const char *command, const char *args)
{
    int n = snprintf(v->out, sizeof(v->out), "{\"execute\":\"%s\",\"arguments\":{%s}}\n", command,
                     args);

    v->out_len = n > 0 && (size_t)n < sizeof(v->out) ? (size_t)n : 0;
    v->out_at = 0;
    v->busy = true;
    v->sent_at = loop_now(v->s->loop);
    flush(v);
}

static int within(int n, int most)
{
    return n > most ? most : n < -most ? -most : n;
}

static size_t axis(char *to, size_t room, const char *type, const char *name, int value)
{
    int n = snprintf(to, room, "%s{\"type\":\"%s\",\"data\":{\"axis\":\"%s\",\"value\":%d}}",
                     to[-1] == '[' ? "" : ",", type, name, value);

    return n > 0 && (size_t)n < room ? (size_t)n : 0;
}

/* A tablet is told the place, a mouse the way. */
static void point_say(struct svm *v, const struct seat_event *e)
{
    char args[512] = "\"events\":[";
    size_t n = strlen(args);
    bool tablet = !v->no_tablet || loop_now(v->s->loop) >= v->try_at;

    v->no_tablet = !tablet;
    if (tablet) {
        n += axis(args + n, sizeof(args) - n, "abs", "x", within(e->x, FAR));
        n += axis(args + n, sizeof(args) - n, "abs", "y", within(e->y, FAR));
    } else {
        n += axis(args + n, sizeof(args) - n, "rel", "x", within(e->dx, FAR));
        n += axis(args + n, sizeof(args) - n, "rel", "y", within(e->dy, FAR));
    }
    if (e->wheel)
        n += axis(args + n, sizeof(args) - n, "rel", "wheel", within(e->wheel, FAR));
    snprintf(args + n, sizeof(args) - n, "]");
    say(v, "input-send-event", args);
}

static void event_say(struct svm *v, const struct seat_event *e)
{
    static const char *const button[SEAT_BUTTONS] = {"left", "middle", "right", "side", "extra"};
    const char *down = e->down ? "true" : "false";
    char args[256];

    if (e->what == SEAT_KEY)
        snprintf(args, sizeof(args),
                 "\"events\":[{\"type\":\"key\",\"data\":{\"down\":%s,\"key\":{\"type\":\"qcode\","
                 "\"data\":\"%s\"}}}]",
                 down, ps2_keys[e->key].name);
    else
        snprintf(args, sizeof(args),
                 "\"events\":[{\"type\":\"btn\",\"data\":{\"down\":%s,\"button\":\"%s\"}}]", down,
                 button[e->key]);
    say(v, "input-send-event", args);
}

void svm_pump(struct svm *v)
{
    const struct seat_event *e = v->busy ? NULL : seat_next(&v->s->seat, v->n);

    if (!e || v->state != SVM_READY || v->again.due)
        return;
    if (e->what == SEAT_POINT)
        point_say(v, e);
    else
        event_say(v, e);
}

/* ---- in ---- */

static void screen_keep(struct svm *v, const cJSON *said)
{
    struct screen s;

    screen_drop(v);
    if (v->passed < 0 || screen_map(&s, said, dup(v->passed), NULL))
        return; /* it has none; or lies, and has none for us */
    v->width = s.width;
    v->height = s.height;
    v->stride = s.stride;
    screen_unmap(&s);
    v->screen_fd = v->passed;
    v->passed = -1;
}

/* An event was answered. */
static void answered(struct svm *v, const cJSON *error)
{
    const cJSON *class = cJSON_GetObjectItemCaseSensitive(error, "class");
    const struct seat_event *e = seat_next(&v->s->seat, v->n);
    bool nobody = cJSON_IsString(class) && !strcmp(class->valuestring, "DeviceNotFound");

    if (!e)
        return;
    if (!error) {
        seat_taken(&v->s->seat, v->n);
    } else if (nobody && e->what == SEAT_POINT && !v->no_tablet) {
        v->no_tablet = true;
        v->try_at = loop_now(v->s->loop) + TABLET_NS;
    } else if (nobody) {
        seat_taken(&v->s->seat, v->n); /* no such device: there is nobody to tell */
    } else {
        loop_timer_set(&v->again, loop_now(v->s->loop) + FULL_NS);
    }
}

/* The next step of the agreement; error: the machine said no to the last one. */
static void agree(struct svm *v, const cJSON *got, const cJSON *error)
{
    switch (v->state) {
    case SVM_AGREE:
        v->state = SVM_CLAIM;
        say(v, "seat-claim", "");
        break;
    case SVM_CLAIM:
        v->state = SVM_SCREEN;
        say(v, "query-screen", "\"descriptor\":true");
        break;
    default:
        if (!error)
            screen_keep(v, got);
        v->state = SVM_READY;
        seat_vm_there(&v->s->seat, v->n, true);
        tell(v);
        break;
    }
    passed_drop(v);
}

/* One message. False: it is nothing that such a machine says. */
static bool hear(struct svm *v, const cJSON *o)
{
    const cJSON *got = cJSON_GetObjectItemCaseSensitive(o, "return");
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(o, "error");

    if (v->state == SVM_HELLO) {
        if (!cJSON_HasObjectItem(o, "QMP"))
            return false;
        v->state = SVM_AGREE;
        say(v, "qmp_capabilities", "");
        return true;
    }
    if (cJSON_HasObjectItem(o, "event"))
        return true;
    if (!v->busy || !got == !error)
        return false;
    v->busy = false;
    if (v->state == SVM_READY) {
        answered(v, error);
        svm_pump(v);
        return true;
    }
    if (error && v->state == SVM_CLAIM) {
        gone(v, SVM_TAKEN);
        return true;
    }
    if (error && v->state == SVM_AGREE)
        return false;
    agree(v, got, error);
    return true;
}

static bool hear_bytes(struct svm *v, const char *buf, size_t len)
{
    for (size_t i = 0; i < len && v->fd >= 0; i++) {
        enum json_split_end end = json_split_byte(&v->in, buf[i]);
        cJSON *o = end == JSON_MESSAGE ? cJSON_ParseWithLength(v->in.buf, v->in.len) : NULL;
        bool good = end == JSON_MORE || (o && hear(v, o));

        cJSON_Delete(o);
        if (!good)
            return false;
    }
    return true;
}

static ssize_t some_read(struct svm *v, char *buf, size_t room)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec io = {buf, room};
    struct msghdr m = {.msg_iov = &io,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof(control.room)};
    ssize_t n = recvmsg(v->fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

    for (struct cmsghdr *h = n > 0 ? CMSG_FIRSTHDR(&m) : NULL; h; h = CMSG_NXTHDR(&m, h))
        if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
            passed_drop(v);
            memcpy(&v->passed, CMSG_DATA(h), sizeof(int)); /* there is room for one */
        }
    return n;
}

static void ready(void *arg, uint32_t events)
{
    struct svm *v = arg;
    char buf[READ_MAX];
    ssize_t n;

    if (events & EPOLLOUT)
        flush(v);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    n = some_read(v, buf, sizeof(buf));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        gone(v, SVM_AWAY);
    else if (!hear_bytes(v, buf, (size_t)n) && v->fd >= 0)
        gone(v, SVM_AWAY);
}

/* ---- coming and going ---- */

static void on_again(void *arg)
{
    struct svm *v = arg;

    if (v->fd >= 0)
        svm_pump(v);
    else
        svm_open(v);
}

void svm_open(struct svm *v)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    memcpy(at.sun_path, v->ctl, sizeof(v->ctl));
    v->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (v->fd < 0 || connect(v->fd, (struct sockaddr *)&at, sizeof(at)) ||
        loop_fd(v->s->loop, v->fd, EPOLLIN, ready, v)) {
        if (v->fd >= 0)
            close(v->fd);
        v->fd = -1;
        loop_timer_set(&v->again, loop_now(v->s->loop) + AGAIN_NS);
        return;
    }
    v->state = SVM_HELLO;
}

void svm_init(struct svm *v, struct seating *s, unsigned n)
{
    v->s = s;
    v->n = n;
    v->fd = v->passed = v->screen_fd = -1;
    loop_timer_init(&v->again, s->loop, on_again, v);
}

void svm_close(struct svm *v)
{
    loop_timer_stop(&v->again);
    if (v->fd >= 0) {
        loop_fd_drop(v->s->loop, v->fd);
        close(v->fd);
    }
    v->fd = -1;
    json_split_free(&v->in);
    passed_drop(v);
    screen_drop(v);
}
