/*
 * The VNC side of the seat. RFB is spoken by a program of its own (seat_vnc.c), which has a
 * listening socket, a descriptor of the screen in view that can only be read, and a socket to here:
 * no machine's control socket, no terminal, no file. What it says is judged; if it breaks, or waits
 * for a viewer that stopped half-way, nobody else waits, and another is started in its place.
 */
#include "cli/seat_view.h"
#include "cli/seat.h"
#include "cli/starter.h"
#include "core/error.h"
#include "core/log.h"
#include "dev/ps2_keys.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define AGAIN_NS   1000000000ull
#define TURN       64u /* messages */
#define BACKLOG    8
#define WHEEL_UP   8u
#define WHEEL_DOWN 16u
#define FAR        32767u
#define PROGRAM    "viaduct-vnc"

struct seat_view {
    struct seating *s;
    struct listen_place at;       /* at.fd: also of a TCP socket */
    struct starter starter;       /* of that program, for one in a jail */
    struct started now;           /* pid 0: no process */
    int sock;                     /* -1: the same */
    int null;                     /* /dev/null */
    char program[512];            /* viaduct-vnc's path */
    bool stale;                   /* it has not been told yet what to show */
    unsigned held;                /* hot keys' modifiers */
    uint8_t eaten[SEAT_KEYS / 8]; /* pressed as part of a hot key: their releases are nobody's */
    uint8_t buttons;
    int x, y; /* where the pointer was */
    struct loop_timer again;
};

static void start(struct seat_view *v);
static void ready(void *arg, uint32_t events);

/* ---- what the user does ---- */

static void key_take(struct seat_view *v, unsigned key, bool down)
{
    struct seating *s = v->s;
    uint8_t bit = (uint8_t)(1u << key % 8), *eaten = &v->eaten[key / 8];
    int n = 0;
    enum seat_hot hot;

    if (key >= ps2_keys_count())
        return;
    hot = seat_hot_key(&v->held, key, down, &n);
    if (hot != SEAT_PASS) {
        *eaten |= bit;
        if (hot == SEAT_TO)
            seating_focus(s, (unsigned)n);
        else
            seating_step(s, n);
    } else if (*eaten & bit) {
        *eaten = (uint8_t)(down ? *eaten : *eaten & ~bit);
    } else {
        seat_key(&s->seat, key, down);
    }
}

static int place(int at, unsigned size)
{
    return size > 1 ? (int)((uint64_t)at * FAR / (size - 1)) : 0;
}

static void point_take(struct seat_view *v, const struct vnc_said *m)
{
    struct seating *s = v->s;
    const struct svm *vm = &s->vm[s->seat.focus];
    unsigned pressed = m->buttons & ~v->buttons & 0xffu;
    int x = m->x < vm->width ? m->x : (int)vm->width - 1;
    int y = m->y < vm->height ? m->y : (int)vm->height - 1;
    struct seat_event e;

    if (!vm->width)
        return; /* it has no screen to point at */
    e = (struct seat_event){.x = place(x, vm->width),
                            .y = place(y, vm->height),
                            .dx = x - v->x,
                            .dy = y - v->y,
                            .wheel = (pressed & WHEEL_UP ? 1 : 0) - (pressed & WHEEL_DOWN ? 1 : 0)};
    if (e.dx || e.dy || e.wheel)
        seat_point(&s->seat, &e);
    for (unsigned i = 0; i < 3; i++)
        if ((m->buttons ^ v->buttons) >> i & 1)
            seat_button(&s->seat, i, m->buttons >> i & 1);
    v->buttons = m->buttons;
    v->x = x;
    v->y = y;
}

static void user_left(struct seat_view *v)
{
    seat_leave(&v->s->seat);
    v->held = v->buttons = 0;
    memset(v->eaten, 0, sizeof(v->eaten));
    svm_pump(&v->s->vm[v->s->seat.focus]);
}

static void said_take(struct seat_view *v, const struct vnc_said *m)
{
    switch (m->what) {
    case VNC_KEY: key_take(v, m->key, m->down); break;
    case VNC_POINT: point_take(v, m); break;
    case VNC_LEFT: user_left(v); break;
    default: break;
    }
    svm_pump(&v->s->vm[v->s->seat.focus]);
}

/* ---- what there is to see ---- */

