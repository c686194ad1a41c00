/* Commands about what was counted: the ledger as JSON, and as text for Prometheus. Ours. */
#include "api/metrics.h"
#include "api/qmp_impl.h"
#include <stdlib.h>

static bool source(struct qmp_call *c, struct metrics_source *s)
{
    if (c->q->ops->metrics && c->q->ops->metrics(c->q->vm, s))
        return true;
    qmp_fail(c, "DeviceNotFound", "nothing is counted here");
    return false;
}

static cJSON *query_ledger(struct qmp_call *c)
{
    struct metrics_source s = {0};

    return source(c, &s) ? metrics_json(&s) : NULL;
}

static cJSON *query_metrics(struct qmp_call *c)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(c->args, "name");
    struct metrics_source s = {0};
    cJSON *o = NULL;
    char *text;

    if (name && (!cJSON_IsString(name) || !metrics_name_good(name->valuestring)))
        return qmp_fail(c, NULL,
                        "'name' must be 1 to %u letters, digits and ._-/:", METRICS_NAME_MAX);
    if (!source(c, &s))
        return NULL;
    text = metrics_text(&s, name ? name->valuestring : NULL);
    if (text) {
        o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "text", text);
    }
    free(text);
    return o;
}

const struct qmp_command qmp_metrics[] = {
    {"query-ledger", query_ledger, {0}},
    {"query-metrics", query_metrics, {"name"}},
    {0},
};
