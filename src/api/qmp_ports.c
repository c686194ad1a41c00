/* Commands about the named ports of the virtio console: what there is, plugging in, pulling out. */
#include "api/qmp_impl.h"

static cJSON *query(struct qmp_call *c)
{
    const struct qmp_ops *ops = c->q->ops;
    cJSON *list = cJSON_CreateArray();
    struct qmp_port p;

    for (unsigned n = 0; ops->port && ops->port(c->q->vm, n, &p); n++) { /* as many as there are */
        cJSON *o = cJSON_CreateObject();

        cJSON_AddStringToObject(o, "name", p.name);
        cJSON_AddBoolToObject(o, "plugged", p.plugged);
        cJSON_AddBoolToObject(o, "open", p.open);
        cJSON_AddItemToArray(list, o);
    }
    return list;
}

static cJSON *set(struct qmp_call *c)
{
    const cJSON *name = qmp_string(c, c->args, "name");
    bool plugged;

    if (!name || !qmp_bool(c, c->args, "plugged", &plugged))
        return NULL;
    if (!c->q->ops->plug || c->q->ops->plug(c->q->vm, name->valuestring, plugged))
        return qmp_fail(c, "DeviceNotFound", "there is no port %.64s", name->valuestring);
    return qmp_nothing();
}

const struct qmp_command qmp_ports[] = {
    {"query-ports", query, {0}},
    {"set-port", set, {"name", "plugged"}},
    {0},
};
