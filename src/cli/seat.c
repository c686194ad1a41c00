/*
 * viaduct seat: the host's terminal, or a VNC view, with keyboard and mouse, for many machines: one
 * has it at a time. docs/seat.md tells it to users.
 *
 * Once it runs it is in a jail (sandbox/rows_lab.c): it has its terminal and its own listening
 * socket, connects to the sockets of machines, judges screens that they pass, and opens no file.
 */
#include "cli/seat.h"
#include "cli/cli.h"
#include "cli/run_box.h"
#include "core/error.h"
#include "core/log.h"
#include "vm/vm_signal.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define TICK_NS 1000000000ull

struct options {
    struct seating *s;
    bool terminal;
    const char *vnc, *ctl;
    enum box_mode sandbox;
};

/* ---- who has it ---- */

const char *svm_word(const struct svm *v)
{
    if (v->state == SVM_READY)
        return svm_hangs(v) ? "does not answer" : "running";
    return v->state == SVM_TAKEN ? "has another seat" : "not there";
}

static void shown_anew(struct seating *s)
{
    if (s->tty)
        seat_tty_paint(s->tty);
    if (s->view)
        seat_view_show(s->view);
}

void seating_focus(struct seating *s, unsigned n)
{
    unsigned old = s->seat.focus;

    if (!seat_switch(&s->seat, n) || old == n)
        return;
    svm_pump(&s->vm[old]); /* what it held is let go */
    shown_anew(s);
}

void seating_step(struct seating *s, int by)
{
    seating_focus(s, (s->seat.focus + (by < 0 ? s->vms - 1 : 1)) % s->vms);
}

void seating_changed(struct seating *s, unsigned n)
{
    const struct svm *v = &s->vm[n];

    if (!s->quiet)
        log_info("seat: %s: %s", v->name, svm_word(v));
    if (n == s->seat.focus)
        shown_anew(s);
    else if (s->tty)
        seat_tty_paint(s->tty); /* its status line */
}

/* ---- making ---- */

static void on_signal(void *arg, uint32_t events)
{
    struct seating *s = arg;
    enum signals_said said = signals_take(s->signals);

    (void)events;
    if (said == SIGNALS_SIZE && s->tty)
        seat_tty_resized(s->tty);
    else if (said == SIGNALS_END)
        loop_stop(s->loop);
}

/* A machine that stops to answer makes no event. */
static void on_tick(void *arg)
{
    struct seating *s = arg;

    if (s->tty)
        seat_tty_paint(s->tty);
    loop_timer_set(&s->tick, loop_now(s->loop) + TICK_NS);
}

static int consoles_open(struct seating *s, struct error *err)
{
    unsigned rows, cols;
    int code = 0;

    seat_tty_size(s->tty, &rows, &cols);
    for (unsigned i = 0; i < s->vms && !code; i++)
        if (*s->vm[i].console_path)
            code = seat_console_open(&s->vm[i].console, &s->vm[i], rows, cols);
    return code ? error_set(err, code, "seat: %s", strerror(-code)) : 0;
}

static int seating_open(struct seating *s, const struct options *o, struct error *err)
{
    int code = 0;

    s->signals = signals_open();
    if (s->signals < 0 || loop_fd(s->loop, s->signals, EPOLLIN, on_signal, s))
        return error_set(err, -ENOMEM, "seat: no descriptors to start with");
    if (o->vnc) /* first: its process must have none of the rest */
        code = seat_view_open(&s->view, s, o->vnc, err);
    if (!code && o->ctl)
        code = seat_ctl_open(s, o->ctl, err);
    if (!code && o->terminal)
        code = seat_tty_open(&s->tty, s, err);
    if (!code && s->tty)
        code = consoles_open(s, err);
    s->quiet = s->tty;
    seat_init(&s->seat, s->vms);
    for (unsigned i = 0; i < s->vms && !code; i++)
        svm_open(&s->vm[i]);
    loop_timer_init(&s->tick, s->loop, on_tick, s);
    on_tick(s);
    return code;
}

static void seating_close(struct seating *s)
{
    for (unsigned i = 0; i < s->vms; i++) {
        svm_close(&s->vm[i]);
        seat_console_close(s->vm[i].console);
    }
    if (s->tick.loop)
        loop_timer_stop(&s->tick);
    seat_view_close(s->view);
    seat_ctl_close(s);
    seat_tty_close(s->tty);
    if (s->signals >= 0) {
        loop_fd_drop(s->loop, s->signals);
        close(s->signals);
    }
}

static int sit(struct seating *s, const struct options *o)
{
    struct error err = {0};
    int code = seating_open(s, o, &err);

    if (!code)
        code = seat_box_enter(o->vnc, o->ctl, o->sandbox, &err);
    if (!code && loop_run(s->loop))
        code = -EIO;
    seating_close(s); /* the terminal is itself again before anything is said */
    if (*err.text)
        log_error("%s", err.text);
    return !code ? EXIT_OFF : *err.text ? EXIT_USAGE : EXIT_VMM;
}

/* ---- options ---- */

bool seat_name_good(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
            return false;
    return len && len < SEAT_NAME_MAX;
}

