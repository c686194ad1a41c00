/* extent=, direct, iops=, bps=, burst=, weight= of --disk: docs/disks.md. */
#include "cli/disk_opts.h"
#include "cli/cli.h"
#include "core/error.h"
#include "share/bucket.h"
#include "share/drr.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A number from 1 to max, and nothing behind it. */
static bool number(const char *s, uint64_t max, uint64_t *n)
{
    char *end;

    errno = 0;
    *n = *s >= '0' && *s <= '9' ? strtoull(s, &end, 10) : 0;
    return *n && !errno && !*end && *n <= max;
}

static int take_iops(struct disk_policy *p, const char *value, struct error *err)
{
    if (number(value, BUCKET_RATE_MAX, &p->limits.iops))
        return 1;
    return error_set(err, -EINVAL, "--disk iops=%s: requests a second: 500, 20000 …", value);
}

/* Sizes elsewhere are MiB without a letter; a rate without one would be read as bytes. */
static int take_bps(struct disk_policy *p, const char *value, struct error *err)
{
    size_t n = strlen(value);

    if (n && strchr("kKmMgGtT", value[n - 1]) && !opt_size(value, &p->limits.bps) &&
        p->limits.bps && p->limits.bps <= BUCKET_RATE_MAX)
        return 1;
    return error_set(err, -EINVAL, "--disk bps=%s: bytes a second, with a unit: 500K, 20M, 1G",
                     value);
}

static int take_burst(struct disk_policy *p, const char *value, struct error *err)
{
    uint64_t ms;

    if (!number(value, 60000, &ms))
        return error_set(err, -EINVAL,
                         "--disk burst=%s: for how many milliseconds rates may be saved up, 1 to "
                         "60000",
                         value);
    p->limits.burst_ns = ms * 1000000;
    return 1;
}

static int take_extent(struct disk_policy *p, const char *value, struct error *err)
{
    if (!*value)
        return error_set(err, -EINVAL, "--disk extent=: names no extent");
    p->extent = value;
    return 1;
}

int disk_policy_word(struct disk_policy *p, const char *word, struct error *err)
{
    if (!strncmp(word, "extent=", 7))
        return take_extent(p, word + 7, err);
    if (!strncmp(word, "iops=", 5))
        return take_iops(p, word + 5, err);
    if (!strncmp(word, "bps=", 4))
        return take_bps(p, word + 4, err);
    if (!strncmp(word, "burst=", 6))
        return take_burst(p, word + 6, err);
    if (strcmp(word, "direct"))
        return 0;
    p->direct = true;
    return 1;
}

int disk_weight_word(struct disk_policy *p, const char *word, struct error *err)
{
    uint64_t n;

    if (strncmp(word, "weight=", 7))
        return 0;
    if (!number(word + 7, DRR_WEIGHT_MAX, &n))
        return error_set(err, -EINVAL, "--disk weight=%s: must be 1 to %u", word + 7,
                         DRR_WEIGHT_MAX);
    p->limits.weight = (unsigned)n;
    return 1;
}
