/* The plan: what a lab file says, as commands to be run (docs/lab.md). */
#include "cli/lab_build.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STOP_DEFAULT 10 /* seconds */
#define STOP_MAX     3600
#define SOCKET_MAX   108 /* sockaddr_un */

static const struct {
    enum lab_kind kind;
    const char *table;
    const struct lab_key *keys;
} tables[] = {{LAB_NETWORK, "network", lab_network_keys},
              {LAB_DOMAIN, "domain", lab_domain_keys},
              {LAB_VM, "vm", lab_vm_keys},
              {LAB_SEAT, "seat", lab_seat_keys}};

/* ---- units ---- */

static bool name_taken(const struct lab *l, const char *name)
{
    for (unsigned i = 0; i < l->units; i++)
        if (!strcmp(l->unit[i].name, name))
            return true;
    return false;
}

static struct lab_unit *unit_new(struct lab_build *b, enum lab_kind kind, const char *name,
                                 const struct toml *t)
{
    struct lab *l = b->lab;
    struct lab_unit *u = &l->unit[l->units];

    if (l->units == LAB_UNITS) {
        toml_error(b->err, b->file, toml_at(t), "found more than %u processes, expected fewer",
                   LAB_UNITS);
        return NULL;
    }
    if (!lab_name_good(name) || name_taken(l, name)) {
        toml_error(b->err, b->file, toml_key_at(t), "found '%.60s'%s", name,
                   name_taken(l, name) ? " again, expected a name that nothing else in the lab has"
                                       : ", expected a name of up to 32 letters, digits, - and _");
        return NULL;
    }
    *u = (struct lab_unit){.kind = kind,
                           .button = true,
                           .stop_s = STOP_DEFAULT,
                           .line = toml_key_at(t).line,
                           .column = toml_key_at(t).column};
    snprintf(u->name, sizeof(u->name), "%.32s", name);
    u->argv = calloc(LAB_ARGS + 1, sizeof(*u->argv));
    u->socket = calloc(LAB_ARGS + 1, sizeof(*u->socket));
    l->units++;
    if (u->argv && u->socket)
        return u;
    lab_nomem(b);
    return NULL;
}

/* restart, stop, stop-timeout, ready */
static int policy_take(struct lab_build *b, const struct toml *t)
{
    const struct toml *restart = toml_get(t, "restart"), *stop = toml_get(t, "stop");
    const struct toml *most = toml_get(t, "stop-timeout"), *ready = toml_get(t, "ready");
    struct lab_unit *u = b->unit;

    u->restart = restart && !strcmp(restart->text, "on-failure");
    if (restart && !u->restart && strcmp(restart->text, "no"))
        return toml_error(b->err, b->file, toml_at(restart),
                          "found \"%.40s\", expected \"no\" or \"on-failure\"", restart->text);
    u->button = !stop || !strcmp(stop->text, "powerdown");
    if (stop && !u->button && strcmp(stop->text, "quit"))
        return toml_error(b->err, b->file, toml_at(stop),
                          "found \"%.40s\", expected \"powerdown\" or \"quit\"", stop->text);
    if (most && (most->number < 0 || most->number > STOP_MAX))
        return toml_error(b->err, b->file, toml_at(most), "found %lld, expected seconds, 0 to %d",
                          (long long)most->number, STOP_MAX);
    if (most)
        u->stop_s = (unsigned)most->number;
    if (ready && *ready->text && !(u->ready = lab_text(b, ready, false)))
        return -ENOMEM;
    return 0;
}

struct lab_unit *lab_unit_find(struct lab_build *b, enum lab_kind kind, const char *name)
{
    for (unsigned i = 0; i < b->lab->units; i++)
        if (b->lab->unit[i].kind == kind && !strcmp(b->lab->unit[i].name, name))
            return &b->lab->unit[i];
    return NULL;
}

