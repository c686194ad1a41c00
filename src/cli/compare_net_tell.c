/* The network ladder as tables and bars. */
#include "cli/compare_html.h"
#include "cli/compare_net.h"
#include <math.h>
#include <string.h>

#define WIDTH  880.0
#define LEFT   250.0
#define RIGHT  190.0
#define ROW    30.0
#define TOP    8.0
#define BOTTOM 30.0

static void ms_show(char *to, size_t room, double v)
{
    if (isnan(v))
        snprintf(to, room, "n/d");
    else
        compare_time_show(to, room, v * 1e6);
}

static void us_show(char *to, size_t room, double v)
{
    if (isnan(v))
        snprintf(to, room, "n/d");
    else
        compare_time_show(to, room, v * 1e3);
}

const struct net_column net_columns[NET_KEYS] = {
    [NET_MB_S] = {"mb_s", "MB/s", "Of a TCP or vsock stream.", compare_count_show},
    [NET_CPU_MB] = {"cpu_ms_mb", "CPU a MB",
                    "CPU time of all processes, both machines and the switch, a megabyte.",
                    ms_show},
    [NET_TRAPS_MB] = {"traps_mb", "traps a MB", "Exits of both machines, a megabyte.",
                      compare_count_show},
    [NET_IRQS_MB] = {"interrupts_mb", "interrupts a MB", "Raised by both devices.",
                     compare_count_show},
    [NET_PACKETS_MB] = {"packets_mb", "packets a MB",
                        "Sent by both machines: with segmentation left to the device they are "
                        "up to 64 KiB.",
                        compare_count_show},
    [NET_COPIES] = {"copies", "copies a byte",
                    "By viaduct and its switch, from the ledger; copies inside the guests and the "
                    "host's kernel are not counted.",
                    compare_count_show},
    [NET_RTT] = {"rtt_us", "round trip", "One byte there and back.", us_show},
    [NET_CPU_TRIP] = {"cpu_us_trip", "CPU", "CPU time of all processes, a round trip.", us_show},
    [NET_TRAPS_TRIP] = {"traps_trip", "traps", "Exits of both machines.", compare_count_show},
    [NET_IRQS_TRIP] = {"interrupts_trip", "interrupts", "Raised by both devices.",
                       compare_count_show},
    [NET_PACKETS_TRIP] = {"packets_trip", "packets", "Sent by both machines.", compare_count_show},
};

/* ---- on a terminal ---- */

/* µ is two bytes and one column. */
static void column(const char *text, int width)
{
    printf(" %*s", width + (strstr(text, "µ") ? 1 : 0), text);
}

static void part(const struct compare_net *n, unsigned from, unsigned to, const char *what)
{
    char text[32];

    printf("%-36s", what);
    for (unsigned k = from; k < to; k++)
        column(net_columns[k].name, 15);
    printf("\n");
    for (unsigned i = 0; i < n->rungs; i++) {
        printf("%-36s", n->rung[i].name);
        for (unsigned k = from; k < to; k++) {
            net_columns[k].show(text, sizeof(text), n->rung[i].f[k].mid);
            column(text, 15);
        }
        printf("\n");
    }
}

void compare_net_table(const struct compare_net *n)
{
    printf("the depth of a guest's network stack, engine %s\n", n->engine);
    part(n, 0, NET_STREAM_KEYS, "a stream");
    printf("\n");
    part(n, NET_STREAM_KEYS, NET_KEYS, "a byte there and back");
    printf("\n");
}

/* ---- in the report ---- */

static double greatest(const struct compare_net *n, enum net_key k)
{
    double most = 0;

    for (unsigned i = 0; i < n->rungs; i++)
        if (n->rung[i].f[k].mid > most)
            most = n->rung[i].f[k].mid;
    return most;
}

