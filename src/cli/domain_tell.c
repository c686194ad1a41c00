/* domain_tell.h tells. */
#include "cli/domain_tell.h"
#include "back/blk.h"
#include "cli/switch_tell.h"
#include "core/ledger.h"
#include "vhost/back.h"
#include <string.h>

/* ---- peers ---- */

static void connected(struct metrics_out *out, const char *device, const struct vhost_back *b)
{
    metrics_sample(out, "front_connected", &(struct metrics_label){"device", device}, 1,
                   vhost_back_busy(b));
}

static void fronts(struct metrics_out *out, const struct domain_tell *t)
{
    metrics_family(out, "front_connections_total", "counter",
                   "Front ends that came to a device's socket.");
    for (const struct ledger_row *r = ledger_first(t->ledger); r; r = r->next)
        if (r->kind == LEDGER_VHOST && !strcmp(r->name, "peer"))
            metrics_sample(out, "front_connections_total",
                           &(struct metrics_label){"device", r->dev}, 1, (double)r->writes);
    metrics_family(out, "front_connected", "gauge", "1 while one is there.");
    for (unsigned i = 0; i < t->devices; i++)
        connected(out, t->device[i].name, t->device[i].back);
    for (unsigned i = 0; i < t->smalls->smalls; i++)
        connected(out, t->smalls->small[i].name, t->smalls->small[i].back);
}

static void more(const void *owner, struct metrics_out *out)
{
    const struct domain_tell *t = owner;
    const struct sw *sw[DOMAIN_SWITCHES];

    fronts(out, t);
    for (unsigned i = 0; i < t->switches->switches; i++)
        sw[i] = t->switches->sw[i].sw;
    if (t->switches->switches)
        switch_tell(out, t->ledger, sw, t->switches->switches);
}

/* ---- disks ---- */

/* The nth device that is one. */
static const struct domain_device *disk_of(const struct domain_tell *t, unsigned n)
{
    for (unsigned i = 0; i < t->devices; i++)
        if (!t->device[i].is_net && !n--)
            return &t->device[i];
    return NULL;
}

unsigned domain_tell_disks(void *owner)
{
    unsigned n = 0;

    while (disk_of(owner, n)) /* at most DOMAIN_DEVICES */
        n++;
    return n;
}

void domain_tell_disk(void *owner, unsigned n, struct qmp_disk *out)
{
    const struct domain_device *d = disk_of(owner, n);

    *out = (struct qmp_disk){d->disk.file, d->disk.readonly, d->blk->sectors * BLK_SECTOR};
}

void domain_tell_source(void *owner, struct metrics_source *s)
{
    const struct domain_tell *t = owner;

    s->label = "domain";
    s->ledger = t->ledger;
    for (unsigned i = 0; i < t->devices; i++)
        if (!t->device[i].is_net)
            s->disk[s->disks++] = t->device[i].blk;
    s->more = more;
    s->ctx = t;
}
