/*
 * viaduct domain --switch NAME[,age=SECONDS], --port NAME,…: switches inside the domain. A card
 * that it serves is at one with --net port=NAME: between two such cards a frame is copied once,
 * from one guest's memory to the other's (share/sw.h).
 */
#include "cli/domain_switch.h"
#include "core/error.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define NS          1000000000ull
#define AGE_DEFAULT 300u /* seconds: 802.1Q, table 8-6 */

static struct domain_switch *find(struct domain_switches *d, const char *name, size_t len)
{
    for (unsigned i = 0; i < d->switches; i++)
        if (strlen(d->sw[i].name) == len && !memcmp(d->sw[i].name, name, len))
            return &d->sw[i];
    return NULL;
}

int domain_switch_take(struct domain_switches *d, const char *value, struct error *err)
{
    struct domain_switch *w = &d->sw[d->switches];
    size_t len = strcspn(value, ",");
    unsigned long age = AGE_DEFAULT;
    char *end = "";

    if (!strncmp(value + len, ",age=", 5))
        age = strtoul(value + len + 5, &end, 10);
    else if (value[len])
        end = "?";
    if (!len || len >= sizeof(w->name) || *end || !age || age > 1000000)
        return error_set(err, -EINVAL,
                         "--switch %s: must be NAME[,age=SECONDS], NAME of up to %zu characters",
                         value, sizeof(w->name) - 1);
    if (find(d, value, len))
        return error_set(err, -EINVAL, "--switch %s: there is one of that name already", value);
    if (d->switches == DOMAIN_SWITCHES)
        return error_set(err, -EINVAL, "--switch %s: a domain has at most %u", value,
                         DOMAIN_SWITCHES);
    memcpy(w->name, value, len);
    w->age_ns = age * NS;
    d->switches++;
    return 0;
}

int domain_port_take(struct domain_switches *d, const char *value, struct error *err)
{
    struct domain_port *p = &d->port[d->ports];
    size_t len = strcspn(value, ",");

    if (d->ports == DOMAIN_PORTS)
        return error_set(err, -EINVAL, "--port %s: a domain has at most %u", value, DOMAIN_PORTS);
    if (!len || len >= sizeof(p->on) || value[len] != ',')
        return error_set(err, -EINVAL, "--port %s: must be %s", value, DOMAIN_PORT_VALUE);
    memcpy(p->on, value, len);
    d->ports++;
    return switch_place_take(&p->place, value + len + 1, err);
}

struct sw *domain_switch_find(struct domain_switches *d, const char *name, const char *option,
                              struct error *err)
{
    struct domain_switch *w = find(d, name, strlen(name));

    if (!w)
        error_set(err, -ENOENT, "%s%s: there is no such switch; --switch %s makes it", option, name,
                  name);
    return w ? w->sw : NULL;
}

int domain_switches_open(struct domain_switches *d, struct loop *loop, struct ledger *ledger,
                         struct error *err)
{
    int code = 0;

    d->budget.left = 1000;
    for (unsigned i = 0; i < d->switches && !code; i++) {
        struct sw_opts o = {.name = d->sw[i].name, .age_ns = d->sw[i].age_ns};

        if (getrandom(&o.seed, sizeof(o.seed), 0) != (ssize_t)sizeof(o.seed))
            return error_set(err, -EIO, "--switch: no random numbers");
        code = sw_open(&d->sw[i].sw, &o, loop, ledger);
        if (code)
            error_set(err, code, "--switch: not enough memory");
    }
    for (unsigned i = 0; i < d->ports && !code; i++) {
        struct sw *sw = domain_switch_find(d, d->port[i].on, "--port ", err);

        code = sw ? switch_place_open(&d->port[i].place, sw, &d->budget, err) : -ENOENT;
    }
    return code;
}

void domain_switches_close(struct domain_switches *d)
{
    for (unsigned i = 0; i < d->ports; i++)
        switch_place_close(&d->port[i].place);
    for (unsigned i = 0; i < d->switches; i++)
        sw_close(d->sw[i].sw);
}
