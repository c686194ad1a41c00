/* The state file of a lab, JSON: written by its supervisor alone, in one piece; read by all. A
 * process is known by its number and by when it began, so that another of its number is not it. */
#include "cli/lab_boss.h"
#include <cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define STATE_MAX (8u << 20) /* bytes of the file */

static const char *const state_name[LAB_STATES] = {"off",      "starting", "up",
                                                   "stopping", "waiting",  "ended"};

const char *lab_state_name(enum lab_state state)
{
    return (unsigned)state < LAB_STATES ? state_name[state] : "?";
}

/* The fields of a stat line from the third on: the name before them may have anything in it. */
static char *stat_field(char *text, unsigned n)
{
    char *at = strrchr(text, ')');

    for (unsigned i = 2; at && i < n; i++) {
        at = strchr(at, ' ');
        at += at != NULL;
    }
    return at;
}

uint64_t lab_process_start(pid_t pid)
{
    char path[32], text[1024], *state, *start;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    f = fopen(path, "re");
    if (!f)
        return 0;
    text[fread(text, 1, sizeof(text) - 1, f)] = 0;
    fclose(f);
    state = stat_field(text, 3);
    start = stat_field(text, 22);
    return start && *state != 'Z' ? strtoull(start, NULL, 10) : 0;
}

/* ---- out ---- */

static void words_add(cJSON *o, const char *key, char *const *words)
{
    cJSON *list = cJSON_AddArrayToObject(o, key);

    for (; words && *words; words++)
        cJSON_AddItemToArray(list, cJSON_CreateString(*words));
}

static cJSON *unit_json(const struct boss_unit *u)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "name", u->plan.name);
    cJSON_AddStringToObject(o, "kind", lab_kind_name(u->plan.kind));
    cJSON_AddStringToObject(o, "state", lab_state_name(u->state));
    cJSON_AddNumberToObject(o, "pid", u->pid);
    cJSON_AddNumberToObject(o, "start", (double)u->start);
    cJSON_AddNumberToObject(o, "since", (double)u->wall);
    cJSON_AddNumberToObject(o, "status", u->status);
    cJSON_AddNumberToObject(o, "restarts", u->restarts);
    cJSON_AddBoolToObject(o, "restart", u->plan.restart);
    cJSON_AddBoolToObject(o, "button", u->plan.button);
    cJSON_AddNumberToObject(o, "stop_s", u->plan.stop_s);
    if (u->plan.ready)
        cJSON_AddStringToObject(o, "ready", u->plan.ready);
    words_add(o, "argv", u->plan.argv);
    words_add(o, "sockets", u->plan.socket);
    return o;
}

static char *state_text(const struct boss *b)
{
    cJSON *o = cJSON_CreateObject(), *list;
    char *text;

    cJSON_AddStringToObject(o, "lab", b->name);
    cJSON_AddStringToObject(o, "file", b->file ? b->file : "");
    list = cJSON_AddArrayToObject(o, "units");
    for (unsigned i = 0; i < b->units; i++)
        cJSON_AddItemToArray(list, unit_json(b->unit[i]));
    text = cJSON_Print(o);
    cJSON_Delete(o);
    return text;
}

int state_save(const struct boss *b)
{
    char path[LAB_RUN + 64], next[LAB_RUN + 64], *text = state_text(b);
    FILE *f;
    int code = -ENOMEM;

    snprintf(path, sizeof(path), "%s/%s", b->run, LAB_STATE);
    snprintf(next, sizeof(next), "%s/%s.new", b->run, LAB_STATE);
    f = text ? fopen(next, "we") : NULL;
    if (f) {
        code = fputs(text, f) < 0 ? -EIO : 0;
        if (fclose(f) || code || rename(next, path))
            code = code ? code : -errno;
    }
    cJSON_free(text);
    return code;
}

/* ---- in ---- */

static cJSON *state_read(const char *run)
{
    char path[LAB_RUN + 64], *text = malloc(STATE_MAX);
    cJSON *o = NULL;
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", run, LAB_STATE);
    f = text ? fopen(path, "re") : NULL;
    if (f) {
        o = cJSON_ParseWithLength(text, fread(text, 1, STATE_MAX, f));
        fclose(f);
    }
    free(text);
    return o;
}

static double number(const cJSON *o, const char *key)
{
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(o, key);

    return cJSON_IsNumber(m) ? m->valuedouble : 0;
}

static const char *string(const cJSON *o, const char *key)
{
    const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));

    return s ? s : "";
}

static char **words_get(const cJSON *o, const char *key)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(o, key), *e;
    int n = cJSON_GetArraySize(list);
    char **words = calloc((size_t)n + 1, sizeof(*words));
    unsigned i = 0;

    if (words)
        cJSON_ArrayForEach(e, list)
        {
            words[i] = strdup(cJSON_IsString(e) ? e->valuestring : "");
            if (!words[i++])
                break;
        }
    return words;
}