int lab_socket_add(struct lab_build *b, struct lab_unit *u, char *path)
{
    unsigned n = 0;

    int code = path ? 0 : lab_nomem(b);

    while (u->socket[n])
        n++;
    if (path && (n == LAB_ARGS || strlen(path) >= SOCKET_MAX))
        code = error_set(b->err, -EINVAL,
                         "%.180s: found %s, expected %s: a socket's path has up to %d characters: "
                         "%.120s",
                         b->file, n == LAB_ARGS ? "too many sockets" : "names that are too long",
                         n == LAB_ARGS ? "fewer" : "shorter ones", SOCKET_MAX - 1, path);
    if (code)
        free(path);
    else
        u->socket[n] = path;
    return code;
}

/* Where the unit itself listens; the lab's other processes and viaduct ctl go there. */
static int socket_add(struct lab_build *b, const char *what, char **path)
{
    *path = lab_path(b->lab->run, b->unit->name, what);
    return lab_socket_add(b, b->unit, *path);
}

/* The verb, and the sockets at which it can be asked: for control, for scrapers. */
static int verb_start(struct lab_build *b, const char *verb)
{
    char *ctl, *metrics, *word = NULL;
    int code = socket_add(b, LAB_CTL, &ctl);

    if (!code)
        code = socket_add(b, LAB_METRICS, &metrics);
    if (!code)
        code = lab_arg_copy(b, verb);
    if (!code && asprintf(&word, "--ctl=%s", ctl) < 0)
        word = NULL;
    if (!code)
        code = lab_arg(b, word);
    if (!code &&
        asprintf(&word, "--metrics=%s,name=%s/%s", metrics, b->lab->name, b->unit->name) < 0)
        word = NULL;
    return code ? code : lab_arg(b, word);
}

static int vm_start(struct lab_build *b)
{
    const char *run = b->lab->run, *name = b->unit->name;
    char *console, *word = NULL;
    int code = verb_start(b, "run");

    if (!code)
        code = socket_add(b, LAB_CONSOLE, &console);
    if (!code && asprintf(&word, "--console=socket=%s,log=%s/%s." LAB_LOG, console, run, name) < 0)
        word = NULL;
    return code ? code : lab_arg(b, word);
}

static int switch_start(struct lab_build *b)
{
    char *path;
    int code = socket_add(b, LAB_SOCKET, &path);

    if (!code)
        code = verb_start(b, "switch");
    return code ? code : lab_arg_copy(b, path);
}

/* Who is there to be seen: vms = […], or all machines. */
static bool seated(const struct toml *vms, const char *name)
{
    for (const struct toml *v = vms ? vms->first : NULL; v; v = v->next)
        if (v->kind == TOML_STRING && !strcmp(v->text, name))
            return true;
    return !vms;
}

static int seat_check(struct lab_build *b, const struct toml *vms)
{
    for (const struct toml *v = vms ? vms->first : NULL; v; v = v->next)
        if (v->kind != TOML_STRING || !lab_unit_find(b, LAB_VM, v->text))
            return toml_error(b->err, b->file, toml_at(v), "found %.60s, expected the name of a vm",
                              v->kind == TOML_STRING ? v->text : toml_kind_name(v->kind));
    return 0;
}

/* viaduct seat --ctl=… VM=CTL …; its consoles are the machines' own affair (viaduct console). */
static int seat_start(struct lab_build *b, const struct toml *t)
{
    const struct toml *vms = toml_get(t, "vms");
    char *ctl = NULL, *word = NULL;
    int code = seat_check(b, vms);

    if (!code)
        code = socket_add(b, LAB_SIT, &ctl);
    if (!code)
        code = lab_arg_copy(b, "seat");
    if (!code && asprintf(&word, "--ctl=%s", ctl) < 0)
        word = NULL;
    if (!code)
        code = lab_arg(b, word);
    for (unsigned i = 0; i < b->lab->units && !code; i++) {
        const struct lab_unit *u = &b->lab->unit[i];

        if (u->kind != LAB_VM || !seated(vms, u->name))
            continue;
        if (asprintf(&word, "%s=%s/%s." LAB_CTL, u->name, b->lab->run, u->name) < 0)
            word = NULL;
        code = lab_arg(b, word);
    }
    return code;
}

