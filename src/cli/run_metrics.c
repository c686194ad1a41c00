/* viaduct run --metrics PATH[,name=NAME]: a socket for scrapers (docs/control.md). */
#include "api/metrics.h"
#include "cli/run.h"
#include "core/error.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

int run_metrics_take(void *run, const char *value, struct error *err)
{
    struct run *r = run;
    char *name;

    if (!*value || strlen(value) >= sizeof(r->metrics))
        return error_set(err, -EINVAL, "--metrics: names no socket, or one that is too long");
    snprintf(r->metrics, sizeof(r->metrics), "%s", value);
    name = strstr(r->metrics, ",name=");
    if (!name)
        return 0;
    *name = 0;
    r->metrics_name = name + 6;
    if (!metrics_name_good(r->metrics_name) || !*r->metrics)
        return error_set(err, -EINVAL,
                         "--metrics %s: must be PATH,name=NAME, of up to %u letters, digits and "
                         "._-/:",
                         value, METRICS_NAME_MAX);
    return 0;
}