static int path_take(char to[108], const char *from, size_t len, const char *word,
                     struct error *err)
{
    if (!len || len >= 108)
        return error_set(err, -EINVAL, "seat %s: a socket's path has 1 to 107 characters", word);
    memcpy(to, from, len);
    return 0;
}

/* NAME=CTL[,console=SOCKET] */
static int take_vm(void *ctx, const char *word, struct error *err)
{
    static const char more[] = ",console=";
    struct seating *s = ((struct options *)ctx)->s;
    struct svm *v = &s->vm[s->vms];
    const char *eq = strchr(word, '='), *console;
    int code;

    if (!eq || !seat_name_good(word, (size_t)(eq - word)))
        return error_set(err, -EINVAL, "seat %s: must be NAME=CONTROLSOCKET[,console=SOCKET]",
                         word);
    if (s->vms == SEAT_VMS)
        return error_set(err, -EINVAL, "seat: at most %u machines", SEAT_VMS);
    memcpy(v->name, word, (size_t)(eq - word));
    for (unsigned i = 0; i < s->vms; i++)
        if (!strcmp(s->vm[i].name, v->name))
            return error_set(err, -EINVAL, "seat %s: there is one of that name", word);
    console = strstr(++eq, more);
    code = path_take(v->ctl, eq, console ? (size_t)(console - eq) : strlen(eq), word, err);
    if (!code && console) {
        console += strlen(more);
        code = path_take(v->console_path, console, strlen(console), word, err);
    }
    svm_init(v, s, s->vms++);
    return code;
}

static int take_terminal(void *ctx, const char *value, struct error *err)
{
    (void)value, (void)err;
    ((struct options *)ctx)->terminal = true;
    return 0;
}

static int take_vnc(void *ctx, const char *value, struct error *err)
{
    (void)err; /* seat_view_open judges it */
    ((struct options *)ctx)->vnc = value;
    return 0;
}

static int take_ctl(void *ctx, const char *value, struct error *err)
{
    (void)err; /* listen_open judges it */
    ((struct options *)ctx)->ctl = value;
    return 0;
}

static int take_sandbox(void *ctx, const char *value, struct error *err)
{
    return box_take_mode(&((struct options *)ctx)->sandbox, value, err);
}

static int take_no_sandbox(void *ctx, const char *value, struct error *err)
{
    (void)value, (void)err;
    ((struct options *)ctx)->sandbox = BOX_OFF;
    return 0;
}

static const struct opt options[] = {
    {"terminal", NULL,
     "this terminal is the seat: consoles of machines; Ctrl-] and 1 to 9, n, p switch, q leaves",
     take_terminal},
    {"vnc", "unix:PATH|127.0.0.1:PORT",
     "screens over VNC, for one viewer at a time; Ctrl-Alt-1 to 9, PgUp, PgDn switch", take_vnc},
    {"ctl", "PATH", "a socket for: viaduct seat switch PATH NAME, viaduct seat list PATH",
     take_ctl},
    {"sandbox", BOX_VALUE, BOX_HELP, take_sandbox},
    {"no-sandbox", NULL, BOX_NO_HELP, take_no_sandbox},
    {0},
};

static int options_check(const struct options *o, struct error *err)
{
    if (!o->s->vms)
        return error_set(err, -EINVAL, "seat: for which machines? NAME=CONTROLSOCKET…");
    if (!o->terminal && !o->vnc)
        return error_set(err, -EINVAL, "seat: nothing to sit at; give --terminal or --vnc");
    return 0;
}

static int seat_main(struct options *o, int argc, char **argv)
{
    struct error err = {0};
    bool help;
    int code = opt_parse(options, argc, argv, o, take_vm, &help, &err);

    if (!code && help) {
        opt_help(&verb_seat, options);
        return EXIT_OFF;
    }
    if (!code)
        code = options_check(o, &err);
    if (code) {
        log_error("%s", err.text);
        return EXIT_USAGE;
    }
    return sit(o->s, o);
}

int seat_judge(int argc, char **argv, struct error *err)
{
    struct options o = {.s = calloc(1, sizeof(*o.s))};
    bool help;
    int code = o.s ? opt_parse(options, argc, argv, &o, take_vm, &help, err)
                   : error_set(err, -ENOMEM, "seat: not enough memory");

    if (!code)
        code = options_check(&o, err);
    free(o.s);
    return code;
}

static int seat_run(int argc, char **argv)
{
    struct options o = {0};
    int status = EXIT_VMM;

    if (argc > 1 && (!strcmp(argv[1], "switch") || !strcmp(argv[1], "list")))
        return seat_ask(argc, argv);
    o.s = calloc(1, sizeof(*o.s));
    if (o.s) {
        o.s->signals = o.s->ctl.fd = -1;
        o.s->loop = loop_open(NULL, false);
    }
    if (!o.s || !o.s->loop) {
        log_error("seat: not enough memory");
    } else {
        status = seat_main(&o, argc, argv);
        loop_close(o.s->loop);
    }
    free(o.s);
    return status;
}

const struct verb verb_seat = {"seat", "NAME=CTL… [options]",
                               "one terminal, keyboard and mouse for many machines", seat_run};
