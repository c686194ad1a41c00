/* viaduct ps: what runs, how long, and what it costs: CPU time, and MiB of memory beyond guest RAM,
 * a page that several share counted in parts (proc(5), smaps: Pss). In a jail from before the first
 * state file on: it reads those and /proc, and writes to the standard streams. */
#include "cli/client_box.h"
#include "cli/lab_ask.h"
#include "cli/lab_boss.h"
#include "cli/lab_tell.h"
#include "core/log.h"
#include "vm/vm.h"
#include <cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct ps {
    struct client client;
    const char *lab; /* or NULL: all */
    bool json;
    cJSON *list;
    unsigned rows;
};

/* CPU time, seconds: /proc/PID/stat, fields 14 and 15. */
static double cpu_time(pid_t pid)
{
    char path[32], text[1024], *at;
    unsigned long user = 0, system = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    f = fopen(path, "re");
    if (!f)
        return 0;
    text[fread(text, 1, sizeof(text) - 1, f)] = 0;
    fclose(f);
    at = strrchr(text, ')');
    if (at)
        (void)!sscanf(at + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu %lu", &user,
                      &system);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

/* The value of --NAME=… among its words; NULL: it isn't there. */
static const char *option_of(const struct lab_view_unit *u, const char *name)
{
    size_t n = strlen(name);

    for (char **w = u->argv; w && *w; w++)
        if (!strncmp(*w, name, n) && (*w)[n] == '=')
            return *w + n + 1;
    return NULL;
}

static void uptime_text(const struct lab_view_unit *u, char *buf, size_t room)
{
    int64_t s = (int64_t)time(NULL) - u->wall;

    s = s < 0 ? 0 : s;
    if (s < 3600)
        snprintf(buf, room, "%dm%02ds", (int)(s / 60), (int)(s % 60));
    else
        snprintf(buf, room, "%lldh%02dm", (long long)s / 3600, (int)(s / 60 % 60));
}

static void row_print(const struct ps *p, const struct lab_view *v, const struct lab_view_unit *u)
{
    const char *cpus = option_of(u, "--cpus"), *memory = option_of(u, "--memory");
    bool vm = !strcmp(u->kind, "vm");
    char age[32], how[64] = "", pid[16] = "-", beyond[32] = "-", cpu[32] = "-";

    uptime_text(u, age, sizeof(age));
    if (u->pid) {
        snprintf(pid, sizeof(pid), "%d", (int)u->pid);
        snprintf(beyond, sizeof(beyond), "%.1f", (double)vm_footprint_of(u->pid) / 0x1p20);
        snprintf(cpu, sizeof(cpu), "%.1f", cpu_time(u->pid));
    }
    if (u->state == LAB_ENDED || u->state == LAB_WAITING)
        lab_tell_status(u->status, how, sizeof(how));
    if (u->restarts) {
        size_t n = strlen(how);

        snprintf(how + n, sizeof(how) - n, "%s%u restarts", n ? ", " : "", u->restarts);
    }
    if (!p->rows)
        printf("%-10s %-16s %-8s %-9s %8s %9s %5s %7s %7s %8s\n", "LAB", "NAME", "KIND", "STATE",
               "PID", "SINCE", "CPUS", "MEMORY", "BEYOND", "CPU s");
    printf("%-10s %-16s %-8s %-9s %8s %9s %5s %7s %7s %8s%s%s\n", v->name, u->name, u->kind,
           lab_state_name(u->state), pid, age, vm ? (cpus ? cpus : "1") : "-",
           vm ? (memory ? memory : "512M") : "-", beyond, cpu, *how ? "  " : "", how);
}

static void row_json(struct ps *p, const struct lab_view *v, const struct lab_view_unit *u)
{
    const char *cpus = option_of(u, "--cpus"), *memory = option_of(u, "--memory");
    bool vm = !strcmp(u->kind, "vm");
    cJSON *o = cJSON_CreateObject();
    uint64_t bytes;

    cJSON_AddStringToObject(o, "lab", v->name);
    cJSON_AddStringToObject(o, "name", u->name);
    cJSON_AddStringToObject(o, "kind", u->kind);
    cJSON_AddStringToObject(o, "state", lab_state_name(u->state));
    cJSON_AddNumberToObject(o, "pid", u->pid);
    cJSON_AddNumberToObject(o, "since", (double)u->wall);
    cJSON_AddNumberToObject(o, "restarts", u->restarts);
    if (u->state == LAB_ENDED || u->state == LAB_WAITING) {
        char how[64];

        lab_tell_status(u->status, how, sizeof(how));
        cJSON_AddStringToObject(o, "ended", how);
    }
    if (vm && !opt_size(memory ? memory : "512M", &bytes)) {
        cJSON_AddNumberToObject(o, "cpus", cpus ? atoi(cpus) : 1);
        cJSON_AddNumberToObject(o, "memory", (double)bytes);
    }
    if (u->pid) {
        cJSON_AddNumberToObject(o, "beyond_ram", (double)vm_footprint_of(u->pid));
        cJSON_AddNumberToObject(o, "cpu_seconds", cpu_time(u->pid));
    }
    cJSON_AddStringToObject(o, "run", v->run);
    cJSON_AddItemToArray(p->list, o);
}

static int lab_show(struct lab_view *v, void *arg)
{
    struct ps *p = arg;

    if (p->lab && strcmp(p->lab, v->name))
        return 0;
    for (unsigned i = 0; i < v->units; i++, p->rows++)
        if (p->json)
            row_json(p, v, &v->unit[i]);
        else
            row_print(p, v, &v->unit[i]);
    if (!p->json && !v->boss)
        printf("%-10s has no supervisor: nothing is started again; viaduct up %s changes that\n",
               v->name, v->file ? v->file : "");
    return 0;
}

static int take_json(void *ctx, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    ((struct ps *)ctx)->json = true;
    return 0;
}

static int take_lab(void *ctx, const char *word, struct error *err)
{
    struct ps *p = ctx;

    if (p->lab)
        return error_set(err, -EINVAL, "ps: one lab, or all of them");
    p->lab = word;
    return 0;
}

static const struct opt options[] = {
    {"json", NULL, "for programs: an array of objects", take_json}, CLIENT_OPTIONS, {0}};

static int show(struct ps *p, struct error *err)
{
    char name[LAB_NAME + 1];
    struct lab_view v;
    int code = p->lab ? lab_meant(name, p->lab, err) : 0;

    if (!code)
        code = client_box_enter(&p->client, err);
    if (code)
        return code;
    if (p->lab) {
        code = lab_view_read(&v, name, err);
        if (code)
            return code;
        lab_view_free(&v);
        p->lab = name;
    }
    p->list = cJSON_CreateArray();
    code = lab_each(lab_show, p, err);
    if (p->json) {
        char *text = cJSON_Print(p->list);

        printf("%s\n", text ? text : "[]");
        cJSON_free(text);
    }
    cJSON_Delete(p->list);
    return code;
}

static int ps_run(int argc, char **argv)
{
    struct error err = {0};
    struct ps p = {.client = {.role = "ps",
                              .sets = BOX_BIT(BOX_CORE) | BOX_BIT(BOX_TELL) | BOX_BIT(BOX_LOOK) |
                                      BOX_BIT(BOX_COST)}};
    bool help;
    int code = opt_parse(options, argc, argv, &p, take_lab, &help, &err);

    if (!code && help) {
        opt_help(&verb_ps, options);
        return EXIT_OFF;
    }
    if (!code)
        code = show(&p, &err);
    if (code)
        log_error("%s", err.text);
    return code ? EXIT_USAGE : EXIT_OFF;
}

const struct verb verb_ps = {"ps", "[LAB] [--json]", "what runs of the labs, and what it costs",
                             ps_run};
