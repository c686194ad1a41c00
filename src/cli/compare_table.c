/*
 * The table on standard output, a line as soon as it is known; and on a terminal a line on
 * standard error that says what is being measured.
 */
#include "cli/compare_net.h"
#include <string.h>
#include <unistd.h>

#define COLUMNS "%-16s %5s %9s %7s %7s %11s %7s %10s  %-21s\n"

void compare_table_head(const struct compare *c)
{
    printf("%u-byte requests, %u %% reads, %u rounds a line; %s, %s\n", c->o.size, c->o.read,
           c->o.rounds, c->cpu, c->host);
}

void compare_table_engine(const struct compare *c, const struct compare_engine *e)
{
    const struct engine_note *n = &c->engine[e - compare_engines];

    printf("\nengine %s: %s%s%s\n", e->name,
           n->there ? e->what : "not here: ", n->there && *n->why ? "; " : "", n->why);
    if (n->there)
        printf(COLUMNS, "way", "depth", "traps", "bells", "irqs", "bytes/trap", "copies",
               "a request", " 5 to 95 % of rounds");
    fflush(stdout);
}

/* µ is two bytes and one column: widths are given in bytes. */
static void time_column(char *to, size_t room, double ns, int width)
{
    char v[32];

    compare_time_show(v, sizeof(v), ns);
    snprintf(to, room, "%*s", width + (strstr(v, "µ") ? 1 : 0), v);
}

static void measured(const struct cell *cell)
{
    const struct figures *f = &cell->f;
    char traps[16], bells[16], irqs[16], each[32], copies[16], ns[32], low[32], high[32];

    compare_count_show(traps, sizeof(traps), f->traps);
    compare_count_show(bells, sizeof(bells), f->bells);
    compare_count_show(irqs, sizeof(irqs), f->irqs);
    compare_count_show(copies, sizeof(copies), f->copies);
    compare_bytes_show(each, sizeof(each), f->bytes_per_trap);
    time_column(ns, sizeof(ns), f->ns, 10);
    compare_time_show(low, sizeof(low), f->ns_p5);
    compare_time_show(high, sizeof(high), f->ns_p95);
    printf("%-16s %5u %9s %7s %7s %11s %7s %s   %s – %s\n", cell->way->name, cell->depth, traps,
           bells, irqs, f->crossings == 0 ? "no traps" : each, copies, ns, low, high);
}

void compare_table_cell(const struct compare *c, const struct cell *cell)
{
    if (isatty(2))
        fprintf(stderr, "\r\033[K");
    if (cell->state == CELL_WAITING) {
        if (isatty(2))
            fprintf(stderr, "[%u/%u] %s on %s, depth %u …", (unsigned)(cell - c->cell) + 1,
                    c->cells, cell->way->name, cell->engine->name, cell->depth);
        return;
    }
    if (cell->state == CELL_MEASURED)
        measured(cell);
    else
        printf("%-16s %5u %s: %s\n", cell->way->name, cell->depth,
               cell->state == CELL_REFUSED ? "not here" : "FAILED", cell->why);
    fflush(stdout);
}

/* A way's figures at the backend are the same on every engine: the first that was measured tells.
 */
static void known(const struct cell *cell)
{
    char requests[16];

    compare_count_show(requests, sizeof(requests), cell->f.backend);
    printf("%-16s %-13s %7s   %u of %u   %s%s\n", cell->way->name, compare_at_name(cell->way->at),
           requests, (unsigned)cell->f.flushes, COMPARE_FLUSHES, cell->way->boundaries,
           cell->way->process ? "; process and file too" : "");
}

void compare_table_end(const struct compare *c)
{
    const struct compare_way *seen = NULL;

    printf("\nwhat the backend knew\n%-16s %-13s %7s   %s   %s\n", "way", "intercepted at", "reqs",
           "flushes", "where a request begins and ends");
    for (unsigned w = 0; w < compare_ways_count; w++)
        for (unsigned i = 0; i < c->cells; i++) {
            const struct cell *cell = &c->cell[i];

            if (cell->way != &compare_ways[w] || cell->state != CELL_MEASURED || cell->way == seen)
                continue;
            known(cell);
            seen = cell->way;
        }
    printf("(process and file: not known below the system-call interface)\n\n");
    if (c->net && c->net->rungs)
        compare_net_table(c->net);
    for (unsigned i = 0; i < c->withs; i++)
        printf("%s\n", c->with[i]);
    printf("%.0f s\n", c->took_s);
}
