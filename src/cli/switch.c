/*
 * viaduct switch: an Ethernet switch as a process. It listens on a Unix socket; each peer that
 * connects, a viaduct or a QEMU with -netdev stream, has a port until it goes. It has no privileges
 * and needs none. SIGUSR1 prints the counters, SIGINT and SIGTERM end it.
 */
#include "back/net_pcap.h"
#include "cli/cli.h"
#include "cli/switch_impl.h"
#include "core/error.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define NS          1000000000ull
#define AGE_DEFAULT 300 /* seconds: 802.1Q, table 8-6 */
#define SWEEP_NS    (10 * NS)
#define ACCEPTS     8 /* a turn */

struct options {
    const char *path;
    const char *pcap[SWITCH_PORTS];
    uint64_t age_ns;
    bool stats, help;
};

struct serve {
    struct sw sw;
    struct loop_timer sweep;
    struct sockaddr_un at;
    int listener, signals;
    const struct options *o;
};

/* ---- counters ---- */

static void stats_print(const struct sw *sw)
{
    fprintf(stderr, "port peers      in frames        in bytes      out frames       out bytes  "
                    " dropped   spoofed       bad   crowded    copied bytes\n");
    for (unsigned i = 0; i < SWITCH_PORTS; i++) {
        const struct sw_port *p = &sw->port[i];
        const struct sw_count *c = &p->count;

        if (p->peers)
            fprintf(stderr,
                    "%3u%c %5u %14" PRIu64 " %15" PRIu64 " %15" PRIu64 " %15" PRIu64 " %9" PRIu64
                    " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %15" PRIu64 "\n",
                    i, p->fd < 0 ? '-' : ' ', p->peers, c->in, c->in_bytes, c->out, c->out_bytes,
                    c->dropped, c->spoofed, c->bad, c->crowded, c->copied + p->out.moved);
    }
}

/* ---- the loop's events ---- */

static struct sw_port *port_free(struct sw *sw)
{
    for (unsigned i = 0; i < SWITCH_PORTS; i++)
        if (sw->port[i].fd < 0)
            return &sw->port[i];
    return NULL;
}

static void on_connect(void *arg, uint32_t events)
{
    struct serve *s = arg;

    (void)events;
    for (unsigned i = 0; i < ACCEPTS; i++) {
        int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        struct sw_port *p = fd < 0 ? NULL : port_free(&s->sw);

        if (fd < 0)
            return;
        if (!p) {
            log_peer(&s->sw.budget, "switch: all %u ports are taken, one more peer is turned away",
                     SWITCH_PORTS);
            close(fd);
        } else {
            sw_port_start(p, fd);
        }
    }
}

static void on_signal(void *arg, uint32_t events)
{
    struct serve *s = arg;
    struct signalfd_siginfo info;

    (void)events;
    if (read(s->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    if (info.ssi_signo == SIGUSR1)
        stats_print(&s->sw);
    else
        loop_stop(s->sw.loop);
}

static void on_sweep(void *arg)
{
    struct serve *s = arg;

    l2_age(&s->sw.l2, loop_now(s->sw.loop));
    loop_timer_set(&s->sweep, loop_now(s->sw.loop) + SWEEP_NS);
}

/* ---- start and end ---- */

/* A socket that nobody listens on any more is a switch that was killed: it may be replaced. */
static bool is_stale(const struct sockaddr_un *at)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat st;
    bool stale = false;

    if (fd < 0)
        return false;
    if (!lstat(at->sun_path, &st) && S_ISSOCK(st.st_mode))
        stale = connect(fd, (const struct sockaddr *)at, sizeof(*at)) && errno == ECONNREFUSED;
    close(fd);
    return stale;
}

static int listen_at(struct serve *s, struct error *err)
{
    const struct sockaddr *at = (const struct sockaddr *)&s->at;
    mode_t mask = umask(077); /* whoever may connect is on the network: the user alone */
    int code;

    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    code = s->listener < 0 || bind(s->listener, at, sizeof(s->at)) ? -errno : 0;
    if (code == -EADDRINUSE && is_stale(&s->at) && !unlink(s->at.sun_path))
        code = bind(s->listener, at, sizeof(s->at)) ? -errno : 0;
    umask(mask);
    if (!code && listen(s->listener, 16))
        code = -errno;
    if (code == -EADDRINUSE)
        return error_set(err, code, "switch %s: there is a switch already, or a file", s->o->path);
    return code ? error_set(err, code, "switch %s: %s", s->o->path, strerror(-code)) : 0;
}

static int signals_start(struct serve *s)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signals < 0 ? -errno : loop_fd(s->sw.loop, s->signals, EPOLLIN, on_signal, s);
}

