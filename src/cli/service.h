/* What a domain and a switch have in common as processes that serve: what they can be asked at
 * while they run (--ctl, --metrics: docs/control.md), the signals they hear, the ledger they leave.
 */
#ifndef CLI_SERVICE_H
#define CLI_SERVICE_H

#include "api/metrics.h"
#include "api/qmp.h"
#include "core/error.h"
#include <stdio.h>

struct box;
struct ctl;
struct ledger;
struct loop;
struct metrics_door;

struct service_opts { /* who is asked */
    struct loop *loop;
    void (*source)(void *owner, struct metrics_source *s);
    unsigned (*disks)(void *owner); /* for query-block; NULL: none */
    void (*disk)(void *owner, unsigned n, struct qmp_disk *out);
    void *owner;
};

struct service {
    /* options */
    const char *ctl;
    char metrics[256];
    const char *metrics_name;
    const char *ledger_path;
    /* while they are open */
    struct service_opts o;
    bool told; /* to quit */
    struct ctl *control;
    struct metrics_door *scrape;
    FILE *ledger_file; /* open since before the jail; or NULL */
    /* its signals */
    struct loop *heard_by;
    int signals;
    void (*print)(void *owner);
    void *print_owner;
};

/* SIGUSR1 prints, SIGINT, SIGTERM and (unless it is ignored) SIGHUP stop the loop, SIGPIPE is
 * nothing. Before any thread is made, so that all leave these to the loop. 0 or -errno. */
int service_signals(struct service *d, struct loop *loop, void (*print)(void *owner), void *owner);
void service_deaf(struct service *d); /* before the loop is closed; also if it never heard */
/* Before the jail, and at the end, what --ledger asks for, if it does. 0 or -errno, said. */
int service_ledger_place(struct service *d, struct error *err);
int service_ledger_write(const struct service *d, struct ledger *ledger);

/* Before the jail. 0 or -errno with err filled. */
int service_open(struct service *d, const struct service_opts *o, struct error *err);
void service_close(struct service *d);                    /* also after a failed open, or none */
void service_box(const struct service *d, struct box *b); /* what they need in the jail */

/* Options' values; d is a struct service. */
int service_take_ctl(void *d, const char *value, struct error *err);
int service_take_metrics(void *d, const char *value, struct error *err);
int service_take_ledger(void *d, const char *value, struct error *err);
/* PATH[,name=NAME] into path, and where its name is in it. */
int metrics_place_take(char *path, size_t room, const char **name, const char *value,
                       struct error *err);

#define SERVICE_CTL_VALUE     "PATH"
#define SERVICE_CTL_HELP      "control socket there (docs/control.md)"
#define SERVICE_METRICS_VALUE "PATH[,name=NAME]"
#define SERVICE_METRICS_HELP  "socket there that answers HTTP with metrics for Prometheus"

#endif
