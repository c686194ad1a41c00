/* Metrics as JSON: the rows of the ledger that have counted something, and the disks' times as they
 * are, step by step, so that whoever asks twice can tell what was in between. */
#include "api/metrics.h"
#include "back/blk.h"
#include "core/ledger.h"
#include <cJSON.h>

static void row_add(cJSON *list, const struct ledger_row *r)
{
    cJSON *o;

    if (!r->reads && !r->writes && !r->refused)
        return;
    o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "kind", ledger_kind_name(r->kind));
    cJSON_AddStringToObject(o, "dev", r->dev);
    cJSON_AddStringToObject(o, "name", r->name);
    cJSON_AddNumberToObject(o, "reads", (double)r->reads);
    cJSON_AddNumberToObject(o, "writes", (double)r->writes);
    cJSON_AddNumberToObject(o, "read_bytes", (double)r->read_bytes);
    cJSON_AddNumberToObject(o, "write_bytes", (double)r->write_bytes);
    cJSON_AddNumberToObject(o, "refused", (double)r->refused);
    cJSON_AddNumberToObject(o, "copied", (double)r->copied);
    cJSON_AddItemToArray(list, o);
}

/* [[step, how many], …] */
static void steps_add(cJSON *o, const struct times *t)
{
    cJSON *list = cJSON_AddArrayToObject(o, "steps");

    for (unsigned i = 0; i < TIMES_STEPS; i++) {
        double pair[2] = {i, (double)t->step[i]};

        if (t->step[i])
            cJSON_AddItemToArray(list, cJSON_CreateDoubleArray(pair, 2));
    }
}

static void times_out(cJSON *list, const struct blk *b, unsigned op)
{
    static const char *const name[BLK_OPS] = {"read", "write", "flush", "discard", "zeroes"};
    const struct times *t = &b->times[op];
    cJSON *o;

    if (!t->count)
        return;
    o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "dev", b->name);
    cJSON_AddStringToObject(o, "operation", name[op]);
    cJSON_AddNumberToObject(o, "count", (double)t->count);
    cJSON_AddNumberToObject(o, "ns", (double)t->ns);
    cJSON_AddNumberToObject(o, "p50_ns", (double)times_quantile(t, 0.50));
    cJSON_AddNumberToObject(o, "p99_ns", (double)times_quantile(t, 0.99));
    steps_add(o, t);
    cJSON_AddItemToArray(list, o);
}

cJSON *metrics_json(const struct metrics_source *s)
{
    cJSON *o = cJSON_CreateObject(), *list;

    cJSON_AddNumberToObject(o, "ns", (double)s->ns);
    list = cJSON_AddArrayToObject(o, "rows");
    for (const struct ledger_row *r = ledger_first(s->ledger); r; r = r->next)
        row_add(list, r);
    list = cJSON_AddArrayToObject(o, "times");
    for (unsigned i = 0; i < s->disks; i++)
        for (unsigned op = 0; s->disk[i] && op < BLK_OPS; op++)
            times_out(list, s->disk[i], op);
    return o;
}
