/* Commands about the machine as a whole: how it is, stop, go on, end, its disks and CPUs. */
#include "api/qmp_impl.h"
#include <stdio.h>

static cJSON *capabilities(struct qmp_call *c)
{
    const cJSON *enable = cJSON_GetObjectItemCaseSensitive(c->args, "enable");

    if (enable && (!cJSON_IsArray(enable) || cJSON_GetArraySize(enable))) {
        c->q->ready = false;
        return qmp_fail(c, NULL, "no capability was offered");
    }
    return qmp_nothing();
}

static cJSON *commands(struct qmp_call *c)
{
    cJSON *list = cJSON_CreateArray();
    const struct qmp_command *cmd;

    for (unsigned i = 0; (cmd = qmp_table(c->q, i)); i++)
        for (; cmd->name; cmd++) {
            cJSON *o = cJSON_CreateObject();

            cJSON_AddStringToObject(o, "name", cmd->name);
            cJSON_AddItemToArray(list, o);
        }
    return list;
}

static cJSON *version(struct qmp_call *c)
{
    cJSON *o = cJSON_CreateObject(), *number = cJSON_AddObjectToObject(o, "qemu");

    (void)c;
    cJSON_AddNumberToObject(number, "micro", 0);
    cJSON_AddNumberToObject(number, "minor", 1);
    cJSON_AddNumberToObject(number, "major", 0);
    cJSON_AddStringToObject(o, "package", "viaduct");
    return o;
}

static cJSON *status(struct qmp_call *c)
{
    bool paused = !c->q->ops->service && c->q->ops->paused(c->q->vm);
    cJSON *o = cJSON_CreateObject();

    cJSON_AddBoolToObject(o, "running", !paused);
    cJSON_AddBoolToObject(o, "singlestep", false);
    cJSON_AddStringToObject(o, "status", paused ? "paused" : "running");
    return o;
}

static void pause(struct qmp_call *c, bool on)
{
    if (c->q->ops->paused(c->q->vm) == on)
        return;
    c->q->ops->pause(c->q->vm, on);
    c->q->event(c->q->ctx, on ? "STOP" : "RESUME", NULL);
}

static cJSON *stop(struct qmp_call *c)
{
    pause(c, true);
    return qmp_nothing();
}

static cJSON *cont(struct qmp_call *c)
{
    pause(c, false);
    return qmp_nothing();
}

static cJSON *powerdown(struct qmp_call *c)
{
    if (c->q->ops->button(c->q->vm))
        return qmp_fail(c, "DeviceNotFound", "this board has no power button");
    c->q->event(c->q->ctx, "POWERDOWN", NULL);
    return qmp_nothing();
}

static cJSON *quit(struct qmp_call *c)
{
    c->q->ops->quit(c->q->vm);
    return qmp_nothing();
}

static cJSON *cpus(struct qmp_call *c)
{
    unsigned n = c->q->ops->vcpus(c->q->vm);
    cJSON *list = cJSON_CreateArray();

    for (unsigned i = 0; i < n; i++) {
        cJSON *o = cJSON_CreateObject();

        cJSON_AddNumberToObject(o, "cpu-index", i);
        cJSON_AddStringToObject(o, "target", "x86_64");
        cJSON_AddItemToArray(list, o);
    }
    return list;
}

static cJSON *disk(const struct qmp_disk *d, unsigned n)
{
    cJSON *o = cJSON_CreateObject(), *in = cJSON_AddObjectToObject(o, "inserted");
    cJSON *image = cJSON_AddObjectToObject(in, "image");
    char name[16];

    snprintf(name, sizeof(name), "disk%u", n);
    cJSON_AddStringToObject(o, "device", name);
    cJSON_AddStringToObject(o, "type", "unknown");
    cJSON_AddBoolToObject(o, "removable", false);
    cJSON_AddBoolToObject(o, "locked", false);
    cJSON_AddStringToObject(in, "file", d->path);
    cJSON_AddStringToObject(in, "drv", "raw");
    cJSON_AddBoolToObject(in, "ro", d->readonly);
    cJSON_AddBoolToObject(in, "encrypted", false);
    cJSON_AddNumberToObject(in, "backing_file_depth", 0);
    cJSON_AddStringToObject(image, "filename", d->path);
    cJSON_AddStringToObject(image, "format", "raw");
    cJSON_AddNumberToObject(image, "virtual-size", (double)d->bytes);
    return o;
}

static cJSON *block(struct qmp_call *c)
{
    unsigned n = c->q->ops->disks ? c->q->ops->disks(c->q->vm) : 0;
    cJSON *list = cJSON_CreateArray();

    for (unsigned i = 0; i < n; i++) {
        struct qmp_disk d;

        c->q->ops->disk(c->q->vm, i, &d);
        cJSON_AddItemToArray(list, disk(&d, i));
    }
    return list;
}

const struct qmp_command qmp_common[] = {
    {"qmp_capabilities", capabilities, {"enable"}},
    {"query-commands", commands, {0}},
    {"query-version", version, {0}},
    {"query-status", status, {0}},
    {"quit", quit, {0}},
    {"query-block", block, {0}},
    {0},
};

const struct qmp_command qmp_machine[] = {
    {"stop", stop, {0}},
    {"cont", cont, {0}},
    {"system_powerdown", powerdown, {0}},
    {"query-cpus-fast", cpus, {0}},
    {0},
};
