/*
 * One figure as a dot plot: a line for each way and depth, a mark for each engine, whiskers where
 * the figure has a spread. Scalable Vector Graphics 1.1; colours come from the page's style sheet,
 * engines differ by shape too. A logarithmic axis has no nought: those stand before a gap.
 */
#include "cli/compare_html.h"
#include <math.h>
#include <string.h>

#define WIDTH    880.0
#define LEFT     184.0
#define RIGHT    36.0
#define TOP      44.0
#define ROW      32.0
#define GROUP    26.0 /* the line that says where is intercepted */
#define BOTTOM   52.0
#define NOUGHT   34.0 /* room for noughts before a logarithmic axis */
#define SPREAD   8.5  /* between the marks of two engines */
#define TICK_MAX 24

struct axis {
    double from, to, left; /* of values; where from is */
    bool log, nought;
};

struct plot {
    FILE *out;
    const struct compare *c;
    const struct column *col;
    struct axis axis;
    struct compare_line line[COMPARE_LINES_MAX];
    unsigned lines;
    double height;
};

static bool shown(const struct column *col, const struct figures *f)
{
    return !isnan(col->value(f)) && (!col->there || col->there(f));
}

/* Rounding leaves a little where nothing is. */
static bool is_nought(double v)
{
    return v < 0.0005;
}

static void axis_grow(struct axis *a, double v)
{
    if (a->log && is_nought(v)) {
        a->nought = true;
        return;
    }
    if (v < a->from)
        a->from = v;
    if (v > a->to)
        a->to = v;
}

static void axis_make(struct plot *p)
{
    struct axis *a = &p->axis;

    *a = (struct axis){.from = p->col->log ? INFINITY : 0, .to = 0, .log = p->col->log};
    for (unsigned i = 0; i < p->c->cells; i++) {
        const struct cell *cell = &p->c->cell[i];

        if (cell->state != CELL_MEASURED || !shown(p->col, &cell->f))
            continue;
        axis_grow(a, p->col->value(&cell->f));
        if (p->col->low)
            axis_grow(a, p->col->low(&cell->f));
        if (p->col->high)
            axis_grow(a, p->col->high(&cell->f));
    }
    if (!(a->to > 0)) /* nothing, or noughts alone */
        a->from = a->to = 1;
    if (a->log) {
        a->from = pow(10, floor(log10(a->from)));
        a->to = pow(10, ceil(log10(a->to * 1.0001)));
    } else {
        a->to = ceil(a->to * 1.02 * 2) / 2;
    }
    a->left = LEFT + (a->nought ? NOUGHT : 0);
}

static double place(const struct axis *a, double v)
{
    double width = WIDTH - RIGHT - a->left;

    if (!a->log)
        return a->left + width * v / a->to;
    if (is_nought(v))
        return LEFT + 8;
    return a->left + width * log10(v / a->from) / log10(a->to / a->from);
}

/* "1.00 µs" of a figure is "1 µs" on an axis. */
static void trim(char *text)
{
    char *dot = strchr(text, '.'), *end = dot ? dot + 1 + strspn(dot + 1, "0") : NULL;

    if (end && (!*end || *end == ' '))
        memmove(dot, end, strlen(end) + 1);
}

static void tick(const struct plot *p, double v, double bottom)
{
    double x = place(&p->axis, v);
    char text[32];

    p->col->show(text, sizeof(text), v);
    trim(text);
    fprintf(p->out, "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", x,
            TOP - 6, x, bottom);
    fprintf(p->out, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\">", x, bottom + 16);
    html_text(p->out, text);
    fprintf(p->out, "</text>\n");
}

static void axis_draw(const struct plot *p)
{
    const struct axis *a = &p->axis;
    double bottom = p->height - BOTTOM, step = a->to > 4 ? 1 : 0.5;

    if (a->nought)
        tick(p, 0, bottom);
    if (a->log)
        for (double v = a->from; v < a->to * 1.001; v *= 10)
            tick(p, v, bottom);
    else
        for (unsigned i = 0; i < TICK_MAX && i * step <= a->to; i++)
            tick(p, i * step, bottom);
    fprintf(p->out, "<text class=\"axis\" x=\"%.1f\" y=\"%.1f\">", (LEFT + WIDTH - RIGHT) / 2,
            bottom + 38);
    html_text(p->out, p->col->unit);
    fprintf(p->out, "%s</text>\n", a->log ? ", logarithmic" : "");
}

