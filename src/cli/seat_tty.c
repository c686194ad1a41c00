/*
 * The user's terminal. What stands on it is painted from the picture of the machine that has the
 * seat (seat_console.c), cell by cell where it differs from what is there: nothing that a machine
 * writes reaches the terminal as it is. The last row says who has the seat. Painting waits for the
 * terminal and nothing waits for painting. ECMA-48 and xterm's control sequences.
 */
#include "cli/seat_term.h"
#include "core/error.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define FRAME_NS 20000000ull /* at most 50 pictures a second */
#define OUT_ROOM (1u << 20)  /* a picture may take so much, else the rest comes with the next */
#define CELL_OUT 128u        /* … and a cell that */
#define READ_MAX 512
#define ALT_ON   "\033[?1049h\033[0m\033[2J"
#define ALT_OFF  "\033[0m\033[?25h\033[?1049l"

struct seat_tty {
    struct seating *s;
    int out; /* the terminal once more, with no waiting; standard output has its own */
    struct termios was;
    bool raw, armed, reads;
    unsigned rows, cols;
    VTermScreenCell *shown; /* rows * cols */
    VTermScreenCell pen;    /* as the terminal's is; chars of no meaning */
    char *buf;
    size_t len, at;
    struct loop_timer paint;
};

static void on_writable(void *arg, uint32_t events);

/* ---- out ---- */

static void add(struct seat_tty *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct seat_tty *t, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(t->buf + t->len, OUT_ROOM - t->len, format, args);
    va_end(args);
    if (n > 0 && (size_t)n < OUT_ROOM - t->len)
        t->len += (size_t)n;
}

static void flush(struct seat_tty *t)
{
    while (t->at < t->len) {
        ssize_t n = write(t->out, t->buf + t->at, t->len - t->at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        t->at += (size_t)n;
    }
    if (t->at == t->len)
        t->at = t->len = 0;
    loop_fd(t->s->loop, t->out, t->len ? EPOLLOUT : 0, on_writable, t);
}

static void on_writable(void *arg, uint32_t events)
{
    struct seat_tty *t = arg;

    if (events & (EPOLLHUP | EPOLLERR)) {
        loop_stop(t->s->loop); /* the terminal has gone */
        return;
    }
    flush(t);
}

/* ---- a cell ---- */

static void colour(struct seat_tty *t, const VTermColor *c, bool back)
{
    unsigned idx = c->indexed.idx;

    if (back ? VTERM_COLOR_IS_DEFAULT_BG(c) : VTERM_COLOR_IS_DEFAULT_FG(c))
        return;
    if (VTERM_COLOR_IS_RGB(c))
        add(t, ";%d;2;%u;%u;%u", back ? 48 : 38, c->rgb.red, c->rgb.green, c->rgb.blue);
    else if (idx < 16)
        add(t, ";%u", (back ? 10 : 0) + (idx < 8 ? 30 + idx : 82 + idx));
    else
        add(t, ";%d;5;%u", back ? 48 : 38, idx);
}

static bool pen_same(const VTermScreenCell *a, const VTermScreenCell *b)
{
    return !memcmp(&a->attrs, &b->attrs, sizeof(a->attrs)) &&
           vterm_color_is_equal(&a->fg, &b->fg) && vterm_color_is_equal(&a->bg, &b->bg) &&
           a->fg.type == b->fg.type && a->bg.type == b->bg.type;
}

static void pen_set(struct seat_tty *t, const VTermScreenCell *c)
{
    if (pen_same(&t->pen, c))
        return;
    t->pen = *c;
    add(t, "\033[0%s%s%s%s%s%s", c->attrs.bold ? ";1" : "", c->attrs.italic ? ";3" : "",
        c->attrs.underline ? ";4" : "", c->attrs.blink ? ";5" : "", c->attrs.reverse ? ";7" : "",
        c->attrs.strike ? ";9" : "");
    colour(t, &c->fg, false);
    colour(t, &c->bg, true);
    add(t, "m");
}

static void rune(struct seat_tty *t, uint32_t c)
{
    if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c > 0x10ffff)
        c = c ? '?' : ' '; /* no control character comes through */
    if (c < 0x80)
        add(t, "%c", (int)c);
    else if (c < 0x800)
        add(t, "%c%c", (int)(0xc0 | c >> 6), (int)(0x80 | (c & 0x3f)));
    else if (c < 0x10000)
        add(t, "%c%c%c", (int)(0xe0 | c >> 12), (int)(0x80 | (c >> 6 & 0x3f)),
            (int)(0x80 | (c & 0x3f)));
    else
        add(t, "%c%c%c%c", (int)(0xf0 | c >> 18), (int)(0x80 | (c >> 12 & 0x3f)),
            (int)(0x80 | (c >> 6 & 0x3f)), (int)(0x80 | (c & 0x3f)));
}

