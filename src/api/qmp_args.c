/* Arguments of commands, each judged where it is taken out. */
#include "api/qmp_impl.h"

static const cJSON *member(struct qmp_call *c, const cJSON *from, const char *name)
{
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(from, name);

    if (!m)
        qmp_fail(c, NULL, "'%s' is missing", name);
    return m;
}

static const cJSON *kind(struct qmp_call *c, const cJSON *m, bool right, const char *name,
                         const char *what)
{
    if (!m || right)
        return m;
    qmp_fail(c, NULL, "'%s' must be %s", name, what);
    return NULL;
}

const cJSON *qmp_string(struct qmp_call *c, const cJSON *from, const char *name)
{
    const cJSON *m = member(c, from, name);

    return kind(c, m, cJSON_IsString(m), name, "a string");
}

const cJSON *qmp_array(struct qmp_call *c, const cJSON *from, const char *name)
{
    const cJSON *m = member(c, from, name);

    return kind(c, m, cJSON_IsArray(m), name, "an array");
}

const cJSON *qmp_object(struct qmp_call *c, const cJSON *from, const char *name)
{
    const cJSON *m = member(c, from, name);

    return kind(c, m, cJSON_IsObject(m), name, "an object");
}

bool qmp_bool(struct qmp_call *c, const cJSON *from, const char *name, bool *v)
{
    const cJSON *m = member(c, from, name);

    m = kind(c, m, cJSON_IsBool(m), name, "true or false");
    *v = cJSON_IsTrue(m);
    return m;
}

bool qmp_int(struct qmp_call *c, const cJSON *from, const char *name, int min, int max, int *v)
{
    const cJSON *m = member(c, from, name);

    *v = 0;
    m = kind(c, m, cJSON_IsNumber(m), name, "a number");
    if (!m)
        return false;
    /* Compared as a double, before it becomes an int: NaN and infinities fail too. */
    if (!(m->valuedouble >= min && m->valuedouble <= max)) {
        qmp_fail(c, NULL, "'%s' must be from %d to %d", name, min, max);
        return false;
    }
    *v = (int)m->valuedouble;
    return true;
}
