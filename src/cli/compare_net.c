/*
 * The network ladder: bench/ladder is run, or a file it wrote is read ("ladder": 1). Each rung has
 * the figures of several rounds; the median is told, and the least and the greatest.
 */
#include "cli/compare_net.h"
#include "cli/compare_child.h"
#include "core/spawn.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define JSON_MAX   (1u << 20)
#define ROUNDS_MAX 1000
#define LADDER_MS  (20 * 60 * 1000) /* it has limits of its own */

static void text_take(const cJSON *o, const char *name, char *to, size_t room)
{
    const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));

    snprintf(to, room, "%s", s ? s : "");
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* A round that lacks the figure makes it undetermined: the others would be another experiment. */
static struct net_figure figure(const cJSON *rounds, const char *key)
{
    struct net_figure f = {NAN, NAN, NAN};
    double v[ROUNDS_MAX];
    unsigned n = 0;
    const cJSON *round;

    cJSON_ArrayForEach(round, rounds)
    {
        const cJSON *x = cJSON_GetObjectItemCaseSensitive(round, key);

        if (!cJSON_IsNumber(x) || n == ROUNDS_MAX)
            return f;
        v[n++] = x->valuedouble;
    }
    if (!n)
        return f;
    qsort(v, n, sizeof(*v), by_value);
    return (struct net_figure){n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2, v[0], v[n - 1]};
}

static int rung_take(struct compare_net *n, const cJSON *o, struct error *err)
{
    struct net_rung *r = &n->rung[n->rungs];
    const cJSON *rounds = cJSON_GetObjectItemCaseSensitive(o, "rounds");

    if (n->rungs == NET_RUNGS_MAX)
        return error_set(err, -EINVAL, "more than %d rungs", NET_RUNGS_MAX);
    text_take(o, "name", r->name, sizeof(r->name));
    text_take(o, "layers", r->layers, sizeof(r->layers));
    if (!*r->name || !cJSON_IsArray(rounds) || !cJSON_GetArraySize(rounds))
        return error_set(err, -EINVAL, "a rung without a name, or without rounds");
    for (unsigned k = 0; k < NET_KEYS; k++)
        r->f[k] = figure(rounds, net_columns[k].key);
    n->rungs++;
    return 0;
}

int compare_net_parse(struct compare_net *n, const char *json, struct error *err)
{
    cJSON *o = cJSON_Parse(json);
    const cJSON *rungs = cJSON_GetObjectItemCaseSensitive(o, "rungs"), *rung;
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(o, "ladder");
    int code = 0;

    n->rungs = 0;
    if (!cJSON_IsNumber(version) || version->valueint != 1 || !cJSON_IsArray(rungs))
        code = error_set(err, -EINVAL, "not what bench/ladder --json writes");
    if (!code)
        text_take(o, "engine", n->engine, sizeof(n->engine));
    cJSON_ArrayForEach(rung, rungs) if (!code) code = rung_take(n, rung, err);
    if (!code && !n->rungs)
        code = error_set(err, -EINVAL, "it has no rungs");
    cJSON_Delete(o);
    return code;
}

static int file_take(struct compare_net *n, int fd, struct error *err)
{
    struct stat st;
    ssize_t got;

    if (fd < 0 || fstat(fd, &st))
        return error_set(err, -EINVAL, "%s", strerror(errno));
    if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > JSON_MAX)
        return error_set(err, -EINVAL, "not a file of 1 byte to 1 MiB");
    n->json = calloc(1, (size_t)st.st_size + 1);
    if (!n->json)
        return error_set(err, -ENOMEM, "out of memory");
    got = pread(fd, n->json, (size_t)st.st_size, 0);
    if (got < 0)
        return error_set(err, -EINVAL, "%s", strerror(errno));
    return compare_net_parse(n, n->json, err);
}

int compare_net_take(struct compare *c, const char *path, struct error *err)
{
    struct error why = {0};
    struct stat st;
    int fd, code;

    if (c->net)
        return error_set(err, -EINVAL, "--net: one of them");
    c->net = calloc(1, sizeof(*c->net));
    if (!c->net)
        return error_set(err, -ENOMEM, "out of memory");
    if (!stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK)) {
        c->ladder = path; /* to be run */
        return 0;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    code = file_take(c->net, fd, &why);
    if (fd >= 0)
        close(fd);
    return code ? error_set(err, -EINVAL, "--net %s: %.300s; name bench/ladder, or a file it wrote",
                            path, why.text)
                : 0;
}

/* Its messages go where ours go, its tables nowhere: they are told here. */
static int start(pid_t *pid, const char *path, int json)
{
    char *argv[] = {(char *)(uintptr_t)path,          "--rounds", "1", "--json",
                    (char *)(uintptr_t)CHILD_JSON_AT, NULL};
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC), code;
    const struct spawn_fd fd[] = {{null, STDOUT_FILENO}, {json, FD_LEDGER}};

    if (null < 0)
        return -errno;
    code = child_start(pid, path, argv, fd, ARRAY_LEN(fd));
    close(null);
    return code;
}

/* The machines it starts are this viaduct's. */
static int self_name(struct error *err)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n < 0)
        return error_set(err, -errno, "/proc/self/exe: %s", strerror(errno));
    self[n] = 0;
    return setenv("VIADUCT", self, 1) ? error_set(err, -ENOMEM, "out of memory") : 0;
}

int compare_net_run(struct compare *c, struct error *err)
{
    int fd = memfd_create("ladder", MFD_CLOEXEC), status = 0, code = self_name(err);
    pid_t pid;

    if (fd < 0)
        return error_set(err, -errno, "no memory file: %s", strerror(errno));
    if (!code) {
        code = start(&pid, c->ladder, fd);
        if (code)
            error_set(err, code, "%s: %s", c->ladder, strerror(-code));
    }
    if (!code && (code = child_wait(pid, LADDER_MS, &status)))
        error_set(err, code, "it did not end, and was killed");
    if (!code && (!WIFEXITED(status) || WEXITSTATUS(status)))
        code = error_set(err, -EIO, "it failed, with status %d",
                         WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    if (!code)
        code = file_take(c->net, fd, err);
    close(fd);
    return code;
}
