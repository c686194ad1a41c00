/* The counters of viaduct switch, for people. */
#ifndef CLI_SWITCH_STATS_H
#define CLI_SWITCH_STATS_H

#include <stdio.h>

struct ledger;

void switch_stats_print(const struct ledger *l, FILE *out);

#endif
