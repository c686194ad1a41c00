/*
 * A machine's serial console at a Unix socket (run --console socket=PATH), and a terminal that
 * nobody looks at but the seat: what the machine writes is kept as a picture (libvterm), in view or
 * not. Its questions (where is the cursor? what are you?) are answered here, to the machine that
 * asked; the user's terminal never hears of them, and so can't answer into the next machine.
 */
#include "cli/seat_term.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define AGAIN_NS 300000000ull
#define OUT_ROOM 8192u
#define READ_MAX 4096

struct seat_console {
    struct svm *v;
    struct loop *loop;
    VTerm *vt;
    VTermScreen *screen;
    int fd; /* -1: nobody is there */
    bool cursor;
    char out[OUT_ROOM]; /* typed, and not taken yet */
    size_t out_len;
    struct loop_timer again;
};

static void ready(void *arg, uint32_t events);

static void changed(struct seat_console *c)
{
    if (c->v->s->tty && c->v->n == c->v->s->seat.focus)
        seat_tty_paint(c->v->s->tty);
}

/* ---- to the machine ---- */

static void flush(struct seat_console *c)
{
    size_t at = 0;

    while (at < c->out_len && c->fd >= 0) {
        ssize_t n = send(c->fd, c->out + at, c->out_len - at, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break; /* full; or gone, which reading finds out */
        at += (size_t)n;
    }
    memmove(c->out, c->out + at, c->out_len - at);
    c->out_len -= at;
    if (c->fd >= 0)
        loop_fd(c->loop, c->fd, EPOLLIN | (c->out_len ? (uint32_t)EPOLLOUT : 0), ready, c);
}

/* What a machine that doesn't read has no room for is lost: nobody waits for it. */
static void to_machine(const char *bytes, size_t len, void *user)
{
    struct seat_console *c = user;

    if (c->fd < 0 || len > OUT_ROOM - c->out_len)
        return;
    memcpy(c->out + c->out_len, bytes, len);
    c->out_len += len;
}

/* Keys whose codes depend on what the program there asked for; others are sent as they came. */
static VTermKey key_of(const char *p, size_t len)
{
    static const struct {
        char c;
        VTermKey key;
    } all[] = {{'A', VTERM_KEY_UP},   {'B', VTERM_KEY_DOWN}, {'C', VTERM_KEY_RIGHT},
               {'D', VTERM_KEY_LEFT}, {'H', VTERM_KEY_HOME}, {'F', VTERM_KEY_END}};

    for (size_t i = 0; len >= 3 && (p[1] == '[' || p[1] == 'O') && i < ARRAY_LEN(all); i++)
        if (p[2] == all[i].c)
            return all[i].key;
    return VTERM_KEY_NONE;
}

void seat_console_type(struct seat_console *c, const char *bytes, size_t len)
{
    size_t at = 0;

    while (at < len) {
        const char *esc = memchr(bytes + at, 27, len - at);
        size_t n = esc ? (size_t)(esc - bytes) - at : len - at;
        VTermKey key = esc ? key_of(esc, len - at - n) : VTERM_KEY_NONE;

        n += esc && key == VTERM_KEY_NONE; /* the escape goes with what is before it */
        to_machine(bytes + at, n, c);
        at += n;
        if (key != VTERM_KEY_NONE) {
            vterm_keyboard_key(c->vt, key, VTERM_MOD_NONE);
            at += 3;
        }
    }
    flush(c);
}

/* ---- from the machine ---- */

static void console_gone(struct seat_console *c)
{
    loop_fd_drop(c->loop, c->fd);
    close(c->fd);
    c->fd = -1;
    c->out_len = 0; /* it was typed for that run of it */
    loop_timer_set(&c->again, loop_now(c->loop) + AGAIN_NS);
    changed(c);
}

static void ready(void *arg, uint32_t events)
{
    struct seat_console *c = arg;
    char buf[READ_MAX];
    ssize_t n;

    if (events & EPOLLOUT)
        flush(c);
    n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        console_gone(c);
        return;
    }
    vterm_input_write(c->vt, buf, (size_t)n);
    flush(c); /* answers */
    changed(c);
}

static void on_again(void *arg)
{
    struct seat_console *c = arg;
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    memcpy(at.sun_path, c->v->console_path, sizeof(c->v->console_path));
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd >= 0 && !connect(c->fd, (struct sockaddr *)&at, sizeof(at)) &&
        !loop_fd(c->loop, c->fd, EPOLLIN, ready, c)) {
        changed(c);
        return;
    }
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    loop_timer_set(&c->again, loop_now(c->loop) + AGAIN_NS);
}

/* ---- what is shown ---- */

static int on_prop(VTermProp prop, VTermValue *val, void *user)
{
    if (prop == VTERM_PROP_CURSORVISIBLE)
        ((struct seat_console *)user)->cursor = val->boolean;
    return 1;
}

static int on_bell(void *user)
{
    struct seat_console *c = user;

    if (c->v->s->tty && c->v->n == c->v->s->seat.focus)
        seat_tty_bell(c->v->s->tty);
    return 1;
}

void seat_console_cell(const struct seat_console *c, int row, int col, VTermScreenCell *out)
{
    int rows, cols;

    vterm_get_size(c->vt, &rows, &cols);
    memset(out, 0, sizeof(*out));
    out->fg.type = VTERM_COLOR_DEFAULT_FG;
    out->bg.type = VTERM_COLOR_DEFAULT_BG;
    out->width = 1;
    if (row < rows && col < cols)
        vterm_screen_get_cell(c->screen, (VTermPos){row, col}, out);
}

bool seat_console_cursor(const struct seat_console *c, int *row, int *col)
{
    VTermPos at;

    vterm_state_get_cursorpos(vterm_obtain_state(c->vt), &at);
    *row = at.row;
    *col = at.col;
    return c->cursor;
}

bool seat_console_there(const struct seat_console *c)
{
    return c->fd >= 0;
}

/* ---- life ---- */

void seat_console_size(struct seat_console *c, unsigned rows, unsigned cols)
{
    vterm_set_size(c->vt, (int)rows, (int)cols);
}

int seat_console_open(struct seat_console **out, struct svm *v, unsigned rows, unsigned cols)
{
    static const VTermScreenCallbacks callbacks = {.settermprop = on_prop, .bell = on_bell};
    struct seat_console *c = calloc(1, sizeof(*c));

    if (!c)
        return -ENOMEM;
    *c = (struct seat_console){.v = v, .loop = v->s->loop, .fd = -1, .cursor = true};
    c->vt = vterm_new((int)rows, (int)cols);
    if (!c->vt) {
        free(c);
        return -ENOMEM;
    }
    vterm_set_utf8(c->vt, 1);
    vterm_output_set_callback(c->vt, to_machine, c);
    c->screen = vterm_obtain_screen(c->vt);
    vterm_screen_enable_altscreen(c->screen, 1);
    vterm_screen_set_callbacks(c->screen, &callbacks, c);
    vterm_screen_reset(c->screen, 1);
    loop_timer_init(&c->again, c->loop, on_again, c);
    loop_timer_set(&c->again, loop_now(c->loop));
    *out = c;
    return 0;
}

void seat_console_close(struct seat_console *c)
{
    if (!c)
        return;
    loop_timer_stop(&c->again);
    if (c->fd >= 0) {
        loop_fd_drop(c->loop, c->fd);
        close(c->fd);
    }
    vterm_free(c->vt);
    free(c);
}
