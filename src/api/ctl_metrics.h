/* The metrics of a machine: what its control socket and its socket for scrapers tell. */
#ifndef API_CTL_METRICS_H
#define API_CTL_METRICS_H

#include "api/metrics.h"
#include "vm/vm.h"

struct metrics_door;

/* The VM lock is held. */
void ctl_metrics(struct vm *vm, struct metrics_source *s);
/* Before vm_run, and after it. name: label vm, or NULL. */
int ctl_metrics_open(struct metrics_door **out, struct vm *vm, const char *path, const char *name,
                     struct error *err);
void ctl_metrics_close(struct metrics_door *d, struct vm *vm); /* d NULL is fine */

#endif
