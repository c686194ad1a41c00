/*
 * Metrics as text (prometheus.io: "Exposition formats", text-based). A crossing is a row of the
 * ledger (docs/ledger.md): kind, device and name are its labels. Rows that have counted nothing are
 * left out.
 */
#include "api/metrics.h"
#include "back/blk.h"
#include "core/ledger.h"
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LE_FIRST 12u /* 2^12 ns: 4 µs */
#define LE_LAST  34u /* 17 s */

struct metrics_out {
    FILE *f;
    const char *key, *who; /* who NULL: no label */
};

bool metrics_name_good(const char *name)
{
    size_t n = strlen(name);

    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("._-/:", *p))
            return false;
    return n && n <= METRICS_NAME_MAX;
}

/* ---- words ---- */

/* A label's value: \ and " and line ends are escaped. */
static void quoted(FILE *f, const char *s)
{
    fputc('"', f);
    for (; *s; s++)
        if (*s == '\n')
            fputs("\\n", f);
        else if (*s == '"' || *s == '\\')
            fprintf(f, "\\%c", *s);
        else
            fputc((unsigned char)*s < 0x20 || (unsigned char)*s >= 0x7f ? '?' : *s, f);
    fputc('"', f);
}

void metrics_family(struct metrics_out *o, const char *name, const char *type, const char *help)
{
    fprintf(o->f, "# HELP viaduct_%s %s\n# TYPE viaduct_%s %s\n", name, help, name, type);
}

/* "viaduct_NAME{vm="…"": what follows is more labels and "} VALUE". */
static void start(struct metrics_out *o, const char *name)
{
    fprintf(o->f, "viaduct_%s{", name);
    if (o->who) {
        fprintf(o->f, "%s=", o->key);
        quoted(o->f, o->who);
    }
}

static void label(struct metrics_out *o, const char *key, const char *value, bool first)
{
    fprintf(o->f, "%s%s=", first && !o->who ? "" : ",", key);
    quoted(o->f, value);
}

void metrics_sample(struct metrics_out *o, const char *name, const struct metrics_label *l,
                    unsigned labels, double value)
{
    start(o, name);
    for (unsigned i = 0; i < labels; i++)
        label(o, l[i].key, l[i].value, !i);
    fprintf(o->f, "} %.17g\n", value);
}

static void plain(struct metrics_out *o, const char *name, const char *help, double value)
{
    metrics_family(o, name, "gauge", help);
    metrics_sample(o, name, NULL, 0, value);
}

/* ---- rows ---- */

struct part {        /* of a row */
    const char *way; /* label "direction"; NULL: none */
    size_t at;       /* of the counter in the row */
};

#define AT(field) offsetof(struct ledger_row, field)

static uint64_t counter(const struct ledger_row *row, size_t at)
{
    uint64_t v;

    memcpy(&v, (const char *)row + at, sizeof(v));
    return v;
}

static void row_part(struct metrics_out *o, const char *name, const struct ledger_row *row,
                     const struct part *p)
{
    if (!counter(row, p->at))
        return;
    start(o, name);
    label(o, "kind", ledger_kind_name(row->kind), true);
    label(o, "device", row->dev, false);
    label(o, "name", row->name, false);
    if (p->way)
        label(o, "direction", p->way, false);
    fprintf(o->f, "} %" PRIu64 "\n", counter(row, p->at));
}

static void rows(struct metrics_out *o, const struct ledger *l, const char *name,
                 const struct part *part, unsigned parts)
{
    for (const struct ledger_row *r = ledger_first(l); r; r = r->next)
        for (unsigned i = 0; i < parts; i++)
            row_part(o, name, r, &part[i]);
}

static void ledger_out(struct metrics_out *o, const struct ledger *l)
{
    static const struct part crossings[] = {{"read", AT(reads)}, {"write", AT(writes)}};
    static const struct part bytes[] = {{"read", AT(read_bytes)}, {"write", AT(write_bytes)}};
    static const struct part refused[] = {{NULL, AT(refused)}}, copied[] = {{NULL, AT(copied)}};

    metrics_family(
        o, "crossings_total", "counter",
        "Crossings between guest and hypervisor, by row of the ledger (docs/ledger.md).");
    rows(o, l, "crossings_total", crossings, 2);
    metrics_family(o, "bytes_total", "counter", "Bytes of these crossings.");
    rows(o, l, "bytes_total", bytes, 2);
    metrics_family(o, "refused_total", "counter",
                   "Crossings that were refused, failed or dropped.");
    rows(o, l, "refused_total", refused, 1);
    metrics_family(o, "copied_bytes_total", "counter", "Bytes that a CPU copied.");
    rows(o, l, "copied_bytes_total", copied, 1);
}

