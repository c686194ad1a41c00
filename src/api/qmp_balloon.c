/* Commands about the balloon: how much memory the guest is to make do with, and what it has. */
#include "api/qmp_impl.h"
#include <errno.h>

static cJSON *none(struct qmp_call *c)
{
    return qmp_fail(c, "DeviceNotActive", "this machine has no balloon; run it with --balloon");
}

static cJSON *query(struct qmp_call *c)
{
    const struct qmp_ops *ops = c->q->ops;
    uint64_t bytes;
    cJSON *o;

    if (!ops->balloon_get || ops->balloon_get(c->q->vm, &bytes))
        return none(c);
    o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "actual", (double)bytes);
    return o;
}

static cJSON *set(struct qmp_call *c)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(c->args, "value");
    const struct qmp_ops *ops = c->q->ops;
    int err;

    if (!cJSON_IsNumber(v) || !(v->valuedouble >= 1 && v->valuedouble < 0x1p53))
        return qmp_fail(c, NULL, "\"value\" must be a number of bytes");
    err = ops->balloon_set ? ops->balloon_set(c->q->vm, (uint64_t)v->valuedouble) : -ENODEV;
    if (err == -ENODEV)
        return none(c);
    if (err)
        return qmp_fail(c, NULL, "\"value\" must be whole pages, and not more than --memory");
    return qmp_nothing();
}

const struct qmp_command qmp_balloon[] = {
    {"balloon", set, {"value"}},
    {"query-balloon", query, {0}},
    {0},
};
