/*
 * viaduct compare --html: the report, one file that needs nothing else: no script, no font, no
 * image, nothing from a network. HTML5, written so that it is well-formed XML as well.
 */
#include "cli/compare_html.h"
#include "cli/compare_net.h"
#include "cli/compare_with.h"
#include <errno.h>
#include <math.h>
#include <string.h>

/* ---- the columns ---- */

#define VALUE(name)                                                                                \
    static double value_##name(const struct figures *f)                                            \
    {                                                                                              \
        return f->name;                                                                            \
    }
VALUE(traps)
VALUE(crossings)
VALUE(bells)
VALUE(irqs)
VALUE(bytes_per_trap)
VALUE(copies)
VALUE(ns)
VALUE(ns_p5)
VALUE(ns_p95)

static bool traps_there(const struct figures *f)
{
    return !(f->crossings < 0.0005); /* not determined is another word */
}

enum { TRAPS, BELLS, IRQS, BYTES, COPIES, TIME };

const struct column compare_columns[] = {
    [TRAPS] = {.name = "traps",
               .unit = "traps a request",
               .what = "How often the guest stopped for a request because of an access or a call "
                       "that viaduct "
                       "had to complete, ends of interrupts included: exits, from the ledger.",
               .value = value_traps,
               .show = compare_count_show,
               .log = true},
    [BELLS] = {.name = "doorbells",
               .unit = "doorbells a request",
               .what = "Kicks that woke viaduct without stopping the guest in it; on kvm they are "
                       "traps of the "
                       "kernel's, which the ledger cannot see.",
               .value = value_bells,
               .show = compare_count_show},
    [IRQS] =
        {.name = "interrupts",
         .unit = "interrupts a request",
         .what =
             "How often the device raised its interrupt line or sent a message, from the ledger.",
         .value = value_irqs,
         .show = compare_count_show},
    [BYTES] = {.name = "bytes per trap",
               .unit = "bytes of data a trap",
               .what = "Bytes of data the workload moved, divided by its traps and doorbells.",
               .value = value_bytes_per_trap,
               .show = compare_bytes_show,
               .there = traps_there,
               .log = true},
    [COPIES] =
        {.name = "copies per byte",
         .unit = "copies a byte",
         .what =
             "Bytes that a CPU moved between image and guest, a byte of data: the backend's copy, "
             "copies by DMA, and all that went through registers, from the ledger; 1 is the least "
             "there can be.",
         .value = value_copies,
         .show = compare_count_show},
    [TIME] =
        {.name = "time a request",
         .unit = "time a request; whiskers from the 5th to the 95th percentile of rounds",
         .what =
             "The guest's clock from the first request of a round to the end of its last, divided "
             "by their number: the median of all rounds, and the 5th to the 95th percentile.",
         .value = value_ns,
         .low = value_ns_p5,
         .high = value_ns_p95,
         .show = compare_time_show,
         .log = true},
};
const unsigned compare_columns_count = ARRAY_LEN(compare_columns);

/* For charts: a doorbell is a trap too, though the kernel's. */
static const struct column crossings = {.name = "traps and doorbells",
                                        .unit = "traps and doorbells a request",
                                        .value = value_crossings,
                                        .show = compare_count_show,
                                        .log = true};

/* ---- words ---- */

void html_text(FILE *out, const char *s)
{
    for (; *s; s++)
        switch (*s) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        case '"': fputs("&quot;", out); break;
        default:
            if ((unsigned char)*s >= 0x20)
                fputc(*s, out);
        }
}

static void page_begin(FILE *out, const struct compare *c)
{
    char size[32];

    compare_bytes_show(size, sizeof(size), c->o.size);
    fprintf(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                 "<title>viaduct compare</title>\n<style>\n");
    fwrite(compare_css, 1, (size_t)(compare_css_end - compare_css), out);
    fprintf(out, "</style>\n</head>\n<body>\n<main>\n<header>\n<p class=\"kicker\">viaduct "
                 "compare</p>\n<h1>What each way to a disk costs</h1>\n");
    fprintf(out,
            "<p class=\"lede\">One workload through every interface a hypervisor can offer: "
            "random requests of %s bytes, %u %% of them reads.</p>\n<p class=\"meta\">",
            size, c->o.read);
    html_text(out, c->cpu);
    fprintf(out, " · ");
    html_text(out, c->host);
    fprintf(out, " · %s · took %.0f s</p>\n</header>\n", c->when, c->took_s);
}

struct ends {
    const struct cell *least, *most;
};

static struct ends ends_of(const struct compare *c, const struct compare_engine *e,
                           const struct column *col)
{
    struct ends x = {NULL, NULL};

    for (unsigned i = 0; i < c->cells; i++) {
        const struct cell *cell = &c->cell[i];
        double v = col->value(&cell->f);

        if (cell->state != CELL_MEASURED || cell->engine != e || isnan(v))
            continue;
        if (!x.least || v < col->value(&x.least->f))
            x.least = cell;
        if (!x.most || v > col->value(&x.most->f))
            x.most = cell;
    }
    return x;
}