static bool cell_same(const VTermScreenCell *a, const VTermScreenCell *b)
{
    return !memcmp(a->chars, b->chars, sizeof(a->chars)) && a->width == b->width && pen_same(a, b);
}

/* Writes it if it is another than there; *here: the terminal's cursor stands before it. */
static void cell_put(struct seat_tty *t, unsigned row, unsigned col, const VTermScreenCell *c,
                     bool *here)
{
    VTermScreenCell *shown = &t->shown[row * t->cols + col];

    if (cell_same(shown, c) || OUT_ROOM - t->len < CELL_OUT) {
        *here = false;
        return;
    }
    *shown = *c;
    if (!*here)
        add(t, "\033[%u;%uH", row + 1, col + 1);
    pen_set(t, c);
    rune(t, c->chars[0]);
    for (unsigned i = 1; i < VTERM_MAX_CHARS_PER_CELL && c->chars[i] >= 0xa0; i++)
        rune(t, c->chars[i]);                    /* what combines with it */
    *here = c->width == 1 && c->chars[0] < 0x7f; /* elsewhere terminals disagree how wide */
}

/* ---- a picture ---- */

static void text_row(struct seat_tty *t, unsigned row, const char *text, bool reverse)
{
    bool here = false;

    for (unsigned col = 0; col < t->cols; col++) {
        VTermScreenCell c = {.width = 1};

        c.fg.type = VTERM_COLOR_DEFAULT_FG;
        c.bg.type = VTERM_COLOR_DEFAULT_BG;
        c.attrs.reverse = reverse;
        c.chars[0] = *text ? (unsigned char)*text++ : ' ';
        cell_put(t, row, col, &c, &here);
    }
}

static void status_row(struct seat_tty *t)
{
    const struct seating *s = t->s;
    char text[SEAT_COLS_MAX + 1] = " ";
    size_t n = 1;

    for (unsigned i = 0; i < s->vms && n < sizeof(text); i++) {
        const struct svm *v = &s->vm[i];
        bool fine = v->state == SVM_READY && !svm_hangs(v), has = i == s->seat.focus;

        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u %s%s%s%s%s ", has ? "[" : "", i + 1,
                              v->name, fine ? "" : " (", fine ? "" : svm_word(v), fine ? "" : ")",
                              has ? "]" : "");
    }
    if (n < sizeof(text))
        snprintf(text + n, sizeof(text) - n, "  Ctrl-] 1-9 n p q");
    text_row(t, t->rows - 1, text, true);
}

static void blank_rows(struct seat_tty *t, const char *why)
{
    for (unsigned row = 0; row + 1 < t->rows; row++)
        text_row(t, row, row ? "" : why, false);
    add(t, "\033[?25l");
}

static void console_rows(struct seat_tty *t, const struct seat_console *c)
{
    int row, col;

    for (unsigned r = 0; r + 1 < t->rows; r++) {
        bool here = false;

        for (unsigned k = 0; k < t->cols; k++) {
            VTermScreenCell cell;

            seat_console_cell(c, (int)r, (int)k, &cell);
            if (cell.chars[0] != UINT32_MAX) /* the right half of a wide one */
                cell_put(t, r, k, &cell, &here);
        }
    }
    if (seat_console_cursor(c, &row, &col) && row >= 0 && (unsigned)row + 1 < t->rows && col >= 0)
        add(t, "\033[%d;%dH\033[?25h", row + 1, col + 1);
    else
        add(t, "\033[?25l");
}

static void on_paint(void *arg)
{
    struct seat_tty *t = arg;
    const struct svm *v = &t->s->vm[t->s->seat.focus];

    if (t->len) { /* the terminal is slow: what it misses is not missed */
        loop_timer_set(&t->paint, loop_now(t->s->loop) + FRAME_NS);
        return;
    }
    status_row(t);
    if (v->console)
        console_rows(t, v->console);
    else
        blank_rows(t, "This machine has no console here: NAME=CTL,console=SOCKET gives it one.");
    flush(t);
}

void seat_tty_paint(struct seat_tty *t)
{
    if (!t->paint.due)
        loop_timer_set(&t->paint, loop_now(t->s->loop) + FRAME_NS);
}

void seat_tty_bell(struct seat_tty *t)
{
    if (t->len < OUT_ROOM / 2)
        add(t, "\a");
    flush(t);
}

/* ---- in ---- */