/* ---- times of requests ---- */

static const char *const op_name[BLK_OPS] = {"read", "write", "flush", "discard", "zeroes"};

static void histogram_line(struct metrics_out *o, const char *suffix, const struct blk *b,
                           unsigned op)
{
    char name[48];

    snprintf(name, sizeof(name), "block_request_seconds%s", suffix);
    start(o, name);
    label(o, "device", b->name, true);
    label(o, "operation", op_name[op], false);
}

static void histogram(struct metrics_out *o, const struct blk *b, unsigned op)
{
    const struct times *t = &b->times[op];

    if (!t->count)
        return;
    for (unsigned shift = LE_FIRST; shift <= LE_LAST; shift++) {
        histogram_line(o, "_bucket", b, op);
        fprintf(o->f, ",le=\"%.9g\"} %" PRIu64 "\n", (double)(1ull << shift) / 1e9,
                times_below(t, shift));
    }
    histogram_line(o, "_bucket", b, op);
    fprintf(o->f, ",le=\"+Inf\"} %" PRIu64 "\n", t->count);
    histogram_line(o, "_sum", b, op);
    fprintf(o->f, "} %.9f\n", (double)t->ns / 1e9);
    histogram_line(o, "_count", b, op);
    fprintf(o->f, "} %" PRIu64 "\n", t->count);
}

/* ---- disks: what waits ---- */

static void limited(struct metrics_out *o, const struct ledger *l, const char *family, bool seconds)
{
    for (const struct ledger_row *r = ledger_first(l); r; r = r->next)
        if (r->kind == LEDGER_WAY && !strcmp(r->name, "limited"))
            metrics_sample(o, family, &(struct metrics_label){"device", r->dev}, 1,
                           seconds ? (double)r->ns / 1e9 : (double)(r->reads + r->writes));
}

static void waiting(struct metrics_out *o, const struct metrics_source *s)
{
    metrics_family(o, "block_limited_requests_total", "counter",
                   "Requests that waited because of iops= or bps=.");
    limited(o, s->ledger, "block_limited_requests_total", false);
    metrics_family(o, "block_limited_seconds_total", "counter",
                   "How long the first of a queue waited for these.");
    limited(o, s->ledger, "block_limited_seconds_total", true);
    metrics_family(o, "block_pending_requests", "gauge", "Requests that have not ended.");
    for (unsigned i = 0; i < s->disks; i++)
        if (s->disk[i])
            metrics_sample(o, "block_pending_requests",
                           &(struct metrics_label){"device", s->disk[i]->name}, 1,
                           s->disk[i]->in_flight);
}

char *metrics_text(const struct metrics_source *s, const char *name)
{
    char *text = NULL;
    size_t size = 0;
    struct metrics_out o = {open_memstream(&text, &size), s->label ? s->label : "vm", name};

    if (!o.f)
        return NULL;
    if (s->vcpus) {
        plain(&o, "vcpus", "Virtual CPUs.", s->vcpus);
        plain(&o, "memory_bytes", "Guest RAM.", (double)s->memory);
        plain(&o, "paused", "1 while the machine is paused.", s->paused);
    }
    plain(&o, "uptime_seconds", "How long it has been there.", (double)s->ns / 1e9);
    ledger_out(&o, s->ledger);
    metrics_family(&o, "block_request_seconds", "histogram",
                   "From a request's start to its end, as its controller sees it.");
    for (unsigned i = 0; i < s->disks; i++)
        for (unsigned op = 0; s->disk[i] && op < BLK_OPS; op++)
            histogram(&o, s->disk[i], op);
    waiting(&o, s);
    if (s->more)
        s->more(s->ctx, &o);
    if (fclose(o.f))
        return NULL;
    return text;
}
