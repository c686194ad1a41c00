/*
 * viaduct domain: a process that owns disks and networks and serves them to virtual machines over
 * vhost-user. One loop, one thread; each device listens at a socket of its own. SIGUSR1 prints the
 * ledger, SIGINT, SIGTERM and SIGHUP end it in order: what is in flight ends and is told, then the
 * sockets go.
 *
 * After its start it is in a jail (domain_box.c): it opens nothing, and all of its rings are made.
 * What it still needs of the kernel, and why, is in sandbox/rows_io.c, set "back".
 */
#include "cli/domain.h"
#include "cli/domain_small.h"
#include "cli/domain_switch.h"
#include "cli/domain_tell.h"
#include "cli/realtime.h"
#include "cli/run_box.h"
#include "core/error.h"
#include "core/ledger.h"
#include "core/log.h"
#include "core/loop.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POLL_US = 50, POLL_MAX_US = 10000 };

struct domain {
    struct domain_device device[DOMAIN_DEVICES];
    unsigned devices, disks, nets;
    struct domain_switches switches;
    struct domain_hosts hosts;
    struct domain_smalls smalls;
    struct domain_tell tell;
    struct service service;
    enum box_mode sandbox;
    unsigned realtime; /* priority; 0: none */
    uint64_t poll_ns;
    bool help;
    struct loop *loop;
    struct ledger *ledger;
};

/* ---- the life of the process ---- */

static void print(void *domain)
{
    ledger_print(((struct domain *)domain)->ledger, stderr);
}

static int service_start(struct domain *d, struct error *err)
{
    struct service_opts o = {.loop = d->loop,
                             .source = domain_tell_source,
                             .disks = domain_tell_disks,
                             .disk = domain_tell_disk,
                             .owner = &d->tell};

    d->tell = (struct domain_tell){.device = d->device,
                                   .devices = d->devices,
                                   .smalls = &d->smalls,
                                   .switches = &d->switches,
                                   .ledger = d->ledger};
    return service_open(&d->service, &o, err);
}

static int domain_open(struct domain *d, struct error *err)
{
    int code;

    d->loop = loop_open(NULL, false);
    d->ledger = ledger_open();
    code = d->loop && d->ledger ? service_signals(&d->service, d->loop, print, d) : -ENOMEM;
    if (code)
        return error_set(err, code, "domain: %s", strerror(-code));
    loop_poll_for(d->loop, d->poll_ns);
    code = domain_switches_open(&d->switches, d->loop, d->ledger, err);
    domain_hosts_find(&d->hosts, d->device, d->devices);
    for (unsigned i = 0; i < d->devices && !code; i++)
        code = domain_device_open(&d->device[i], &d->switches, d->loop, d->ledger, err);
    if (!code)
        code = domain_smalls_open(&d->smalls, d->loop, d->ledger, err);
    return code ? code : service_start(d, err);
}

static void domain_close(struct domain *d)
{
    service_close(&d->service);
    for (unsigned i = 0; i < d->devices; i++)
        domain_device_close(&d->device[i]);
    domain_smalls_close(&d->smalls);
    domain_switches_close(&d->switches);
    domain_hosts_close(&d->hosts);
    service_deaf(&d->service);
    if (d->ledger)
        ledger_close(d->ledger);
    if (d->loop)
        loop_close(d->loop);
}

/* Everything is open: docs/containment.md. */
static int doors_close(struct domain *d, struct error *err)
{
    const struct domain_served served = {.device = d->device,
                                         .devices = d->devices,
                                         .switches = &d->switches,
                                         .smalls = &d->smalls,
                                         .service = &d->service};
    int code = service_ledger_place(&d->service, err);

    return code ? code : domain_box_enter(&served, d->sandbox, err);
}

static int domain_serve(struct domain *d)
{
    struct error err = {0};
    int code = realtime_enter(d->realtime, &err);

    if (!code)
        code = domain_open(d, &err);
    if (!code)
        code = doors_close(d, &err);
    if (code) {
        log_error("%s", err.text);
        domain_close(d);
        return EXIT_USAGE;
    }
    for (unsigned i = 0; i < d->devices; i++)
        log_info("domain: %s is at %s", d->device[i].name, domain_socket(&d->device[i]));
    code = loop_run(d->loop);
    if (!code)
        code = service_ledger_write(&d->service, d->ledger);
    domain_close(d);
    return code ? EXIT_VMM : EXIT_OFF;
}

/* ---- options ---- */

static struct domain_device *device_next(struct domain *d, bool is_net, struct error *err)
{
    struct domain_device *dev = &d->device[d->devices];
    unsigned number = is_net ? d->nets++ : d->disks++;

    if (d->devices == DOMAIN_DEVICES) {
        error_set(err, -EINVAL, "a domain serves at most %d devices", DOMAIN_DEVICES);
        return NULL;
    }
    d->devices++;
    dev->is_net = is_net;
    snprintf(dev->name, sizeof(dev->name), "%s%u", is_net ? "net" : "disk", number);
    return dev;
}

static int take_disk(void *ctx, const char *value, struct error *err)
{
    struct domain *d = ctx;
    struct domain_device *dev = device_next(d, false, err);

    return dev ? domain_disk_take(&dev->disk, value, err) : -EINVAL;
}

