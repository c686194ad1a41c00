/* viaduct run --metrics PATH[,name=NAME]: a socket for scrapers (docs/control.md). */
#include "cli/service.h"
#include "cli/run.h"

int run_metrics_take(void *run, const char *value, struct error *err)
{
    struct run *r = run;

    return metrics_place_take(r->metrics, sizeof(r->metrics), &r->metrics_name, value, err);
}
