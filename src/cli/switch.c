/*
 * viaduct switch: an Ethernet switch as a process. Its ports are cables that are there from the
 * start (a tap, passt, another switch) and sockets at which peers, viaducts or QEMUs with -netdev
 * stream, come and go. It has no privileges and needs none. SIGUSR1 prints the counters, SIGINT,
 * SIGTERM and SIGHUP end it.
 *
 * After its start it needs no file but the sockets it listens at: epoll, timers, signalfd, what its
 * places need (switch_place.c), streams of those who ask (service.h); files to write at the end:
 * --ledger.
 */
#include "back/net_pcap.h"
#include "cli/cli.h"
#include "cli/realtime.h"
#include "cli/service.h"
#include "cli/run_box.h"
#include "cli/switch_place.h"
#include "cli/switch_stats.h"
#include "cli/switch_tell.h"
#include "core/error.h"
#include "core/ledger.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define NS          1000000000ull
#define AGE_DEFAULT 300 /* seconds: 802.1Q, table 8-6 */
#define PLACES      SW_PORTS

struct serve {
    /* options */
    struct switch_place place[PLACES];
    unsigned places;
    const char *path;
    enum box_mode sandbox;
    unsigned realtime; /* priority; 0: none */
    struct service service;
    const char *pcap_path[SW_PORTS];
    uint64_t age_ns;
    bool stats, help;
    /* while it runs */
    struct loop *loop;
    struct ledger *ledger;
    struct sw *sw;
    struct net_pcap *pcap[SW_PORTS];
    struct log_budget budget;
};

/* ---- the life of the process ---- */

static void print(void *serve)
{
    switch_stats_print(((struct serve *)serve)->ledger, stderr);
}

static int core_open(struct serve *s, struct error *err)
{
    struct sw_opts o = {.name = "switch", .age_ns = s->age_ns};
    int code;

    if (getrandom(&o.seed, sizeof(o.seed), 0) != (ssize_t)sizeof(o.seed))
        return error_set(err, -EIO, "switch: no random numbers");
    s->loop = loop_open(NULL, false);
    s->ledger = ledger_open();
    code = s->loop && s->ledger ? sw_open(&s->sw, &o, s->loop, s->ledger) : -ENOMEM;
    if (!code)
        code = service_signals(&s->service, s->loop, print, s);
    return code ? error_set(err, code, "switch: %s", strerror(-code)) : 0;
}

/* What there is to tell a scraper. */
static void more(const void *serve, struct metrics_out *out)
{
    const struct serve *s = serve;
    const struct sw *const one[] = {s->sw};

    switch_tell(out, s->ledger, one, 1);
}

static void source(void *serve, struct metrics_source *m)
{
    struct serve *s = serve;

    m->label = "network";
    m->ledger = s->ledger;
    m->more = more;
    m->ctx = s;
}

static int serve_open(struct serve *s, struct error *err)
{
    int code = core_open(s, err);
    struct service_opts asked = {.loop = s->loop, .source = source, .owner = s};

    s->budget.left = 1000;
    for (unsigned i = 0; i < SW_PORTS && !code; i++)
        if (s->pcap_path[i])
            code = net_pcap_open(&s->pcap[i], s->pcap_path[i], 0, err);
    for (unsigned i = 0; i < s->places && !code; i++) {
        if (s->place[i].socket && !s->place[i].pcap)
            s->place[i].pcaps = s->pcap;
        code = switch_place_open(&s->place[i], s->sw, &s->budget, err);
    }
    return code ? code : service_open(&s->service, &asked, err);
}

static void serve_close(struct serve *s)
{
    service_close(&s->service);
    for (unsigned i = 0; i < s->places; i++)
        switch_place_close(&s->place[i]);
    for (unsigned i = 0; i < SW_PORTS; i++)
        net_pcap_close(s->pcap[i]);
    sw_close(s->sw);
    service_deaf(&s->service);
    if (s->ledger)
        ledger_close(s->ledger);
    if (s->loop)
        loop_close(s->loop);
}

/* Everything is open: docs/containment.md. */
static int doors_close(struct serve *s, struct error *err)
{
    int code = service_ledger_place(&s->service, err);

    return code ? code : switch_box_enter(s->place, s->places, &s->service, s->sandbox, err);
}

static int serve(struct serve *s)
{
    struct error err = {0};
    int code = realtime_enter(s->realtime, &err);

    if (!code)
        code = serve_open(s, &err);
    if (!code)
        code = doors_close(s, &err);
    if (code) {
        log_error("%s", err.text);
        serve_close(s);
        return EXIT_USAGE;
    }
    for (unsigned i = 0; i < s->places; i++)
        if (s->place[i].socket)
            log_info("switch: listening at %s", s->place[i].socket);
    code = loop_run(s->loop);
    if (s->stats)
        switch_stats_print(s->ledger, stderr);
    if (!code)
        code = service_ledger_write(&s->service, s->ledger);
    serve_close(s);
    return code ? EXIT_VMM : EXIT_OFF;
}

