/* The report of viaduct compare: compare_html.c is the page, _table.c its tables, _svg.c a chart.
 */
#ifndef CLI_COMPARE_HTML_H
#define CLI_COMPARE_HTML_H

#include "cli/compare.h"

/* A figure of a request: a column of the tables, and, if it is worth one, a chart. */
struct column {
    const char *name, *unit; /* unit of the chart's axis */
    const char *what;        /* one sentence */
    double (*value)(const struct figures *f);
    double (*low)(const struct figures *f), (*high)(const struct figures *f); /* or NULL */
    void (*show)(char *to, size_t room, double v);
    bool (*there)(const struct figures *f); /* NULL: always */
    bool log;
};
extern const struct column compare_columns[];
extern const unsigned compare_columns_count;

void html_text(FILE *out, const char *s); /* escaped */
void compare_svg(FILE *out, const struct compare *c, const struct column *col);
void compare_html_tables(FILE *out, const struct compare *c);
void compare_html_ways(FILE *out, const struct compare *c);

/* The cell of that way at that depth, measured; or NULL. */
const struct cell *compare_find(const struct compare *c, const struct compare_way *w,
                                unsigned depth, const struct compare_engine *e);

struct compare_line { /* of charts and tables: a way at a depth, in the order of ways */
    const struct compare_way *way;
    unsigned depth;
};
#define COMPARE_LINES_MAX (COMPARE_WAYS_MAX * COMPARE_DEPTHS_MAX)
unsigned compare_lines(const struct compare *c, struct compare_line *line);

#endif