static ssize_t show_send(struct seat_view *v, const struct vnc_show *show, int fd)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec io = {(void *)(uintptr_t)show, sizeof(*show)};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
    struct cmsghdr *c;

    if (fd >= 0) {
        m.msg_control = control.room;
        m.msg_controllen = sizeof(control.room);
        c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(int));
    }
    return sendmsg(v->sock, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void seat_view_show(struct seat_view *v)
{
    const struct svm *vm = &v->s->vm[v->s->seat.focus];
    struct vnc_show show = {0};

    snprintf(show.name, sizeof(show.name), "%s", vm->name);
    if (vm->screen_fd >= 0) {
        show.width = vm->width;
        show.height = vm->height;
        show.stride = vm->stride;
    }
    if (v->sock < 0)
        return; /* told when it starts */
    v->stale = show_send(v, &show, vm->screen_fd) < 0;
    loop_fd(v->s->loop, v->sock, EPOLLIN | (v->stale ? (uint32_t)EPOLLOUT : 0), ready, v);
}

/* ---- the process ---- */

static void reap(struct seat_view *v)
{
    if (v->sock >= 0) {
        loop_fd_drop(v->s->loop, v->sock);
        close(v->sock);
    }
    v->sock = -1;
    if (v->now.pid > 0) {
        pidfd_send_signal(v->now.pidfd, SIGKILL, NULL, 0);
        waitpid(v->now.pid, NULL, 0);
        close(v->now.pidfd);
    }
    v->now = (struct started){0};
}

static void ready(void *arg, uint32_t events)
{
    struct seat_view *v = arg;
    struct vnc_said m;
    ssize_t n = 1;

    if (events & EPOLLOUT && v->stale)
        seat_view_show(v);
    for (unsigned i = 0; i < TURN && n > 0; i++) {
        n = recv(v->sock, &m, sizeof(m), MSG_DONTWAIT);
        if (n == (ssize_t)sizeof(m))
            said_take(v, &m);
    }
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return;
    log_warn("seat: what serves VNC has ended; started anew");
    user_left(v);
    reap(v);
    loop_timer_set(&v->again, loop_now(v->s->loop) + AGAIN_NS);
}

/* Beside this program. */
static int program_find(char *path, size_t room, struct error *err)
{
    ssize_t n = readlink("/proc/self/exe", path, room);
    char *slash;

    if (n <= 0 || (size_t)n + sizeof(PROGRAM) >= room)
        return error_set(err, -ENAMETOOLONG, "seat --vnc: where is " PROGRAM "?");
    path[n] = 0;
    slash = strrchr(path, '/');
    memcpy(slash ? slash + 1 : path, PROGRAM, sizeof(PROGRAM));
    if (access(path, X_OK))
        return error_set(err, -ENOTSUP,
                         "seat --vnc: %s: %s; it is built where libvncserver is (package "
                         "libvncserver-dev)",
                         path, strerror(errno));
    return 0;
}

static void start(struct seat_view *v)
{
    static char *const argv[] = {PROGRAM, NULL};
    int pair[2] = {-1, -1}, fd[] = {v->null, v->null, v->null, -1, v->at.fd}, code;

    code = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) ? -errno : 0;
    fd[VNC_SEAT] = pair[1];
    if (!code)
        code = starter_start(&v->starter, argv, fd, ARRAY_LEN(fd), &v->now);
    if (pair[1] >= 0)
        close(pair[1]);
    v->sock = pair[0];
    if (code || loop_fd(v->s->loop, v->sock, EPOLLIN, ready, v)) {
        reap(v);
        loop_timer_set(&v->again, loop_now(v->s->loop) + AGAIN_NS);
        return;
    }
    seat_view_show(v);
}

static void on_again(void *arg)
{
    start(arg);
}

/* ---- where it listens ---- */

static int tcp_bad(const char *at, struct error *err)
{
    return error_set(
        err, -EINVAL,
        "seat --vnc %s: must be unix:PATH or 127.0.0.1:PORT; there is neither password "
        "nor encryption, so that other hosts come by ssh -L only",
        at);
}

static int tcp_open(struct listen_place *p, const char *at, struct error *err)
{
    static const char loopback[] = "127.0.0.1:";
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const char *port = at + strlen(loopback);
    int one = 1;
    char *end;
    long n;

    if (strncmp(at, loopback, strlen(loopback)) || *port < '0' || *port > '9')
        return tcp_bad(at, err);
    n = strtol(port, &end, 10);
    if (*end || n < 1 || n > 65535)
        return tcp_bad(at, err);
    in.sin_port = htons((uint16_t)n);
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (p->fd >= 0)
        setsockopt(p->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (p->fd < 0 || bind(p->fd, (struct sockaddr *)&in, sizeof(in)) || listen(p->fd, BACKLOG))
        return error_set(err, -errno, "seat --vnc %s: %s", at, strerror(errno));
    log_warn("seat --vnc %s: every user of this host can connect; unix:PATH is yours alone", at);
    return 0;
}

int seat_view_open(struct seat_view **out, struct seating *s, const char *at, struct error *err)
{
    struct seat_view *v = calloc(1, sizeof(*v));
    struct starter_opts o = {.bare = true};
    int code;

    if (!v)
        return error_set(err, -ENOMEM, "seat: not enough memory");
    o.program = v->program;
    *v = (struct seat_view){.s = s, .at.fd = -1, .sock = -1, .starter.sock = -1};
    v->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    loop_timer_init(&v->again, s->loop, on_again, v);
    code = program_find(v->program, sizeof(v->program), err);
    if (!code && starter_open(&v->starter, &o))
        code = error_set(err, -errno, "seat --vnc: no process to be had");
    if (!code && !strncmp(at, "unix:", 5))
        code = listen_open(&v->at, "seat --vnc", at + 5, BACKLOG, err);
    else if (!code)
        code = tcp_open(&v->at, at, err);
    if (code) {
        seat_view_close(v);
        return code;
    }
    *out = v;
    start(v);
    return 0;
}

void seat_view_close(struct seat_view *v)
{
    if (!v)
        return;
    loop_timer_stop(&v->again);
    reap(v);
    starter_close(&v->starter);
    if (v->null >= 0)
        close(v->null);
    listen_close(&v->at);
    free(v);
}
