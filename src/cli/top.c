/*
 * viaduct top: what each device of each machine does now, per second, from the machines' ledgers,
 * and how long disk requests took in that second. On a terminal the picture is drawn anew each
 * time; elsewhere one follows the other. Machines may lie: before the first is heard, top is in a
 * jail (sandbox/rows_client.c) with its sockets and the standard streams; one that was lost is
 * dialled by another process (dial.h).
 */
#include "cli/top.h"
#include "cli/cli.h"
#include "core/error.h"
#include "core/log.h"
#include <cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define WORDS 64u

struct options {
    struct client client;
    const char *word[WORDS];
    unsigned words;
    double interval;
    unsigned long times; /* 0: no end */
    bool json, all;
};

/* ---- a picture ---- */

static void amount(double v, char *buf, size_t room)
{
    if (v < 0.05)
        snprintf(buf, room, "-");
    else if (v < 9.95)
        snprintf(buf, room, "%.1f", v);
    else if (v < 99999.5)
        snprintf(buf, room, "%.0f", v);
    else if (v < 99999500)
        snprintf(buf, room, "%.0fk", v / 1e3);
    else
        snprintf(buf, room, "%.0fM", v / 1e6);
}

static void duration(uint64_t ns, char *buf, size_t room)
{
    if (!ns)
        snprintf(buf, room, "-");
    else if (ns < 10000000)
        snprintf(buf, room, "%.0f us", (double)ns / 1e3);
    else
        snprintf(buf, room, "%.0f ms", (double)ns / 1e6);
}

static bool busy(const struct top_device *d)
{
    return d->traps + d->bells + d->irqs + d->requests + d->in + d->out >= 0.05;
}

static void device_print(const char *machine, const struct top_device *d)
{
    const double v[] = {d->traps, d->bells, d->irqs, d->requests, d->in, d->out};
    char text[ARRAY_LEN(v)][16], p50[16], p99[16];

    for (size_t i = 0; i < ARRAY_LEN(v); i++)
        amount(v[i], text[i], sizeof(text[i]));
    duration(times_quantile(&d->times, 0.5), p50, sizeof(p50));
    duration(times_quantile(&d->times, 0.99), p99, sizeof(p99));
    printf("%-20.20s %-14.14s %8s %8s %8s %8s %8s %8s %9s %9s\n", machine, d->name, text[0],
           text[1], text[2], text[3], text[4], text[5], p50, p99);
}

static unsigned machine_print(const struct options *o, const struct top_machine *m, unsigned room)
{
    struct top_sample now;
    unsigned lines = 0;

    if (!m->there || top_rates(m, &now)) {
        printf("%-20.20s does not answer\n", m->name);
        return 1;
    }
    for (unsigned i = 0; i < now.devices && lines < room; i++)
        if (o->all || busy(&now.device[i])) {
            device_print(m->name, &now.device[i]);
            lines++;
        }
    if (!lines && room) {
        printf("%-20.20s idle\n", m->name);
        lines++;
    }
    top_sample_free(&now);
    return lines;
}

static void picture(const struct options *o, const struct top_set *s)
{
    bool terminal = isatty(1);
    struct winsize size = {0};
    unsigned room = ~0u;

    if (terminal && !ioctl(1, TIOCGWINSZ, &size) && size.ws_row > 4)
        room = size.ws_row - 3u;
    if (terminal)
        printf("\033[H\033[2J");
    printf("%-20s %-14s %8s %8s %8s %8s %8s %8s %9s %9s\n", "MACHINE", "DEVICE", "TRAPS/s",
           "BELLS/s", "IRQS/s", "REQS/s", "IN B/s", "OUT B/s", "P50", "P99");
    for (unsigned i = 0; i < s->machines && room; i++) {
        /* Each gets its part of the screen, those after it what it leaves. */
        unsigned part = room / (s->machines - i), lines;

        lines = machine_print(o, &s->machine[i], part ? part : 1);
        room -= lines < room ? lines : room;
    }
    fflush(stdout);
}

/* ---- JSON, a line each time ---- */

static void device_json(cJSON *list, const struct top_device *d)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "device", d->name);
    cJSON_AddNumberToObject(o, "traps", d->traps);
    cJSON_AddNumberToObject(o, "bells", d->bells);
    cJSON_AddNumberToObject(o, "irqs", d->irqs);
    cJSON_AddNumberToObject(o, "requests", d->requests);
    cJSON_AddNumberToObject(o, "in_bytes", d->in);
    cJSON_AddNumberToObject(o, "out_bytes", d->out);
    cJSON_AddNumberToObject(o, "refused", d->refused);
    if (times_quantile(&d->times, 0.5)) {
        cJSON_AddNumberToObject(o, "p50_ns", (double)times_quantile(&d->times, 0.5));
        cJSON_AddNumberToObject(o, "p99_ns", (double)times_quantile(&d->times, 0.99));
    }
    cJSON_AddItemToArray(list, o);
}

