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

struct metrics_out; /* a text that is being made */

struct metrics_source {
    const char *label; /* of each line, with the name of who is asked: "domain"; NULL: "vm" */
    const struct ledger *ledger;
    const struct blk *disk[METRICS_DISKS]; /* NULL: none there */
    unsigned disks;
    unsigned vcpus; /* 0: no machine, a domain */
    uint64_t memory;
    bool paused;
    uint64_t ns; /* of its life so far */
    /* What else there is to tell, family by family; or NULL. */
    void (*more)(const void *ctx, struct metrics_out *out);
    const void *ctx;
};

#define METRICS_NAME_MAX 64u
/* name: of the process, in each line's label; printable, without " and \; NULL: no label. To be
 * freed; NULL: no memory. */
char *metrics_text(const struct metrics_source *s, const char *name);
bool metrics_name_good(const char *name);

/* ---- for metrics_source.more ---- */

struct metrics_label {
    const char *key, *value;
};

/* The head of a family; its samples follow. name: without viaduct_; of a counter it ends in _total.
 */
void metrics_family(struct metrics_out *o, const char *name, const char *type, const char *help);
void metrics_sample(struct metrics_out *o, const char *name, const struct metrics_label *label,
                    unsigned labels, double value);

/* {"ns": …, "rows": […], "times": […]}; NULL: no memory. */
struct cJSON *metrics_json(const struct metrics_source *s);

#endif
