/* service.h tells. What a service does for its control socket: end when told to, say what it has.
 */
#include "cli/service.h"
#include "api/ctl.h"
#include "api/metrics_door.h"
#include "cli/run_box.h"
#include "core/loop.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- options ---- */

int service_take_ctl(void *d, const char *value, struct error *err)
{
    (void)err; /* ctl_listen judges it */
    ((struct service *)d)->ctl = value;
    return 0;
}

int metrics_place_take(char *path, size_t room, const char **name, const char *value,
                       struct error *err)
{
    char *comma;

    if (!*value || strlen(value) >= room)
        return error_set(err, -EINVAL, "--metrics: names no socket, or one that is too long");
    snprintf(path, room, "%s", value);
    comma = strstr(path, ",name=");
    if (!comma)
        return 0;
    *comma = 0;
    *name = comma + 6;
    if (!metrics_name_good(*name) || !*path)
        return error_set(err, -EINVAL,
                         "--metrics %s: must be PATH,name=NAME, of up to %u letters, digits and "
                         "._-/:",
                         value, METRICS_NAME_MAX);
    return 0;
}

int service_take_metrics(void *d, const char *value, struct error *err)
{
    struct service *p = d;

    return metrics_place_take(p->metrics, sizeof(p->metrics), &p->metrics_name, value, err);
}

/* ---- what is asked ---- */

static void quit(void *service)
{
    struct service *d = service;

    d->told = true;
    loop_stop(d->o.loop);
}

static unsigned disks(void *service)
{
    struct service *d = service;

    return d->o.disks ? d->o.disks(d->o.owner) : 0;
}

static void disk(void *service, unsigned n, struct qmp_disk *out)
{
    struct service *d = service;

    d->o.disk(d->o.owner, n, out);
}

static void source(void *service, struct metrics_source *s)
{
    struct service *d = service;

    *s = (struct metrics_source){.ns = loop_now(d->o.loop)};
    d->o.source(d->o.owner, s);
}

static bool metrics(void *service, struct metrics_source *s)
{
    source(service, s);
    return true;
}

static const struct qmp_ops service_ops = {
    .service = true, .quit = quit, .disks = disks, .disk = disk, .metrics = metrics};

/* ---- life ---- */

int service_open(struct service *d, const struct service_opts *o, struct error *err)
{
    struct ctl_opts ctl = {.path = d->ctl, .loop = o->loop, .ops = &service_ops, .machine = d};
    struct metrics_door_opts scrape = {.option = "--metrics",
                                       .path = d->metrics,
                                       .name = d->metrics_name,
                                       .loop = o->loop,
                                       .source = source,
                                       .ctx = d};
    int code = 0;

    d->o = *o;
    if (d->ctl)
        code = ctl_listen(&d->control, &ctl, err);
    if (!code && *d->metrics)
        code = metrics_door_open(&d->scrape, &scrape, err);
    return code;
}

void service_close(struct service *d)
{
    metrics_door_close(d->scrape);
    ctl_leave(d->control, d->told ? "host-qmp-quit" : "host-signal");
    d->scrape = NULL;
    d->control = NULL;
}

void service_box(const struct service *d, struct box *b)
{
    if (d->ctl || *d->metrics)
        b->sets |= BOX_BIT(BOX_LISTEN) | BOX_BIT(BOX_STREAM);
    box_gone(b, d->ctl);
    if (*d->metrics)
        box_gone(b, d->metrics);
}