static void json(const struct options *o, const struct top_set *s)
{
    cJSON *all = cJSON_CreateArray();
    char *text;

    for (unsigned i = 0; i < s->machines; i++) {
        const struct top_machine *m = &s->machine[i];
        cJSON *one = cJSON_CreateObject(), *list;
        struct top_sample now;

        cJSON_AddStringToObject(one, "machine", m->name);
        cJSON_AddBoolToObject(one, "answers", m->there);
        list = cJSON_AddArrayToObject(one, "devices");
        if (m->there && !top_rates(m, &now)) {
            for (unsigned k = 0; k < now.devices; k++)
                if (o->all || busy(&now.device[k]))
                    device_json(list, &now.device[k]);
            top_sample_free(&now);
        }
        cJSON_AddItemToArray(all, one);
    }
    text = cJSON_PrintUnformatted(all);
    printf("%s\n", text ? text : "[]");
    fflush(stdout);
    cJSON_free(text);
    cJSON_Delete(all);
}

/* ---- the verb ---- */

static int take_word(void *ctx, const char *word, struct error *err)
{
    struct options *o = ctx;

    if (o->words == WORDS)
        return error_set(err, -EINVAL, "top: at most %u names", WORDS);
    o->word[o->words++] = word;
    return 0;
}

static int take_interval(void *ctx, const char *value, struct error *err)
{
    struct options *o = ctx;
    char *end;

    o->interval = strtod(value, &end);
    if (end == value || *end || !(o->interval >= 0.1 && o->interval <= 3600))
        return error_set(err, -EINVAL, "--interval %s: must be seconds, 0.1 to 3600", value);
    return 0;
}

static int take_times(void *ctx, const char *value, struct error *err)
{
    struct options *o = ctx;
    char *end;

    o->times = strtoul(value, &end, 10);
    if (*value < '1' || *value > '9' || *end)
        return error_set(err, -EINVAL, "--times %s: must be a number, 1 or more", value);
    return 0;
}

static int take_once(void *ctx, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    ((struct options *)ctx)->times = 1;
    return 0;
}

static int take_json(void *ctx, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    ((struct options *)ctx)->json = true;
    return 0;
}

static int take_all(void *ctx, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    ((struct options *)ctx)->all = true;
    return 0;
}

static const struct opt options[] = {
    {"once", NULL, "one picture, of one interval", take_once},
    {"times", "N", "so many pictures (-n N); without: until it is ended", take_times},
    {"interval", "SECONDS", "between two pictures (1)", take_interval},
    {"all", NULL, "idle devices too", take_all},
    {"json", NULL, "for programs: an array of machines a picture, one a line", take_json},
    CLIENT_OPTIONS,
    {0}};

static int set_open(struct top_set *s, struct options *o, struct error *err)
{
    int code = top_set_open(s, o->word, o->words, err);

    if (!code)
        code = top_set_again(s, &o->client, err);
    if (isatty(1))
        o->client.sets |= BOX_BIT(BOX_WINDOW);
    return code ? code : client_box_enter(&o->client, err);
}

static int watch(struct options *o, struct error *err)
{
    const struct timespec pause = {.tv_sec = (time_t)o->interval,
                                   .tv_nsec =
                                       (long)((o->interval - (double)(time_t)o->interval) * 1e9)};
    struct top_set s = {0};
    int code = set_open(&s, o, err);

    for (unsigned i = 0; i < s.machines && !code; i++)
        if (!top_ask(&s, &s.machine[i]) && s.machines == 1)
            code = error_set(err, -EINVAL, "%s: no machine answers there", s.machine[i].name);
    for (unsigned long n = 0; !code && (!o->times || n < o->times) && !ferror(stdout); n++) {
        nanosleep(&pause, NULL);
        for (unsigned i = 0; i < s.machines; i++)
            top_ask(&s, &s.machine[i]);
        if (o->json)
            json(o, &s);
        else
            picture(o, &s);
    }
    top_set_close(&s);
    return code;
}

static int top_run(int argc, char **argv)
{
    struct options o = {.client = {.role = "top",
                                   .sets = BOX_BIT(BOX_FEW) | BOX_BIT(BOX_TELL) | BOX_BIT(BOX_ASK) |
                                           BOX_BIT(BOX_PAUSE)},
                        .interval = 1};
    struct error err = {0};
    char times[] = "--times";
    bool help;
    int code;

    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "-n"))
            argv[i] = times;
    code = opt_parse(options, argc, argv, &o, take_word, &help, &err);
    if (!code && help) {
        opt_help(&verb_top, options);
        return EXIT_OFF;
    }
    if (!code)
        code = watch(&o, &err);
    if (code)
        log_error("%s", err.text);
    return code ? EXIT_USAGE : EXIT_OFF;
}

const struct verb verb_top = {"top", "[LAB|NAME|SOCKET…]", "what machines' devices do, live",
                              top_run};