static void mark(FILE *out, unsigned engine, double x, double y)
{
    switch (engine) {
    case 0: fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"/>", x, y); break;
    case 1:
        fprintf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"8\" height=\"8\"/>", x - 4, y - 4);
        break;
    case 2: fprintf(out, "<path d=\"M%.1f %.1fl4.8 8.4h-9.6z\"/>", x, y - 5); break;
    default:
        fprintf(out, "<path d=\"M%.1f %.1fl5.2 5.2l-5.2 5.2l-5.2 -5.2z\"/>", x, y - 5.2);
        break;
    }
}

static void legend(const struct plot *p)
{
    double x = LEFT;

    for (unsigned e = 0; e < compare_engines_count; e++) {
        if (!(p->c->o.engines & 1u << e) || !p->c->engine[e].there)
            continue;
        fprintf(p->out, "<g class=\"e%u\">", e);
        mark(p->out, e, x + 6, 16);
        fprintf(p->out, "</g><text class=\"legend\" x=\"%.1f\" y=\"20\">%s</text>\n", x + 18,
                compare_engines[e].name);
        x += 40 + 8.0 * (double)strlen(compare_engines[e].name);
    }
}

static void whiskers(const struct plot *p, const struct figures *f, double y)
{
    double a, b;

    if (!p->col->low || !p->col->high)
        return;
    a = place(&p->axis, p->col->low(f));
    b = place(&p->axis, p->col->high(f));
    fprintf(p->out, "<path class=\"whisker\" d=\"M%.1f %.1fH%.1fM%.1f %.1fv6M%.1f %.1fv6\"/>", a, y,
            b, a, y - 3, b, y - 3);
}

static void cell_draw(const struct plot *p, const struct cell *cell, double y)
{
    unsigned e = (unsigned)(cell->engine - compare_engines);
    double v = p->col->value(&cell->f);
    char text[32];

    p->col->show(text, sizeof(text), v);
    fprintf(p->out, "<g class=\"e%u\"><title>%s, depth %u, on %s: ", e, cell->way->name,
            cell->depth, cell->engine->name);
    html_text(p->out, text);
    fprintf(p->out, "</title>");
    whiskers(p, &cell->f, y);
    mark(p->out, e, place(&p->axis, v), y);
    fprintf(p->out, "</g>\n");
}

static void line_draw(const struct plot *p, const struct compare_line *l, double y)
{
    unsigned shares = 0, n = 0;

    fprintf(p->out, "<text class=\"way\" x=\"%.1f\" y=\"%.1f\">%s", LEFT - 14, y + 4, l->way->name);
    if (l->way->queue)
        fprintf(p->out, " <tspan class=\"depth\">× %u</tspan>", l->depth);
    fprintf(p->out, "</text>\n");
    fprintf(p->out, "<line class=\"row\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", LEFT,
            y, WIDTH - RIGHT, y);
    for (unsigned e = 0; e < compare_engines_count; e++)
        shares += compare_find(p->c, l->way, l->depth, &compare_engines[e]) != NULL;
    for (unsigned e = 0; e < compare_engines_count; e++) {
        const struct cell *cell = compare_find(p->c, l->way, l->depth, &compare_engines[e]);

        if (!cell)
            continue;
        if (shown(p->col, &cell->f))
            cell_draw(p, cell, y + SPREAD * (n - (shares - 1) / 2.0));
        n++;
    }
}

static bool group_begins(const struct plot *p, unsigned i)
{
    return !i || p->line[i].way->at != p->line[i - 1].way->at;
}

static void lines_draw(const struct plot *p)
{
    double y = TOP;

    for (unsigned i = 0; i < p->lines; i++) {
        if (group_begins(p, i)) {
            fprintf(p->out, "<text class=\"group\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", LEFT - 14,
                    y + 14, compare_at_name(p->line[i].way->at));
            y += GROUP;
        }
        line_draw(p, &p->line[i], y + ROW / 2);
        y += ROW;
    }
}

void compare_svg(FILE *out, const struct compare *c, const struct column *col)
{
    struct plot p = {.out = out, .c = c, .col = col};

    p.lines = compare_lines(c, p.line);
    p.height = TOP + BOTTOM + p.lines * ROW;
    for (unsigned i = 0; i < p.lines; i++)
        p.height += group_begins(&p, i) ? GROUP : 0;
    axis_make(&p);
    fprintf(out,
            "<div class=\"wide\"><svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n",
            WIDTH, p.height, col->name);
    legend(&p);
    axis_draw(&p);
    lines_draw(&p);
    fprintf(out, "</svg></div>\n");
}