/* ---- options ---- */

static int take_port(void *ctx, const char *value, struct error *err)
{
    struct serve *s = ctx;

    if (s->places == PLACES)
        return error_set(err, -EINVAL, "--port %s: a switch has %u, and no more", value, PLACES);
    return switch_place_take(&s->place[s->places++], value, err);
}

static int take_pcap(void *ctx, const char *value, struct error *err)
{
    struct serve *s = ctx;
    char *end;
    unsigned long port = strtoul(value, &end, 10);

    if (*value < '0' || *value > '9' || *end != '=' || !end[1] || port >= SW_PORTS)
        return error_set(err, -EINVAL, "--pcap %s: must be PORT=FILE, ports are 0 to %u", value,
                         SW_PORTS - 1);
    s->pcap_path[port] = end + 1;
    return 0;
}

static int take_age(void *ctx, const char *value, struct error *err)
{
    struct serve *s = ctx;
    char *end;
    unsigned long n = strtoul(value, &end, 10);

    if (*value < '0' || *value > '9' || *end || n < 1 || n > 1000000)
        return error_set(err, -EINVAL, "--age %s: must be seconds, 1 to 1000000", value);
    s->age_ns = n * NS;
    return 0;
}

static int take_stats(void *ctx, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    ((struct serve *)ctx)->stats = true;
    return 0;
}

static int take_ledger(void *ctx, const char *value, struct error *err)
{
    return service_take_ledger(&((struct serve *)ctx)->service, value, err);
}

/* The socket that everybody may come to. */
static int take_path(void *ctx, const char *word, struct error *err)
{
    struct serve *s = ctx;
    struct switch_place *p = &s->place[s->places];

    if (s->path)
        return error_set(err, -EINVAL, "switch: one path, please: %s and %s are two", s->path,
                         word);
    if (s->places == PLACES)
        return error_set(err, -EINVAL, "switch %s: there are too many ports already", word);
    s->path = word;
    s->places++;
    *p = (struct switch_place){.socket = word, .peers_max = SW_PORTS, .at.fd = -1};
    return 0;
}

static int take_ctl(void *ctx, const char *value, struct error *err)
{
    return service_take_ctl(&((struct serve *)ctx)->service, value, err);
}

static int take_metrics(void *ctx, const char *value, struct error *err)
{
    return service_take_metrics(&((struct serve *)ctx)->service, value, err);
}

static int take_realtime(void *ctx, const char *value, struct error *err)
{
    return realtime_take(&((struct serve *)ctx)->realtime, value, err);
}

static int take_sandbox(void *ctx, const char *value, struct error *err)
{
    return box_take_mode(&((struct serve *)ctx)->sandbox, value, err);
}

static int take_no_sandbox(void *ctx, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    ((struct serve *)ctx)->sandbox = BOX_OFF;
    return 0;
}

static const struct opt options[] = {
    {"port", SWITCH_PLACE_VALUE, "plug that in, under those rules; repeated for more", take_port},
    {"pcap", "PORT=FILE", "write what passes that port to a pcap file; repeated for more",
     take_pcap},
    {"age", "SECONDS", "forget an address that was silent for so long (300)", take_age},
    {"stats", NULL, "print each port's counters at the end (SIGUSR1: at any time)", take_stats},
    {"ledger", "FILE", "write the ledger as JSON at the end; - is stdout", take_ledger},
    {"ctl", SERVICE_CTL_VALUE, SERVICE_CTL_HELP, take_ctl},
    {"metrics", SERVICE_METRICS_VALUE, SERVICE_METRICS_HELP, take_metrics},
    {"realtime", REALTIME_VALUE, REALTIME_HELP, take_realtime},
    {"sandbox", BOX_VALUE, BOX_HELP, take_sandbox},
    {"no-sandbox", NULL, BOX_NO_HELP, take_no_sandbox},
    {0},
};

static int words_take(struct serve *s, int argc, char **argv, struct error *err)
{
    if (!s)
        return error_set(err, -ENOMEM, "switch: not enough memory");
    s->age_ns = AGE_DEFAULT * NS;
    return opt_parse(options, argc, argv, s, take_path, &s->help, err);
}

int switch_judge(int argc, char **argv, struct error *err)
{
    struct serve *s = calloc(1, sizeof(*s));
    int code = words_take(s, argc, argv, err);

    free(s);
    return code;
}

static int switch_run(int argc, char **argv)
{
    struct serve *s = calloc(1, sizeof(*s));
    struct error err = {0};
    int code = words_take(s, argc, argv, &err);

    if (!code && s->help)
        opt_help(&verb_switch, options);
    else if (!code && !s->places)
        code = error_set(&err, -EINVAL, "switch: at which path? viaduct switch PATH");
    if (code)
        log_error("%s", err.text);
    code = code ? EXIT_USAGE : s->help ? EXIT_OFF : serve(s);
    free(s);
    return code;
}

const struct verb verb_switch = {"switch", "[PATH] [options]", "join virtual machines' networks",
                                 switch_run};
