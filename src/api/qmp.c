/*
 * QMP's messages: QEMU Machine Protocol Specification, sections 2.2 to 2.6: greeting, capabilities,
 * commands with id, success, error, events. Left out: out-of-band execution.
 */
#include "api/qmp_impl.h"
#include "api/utf8.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

cJSON *qmp_nothing(void)
{
    return cJSON_CreateObject();
}

cJSON *qmp_fail(struct qmp_call *c, const char *class, const char *format, ...)
{
    va_list args;

    c->class = class;
    va_start(args, format);
    vsnprintf(c->err.text, sizeof(c->err.text), format, args);
    va_end(args);
    return NULL;
}

/* The line, and the object is gone. */
static char *line_of(cJSON *o)
{
    char *text = o ? cJSON_PrintUnformatted(o) : NULL, *line = NULL;
    size_t n = text ? strlen(text) : 0;

    cJSON_Delete(o);
    if (text)
        line = malloc(n + 3);
    if (line) {
        memcpy(line, text, n);
        memcpy(line + n, "\r\n", 3);
        utf8_mend(line);
    }
    cJSON_free(text);
    return line;
}

char *qmp_greeting(void)
{
    cJSON *o = cJSON_CreateObject(), *qmp = cJSON_AddObjectToObject(o, "QMP");
    cJSON *version = cJSON_AddObjectToObject(qmp, "version");
    cJSON *number = cJSON_AddObjectToObject(version, "qemu");

    cJSON_AddNumberToObject(number, "micro", 0);
    cJSON_AddNumberToObject(number, "minor", 1);
    cJSON_AddNumberToObject(number, "major", 0);
    cJSON_AddStringToObject(version, "package", "viaduct");
    cJSON_AddArrayToObject(qmp, "capabilities");
    return line_of(o);
}

char *qmp_event(const char *name, cJSON *data)
{
    cJSON *o = cJSON_CreateObject(), *stamp = cJSON_AddObjectToObject(o, "timestamp");
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    cJSON_AddNumberToObject(stamp, "seconds", (double)now.tv_sec);
    cJSON_AddNumberToObject(stamp, "microseconds", (double)(now.tv_nsec / 1000));
    cJSON_AddStringToObject(o, "event", name);
    if (data)
        cJSON_AddItemToObject(o, "data", data);
    return line_of(o);
}

/* id is taken; it may be NULL. */
static char *answer(const char *key, cJSON *value, cJSON *id)
{
    cJSON *o = cJSON_CreateObject();

    if (!value || !cJSON_AddItemToObject(o, key, value)) {
        cJSON_Delete(value);
        cJSON_Delete(id);
        cJSON_Delete(o);
        return NULL;
    }
    if (id)
        cJSON_AddItemToObject(o, "id", id);
    return line_of(o);
}

static char *refusal(const struct qmp_call *c, cJSON *id)
{
    cJSON *e = cJSON_CreateObject();

    cJSON_AddStringToObject(e, "class", c->class ? c->class : "GenericError");
    cJSON_AddStringToObject(e, "desc", c->err.text);
    return answer("error", e, id);
}

char *qmp_refusal(const char *why)
{
    struct qmp_call c = {0};

    qmp_fail(&c, NULL, "%s", why);
    return refusal(&c, NULL);
}

/* ---- which command ---- */

const struct qmp_command *qmp_table(const struct qmp *q, unsigned n)
{
    static const struct qmp_command *const tables[] = {
        qmp_common,  qmp_metrics, /* the rest is a machine's */
        qmp_machine, qmp_input,   qmp_patch, qmp_balloon, qmp_ports, qmp_seat};

    return n < (q->ops->service ? 2 : ARRAY_LEN(tables)) ? tables[n] : NULL;
}

static const struct qmp_command *command_find(const struct qmp *q, const char *name)
{
    const struct qmp_command *c;

    for (unsigned i = 0; (c = qmp_table(q, i)); i++)
        for (; c->name; c++)
            if (!strcmp(c->name, name))
                return c;
    return NULL;
}

/* Members that nobody asked for are more likely a mistake than a wish. */
static bool members_known(struct qmp_call *c, const cJSON *o, const char *const *known, size_t n)
{
    const cJSON *m;

    cJSON_ArrayForEach(m, o)
    {
        size_t i = 0;

        while (i < n && !(known[i] && !strcmp(known[i], m->string)))
            i++;
        if (i == n) {
            qmp_fail(c, NULL, "'%.64s' is not expected here", m->string);
            return false;
        }
    }
    return true;
}

static cJSON *run(struct qmp_call *c, const char *name)
{
    const struct qmp_command *cmd = command_find(c->q, name);
    bool first = !strcmp(name, "qmp_capabilities");

    if (first == c->q->ready)
        return qmp_fail(c, "CommandNotFound",
                        first ? "capabilities are negotiated already"
                              : "say qmp_capabilities first");
    if (!cmd)
        return qmp_fail(c, "CommandNotFound", "there is no command %.64s", name);
    if (!members_known(c, c->args, cmd->arg, QMP_ARGS))
        return NULL;
    if (first)
        c->q->ready = true;
    return cmd->run(c);
}

static cJSON *execute(struct qmp_call *c, const cJSON *message)
{
    static const char *const known[] = {"execute", "arguments", "id"};
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(message, "execute");

    if (!cJSON_IsString(name))
        return qmp_fail(c, NULL, "'execute' must be there and name a command");
    c->args = cJSON_GetObjectItemCaseSensitive(message, "arguments");
    if (c->args && !cJSON_IsObject(c->args))
        return qmp_fail(c, NULL, "'arguments' must be an object");
    return members_known(c, message, known, ARRAY_LEN(known)) ? run(c, name->valuestring) : NULL;
}

char *qmp_answer(struct qmp *q, const char *message, size_t len)
{
    cJSON *in = cJSON_ParseWithLength(message, len), *out = NULL, *id = NULL;
    struct qmp_call c = {.q = q};
    char *line;

    q->pass = 0;
    if (cJSON_IsObject(in)) {
        out = execute(&c, in);
        id = cJSON_DetachItemFromObjectCaseSensitive(in, "id");
    } else {
        qmp_fail(&c, NULL, "this is not a JSON object");
    }
    if (!out && !c.err.text[0])
        qmp_fail(&c, NULL, "not enough memory");
    line = out ? answer("return", out, id) : refusal(&c, id);
    cJSON_Delete(in);
    return line;
}
