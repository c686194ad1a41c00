/*
 * viaduct compare: what each way to a disk costs, one workload for all (docs/compare.md). This file
 * has the order of things; compare.h says what the other files do.
 */
#include "cli/compare.h"
#include "cli/compare_net.h"
#include "core/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void ways_print(void)
{
    printf("\nways:\n");
    for (unsigned i = 0; i < compare_ways_count; i++)
        printf("  %-16s %s\n", compare_ways[i].name, compare_ways[i].what);
}

static void cells_run(struct compare *c)
{
    unsigned at = 0;

    for (unsigned e = 0; e < compare_engines_count; e++) {
        if (!(c->o.engines & 1u << e))
            continue;
        compare_table_engine(c, &compare_engines[e]);
        for (; at < c->cells && c->cell[at].engine == &compare_engines[e]; at++) {
            compare_table_cell(c, &c->cell[at]);
            compare_cell(c, &c->cell[at]);
            compare_table_cell(c, &c->cell[at]);
        }
    }
}

/* A way that is refused on an engine has been told with its reason; one that failed is a failure,
 * and so is having measured nothing. */
static int verdict(const struct compare *c)
{
    unsigned measured = 0, failed = 0;

    for (unsigned i = 0; i < c->cells; i++) {
        measured += c->cell[i].state == CELL_MEASURED;
        failed += c->cell[i].state == CELL_FAILED;
    }
    if (failed)
        log_error("%u of %u measurements failed", failed, c->cells);
    else if (!measured)
        log_error("nothing could be measured");
    return failed || !measured ? EXIT_VMM : EXIT_OFF;
}

static int write_out(const char *option, const char *path,
                     int (*to)(const struct compare *, const char *), const struct compare *c)
{
    int code = path ? to(c, path) : 0;

    if (code)
        log_error("--%s %s: %s", option, path, strerror(-code));
    return code;
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int compare_all(struct compare *c, struct error *err)
{
    double begin = now_s();
    int code = compare_open(c, err), ladder = EXIT_OFF;

    if (!code)
        code = compare_plan(c, err);
    if (code) {
        log_error("%s", err->text);
        return EXIT_VMM;
    }
    compare_host(c);
    compare_table_head(c);
    cells_run(c);
    if (c->ladder && compare_net_run(c, err)) {
        log_error("--net %s: %s", c->ladder, err->text);
        ladder = EXIT_VMM;
    }
    c->took_s = now_s() - begin;
    compare_table_end(c);
    code = verdict(c) ? EXIT_VMM : ladder;
    if (write_out("json", c->o.json, compare_json, c) |
        write_out("html", c->o.html, compare_html, c))
        code = EXIT_VMM;
    compare_close(c);
    return code;
}

static void compare_free(struct compare *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < c->withs; i++)
        free(c->with[i]);
    if (c->net)
        free(c->net->json);
    free(c->net);
    free(c);
}

static int run(int argc, char **argv)
{
    struct error err = {0};
    struct compare *c = calloc(1, sizeof(*c));
    bool help = false;
    int code = c ? 0 : error_set(&err, -ENOMEM, "out of memory");

    if (c) {
        c->o = (struct compare_opts){.size = 4096,
                                     .read = 70,
                                     .rounds = 15,
                                     .seconds = 0.6,
                                     .depth = {1, 32},
                                     .depths = 2,
                                     .ways = UINT32_MAX,
                                     .engines = COMPARE_ENGINES};
        code = opt_parse(compare_options, argc, argv, c, NULL, &help, &err);
    }
    if (code) {
        log_error("%s", err.text);
        code = EXIT_USAGE;
    } else if (help) {
        opt_help(&verb_compare, compare_options);
        ways_print();
        code = EXIT_OFF;
    } else {
        c->blocks = COMPARE_IMAGE_MAX / c->o.size;
        if (c->blocks > COMPARE_BLOCKS_MAX)
            c->blocks = COMPARE_BLOCKS_MAX;
        code = compare_all(c, &err);
    }
    compare_free(c);
    return code;
}

const struct verb verb_compare = {"compare", "[options]", "what each way to a disk costs", run};
