/* What a domain or a switch can be asked at while it runs: --ctl and --metrics (docs/control.md).
 */
#ifndef CLI_SERVICE_H
#define CLI_SERVICE_H

#include "api/metrics.h"
#include "api/qmp.h"
#include "core/error.h"

struct box;
struct ctl;
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
    /* while they are open */
    struct service_opts o;
    bool told; /* to quit */
    struct ctl *control;
    struct metrics_door *scrape;
};

/* Before the jail. 0 or -errno with err filled. */
int service_open(struct service *d, const struct service_opts *o, struct error *err);
void service_close(struct service *d);                    /* also after a failed open, or none */
void service_box(const struct service *d, struct box *b); /* what they need in the jail */

/* Options' values; d is a struct service. */
int service_take_ctl(void *d, const char *value, struct error *err);
int service_take_metrics(void *d, const char *value, struct error *err);
/* PATH[,name=NAME] into path, and where its name is in it. */
int metrics_place_take(char *path, size_t room, const char **name, const char *value,
                       struct error *err);

#define SERVICE_CTL_VALUE     "PATH"
#define SERVICE_CTL_HELP      "control socket there (docs/control.md)"
#define SERVICE_METRICS_VALUE "PATH[,name=NAME]"
#define SERVICE_METRICS_HELP  "socket there that answers HTTP with metrics for Prometheus"

#endif