static enum lab_state state_of(const char *name)
{
    for (unsigned i = 0; i < LAB_STATES; i++)
        if (!strcmp(name, state_name[i]))
            return (enum lab_state)i;
    return LAB_OFF;
}

static enum lab_kind kind_of(const char *name)
{
    for (unsigned i = 0; i < LAB_KINDS; i++)
        if (!strcmp(name, lab_kind_name((enum lab_kind)i)))
            return (enum lab_kind)i;
    return LAB_VM;
}

static void unit_load(struct boss *b, const cJSON *o)
{
    struct boss_unit *u = lab_name_good(string(o, "name")) ? unit_add(b) : NULL;
    const cJSON *ready = cJSON_GetObjectItemCaseSensitive(o, "ready");

    if (!u)
        return;
    snprintf(u->plan.name, sizeof(u->plan.name), "%s", string(o, "name"));
    u->plan.kind = kind_of(string(o, "kind"));
    u->plan.argv = words_get(o, "argv");
    u->plan.socket = words_get(o, "sockets");
    u->plan.ready = cJSON_IsString(ready) ? strdup(ready->valuestring) : NULL;
    u->plan.restart = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "restart"));
    u->plan.button = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "button"));
    u->plan.stop_s = (unsigned)number(o, "stop_s");
    u->restarts = (unsigned)number(o, "restarts");
    u->status = (int)number(o, "status");
    u->wall = (int64_t)number(o, "since");
    u->pid = (pid_t)number(o, "pid");
    u->start = (uint64_t)number(o, "start");
    u->state = state_of(string(o, "state"));
    if (!u->plan.argv || !u->plan.socket) {
        unit_drop(b, b->units - 1);
    } else if (u->pid && unit_adopt(u)) {
        u->state = LAB_UP; /* if it does not listen, whoever needs it will say so */
        u->due = loop_now(b->loop);
    } else {
        u->pid = 0;
        u->status = u->state == LAB_ENDED || u->state == LAB_OFF ? u->status : -1;
        u->state = u->state == LAB_OFF ? LAB_OFF : LAB_ENDED;
    }
}

void state_load(struct boss *b)
{
    cJSON *o = state_read(b->run);
    const cJSON *e;

    if (*string(o, "file"))
        b->file = strdup(string(o, "file"));
    cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(o, "units")) unit_load(b, e);
    cJSON_Delete(o);
}

/* ---- for others ---- */

bool lab_boss_there(const char *run)
{
    char path[LAB_RUN + 64];
    int fd, taken;

    snprintf(path, sizeof(path), "%s/%s", run, LAB_LOCK);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    taken = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB);
    if (fd >= 0)
        close(fd);
    return taken;
}

static void view_unit(struct lab_view_unit *v, const cJSON *o)
{
    const cJSON *ready = cJSON_GetObjectItemCaseSensitive(o, "ready");
    pid_t pid = (pid_t)number(o, "pid");

    snprintf(v->name, sizeof(v->name), "%s", string(o, "name"));
    snprintf(v->kind, sizeof(v->kind), "%s", string(o, "kind"));
    v->state = state_of(string(o, "state"));
    v->wall = (int64_t)number(o, "since");
    v->status = (int)number(o, "status");
    v->restarts = (unsigned)number(o, "restarts");
    v->argv = words_get(o, "argv");
    v->ready = cJSON_IsString(ready) ? strdup(ready->valuestring) : NULL;
    if (pid > 0 && lab_process_start(pid) == (uint64_t)number(o, "start"))
        v->pid = pid;
    else if (v->state != LAB_OFF && v->state != LAB_ENDED && v->state != LAB_WAITING) {
        v->state = LAB_ENDED; /* the supervisor was not there to see it */
        v->status = -1;
    }
}

int lab_view_read(struct lab_view *v, const char *name, struct error *err)
{
    const cJSON *list, *e;
    cJSON *o;
    int code;

    *v = (struct lab_view){0};
    code = lab_run_dir(v->run, sizeof(v->run), name, err);
    if (code)
        return code;
    o = state_read(v->run);
    if (!o)
        return error_set(err, -ENOENT, "%s: no such lab is up; viaduct ps lists them", name);
    snprintf(v->name, sizeof(v->name), "%s", name);
    v->boss = lab_boss_there(v->run);
    v->file = strdup(string(o, "file"));
    list = cJSON_GetObjectItemCaseSensitive(o, "units");
    v->unit = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(*v->unit));
    if (v->unit)
        cJSON_ArrayForEach(e, list) view_unit(&v->unit[v->units++], e);
    cJSON_Delete(o);
    return v->unit ? 0 : error_set(err, -ENOMEM, "not enough memory");
}

void lab_view_free(struct lab_view *v)
{
    for (unsigned i = 0; i < v->units; i++) {
        for (char **w = v->unit[i].argv; w && *w; w++)
            free(*w);
        free(v->unit[i].argv);
        free(v->unit[i].ready);
    }
    free(v->unit);
    free(v->file);
    *v = (struct lab_view){0};
}
