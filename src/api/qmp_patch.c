/* Commands about patched instructions (docs/mechanisms.md): how many there are, off, on. */
#include "api/qmp_impl.h"

static bool patching(struct qmp_call *c, struct qmp_patching *out)
{
    const struct qmp_ops *ops = c->q->ops;

    if (ops->patching && ops->patching(c->q->vm, out))
        return true;
    qmp_fail(c, "DeviceNotFound", "no disk of this machine has trap=patched");
    return false;
}

static cJSON *query(struct qmp_call *c)
{
    struct qmp_patching p;
    cJSON *o;

    if (!patching(c, &p))
        return NULL;
    o = cJSON_CreateObject();
    cJSON_AddBoolToObject(o, "enabled", p.on);
    cJSON_AddNumberToObject(o, "now", p.now);
    cJSON_AddNumberToObject(o, "made", (double)p.made);
    cJSON_AddNumberToObject(o, "restored", (double)p.restored);
    cJSON_AddNumberToObject(o, "lost", (double)p.lost);
    cJSON_AddNumberToObject(o, "refused", (double)p.refused);
    cJSON_AddNumberToObject(o, "copies", (double)p.copies);
    return o;
}

static cJSON *set(struct qmp_call *c)
{
    struct qmp_patching p;
    bool on;

    if (!patching(c, &p) || !qmp_bool(c, c->args, "enable", &on))
        return NULL;
    c->q->ops->patch(c->q->vm, on);
    return qmp_nothing();
}

const struct qmp_command qmp_patch[] = {
    {"query-patching", query, {0}},
    {"set-patching", set, {"enable"}},
    {0},
};
