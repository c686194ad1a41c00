/*
 * viaduct console and viaduct logs. A console is a dedicated device: a lock in the run directory
 * lets one in at a time, and tells the next who is there. What was said before is in the log.
 * Before the first byte of it is read both are in a jail (sandbox/rows_client.c), with the socket
 * or the log and the standard streams; that a machine which is followed has ended, another process
 * sees (eye.h).
 */
#include "cli/client_box.h"
#include "cli/eye.h"
#include "cli/lab_ask.h"
#include "cli/lab_boss.h"
#include "core/log.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#define ESCAPE   0x1d /* Ctrl-] */
#define PIECE    4096u
#define PAUSE_MS 100

struct console {
    struct client client;
    const char *word;
    bool follow, vmm;
    int lock, fd;
    int lost; /* why standard output took no more: errno; or 0 */
};

static int take_word(void *ctx, const char *word, struct error *err)
{
    struct console *c = ctx;

    if (c->word)
        return error_set(err, -EINVAL, "one machine, please: %s and %s are two", c->word, word);
    c->word = word;
    return 0;
}

/* ---- console ---- */

/* The lock, with the number of who has it in the file. */
static int lock_take(struct console *c, const struct lab_view *v, const char *name,
                     struct error *err)
{
    char *path = lab_path(v->run, name, "attached"), who[32] = "";
    ssize_t n = 0;
    int code;

    c->lock = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    free(path);
    if (c->lock < 0)
        return error_set(err, -errno, "%s: %s", name, strerror(errno));
    if (flock(c->lock, LOCK_EX | LOCK_NB)) {
        code = -errno;
        n = pread(c->lock, who, sizeof(who) - 1, 0);
        who[n > 0 ? n : 0] = 0;
        return error_set(err, code == -EWOULDBLOCK ? -EBUSY : code,
                         "%s: process %s has its console; it is for one at a time", name, who);
    }
    n = snprintf(who, sizeof(who), "%d", (int)getpid());
    return ftruncate(c->lock, 0) || pwrite(c->lock, who, (size_t)n, 0) != n
               ? error_set(err, -errno, "%s: %s", name, strerror(errno))
               : 0;
}

static int reach(struct console *c, const struct lab_view *v, const char *name, struct error *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char *path = lab_path(v->run, name, LAB_CONSOLE);

    if (!path || strlen(path) >= sizeof(at.sun_path)) {
        free(path);
        return error_set(err, -ENAMETOOLONG, "%s: its socket's path is too long", name);
    }
    memcpy(at.sun_path, path, strlen(path));
    free(path);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&at, sizeof(at)))
        return error_set(err, -errno, "%s: its console does not answer: %s", name, strerror(errno));
    return 0;
}

static bool write_all(int fd, const char *buf, size_t n)
{
    while (n) { /* each takes a byte or ends */
        ssize_t got = write(fd, buf, n);

        if (got < 0 && errno != EINTR)
            return false;
        buf += got > 0 ? got : 0;
        n -= got > 0 ? (size_t)got : 0;
    }
    return true;
}

static bool show(struct console *c, const char *buf, size_t n)
{
    bool ok = write_all(STDOUT_FILENO, buf, n);

    if (!ok && errno != EPIPE) /* a reader that has enough is none of our errors */
        c->lost = errno;
    return ok;
}

/* What is typed, up to the escape key. False: that, or the end of the input. */
static bool typed(const struct console *c, bool terminal)
{
    char buf[PIECE];
    ssize_t n = read(0, buf, sizeof(buf));
    char *escape = n > 0 && terminal ? memchr(buf, ESCAPE, (size_t)n) : NULL;

    if (n < 0 && errno == EINTR)
        return true;
    if (n <= 0)
        return false;
    return write_all(c->fd, buf, escape ? (size_t)(escape - buf) : (size_t)n) && !escape;
}

static bool said(struct console *c)
{
    char buf[PIECE];
    ssize_t n = read(c->fd, buf, sizeof(buf));

    if (n < 0 && errno == EINTR)
        return true;
    return n > 0 && show(c, buf, (size_t)n);
}

/* Until the escape key, or the machine's end. Without a terminal, what it says goes on after the
 * input's end. True: the machine has ended. */