static int serve_open(struct serve *s, struct error *err)
{
    uint64_t seed;
    int code = 0;

    if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
        return error_set(err, -EIO, "switch: no random numbers");
    l2_init(&s->sw.l2, seed, s->o->age_ns);
    s->sw.loop = loop_open(NULL, false);
    if (!s->sw.loop)
        return error_set(err, -ENOMEM, "switch: not enough memory or descriptors");
    for (unsigned i = 0; i < SWITCH_PORTS && !code; i++)
        if (s->o->pcap[i])
            code = net_pcap_open(&s->sw.port[i].pcap, s->o->pcap[i], 0, err);
    if (!code)
        code = listen_at(s, err);
    if (code)
        return code;
    code = signals_start(s);
    if (!code)
        code = loop_fd(s->sw.loop, s->listener, EPOLLIN, on_connect, s);
    return code ? error_set(err, code, "switch: %s", strerror(-code)) : 0;
}

static void serve_close(struct serve *s, bool bound)
{
    for (unsigned i = 0; i < SWITCH_PORTS; i++) {
        sw_port_stop(&s->sw.port[i], NULL);
        net_pcap_close(s->sw.port[i].pcap);
    }
    if (bound)
        unlink(s->at.sun_path);
    if (s->listener >= 0)
        close(s->listener);
    if (s->signals >= 0)
        close(s->signals);
    if (s->sw.loop)
        loop_close(s->sw.loop);
    free(s);
}

static struct serve *serve_new(const struct options *o)
{
    struct serve *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->o = o;
    s->listener = s->signals = -1;
    s->sw.budget.left = 1000;
    s->at.sun_family = AF_UNIX;
    snprintf(s->at.sun_path, sizeof(s->at.sun_path), "%s", o->path);
    for (unsigned i = 0; i < SWITCH_PORTS; i++) {
        s->sw.port[i].sw = &s->sw;
        s->sw.port[i].index = i;
        s->sw.port[i].fd = -1;
    }
    return s;
}

static int serve(const struct options *o)
{
    struct serve *s = serve_new(o);
    struct error err = {0};
    int code = s ? serve_open(s, &err) : error_set(&err, -ENOMEM, "switch: not enough memory");

    if (code) {
        log_error("%s", err.text);
        if (s)
            serve_close(s, false);
        return EXIT_USAGE;
    }
    loop_timer_init(&s->sweep, s->sw.loop, on_sweep, s);
    on_sweep(s);
    log_info("switch: listening at %s", o->path);
    code = loop_run(s->sw.loop);
    loop_timer_stop(&s->sweep);
    if (o->stats)
        stats_print(&s->sw);
    serve_close(s, true);
    return code ? EXIT_VMM : EXIT_OFF;
}

/* ---- options ---- */

static int take_pcap(void *ctx, const char *value, struct error *err)
{
    struct options *o = ctx;
    char *end;
    unsigned long port = strtoul(value, &end, 10);

    if (*value < '0' || *value > '9' || *end != '=' || !end[1] || port >= SWITCH_PORTS)
        return error_set(err, -EINVAL, "--pcap %s: must be PORT=FILE, ports are 0 to %u", value,
                         SWITCH_PORTS - 1);
    o->pcap[port] = end + 1;
    return 0;
}

static int take_age(void *ctx, const char *value, struct error *err)
{
    struct options *o = ctx;
    char *end;
    unsigned long s = strtoul(value, &end, 10);

    if (*value < '0' || *value > '9' || *end || s < 1 || s > 1000000)
        return error_set(err, -EINVAL, "--age %s: must be seconds, 1 to 1000000", value);
    o->age_ns = s * NS;
    return 0;
}

static int take_stats(void *ctx, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    ((struct options *)ctx)->stats = true;
    return 0;
}

static int take_path(void *ctx, const char *word, struct error *err)
{
    struct options *o = ctx;

    if (o->path)
        return error_set(err, -EINVAL, "switch: one path, please: %s and %s are two", o->path,
                         word);
    if (!*word || strlen(word) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return error_set(err, -EINVAL, "switch %s: a socket's path has up to %zu characters", word,
                         sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
    o->path = word;
    return 0;
}

static const struct opt options[] = {
    {"pcap", "PORT=FILE", "write what passes that port to a pcap file; repeated for more",
     take_pcap},
    {"age", "SECONDS", "forget an address that was silent for so long (300)", take_age},
    {"stats", NULL, "print each port's counters at the end (SIGUSR1: at any time)", take_stats},
    {0},
};

static int switch_run(int argc, char **argv)
{
    struct options o = {.age_ns = AGE_DEFAULT * NS};
    struct error err = {0};
    int code = opt_parse(options, argc, argv, &o, take_path, &o.help, &err);

    if (!code && o.help) {
        opt_help(&verb_switch, options);
        return EXIT_OFF;
    }
    if (!code && !o.path)
        code = error_set(&err, -EINVAL, "switch: at which path? viaduct switch PATH");
    if (code) {
        log_error("%s", err.text);
        return EXIT_USAGE;
    }
    return serve(&o);
}

const struct verb verb_switch = {"switch", "PATH [options]", "join virtual machines' networks",
                                 switch_run};