static int unit_make(struct lab_build *b, enum lab_kind kind, const struct lab_key *keys,
                     const struct toml *t)
{
    int code = lab_arg_copy(b, "viaduct");

    if (!code)
        code = kind == LAB_VM        ? vm_start(b)
               : kind == LAB_NETWORK ? switch_start(b)
               : kind == LAB_SEAT    ? seat_start(b, t)
                                     : verb_start(b, "domain");
    if (!code)
        code = policy_take(b, t);
    if (!code)
        code = lab_options(b, keys, t);
    return code;
}

/* ---- tables ---- */

static int count_of(struct lab_build *b, const struct toml *t, unsigned *count)
{
    const struct toml *c = toml_get(t, "count");

    *count = c ? (unsigned)c->number : 0;
    if (c && (c->number < 1 || c->number > LAB_UNITS))
        return toml_error(b->err, b->file, toml_at(c), "found %lld, expected 1 to %u",
                          (long long)c->number, LAB_UNITS);
    return 0;
}

/* [vm.NAME]: one unit, or with count as many: NAME1, NAME2, … */
static int table_take(struct lab_build *b, enum lab_kind kind, const struct lab_key *keys,
                      const struct toml *t)
{
    char what[LAB_NAME + 16], name[LAB_NAME + 16];
    unsigned count = 0;
    int code;

    snprintf(what, sizeof(what), "%s.%.32s", lab_kind_name(kind), t->key);
    code = lab_keys_check(b, keys, t, what);
    if (!code && kind == LAB_VM)
        code = count_of(b, t, &count);
    for (unsigned i = 1; i <= (count ? count : 1) && !code; i++) { /* at most LAB_UNITS */
        if (count)
            snprintf(name, sizeof(name), "%.32s%u", t->key, i);
        else
            snprintf(name, sizeof(name), "%.40s", t->key);
        b->number = i;
        b->table = t;
        b->unit = unit_new(b, kind, name, t);
        code = b->unit ? unit_make(b, kind, keys, t) : -EINVAL;
    }
    return code;
}

static int tables_take(struct lab_build *b)
{
    int code = 0;

    for (size_t i = 0; i < ARRAY_LEN(tables) && !code; i++) {
        const struct toml *all = toml_get(b->top, tables[i].table);

        if (all && all->kind != TOML_TABLE)
            return toml_error(b->err, b->file, toml_key_at(all), "found %s, expected [%s.NAME]",
                              toml_kind_name(all->kind), tables[i].table);
        for (const struct toml *t = all ? all->first : NULL; t && !code; t = t->next)
            code = table_take(b, tables[i].kind, tables[i].keys, t);
    }
    return code;
}

char *lab_network_socket(struct lab_build *b, const struct toml *name)
{
    const struct toml *t = toml_get(b->top, "network");
    char *path;

    if (!toml_get(t, name->text)) {
        toml_error(b->err, b->file, toml_at(name),
                   "found \"%.60s\", expected the name of a network: there is no [network.%.60s]",
                   name->text, name->text);
        return NULL;
    }
    path = lab_path(b->lab->run, name->text, LAB_SOCKET);
    if (!path)
        lab_nomem(b);
    return path;
}

/* ---- the file ---- */

/* The lab's name: [lab] name, or the file's without its ending. */
static int name_take(struct lab_build *b)
{
    const struct toml *t = toml_get(b->top, "lab"), *name = toml_get(t, "name");
    char run[LAB_RUN], from[LAB_NAME + 2];
    const char *base = strrchr(b->lab->file, '/') + 1;
    int code = t ? lab_keys_check(b, lab_keys, t, "lab") : 0;

    if (code)
        return code;
    snprintf(from, sizeof(from), "%.33s", base); /* too long by one stays too long */
    from[strcspn(from, ".")] = 0;
    if (!lab_name_good(name ? name->text : from))
        return name ? toml_error(b->err, b->file, toml_at(name),
                                 "found \"%.60s\", expected a name of up to 32 letters, digits, - "
                                 "and _",
                                 name->text)
                    : error_set(b->err, -EINVAL,
                                "%.180s: can't be the lab's name; give it one: [lab] name = \"…\"",
                                b->file);
    snprintf(b->lab->name, sizeof(b->lab->name), "%.32s", name ? name->text : from);
    code = lab_run_dir(run, sizeof(run), b->lab->name, b->err);
    if (!code && !(b->lab->run = strdup(run)))
        code = lab_nomem(b);
    return code;
}

