/* The options of viaduct compare: each takes its value and judges it. */
#include "cli/compare.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int number_take(const char *option, const char *value, uint64_t min, uint64_t max,
                       uint64_t *to, struct error *err)
{
    char *end;

    errno = 0;
    *to = strtoull(value, &end, 10);
    if (*value >= '0' && *value <= '9' && !*end && !errno && *to >= min && *to <= max)
        return 0;
    return error_set(err, -EINVAL, "--%s %s: must be from %llu to %llu", option, value,
                     (unsigned long long)min, (unsigned long long)max);
}

static int take_size(void *ctx, const char *value, struct error *err)
{
    struct compare *c = ctx;
    char *end;
    unsigned long v = strtoul(value, &end, 10);

    if (*end == 'K' || *end == 'k') {
        v *= 1024;
        end++;
    }
    if (*value < '0' || *value > '9' || *end || v < 512 || v > 65536 || (v & (v - 1)))
        return error_set(err, -EINVAL,
                         "--size %s: must be bytes, a power of two from 512 to 64K, as in 4K",
                         value);
    c->o.size = (uint32_t)v;
    return 0;
}

static int take_read(void *ctx, const char *value, struct error *err)
{
    uint64_t v = 0;
    int code = number_take("read", value, 0, 100, &v, err);

    ((struct compare *)ctx)->o.read = (uint32_t)v;
    return code;
}

static int take_rounds(void *ctx, const char *value, struct error *err)
{
    uint64_t v = 0;
    int code = number_take("rounds", value, 3, COMPARE_ROUNDS_MAX, &v, err);

    ((struct compare *)ctx)->o.rounds = (uint32_t)v;
    return code;
}

static int take_requests(void *ctx, const char *value, struct error *err)
{
    return number_take("requests", value, 1, 100000000, &((struct compare *)ctx)->o.requests, err);
}

static int take_seconds(void *ctx, const char *value, struct error *err)
{
    char *end;
    double v = strtod(value, &end);

    if (end == value || *end || !(v >= 0.01 && v <= 20))
        return error_set(err, -EINVAL, "--seconds %s: must be from 0.01 to 20", value);
    ((struct compare *)ctx)->o.seconds = v;
    return 0;
}

/* Calls take for each word of a list; at most as many as its caller has room for. */
static int list_take(const char *value, void *ctx,
                     int (*take)(void *ctx, const char *word, struct error *err), struct error *err)
{
    char copy[512], *save = NULL;
    int code = 0;

    if (!*value || strlen(value) >= sizeof(copy))
        return error_set(err, -EINVAL, "\"%s\": not a list of words joined by commas", value);
    snprintf(copy, sizeof(copy), "%s", value);
    for (char *w = strtok_r(copy, ",", &save); w && !code; w = strtok_r(NULL, ",", &save))
        code = take(ctx, w, err);
    return code;
}

static int depth_word(void *ctx, const char *word, struct error *err)
{
    struct compare_opts *o = &((struct compare *)ctx)->o;
    uint64_t v = 0;

    if (o->depths == COMPARE_DEPTHS_MAX)
        return error_set(err, -EINVAL, "--depth: at most %d of them", COMPARE_DEPTHS_MAX);
    if (number_take("depth", word, 1, COMPARE_DEPTH_MAX, &v, err))
        return -EINVAL;
    o->depth[o->depths++] = (unsigned)v;
    return 0;
}

static int take_depth(void *ctx, const char *value, struct error *err)
{
    ((struct compare *)ctx)->o.depths = 0;
    return list_take(value, ctx, depth_word, err);
}

/* "regdisk" names all whose names begin so. */
static int way_word(void *ctx, const char *word, struct error *err)
{
    char known[512] = "";
    uint32_t found = 0;
    size_t len = strlen(word), at = 0;

    for (unsigned i = 0; i < compare_ways_count; i++) {
        const char *name = compare_ways[i].name;

        if (!strcmp(name, word) || (!strncmp(name, word, len) && name[len] == '-'))
            found |= 1u << i;
        at += (size_t)snprintf(known + at, sizeof(known) - at, "%s%s", i ? ", " : "", name);
    }
    if (!found)
        return error_set(err, -EINVAL, "--ways %s: no such way; there are %s", word, known);
    ((struct compare *)ctx)->o.ways |= found;
    return 0;
}

static int take_ways(void *ctx, const char *value, struct error *err)
{
    ((struct compare *)ctx)->o.ways = 0;
    return list_take(value, ctx, way_word, err);
}

static int engine_word(void *ctx, const char *word, struct error *err)
{
    for (unsigned i = 0; i < compare_engines_count; i++)
        if (!strcmp(compare_engines[i].name, word)) {
            ((struct compare *)ctx)->o.engines |= 1u << i;
            return 0;
        }
    return error_set(err, -EINVAL, "--engine %s: must be of dbt, kvm, kvm-split and direct", word);
}

static int take_engine(void *ctx, const char *value, struct error *err)
{
    ((struct compare *)ctx)->o.engines = 0;
    return list_take(value, ctx, engine_word, err);
}

static int take_poll(void *ctx, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    ((struct compare *)ctx)->o.poll = true;
    return 0;
}

static int take_html(void *ctx, const char *value, struct error *err)
{
    ((struct compare *)ctx)->o.html = value;
    return opt_output("html", value, err);
}

static int take_json(void *ctx, const char *value, struct error *err)
{
    ((struct compare *)ctx)->o.json = value;
    return opt_output("json", value, err);
}

static int take_net(void *ctx, const char *value, struct error *err)
{
    return compare_net_take(ctx, value, err);
}

static int take_with(void *ctx, const char *value, struct error *err)
{
    return compare_with_take(ctx, value, err);
}

const struct opt compare_options[] = {
    {"size", "BYTES", "of a request, a power of two from 512 to 64K (4K)", take_size},
    {"read", "PERCENT", "of the requests that read; the others write (70)", take_read},
    {"depth", "LIST", "requests at a time, for ways that have a queue (1,32)", take_depth},
    {"engine", "LIST", "of dbt, kvm, kvm-split, direct (dbt,kvm,direct)", take_engine},
    {"ways", "LIST", "of the ways below; regdisk is all that begin so (all)", take_ways},
    {"poll", NULL, "look for the end of a request instead of taking an interrupt", take_poll},
    {"seconds", "S", "how long each line is measured, about (0.6)", take_seconds},
    {"requests", "N", "how many requests a line, instead of how long", take_requests},
    {"rounds", "N", "in how many rounds they are timed, 3 to 64 (15)", take_rounds},
    {"html", "FILE", "write a report with charts, one file without anything external", take_html},
    {"net", "FILE",
     "bench/ladder, to be run for the depth of the network stack; or the JSON it wrote", take_net},
    {"with", "FILE", "a table that a benchmark printed (bench/), for the report; may be repeated",
     take_with},
    {"json", "FILE", "write all figures (docs/compare.md)", take_json},
    {0},
};
