/* What a machine has counted (query-ledger), by device: docs/lab.md says what is added to what. */
#include "cli/top.h"
#include "core/error.h"
#include <cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static double number(const cJSON *o, const char *key)
{
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(o, key);

    return cJSON_IsNumber(m) ? m->valuedouble : 0;
}

static const char *string(const cJSON *o, const char *key)
{
    const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));

    return s ? s : "?";
}

void top_sample_free(struct top_sample *s)
{
    free(s->device);
    *s = (struct top_sample){0};
}

/* The device of that name; room was made for as many as there can be. */
static struct top_device *device_of(struct top_sample *s, const char *name)
{
    for (unsigned i = 0; i < s->devices; i++)
        if (!strncmp(s->device[i].name, name, TOP_NAME - 1))
            return &s->device[i];
    if (s->devices == TOP_DEVICES)
        return NULL;
    snprintf(s->device[s->devices].name, TOP_NAME, "%.79s", name);
    return &s->device[s->devices++];
}

/* A row to the columns where it belongs. */
static void row_add(struct top_sample *s, const cJSON *row)
{
    const char *kind = string(row, "kind");
    struct top_device *d = device_of(s, string(row, "dev"));
    double n = number(row, "reads") + number(row, "writes");
    bool dma = !strcmp(kind, "dma"), blk = !strcmp(kind, "blk");

    if (!d)
        return;
    if (!strcmp(kind, "pio") || !strcmp(kind, "mmio") || !strcmp(kind, "hcall") ||
        !strcmp(kind, "exit"))
        d->traps += n;
    else if (!strcmp(kind, "bell"))
        d->bells += n;
    else if (!strcmp(kind, "irq") || !strcmp(kind, "msi") || !strcmp(kind, "vec"))
        d->irqs += n;
    else if (blk || !strcmp(kind, "net") || !strcmp(kind, "share") || !strcmp(kind, "chr") ||
             !strcmp(kind, "input"))
        d->requests += n;
    else if (!dma)
        return;
    d->refused += number(row, "refused");
    if (strcmp(kind, "pio") && strcmp(kind, "mmio") && strcmp(kind, "exit")) {
        d->in += number(row, dma ? "write_bytes" : "read_bytes"); /* to the guest */
        d->out += number(row, dma ? "read_bytes" : "write_bytes");
    }
}

static void times_take(struct top_sample *s, const cJSON *o)
{
    struct top_device *d = device_of(s, string(o, "dev"));
    const cJSON *pair;

    if (!d)
        return;
    cJSON_ArrayForEach(pair, cJSON_GetObjectItemCaseSensitive(o, "steps"))
    {
        const cJSON *step = cJSON_GetArrayItem(pair, 0), *n = cJSON_GetArrayItem(pair, 1);

        if (cJSON_IsNumber(step) && cJSON_IsNumber(n) && step->valuedouble >= 0 &&
            step->valuedouble < TIMES_STEPS && n->valuedouble >= 0 && n->valuedouble < 0x1p60)
            d->times.step[(unsigned)step->valuedouble] += (uint64_t)n->valuedouble;
    }
}

bool top_ask(struct top_set *s, struct top_machine *m)
{
    struct top_sample next = {0};
    struct error none;
    const cJSON *e;
    cJSON *got;

    if (!top_reach(s, m))
        return false;
    if (ctl_call(&m->call, "query-ledger", NULL, &got, &none)) {
        top_lose(m);
        return false;
    }
    next.ns = number(got, "ns");
    next.device = calloc(TOP_DEVICES, sizeof(*next.device));
    if (next.device) {
        cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(got, "rows")) row_add(&next, e);
        cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(got, "times")) times_take(&next, e);
        top_sample_free(&m->was);
        m->was = m->is;
        m->is = next;
    }
    cJSON_Delete(got);
    return next.device != NULL;
}

/* ---- rates ---- */

static int by_weight(const void *a, const void *b)
{
    const struct top_device *x = a, *y = b;
    double wx = x->traps + x->bells + x->irqs + x->requests;
    double wy = y->traps + y->bells + y->irqs + y->requests;

    return wx < wy ? 1 : wx > wy ? -1 : strcmp(x->name, y->name);
}

/* A machine that has started again counts from zero: then it is what it has so far. */
static void rate(struct top_device *d, const struct top_device *was, double seconds)
{
    static const struct top_device none;

    if (!was || was->traps > d->traps || was->requests > d->requests)
        was = &none;
    d->traps = (d->traps - was->traps) / seconds;
    d->bells = (d->bells - was->bells) / seconds;
    d->irqs = (d->irqs - was->irqs) / seconds;
    d->requests = (d->requests - was->requests) / seconds;
    d->in = (d->in - was->in) / seconds;
    d->out = (d->out - was->out) / seconds;
    d->refused = (d->refused - was->refused) / seconds;
    for (unsigned i = 0; i < TIMES_STEPS; i++)
        if (was->times.step[i] <= d->times.step[i])
            d->times.step[i] -= was->times.step[i];
}

static const struct top_device *find(const struct top_sample *s, const char *name)
{
    for (unsigned i = 0; i < s->devices; i++)
        if (!strcmp(s->device[i].name, name))
            return &s->device[i];
    return NULL;
}

int top_rates(const struct top_machine *m, struct top_sample *to)
{
    double seconds = (m->is.ns - m->was.ns) / 1e9;

    *to = (struct top_sample){.devices = m->is.devices};
    to->device = calloc(TOP_DEVICES, sizeof(*to->device));
    if (!to->device)
        return -ENOMEM;
    if (m->is.devices)
        memcpy(to->device, m->is.device, m->is.devices * sizeof(*to->device));
    for (unsigned i = 0; i < to->devices; i++)
        rate(&to->device[i], find(&m->was, to->device[i].name),
             seconds > 0 ? seconds : m->is.ns / 1e9 + 1e-9);
    qsort(to->device, to->devices, sizeof(*to->device), by_weight);
    return 0;
}
