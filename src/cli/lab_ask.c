/* lab_ask.h tells. The supervisor is a process of its own session, so that the terminal that
 * started it may go. */
#include "cli/lab_ask.h"
#include "cli/client_box.h"
#include "cli/lab_boss.h"
#include "core/error.h"
#include "core/plain.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define TRIES    200u /* to find or start a supervisor */
#define PAUSE_MS 25

/* ---- a supervisor ---- */

_Noreturn static void boss_become(const char *name, const char *run)
{
    char path[LAB_RUN + 64];
    int log, null = open("/dev/null", O_RDWR | O_CLOEXEC);

    snprintf(path, sizeof(path), "%s/lab.%s", run, LAB_ERR);
    log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (setsid() < 0 || null < 0 || log < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
        dup2(log, 2) < 0 || chdir("/"))
        _exit(1);
    close_range(3, ~0u, 0);
    _exit(boss_run(name));
}

static int boss_start(const char *name, const char *run, struct error *err)
{
    char base[LAB_RUN];
    int code = lab_base(base, sizeof(base), err);

    if (!code)
        code = lab_dir_make(base, err);
    if (!code)
        code = lab_dir_make(run, err);
    if (code)
        return code;
    switch (fork()) {
    case -1: return error_set(err, -errno, "no process for the lab: %s", strerror(errno));
    case 0: boss_become(name, run); /* does not return */
    default: return 0;
    }
}

static int door_open(const char *run)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && snprintf(at.sun_path, sizeof(at.sun_path), "%s/lab.%s", run, LAB_DOOR) > 0 &&
        !connect(fd, (const struct sockaddr *)&at, sizeof(at)))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Connected to the lab's supervisor, which is started if there is none. */
static int boss_reach(const char *name, int *fd, struct error *err)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000l};
    char run[LAB_RUN];
    int code = lab_run_dir(run, sizeof(run), name, err);

    for (unsigned i = 0; i < TRIES && !code; i++) {
        *fd = door_open(run);
        if (*fd >= 0)
            return 0;
        if (i % 8 == 0 && !lab_boss_there(run))
            code = boss_start(name, run, err);
        if (!code)
            nanosleep(&pause, NULL);
    }
    return code ? code
                : error_set(err, -ETIMEDOUT, "lab %s: its supervisor does not answer; %s/lab.%s",
                            name, run, LAB_ERR);
}

/* What it says, to its last line, which is how it went. */
static int hear(const char *lab, FILE *f, struct error *err)
{
    int code = error_set(err, -EPIPE, "lab %s: its supervisor has gone", lab);
    char *line = NULL;
    size_t room = 0;

    while (getline(&line, &room, f) > 0) {
        line[strcspn(line, "\n")] = 0;
        plain_text(line); /* it may repeat what a machine's process said last */
        if (*line == '.')
            fprintf(stderr, "%s: %s\n", lab, line + 1);
        else
            code = *line == '+' ? 0 : error_set(err, -EIO, "%s: %.450s", lab, line + 1);
    }
    free(line);
    return code;
}

int lab_ask(const struct client *client, const char *lab, const char *request, struct error *err)
{
    int fd, code = boss_reach(lab, &fd, err);
    FILE *f;

    if (code)
        return code;
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0 || send(fd, "\n", 1, MSG_NOSIGNAL) < 0)
        code = error_set(err, -errno, "lab %s: %s", lab, strerror(errno));
    f = fdopen(fd, "r");
    if (!f) {
        close(fd);
        return error_set(err, -ENOMEM, "not enough memory");
    }
    if (!code)
        code = client_box_enter(client, err);
    if (!code)
        code = hear(lab, f, err);
    fclose(f);
    return code;
}

/* ---- which lab ---- */

int lab_meant(char *name, const char *word, struct error *err)
{
    struct lab *l;
    int code;

    if (lab_name_good(word)) {
        snprintf(name, LAB_NAME + 1, "%s", word);
        return 0;
    }
    code = lab_open(&l, word, err);
    if (code)
        return code;
    snprintf(name, LAB_NAME + 1, "%s", l->name);
    lab_close(l);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static unsigned names_read(const char *base, char ***names)
{
    DIR *d = opendir(base);
    struct dirent *e;
    unsigned n = 0;

    *names = NULL;
    while (d && (e = readdir(d))) {
        char **more =
            lab_name_good(e->d_name) ? reallocarray(*names, n + 1, sizeof(**names)) : NULL;

        if (!more)
            continue;
        *names = more;
        more[n] = strdup(e->d_name);
        n += more[n] != NULL;
    }
    if (d)
        closedir(d);
    if (n)
        qsort(*names, n, sizeof(**names), by_name);
    return n;
}

int lab_each(int (*each)(struct lab_view *v, void *arg), void *arg, struct error *err)
{
    char base[LAB_RUN], **names;
    struct lab_view v;
    int code = lab_base(base, sizeof(base), err);
    unsigned n = code ? 0 : names_read(base, &names);

    for (unsigned i = 0; i < n; i++) {
        struct error none;

        if (!code && !lab_view_read(&v, names[i], &none))
            code = each(&v, arg);
        free(names[i]);
        lab_view_free(&v);
    }
    if (n)
        free(names);
    return code;
}

struct search {
    const char *name;
    char found[3 * LAB_NAME + 8]; /* the labs that have it */
    unsigned times;
};

static int search_one(struct lab_view *v, void *arg)
{
    struct search *s = arg;

    for (unsigned i = 0; i < v->units; i++)
        if (!strcmp(v->unit[i].name, s->name) && s->times++ < 2)
            snprintf(s->found, sizeof(s->found), "%s", v->name);
    return 0;
}

static int unit_in(struct lab_view *v, struct lab_view_unit **u, const char *lab, const char *name,
                   struct error *err)
{
    int code = lab_view_read(v, lab, err);

    if (code)
        return code;
    for (unsigned i = 0; i < v->units; i++)
        if (!strcmp(v->unit[i].name, name)) {
            *u = &v->unit[i];
            return 0;
        }
    lab_view_free(v);
    return error_set(err, -ENOENT, "lab %s has no %.60s; viaduct ps %s lists what it has", lab,
                     name, lab);
}

int lab_unit_meant(struct lab_view *v, struct lab_view_unit **u, const char *word,
                   struct error *err)
{
    const char *slash = strchr(word, '/');
    struct search s = {.name = word};
    char lab[LAB_NAME + 1];
    int code;

    *v = (struct lab_view){0};
    if (slash) {
        snprintf(lab, sizeof(lab), "%.*s", (int)(slash - word), word);
        return unit_in(v, u, lab, slash + 1, err);
    }
    code = lab_each(search_one, &s, err);
    if (code)
        return code;
    if (!s.times)
        return error_set(err, -ENOENT, "%.60s: no lab that is up has it; viaduct ps lists them",
                         word);
    if (s.times > 1)
        return error_set(err, -EINVAL, "%.60s: more than one lab has it; say LAB/%.60s", word,
                         word);
    return unit_in(v, u, s.found, word, err);
}

bool lab_ctl_path(char *buf, size_t room, const char *word)
{
    struct lab_view_unit *u;
    struct lab_view v;
    struct error none;
    bool found;

    if (!access(word, F_OK) || lab_unit_meant(&v, &u, word, &none))
        return false;
    found = strcmp(u->kind, "seat") &&
            (size_t)snprintf(buf, room, "%s/%s.%s", v.run, u->name, LAB_CTL) < room;
    lab_view_free(&v);
    return found;
}