static void key_take(struct seat_tty *t, char byte, char *run, size_t *len)
{
    struct seating *s = t->s;
    int n = 0;
    enum seat_hot hot = seat_hot_byte(&t->armed, (uint8_t)byte, &n);

    if (hot == SEAT_PASS) {
        run[(*len)++] = byte;
        return;
    }
    if (*len && s->vm[s->seat.focus].console)
        seat_console_type(s->vm[s->seat.focus].console, run, *len);
    *len = 0;
    if (hot == SEAT_TO)
        seating_focus(s, (unsigned)n);
    else if (hot == SEAT_STEP)
        seating_step(s, n);
    else if (hot == SEAT_QUIT)
        loop_stop(s->loop);
}

static void on_key(void *arg, uint32_t events)
{
    struct seat_tty *t = arg;
    struct seating *s = t->s;
    char buf[READ_MAX], run[READ_MAX];
    ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));
    size_t len = 0;

    (void)events;
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        loop_stop(s->loop); /* hung up */
        return;
    }
    for (ssize_t i = 0; i < n; i++)
        key_take(t, buf[i], run, &len);
    if (len && s->vm[s->seat.focus].console)
        seat_console_type(s->vm[s->seat.focus].console, run, len);
}

/* ---- life ---- */

static void size_get(struct seat_tty *t)
{
    struct winsize w = {0};

    ioctl(STDOUT_FILENO, TIOCGWINSZ, &w);
    t->rows = w.ws_row >= 2 ? w.ws_row : 25;
    t->cols = w.ws_col >= 8 ? w.ws_col : 80;
    t->rows = t->rows < SEAT_ROWS_MAX ? t->rows : SEAT_ROWS_MAX;
    t->cols = t->cols < SEAT_COLS_MAX ? t->cols : SEAT_COLS_MAX;
}

/* Nothing stands there, and the pen is as the terminal's after a reset. */
static int shown_forget(struct seat_tty *t)
{
    VTermScreenCell *shown = calloc((size_t)t->rows * t->cols, sizeof(*shown));

    if (!shown)
        return -ENOMEM;
    free(t->shown);
    t->shown = shown;
    memset(&t->pen, 0, sizeof(t->pen));
    t->pen.fg.type = VTERM_COLOR_DEFAULT_FG;
    t->pen.bg.type = VTERM_COLOR_DEFAULT_BG;
    return 0;
}

void seat_tty_size(const struct seat_tty *t, unsigned *rows, unsigned *cols)
{
    *rows = t->rows - 1;
    *cols = t->cols;
}

void seat_tty_resized(struct seat_tty *t)
{
    unsigned rows = t->rows, cols = t->cols;

    size_get(t);
    if (shown_forget(t)) {
        t->rows = rows;
        t->cols = cols;
        return;
    }
    for (unsigned i = 0; i < t->s->vms; i++)
        if (t->s->vm[i].console)
            seat_console_size(t->s->vm[i].console, t->rows - 1, t->cols);
    add(t, "\033[0m\033[2J");
    seat_tty_paint(t);
}

static int tty_start(struct seat_tty *t)
{
    struct termios raw = t->was;

    cfmakeraw(&raw);
    t->out = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (t->out < 0 || tcsetattr(STDIN_FILENO, TCSADRAIN, &raw))
        return -errno;
    t->raw = true;
    add(t, ALT_ON);
    flush(t);
    t->reads = !loop_fd(t->s->loop, STDIN_FILENO, EPOLLIN, on_key, t);
    return t->reads ? 0 : -EIO;
}

int seat_tty_open(struct seat_tty **out, struct seating *s, struct error *err)
{
    struct seat_tty *t;
    int code;

    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return error_set(err, -ENOTTY, "seat --terminal: this is no terminal");
    t = calloc(1, sizeof(*t));
    if (!t)
        return error_set(err, -ENOMEM, "seat: not enough memory");
    t->s = s;
    t->out = -1;
    loop_timer_init(&t->paint, s->loop, on_paint, t);
    size_get(t);
    t->buf = malloc(OUT_ROOM);
    code = t->buf ? shown_forget(t) : -ENOMEM;
    if (!code && tcgetattr(STDIN_FILENO, &t->was))
        code = -errno;
    if (!code)
        code = tty_start(t);
    if (code) {
        seat_tty_close(t);
        return error_set(err, code, "seat --terminal: %s", strerror(-code));
    }
    *out = t;
    seat_tty_paint(t);
    return 0;
}

void seat_tty_close(struct seat_tty *t)
{
    if (!t)
        return;
    loop_timer_stop(&t->paint);
    if (t->reads)
        loop_fd_drop(t->s->loop, STDIN_FILENO);
    if (t->raw) {
        t->at = t->len = 0;
        (void)!write(t->out, ALT_OFF, strlen(ALT_OFF));
        tcsetattr(STDIN_FILENO, TCSANOW, &t->was);
    }
    if (t->out >= 0) {
        loop_fd_drop(t->s->loop, t->out);
        close(t->out);
    }
    free(t->shown);
    free(t->buf);
    free(t);
}
