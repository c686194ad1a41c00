/* The counters of switches, for scrapers: docs/lab.md lists the families. */
#ifndef CLI_SWITCH_TELL_H
#define CLI_SWITCH_TELL_H

#include "core/types.h"

struct ledger;
struct metrics_out;
struct sw;

void switch_tell(struct metrics_out *out, const struct ledger *l, const struct sw *const *sw,
                 unsigned switches);

#endif
