/* The report's tables: figures by engine, and what the backend knows by way. */
#include "cli/compare_html.h"
#include <string.h>

const struct cell *compare_find(const struct compare *c, const struct compare_way *w,
                                unsigned depth, const struct compare_engine *e)
{
    for (unsigned i = 0; i < c->cells; i++) {
        const struct cell *cell = &c->cell[i];

        if (cell->way == w && cell->depth == depth && cell->engine == e &&
            cell->state == CELL_MEASURED)
            return cell;
    }
    return NULL;
}

static void line_add(struct compare_line *line, unsigned *n, const struct compare_way *w,
                     unsigned depth)
{
    for (unsigned i = 0; i < *n; i++)
        if (line[i].way == w && line[i].depth == depth)
            return;
    if (*n < COMPARE_LINES_MAX)
        line[(*n)++] = (struct compare_line){w, depth};
}

unsigned compare_lines(const struct compare *c, struct compare_line *line)
{
    unsigned n = 0;

    for (unsigned w = 0; w < compare_ways_count; w++)
        for (unsigned i = 0; i < c->cells; i++)
            if (c->cell[i].way == &compare_ways[w] && c->cell[i].state == CELL_MEASURED)
                line_add(line, &n, c->cell[i].way, c->cell[i].depth);
    return n;
}

/* ---- figures ---- */

static void head(FILE *out)
{
    fprintf(out, "<thead><tr><th scope=\"col\">way</th><th scope=\"col\" class=\"n\">depth</th>");
    for (unsigned i = 0; i < compare_columns_count; i++)
        fprintf(out, "<th scope=\"col\" class=\"n\">%s</th>", compare_columns[i].name);
    fprintf(out, "</tr></thead>\n<tbody>\n");
}

static void spread(FILE *out, const struct column *col, const struct figures *f)
{
    char text[32];

    if (!col->low || !col->high)
        return;
    fprintf(out, "<small>");
    col->show(text, sizeof(text), col->low(f));
    html_text(out, text);
    fprintf(out, " – ");
    col->show(text, sizeof(text), col->high(f));
    html_text(out, text);
    fprintf(out, "</small>");
}

static void figure(FILE *out, const struct column *col, const struct figures *f)
{
    char text[32] = "no traps";

    if (!col->there || col->there(f))
        col->show(text, sizeof(text), col->value(f));
    fprintf(out, "<td class=\"n\">");
    html_text(out, text);
    spread(out, col, f);
    fprintf(out, "</td>");
}

static void row(FILE *out, const struct cell *cell)
{
    fprintf(out, "<tr><th scope=\"row\">%s</th><td class=\"n\">%u</td>", cell->way->name,
            cell->depth);
    if (cell->state != CELL_MEASURED) {
        fprintf(out, "<td class=\"why\" colspan=\"%u\">%s", compare_columns_count,
                cell->state == CELL_REFUSED ? "not here: " : "failed: ");
        html_text(out, cell->why);
        fprintf(out, "</td>");
    }
    for (unsigned i = 0; i < compare_columns_count && cell->state == CELL_MEASURED; i++)
        figure(out, &compare_columns[i], &cell->f);
    fprintf(out, "</tr>\n");
}

static void engine(FILE *out, const struct compare *c, unsigned e)
{
    const struct engine_note *n = &c->engine[e];

    fprintf(out, "<h3>Engine %s: ", compare_engines[e].name);
    html_text(out, compare_engines[e].what);
    fprintf(out, "</h3>\n");
    if (n->why[0]) {
        fprintf(out, n->there ? "<p>" : "<p>Not measured: ");
        html_text(out, n->why);
        fprintf(out, ".</p>\n");
    }
    if (!n->there)
        return;
    fprintf(out, "<div class=\"wide\"><table>\n");
    head(out);
    for (unsigned i = 0; i < c->cells; i++)
        if (c->cell[i].engine == &compare_engines[e])
            row(out, &c->cell[i]);
    fprintf(out, "</tbody></table></div>\n");
}

void compare_html_tables(FILE *out, const struct compare *c)
{
    for (unsigned e = 0; e < compare_engines_count; e++)
        if (c->o.engines & 1u << e)
            engine(out, c, e);
    fprintf(out, "<dl>\n");
    for (unsigned i = 0; i < compare_columns_count; i++) {
        fprintf(out, "<dt>%s</dt><dd>", compare_columns[i].name);
        html_text(out, compare_columns[i].what);
        fprintf(out, "</dd>\n");
    }
    fprintf(out, "</dl>\n");
}

/* ---- ways ---- */

static void known(FILE *out, const char *what)
{
    fprintf(out, what ? "<td>" : "<td class=\"no\">");
    html_text(out, what ? what : "not known");
    fprintf(out, "</td>");
}

/* Any cell of the way tells: these do not depend on the engine. */
static const struct cell *any_cell(const struct compare *c, const struct compare_way *w)
{
    for (unsigned i = 0; i < c->cells; i++)
        if (c->cell[i].way == w && c->cell[i].state == CELL_MEASURED)
            return &c->cell[i];
    return NULL;
}

static void way(FILE *out, const struct compare *c, const struct compare_way *w)
{
    const struct cell *cell = any_cell(c, w);
    char text[32];

    fprintf(out, "<tr><th scope=\"row\">%s</th><td>%s</td>", w->name, compare_at_name(w->at));
    known(out, w->boundaries);
    known(out, w->process);
    known(out, w->file);
    known(out, w->flush);
    if (!cell) {
        fprintf(out, "<td class=\"no\" colspan=\"2\">not measured</td></tr>\n");
        return;
    }
    compare_count_show(text, sizeof(text), cell->f.backend);
    fprintf(out, "<td class=\"n\">%s</td><td class=\"n\">%.0f of %u</td></tr>\n", text,
            cell->f.flushes, COMPARE_FLUSHES);
}

void compare_html_ways(FILE *out, const struct compare *c)
{
    fprintf(out, "<dl>\n");
    for (unsigned i = 0; i < compare_ways_count; i++)
        if (c->o.ways & 1u << i) {
            fprintf(out, "<dt>%s</dt><dd>", compare_ways[i].name);
            html_text(out, compare_ways[i].what);
            fprintf(out, "</dd>\n");
        }
    fprintf(out, "</dl>\n<h3>What the backend knew</h3>\n<div class=\"wide\"><table "
                 "class=\"words\">\n<thead><tr><th scope=\"col\">way</th><th "
                 "scope=\"col\">intercepted at</th><th scope=\"col\">where a request begins and "
                 "ends</th><th scope=\"col\">process</th><th scope=\"col\">file</th><th "
                 "scope=\"col\">flush intent</th><th scope=\"col\" class=\"n\">backend requests a "
                 "request</th><th scope=\"col\" class=\"n\">flushes that "
                 "arrived</th></tr></thead>\n<tbody>\n");
    for (unsigned i = 0; i < compare_ways_count; i++)
        if (c->o.ways & 1u << i)
            way(out, c, &compare_ways[i]);
    fprintf(out, "</tbody></table></div>\n");
}