static void tile_side(FILE *out, const struct column *col, const struct cell *cell)
{
    char text[32];

    col->show(text, sizeof(text), col->value(&cell->f));
    fprintf(out, "<b>");
    html_text(out, text);
    fprintf(out, "</b> <span>%s", cell->way->name);
    if (cell->way->queue)
        fprintf(out, " × %u", cell->depth);
    fprintf(out, "</span>");
}

/* From the most to the least on one engine. */
static void tile(FILE *out, const struct compare *c, const struct compare_engine *e,
                 const struct column *col)
{
    struct ends x = ends_of(c, e, col);

    if (!x.least || !(col->value(&x.most->f) > 1.1 * col->value(&x.least->f)))
        return; /* all about the same */
    fprintf(out, "<li><p>%s</p><p class=\"ends\">", col->name);
    tile_side(out, col, x.most);
    fprintf(out, "<i>to</i>");
    tile_side(out, col, x.least);
    fprintf(out, "</p></li>\n");
}

/* The first engine that was measured stands for all in the summary. */
static void summary(FILE *out, const struct compare *c)
{
    for (unsigned i = 0; i < c->cells; i++) {
        const struct compare_engine *e = c->cell[i].engine;

        if (c->cell[i].state != CELL_MEASURED)
            continue;
        fprintf(out,
                "<section>\n<h2>From the most to the least, on engine %s</h2>\n<ul "
                "class=\"tiles\">\n",
                e->name);
        tile(out, c, e, &crossings);
        tile(out, c, e, &compare_columns[TIME]);
        tile(out, c, e, &compare_columns[COPIES]);
        fprintf(out, "</ul>\n</section>\n");
        return;
    }
}

static void chart(FILE *out, const struct compare *c, const struct column *col, const char *title,
                  const char *read)
{
    fprintf(out, "<section>\n<h2>%s</h2>\n<p>%s</p>\n", title, read);
    compare_svg(out, c, col);
    fprintf(out, "</section>\n");
}

static void charts(FILE *out, const struct compare *c)
{
    chart(out, c, &crossings, "Traps a request",
          "Where single register accesses are intercepted, each costs a trap. A driver that hands "
          "over whole requests needs one to begin them and one to end the interrupt; several in a "
          "queue (× 32) share both. A system call is one. Doorbells count as the traps they are. "
          "Marks to the left are "
          "better.");
    chart(out, c, &compare_columns[TIME], "Time a request",
          "What a trap costs is the engine's; how many there are is the interface's. Marks to the "
          "left are better; each axis step is a factor of ten.");
    chart(out, c, &compare_columns[BYTES], "Bytes of data a trap",
          "The same seen from the data: how much work one crossing carries. Marks to the right are "
          "better; a way that does not trap has none.");
    chart(out, c, &compare_columns[COPIES], "Copies a byte",
          "One is the backend's own, from the image into guest memory or back. What goes through a "
          "data port is moved once more, by the CPU.");
}

static void method(FILE *out, const struct compare *c)
{
    fprintf(out,
            "<section>\n<h2>How it was measured</h2>\n<p>Each line is two runs of one bare-metal "
            "guest whose request loop is the same for every way; only the driver differs. The runs "
            "differ in how many requests they make, and counts are the growth of the ledger "
            "divided by that difference, so start-up is in none of them. Completion is "
            "%s, except where a way says otherwise. Times are %u rounds of the longer run, by the "
            "guest's time-stamp counter at %.0f MHz. The image is a file in the host's memory with "
            "%u blocks; each carries its number, and what was read and what was left was "
            "checked.</p>\n",
            c->o.poll ? "looked for (--poll)" : "by interrupt", c->o.rounds, c->tsc_hz / 1e6,
            c->blocks);
    fprintf(
        out,
        "<h3>Not determined</h3>\n<ul>\n<li>Figures marked n/d: what depends on time may be more "
        "in "
        "the short run than in the long one.</li>\n<li>Traps that the host kernel's KVM completes "
        "by "
        "itself: the ledger counts what reaches viaduct, and doorbells.</li>\n<li>Copies inside "
        "the host's kernel below the backend's own, and inside the guest.</li>\n<li>The process "
        "and the file behind a request, below the system-call interface: a guest's kernel does "
        "not pass them on to its disk.</li>\n</ul>\n</section>\n");
}

int compare_html(const struct compare *c, const char *path)
{
    FILE *out = fopen(path, "we");
    int code;

    if (!out)
        return -errno;
    page_begin(out, c);
    summary(out, c);
    charts(out, c);
    fprintf(out, "<section>\n<h2>All figures</h2>\n");
    compare_html_tables(out, c);
    fprintf(out, "</section>\n<section>\n<h2>The ways</h2>\n");
    compare_html_ways(out, c);
    fprintf(out, "</section>\n");
    if (c->net && c->net->rungs)
        compare_net_html(out, c->net);
    for (unsigned i = 0; i < c->withs; i++)
        compare_with_html(out, c->with[i]);
    method(out, c);
    fprintf(out, "</main>\n</body>\n</html>\n");
    code = ferror(out) ? -EIO : 0;
    return fclose(out) && !code ? -errno : code;
}
