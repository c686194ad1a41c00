/*
 * The ledger for those who watch: Prometheus' text format, version 0.0.4, and JSON with the same in
 * it for viaduct top. Who calls holds the lock of what is read.
 */
#ifndef API_METRICS_H
#define API_METRICS_H

#include "core/types.h"

struct blk;
struct cJSON;
struct ledger;

#define METRICS_DISKS 64u

struct metrics_source {
    const struct ledger *ledger;
    const struct blk *disk[METRICS_DISKS]; /* NULL: none there */
    unsigned disks;
    unsigned vcpus; /* 0: no machine, a domain */
    uint64_t memory;
    bool paused;
    uint64_t ns; /* of its life so far */
};

#define METRICS_NAME_MAX 64u
/* name: of the machine, in each line's label vm; printable, without " and \; NULL: no label. To be
 * freed; NULL: no memory. */
char *metrics_text(const struct metrics_source *s, const char *name);
bool metrics_name_good(const char *name);
/* {"ns": …, "rows": […], "times": […]}; NULL: no memory. */
struct cJSON *metrics_json(const struct metrics_source *s);

#endif