static void bar(FILE *out, const struct net_rung *r, enum net_key k, double y, double most)
{
    const struct net_figure *f = &r->f[k];
    double width = most > 0 && f->mid > 0 ? (WIDTH - LEFT - RIGHT) * f->mid / most : 0;
    char text[32];

    fprintf(out, "<text class=\"way\" x=\"%.1f\" y=\"%.1f\">", LEFT - 12, y + 17);
    html_text(out, r->name);
    fprintf(out, "</text><rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"16\"/>",
            LEFT, y + 4, width);
    net_columns[k].show(text, sizeof(text), f->mid);
    fprintf(out, "<text class=\"value\" x=\"%.1f\" y=\"%.1f\">", LEFT + width + 8, y + 17);
    html_text(out, text);
    fprintf(out, "</text>\n");
}

static void bars(FILE *out, const struct compare_net *n, enum net_key k, const char *axis)
{
    double height = TOP + BOTTOM + n->rungs * ROW, most = greatest(n, k);

    fprintf(out,
            "<div class=\"wide\"><svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n",
            WIDTH, height, net_columns[k].name);
    for (unsigned i = 0; i < n->rungs; i++)
        bar(out, &n->rung[i], k, TOP + i * ROW, most);
    fprintf(out,
            "<line class=\"base\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/><text "
            "class=\"axis left\" x=\"%.1f\" y=\"%.1f\">%s</text>\n</svg></div>\n",
            LEFT, TOP, LEFT, height - BOTTOM, LEFT, height - 8, axis);
}

static void figure_html(FILE *out, const struct net_column *col, const struct net_figure *f)
{
    char text[32], low[32], high[32];

    col->show(text, sizeof(text), f->mid);
    fprintf(out, "<td class=\"n\">");
    html_text(out, text);
    col->show(low, sizeof(low), f->least);
    col->show(high, sizeof(high), f->greatest);
    if (f->least < f->greatest)
        fprintf(out, "<small>%s – %s</small>", low, high);
    fprintf(out, "</td>");
}

static void part_html(FILE *out, const struct compare_net *n, unsigned from, unsigned to)
{
    fprintf(out, "<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">path</th>");
    for (unsigned k = from; k < to; k++)
        fprintf(out, "<th scope=\"col\" class=\"n\">%s</th>", net_columns[k].name);
    fprintf(out, "</tr></thead>\n<tbody>\n");
    for (unsigned i = 0; i < n->rungs; i++) {
        fprintf(out, "<tr><th scope=\"row\">");
        html_text(out, n->rung[i].name);
        fprintf(out, "</th>");
        for (unsigned k = from; k < to; k++)
            figure_html(out, &net_columns[k], &n->rung[i].f[k]);
        fprintf(out, "</tr>\n");
    }
    fprintf(out, "</tbody></table></div>\n<dl>\n");
    for (unsigned k = from; k < to; k++)
        fprintf(out, "<dt>%s</dt><dd>%s</dd>\n", net_columns[k].name, net_columns[k].what);
    fprintf(out, "</dl>\n");
}

void compare_net_html(FILE *out, const struct compare_net *n)
{
    fprintf(out, "<section>\n<h2>The depth of a guest's network stack</h2>\n<p>The same transfer "
                 "between two Linux guests with ever less of a network between them, on engine ");
    html_text(out, n->engine);
    fprintf(out, ". Bars to the right are faster, or more.</p>\n");
    bars(out, n, NET_MB_S, "megabytes a second");
    bars(out, n, NET_TRAPS_MB, "traps of both machines, a megabyte");
    fprintf(out, "<h3>A stream</h3>\n");
    part_html(out, n, 0, NET_STREAM_KEYS);
    fprintf(out, "<h3>A byte there and back</h3>\n");
    part_html(out, n, NET_STREAM_KEYS, NET_KEYS);
    fprintf(out, "<h3>What each side runs below the program</h3>\n<dl>\n");
    for (unsigned i = 0; i < n->rungs; i++) {
        fprintf(out, "<dt>");
        html_text(out, n->rung[i].name);
        fprintf(out, "</dt><dd>");
        html_text(out, n->rung[i].layers);
        fprintf(out, "</dd>\n");
    }
    fprintf(out, "</dl>\n</section>\n");
}