static int take_net(void *ctx, const char *value, struct error *err)
{
    struct domain *d = ctx;
    struct domain_device *dev = device_next(d, true, err);

    return dev ? domain_net_take(&dev->net, value, err) : -EINVAL;
}

static int take_rng(void *ctx, const char *value, struct error *err)
{
    return domain_small_take(&((struct domain *)ctx)->smalls, DOMAIN_RNG, value, err);
}

static int take_console(void *ctx, const char *value, struct error *err)
{
    return domain_small_take(&((struct domain *)ctx)->smalls, DOMAIN_CONSOLE, value, err);
}

static int take_input(void *ctx, const char *value, struct error *err)
{
    return domain_small_take(&((struct domain *)ctx)->smalls, DOMAIN_INPUT, value, err);
}

static int take_switch(void *ctx, const char *value, struct error *err)
{
    return domain_switch_take(&((struct domain *)ctx)->switches, value, err);
}

static int take_port(void *ctx, const char *value, struct error *err)
{
    return domain_port_take(&((struct domain *)ctx)->switches, value, err);
}

static int take_poll(void *ctx, const char *value, struct error *err)
{
    char *end;
    unsigned long us = strtoul(value, &end, 10);

    if (*value < '0' || *value > '9' || *end || us > POLL_MAX_US)
        return error_set(err, -EINVAL, "--poll %s: microseconds, 0 to %d", value, POLL_MAX_US);
    ((struct domain *)ctx)->poll_ns = us * 1000;
    return 0;
}

static int take_ctl(void *ctx, const char *value, struct error *err)
{
    return service_take_ctl(&((struct domain *)ctx)->service, value, err);
}

static int take_metrics(void *ctx, const char *value, struct error *err)
{
    return service_take_metrics(&((struct domain *)ctx)->service, value, err);
}

static int take_ledger(void *ctx, const char *value, struct error *err)
{
    return service_take_ledger(&((struct domain *)ctx)->service, value, err);
}

static int take_realtime(void *ctx, const char *value, struct error *err)
{
    return realtime_take(&((struct domain *)ctx)->realtime, value, err);
}

static int take_sandbox(void *ctx, const char *value, struct error *err)
{
    return box_take_mode(&((struct domain *)ctx)->sandbox, value, err);
}

static int take_no_sandbox(void *ctx, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    ((struct domain *)ctx)->sandbox = BOX_OFF;
    return 0;
}

static const struct opt options[] = {
    {"disk", DOMAIN_DISK_VALUE, "serve that file, or mem:SIZE, as virtio-blk; repeated for more",
     take_disk},
    {"net", DOMAIN_NET_VALUE, "serve that network as virtio-net; repeated for more", take_net},
    {"rng", DOMAIN_RNG_VALUE, "serve this host's entropy as virtio-rng; repeated for more",
     take_rng},
    {"console", DOMAIN_CONSOLE_VALUE, "serve that as virtio-console; repeated for more",
     take_console},
    {"input", DOMAIN_INPUT_VALUE,
     "serve that device of the host (/dev/input/event…) as virtio-input; repeated for more",
     take_input},
    {"switch", "NAME[,age=SECONDS]", "a switch between cards (--net port=NAME) and ports",
     take_switch},
    {"port", DOMAIN_PORT_VALUE, "plug that into switch NAME; repeated for more", take_port},
    {"poll", "US", "look for work that long before sleeping, at most (50); 0: never", take_poll},
    {"ledger", "FILE", "write the ledger as JSON at the end; - is stdout (SIGUSR1: print it)",
     take_ledger},
    {"ctl", SERVICE_CTL_VALUE, SERVICE_CTL_HELP, take_ctl},
    {"metrics", SERVICE_METRICS_VALUE, SERVICE_METRICS_HELP, take_metrics},
    {"realtime", REALTIME_VALUE, REALTIME_HELP, take_realtime},
    {"sandbox", BOX_VALUE, BOX_HELP, take_sandbox},
    {"no-sandbox", NULL, BOX_NO_HELP, take_no_sandbox},
    {0},
};

static int words_take(struct domain *d, int argc, char **argv, struct error *err)
{
    if (!d)
        return error_set(err, -ENOMEM, "domain: not enough memory");
    d->poll_ns = POLL_US * 1000;
    return opt_parse(options, argc, argv, d, NULL, &d->help, err);
}

int domain_judge(int argc, char **argv, struct error *err)
{
    struct domain *d = calloc(1, sizeof(*d));
    int code = words_take(d, argc, argv, err);

    free(d);
    return code;
}

static int domain_run(int argc, char **argv)
{
    struct domain *d = calloc(1, sizeof(*d));
    struct error err = {0};
    int code = words_take(d, argc, argv, &err);

    if (!code && d->help)
        opt_help(&verb_domain, options);
    else if (!code && !d->devices && !d->smalls.smalls)
        code = error_set(&err, -EINVAL, "domain: serves nothing; viaduct domain --disk %s",
                         DOMAIN_DISK_VALUE);
    if (code)
        log_error("%s", err.text);
    if (code || d->help) {
        free(d);
        return code ? EXIT_USAGE : EXIT_OFF;
    }
    code = domain_serve(d);
    free(d);
    return code;
}

const struct verb verb_domain = {"domain", "--disk … [options]",
                                 "own disks and networks, and serve them to machines", domain_run};