static bool converse(struct console *c, bool terminal)
{
    struct pollfd p[2] = {{.fd = c->fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};

    for (;;) {
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return false;
        if (p[0].revents && !said(c))
            return true;
        if (p[1].revents && !typed(c, terminal)) {
            if (terminal)
                return false;
            p[1].fd = -1;
        }
    }
}

static int attach(struct console *c, const char *name, struct error *err)
{
    struct termios was = {0}, raw;
    bool terminal = isatty(0) && !tcgetattr(0, &was), gone;
    int code;

    signal(SIGPIPE, SIG_IGN);
    c->client.sets = BOX_BIT(BOX_CORE) | BOX_BIT(BOX_WAIT) | (terminal ? BOX_BIT(BOX_RAW) : 0);
    code = client_box_enter(&c->client, err);
    if (code)
        return code;
    if (terminal) {
        fprintf(stderr, "console of %s; Ctrl-] leaves it\n", name);
        raw = was;
        cfmakeraw(&raw);
        tcsetattr(0, TCSADRAIN, &raw);
    }
    gone = converse(c, terminal);
    if (terminal) {
        tcsetattr(0, TCSADRAIN, &was);
        fprintf(stderr, "\r\n%s\n", gone ? "the machine has ended" : "left; the machine goes on");
    }
    return 0;
}

static int console_open(struct console *c, struct error *err)
{
    struct lab_view_unit *u;
    struct lab_view v;
    int code = lab_unit_meant(&v, &u, c->word, err);

    if (code)
        return code;
    if (strcmp(u->kind, "vm"))
        code = error_set(err, -EINVAL, "%s: is a %s, and has no console", u->name, u->kind);
    else if (!u->pid)
        code = error_set(err, -EINVAL, "%s: does not run; viaduct logs %s tells what it said",
                         u->name, u->name);
    if (!code)
        code = lock_take(c, &v, u->name, err);
    if (!code)
        code = reach(c, &v, u->name, err);
    if (!code)
        code = attach(c, u->name, err);
    if (c->fd >= 0)
        close(c->fd);
    lab_view_free(&v);
    return code;
}

/* ---- logs ---- */

static int take_follow(void *ctx, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    ((struct console *)ctx)->follow = true;
    return 0;
}

static int take_vmm(void *ctx, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    ((struct console *)ctx)->vmm = true;
    return 0;
}

/* What is new in a file. One that was cut (its older half is thrown away when it is full) is read
 * from its end. */
static bool copy_new(struct console *c, int fd, off_t *at)
{
    off_t end = lseek(fd, 0, SEEK_END);
    char buf[PIECE];
    ssize_t n;

    if (end < *at)
        *at = end;
    while ((n = pread(fd, buf, sizeof(buf), *at)) > 0) { /* the file is bounded */
        if (!show(c, buf, (size_t)n))
            return false;
        *at += n;
    }
    return true;
}

/* As long as the machine runs, and what it said last. */
static void follow(struct console *c, int eye, int fd, off_t at)
{
    struct pollfd ended = {.fd = eye, .events = POLLIN};
    int seen;

    do
        seen = poll(&ended, 1, PAUSE_MS);
    while (copy_new(c, fd, &at) && (!seen || (seen < 0 && errno == EINTR)));
}

static int log_open(const struct console *c, const struct lab_view *v,
                    const struct lab_view_unit *u, struct error *err)
{
    char *path = lab_path(v->run, u->name, c->vmm || strcmp(u->kind, "vm") ? LAB_ERR : LAB_LOG);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    free(path);
    return fd >= 0 ? fd : error_set(err, -ENOENT, "%s: has said nothing yet", u->name);
}

static int copy(struct console *c, int fd, const char *unit, struct error *err)
{
    int eye = c->follow ? eye_open(&c->client, unit) : -1, code = 0;
    off_t at = 0;

    c->client.sets = BOX_BIT(BOX_FEW) | BOX_BIT(BOX_COPY) | (c->follow ? BOX_BIT(BOX_WAIT) : 0);
    if (c->follow && eye < 0)
        code = error_set(err, eye, "no process to look after it: %s", strerror(-eye));
    if (!code)
        code = client_box_enter(&c->client, err);
    if (!code && copy_new(c, fd, &at) && c->follow)
        follow(c, eye, fd, at);
    if (eye >= 0)
        close(eye);
    return code;
}

static int logs_show(struct console *c, struct error *err)
{
    char unit[2 * LAB_NAME + 2];
    struct lab_view_unit *u;
    struct lab_view v;
    int code = lab_unit_meant(&v, &u, c->word, err), fd;

    if (code)
        return code;
    snprintf(unit, sizeof(unit), "%s/%s", v.name, u->name);
    fd = log_open(c, &v, u, err);
    code = fd < 0 ? fd : copy(c, fd, unit, err);
    if (fd >= 0)
        close(fd);
    lab_view_free(&v);
    return code;
}

/* ---- the verbs ---- */

static const struct opt console_options[] = {CLIENT_OPTIONS, {0}};
static const struct opt logs_options[] = {
    {"follow", NULL, "go on until the machine ends (-f)", take_follow},
    {"vmm", NULL, "what viaduct says of it, not what its console says", take_vmm},
    CLIENT_OPTIONS,
    {0}};

static int verb_go(const struct verb *verb, const struct opt *opts, int argc, char **argv,
                   int (*go)(struct console *c, struct error *err))
{
    struct console c = {.client.role = verb->name, .lock = -1, .fd = -1};
    struct error err = {0};
    bool help;
    int code = opt_parse(opts, argc, argv, &c, take_word, &help, &err);

    if (!code && help) {
        opt_help(verb, opts);
        return EXIT_OFF;
    }
    if (!code && !c.word)
        code = error_set(&err, -EINVAL, "usage: viaduct %s %s", verb->name, verb->args);
    if (!code)
        code = go(&c, &err);
    if (!code && c.lost)
        code = error_set(&err, -EIO, "standard output: %s", strerror(c.lost));
    if (code)
        log_error("%s", err.text);
    return !code ? EXIT_OFF : code == -EINVAL || code == -ENOENT ? EXIT_USAGE : EXIT_VMM;
}

static int console_run(int argc, char **argv)
{
    return verb_go(&verb_console, console_options, argc, argv, console_open);
}

const struct verb verb_console = {"console", "[LAB/]NAME", "a machine's console; Ctrl-] leaves it",
                                  console_run};

static int logs_run(int argc, char **argv)
{
    char option[] = "--follow";

    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "-f"))
            argv[i] = option;
    return verb_go(&verb_logs, logs_options, argc, argv, logs_show);
}

const struct verb verb_logs = {"logs", "[LAB/]NAME [-f] [--vmm]", "what a machine's console said",
                               logs_run};