static int top_check(struct lab_build *b)
{
    static const struct lab_key keys[] = {
        {.name = "lab", .kinds = KEY_TABLE},    {.name = "network", .kinds = KEY_TABLE},
        {.name = "domain", .kinds = KEY_TABLE}, {.name = "vm", .kinds = KEY_TABLE},
        {.name = "seat", .kinds = KEY_TABLE},   {0}};
    int code = lab_keys_check(b, keys, b->top, "a lab");

    if (!code && !toml_get(b->top, "vm") && !toml_get(b->top, "network") &&
        !toml_get(b->top, "domain"))
        return error_set(b->err, -EINVAL, "%.180s:1:1: found nothing to run, expected [vm.NAME]",
                         b->file);
    return code;
}

static int build(struct lab *l, const char *file, const struct toml *top, struct error *err)
{
    struct lab_build b = {.lab = l, .file = file, .top = top, .err = err};
    int code = top_check(&b);

    if (!code)
        code = name_take(&b);
    if (!code)
        code = tables_take(&b);
    if (!code)
        code = lab_devices_check(&b);
    free(b.device);
    return code;
}

int lab_read(struct lab **out, const char *file, const char *text, size_t len, struct error *err)
{
    struct lab *l = calloc(1, sizeof(*l));
    struct toml *top = NULL;
    int code = toml_parse(&top, file, text, len, err);
    char *copy = NULL;

    *out = NULL;
    if (!code && l && *file == '/' && (copy = strdup(file))) {
        l->file = strdup(file);
        l->dir = strdup(dirname(copy));
    }
    free(copy);
    if (!code)
        code = l && l->file && l->dir ? build(l, file, top, err)
                                      : error_set(err, -ENOMEM, "not enough memory");
    toml_free(top);
    if (code)
        lab_close(l);
    else
        *out = l;
    return code;
}

/* All of a file, up to what toml_parse takes. */
static int file_read(const char *path, char **text, size_t *len, struct error *err)
{
    FILE *f = fopen(path, "re");
    struct stat st;

    *text = malloc(TOML_SIZE_MAX + 1);
    if (!f || !*text || fstat(fileno(f), &st) || S_ISDIR(st.st_mode)) {
        int code = !f ? -errno : !*text ? -ENOMEM : -EISDIR;

        if (f)
            fclose(f);
        return error_set(err, code, "%s: %s", path, strerror(-code));
    }
    *len = fread(*text, 1, TOML_SIZE_MAX + 1, f);
    fclose(f);
    return 0;
}

int lab_open(struct lab **out, const char *path, struct error *err)
{
    char *whole = realpath(path, NULL), *text = NULL;
    size_t len = 0;
    int code = whole ? file_read(path, &text, &len, err)
                     : error_set(err, -errno, "%s: %s", path, strerror(errno));

    if (!code)
        code = lab_read(out, whole, text, len, err);
    free(text);
    free(whole);
    return code;
}

static void words_free(char **words)
{
    for (char **w = words; w && *w; w++)
        free(*w);
    free(words);
}

void lab_unit_free(struct lab_unit *u)
{
    words_free(u->argv);
    words_free(u->socket);
    for (unsigned i = 0; i < u->marks; i++)
        free(u->mark[i].text);
    free(u->mark);
    free(u->ready);
}

void lab_close(struct lab *l)
{
    if (!l)
        return;
    for (unsigned i = 0; i < l->units; i++)
        lab_unit_free(&l->unit[i]);
    for (unsigned i = 0; i < l->images; i++)
        free(l->image[i].path);
    free(l->image);
    free(l->file);
    free(l->dir);
    free(l->run);
    free(l);
}
