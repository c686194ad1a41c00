/* viaduct up and viaduct down: what the file says runs, or nothing of it does. Once the supervisor
 * is asked, they are in a jail (sandbox/rows_client.c): they read its answer, and with --wait the
 * lab's state and consoles' logs. */
#include "cli/client_box.h"
#include "cli/lab_ask.h"
#include "cli/lab_boss.h"
#include "cli/lab_judge.h"
#include "cli/lab_tell.h"
#include "core/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WAIT_DEFAULT 120
#define PAUSE_MS     50

struct options {
    struct client client;
    const char *word[LAB_UNITS];
    unsigned words;
    bool wait;
    double timeout;
};

static int take_word(void *ctx, const char *word, struct error *err)
{
    struct options *o = ctx;

    if (o->words == LAB_UNITS)
        return error_set(err, -EINVAL, "too many words");
    o->word[o->words++] = word;
    return 0;
}

static int take_wait(void *ctx, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    ((struct options *)ctx)->wait = true;
    ((struct options *)ctx)->client.sets |= BOX_BIT(BOX_LOOK) | BOX_BIT(BOX_PAUSE);
    return 0;
}

static int take_timeout(void *ctx, const char *value, struct error *err)
{
    char *end;
    double s = strtod(value, &end);

    if (end == value || *end || !(s > 0 && s <= 86400))
        return error_set(err, -EINVAL, "--timeout %s: must be seconds, 1 to 86400", value);
    ((struct options *)ctx)->timeout = s;
    return 0;
}

/* ---- --wait ---- */

/* Has the console said it? Logs are bounded (back/chr_log.h), so this is. */
static bool has_said(const char *run, const char *name, const char *what)
{
    char *path = lab_path(run, name, LAB_LOG), *text = NULL;
    FILE *f = path ? fopen(path, "re") : NULL;
    size_t room = 0, len = 0;
    bool said = false;

    if (f && (room = 1u << 21) && (text = malloc(room))) {
        len = fread(text, 1, room, f);
        said = memmem(text, len, what, strlen(what)) != NULL;
    }
    if (f)
        fclose(f);
    free(text);
    free(path);
    return said;
}

/* 1: all are; 0: not yet; or -errno: one has ended. missing: the first that isn't. */
static int all_ready(const char *name, struct lab_view_unit *missing, bool *said, struct error *err)
{
    struct lab_view v;
    int code = lab_view_read(&v, name, err);
    char how[64];

    if (code)
        return code;
    code = 1;
    for (unsigned i = 0; i < v.units && code >= 0; i++) {
        struct lab_view_unit *u = &v.unit[i];

        if (!u->ready || said[i] || (said[i] = has_said(v.run, u->name, u->ready)))
            continue;
        if (code)
            *missing = *u;
        code = 0;
        lab_tell_status(u->status, how, sizeof(how));
        if (u->state == LAB_ENDED)
            code = error_set(err, -EIO, "vm %s %s before it was ready; viaduct logs %s", u->name,
                             how, u->name);
    }
    lab_view_free(&v);
    return code;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int wait_ready(const struct options *o, const char *name, struct error *err)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000l};
    bool said[LAB_UNITS] = {false};
    struct lab_view_unit missing;
    double until = now() + o->timeout;
    int code;

    while (!(code = all_ready(name, &missing, said, err))) {
        if (now() > until)
            return error_set(err, -ETIMEDOUT,
                             "vm %s is not ready after %g s; it is up, viaduct logs %s tells what "
                             "it says",
                             missing.name, o->timeout, missing.name);
        nanosleep(&pause, NULL);
    }
    return code < 0 ? code : 0;
}

/* ---- up ---- */

static const struct opt up_options[] = {
    {"wait", NULL, "until each machine with ready = \"text\" has said so on its console",
     take_wait},
    {"timeout", "SECONDS", "how long to wait for that (120)", take_timeout},
    CLIENT_OPTIONS,
    {0},
};

/* By the user's own process: the supervisor changes no file outside its run directory. */
static int image_make(const struct lab *l, const struct lab_image *image, struct error *err)
{
    int fd = open(image->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), code = 0;

    if (fd < 0 && errno == EEXIST)
        return 0;
    if (fd < 0 || ftruncate(fd, (off_t)image->bytes)) {
        code = -errno;
        if (fd >= 0)
            unlink(image->path);
    }
    if (fd >= 0)
        close(fd);
    return code ? error_set(err, -EIO, "%s: %s: %s", l->name, image->path, strerror(-code)) : 0;
}

static int lab_up(const struct options *o, struct error *err)
{
    char request[PATH_MAX + 8];
    struct lab *l;
    int code = lab_open(&l, o->word[0], err);

    if (code)
        return code;
    code = lab_judge(l, err);
    for (unsigned i = 0; !code && i < l->images; i++)
        code = image_make(l, &l->image[i], err);
    snprintf(request, sizeof(request), "up %s", l->file);
    if (!code)
        code = lab_ask(&o->client, l->name, request, err);
    if (!code && o->wait)
        code = wait_ready(o, l->name, err);
    if (!code)
        fprintf(stderr, "%s: is up\n", l->name);
    lab_close(l);
    return code;
}

/* A file that is wrong is a usage error; a lab that doesn't come up is not. */
static int status_of(int code)
{
    return !code ? EXIT_OFF : code == -EINVAL || code == -ENOENT ? EXIT_USAGE : EXIT_VMM;
}

static int verb_go(const struct verb *v, const struct opt *opts, int argc, char **argv,
                   int (*go)(const struct options *o, struct error *err), unsigned most)
{
    struct options o = {
        .client = {.role = v->name, .sets = BOX_BIT(BOX_CORE) | BOX_BIT(BOX_OUTPUT)},
        .timeout = WAIT_DEFAULT};
    struct error err = {0};
    bool help;
    int code = opt_parse(opts, argc, argv, &o, take_word, &help, &err);

    if (!code && help) {
        opt_help(v, opts);
        return EXIT_OFF;
    }
    if (!code && (!o.words || o.words > most))
        code = error_set(&err, -EINVAL, "usage: viaduct %s %s", v->name, v->args);
    if (!code)
        code = go(&o, &err);
    if (code)
        log_error("%s", err.text);
    return status_of(code);
}

static int up_run(int argc, char **argv)
{
    return verb_go(&verb_up, up_options, argc, argv, lab_up, 1);
}

const struct verb verb_up = {"up", "LAB.toml [options]", "start what a lab's file describes",
                             up_run};

/* ---- down ---- */

static const struct opt down_options[] = {CLIENT_OPTIONS, {0}};

static int lab_down(const struct options *o, struct error *err)
{
    char request[2048] = "down", name[LAB_NAME + 1];
    struct lab_view v;
    int code = lab_meant(name, o->word[0], err);

    if (!code)
        code = lab_view_read(&v, name, err);
    if (code)
        return code;
    lab_view_free(&v);
    for (unsigned i = 1; i < o->words; i++) {
        size_t n = strlen(request);

        if ((size_t)snprintf(request + n, sizeof(request) - n, " %s", o->word[i]) >=
            sizeof(request) - n)
            return error_set(err, -EINVAL, "too many names at once");
    }
    code = lab_ask(&o->client, name, request, err);
    if (!code)
        fprintf(stderr, "%s: is down\n", name);
    return code;
}

static int down_run(int argc, char **argv)
{
    return verb_go(&verb_down, down_options, argc, argv, lab_down, LAB_UNITS);
}

const struct verb verb_down = {"down", "LAB|LAB.toml [NAME…]", "stop a lab, or some of it",
                               down_run};
