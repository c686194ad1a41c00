/*
 * What a port has counted is in the ledger, where it stays when its peer goes; what waits for it
 * now, the switch itself knows. A row's device is SWITCH.PORT: two labels.
 */
#include "cli/switch_tell.h"
#include "api/metrics.h"
#include "core/ledger.h"
#include "share/sw.h"
#include <string.h>

struct port { /* names out of SWITCH.PORT */
    char text[80];
    const char *sw, *port;
};

static void port_of(struct port *p, const char *dev)
{
    char *dot;

    snprintf(p->text, sizeof(p->text), "%s", dev);
    dot = strchr(p->text, '.');
    p->sw = p->text;
    p->port = dot ? dot + 1 : "";
    if (dot)
        *dot = 0;
}

/* ---- what was counted ---- */

struct part { /* a sample out of a row */
    const char *row, *key, *value;
    size_t at; /* of the counter */
};

#define AT(field) offsetof(struct ledger_row, field)

static double counter(const struct ledger_row *row, size_t at)
{
    uint64_t v;

    memcpy(&v, (const char *)row + at, sizeof(v));
    return (double)v;
}

static void parts(struct metrics_out *out, const struct ledger *l, const char *family,
                  const struct part *part, unsigned n)
{
    for (const struct ledger_row *r = ledger_first(l); r; r = r->next)
        for (unsigned i = 0; i < n; i++) {
            struct port p;

            if (r->kind != LEDGER_SWITCH || strcmp(r->name, part[i].row))
                continue;
            port_of(&p, r->dev);
            metrics_sample(out, family,
                           (struct metrics_label[]){
                               {"switch", p.sw}, {"port", p.port}, {part[i].key, part[i].value}},
                           part[i].key ? 3 : 2, counter(r, part[i].at));
        }
}

static void traffic(struct metrics_out *out, const struct ledger *l)
{
    static const struct part frames[] = {{"from", "direction", "from", AT(writes)},
                                         {"to", "direction", "to", AT(reads)}};
    static const struct part bytes[] = {{"from", "direction", "from", AT(write_bytes)},
                                        {"to", "direction", "to", AT(read_bytes)}};
    static const struct part dropped[] = {
        {"to", "reason", "full", AT(refused)},
        {"bad", "reason", "bad", AT(refused)},
        {"spoofed", "reason", "spoofed", AT(refused)},
        {"vlan", "reason", "vlan", AT(refused)},
        {"storm", "reason", "storm", AT(refused)},
        {"isolated", "reason", "isolated", AT(refused)},
    };

    metrics_family(out, "switch_frames_total", "counter",
                   "Frames from and to what is plugged into a port.");
    parts(out, l, "switch_frames_total", frames, ARRAY_LEN(frames));
    metrics_family(out, "switch_bytes_total", "counter", "Bytes of these frames.");
    parts(out, l, "switch_bytes_total", bytes, ARRAY_LEN(bytes));
    metrics_family(out, "switch_dropped_frames_total", "counter",
                   "Frames that were dropped: to a port (full), or from it, and why.");
    parts(out, l, "switch_dropped_frames_total", dropped, ARRAY_LEN(dropped));
}

static void others(struct metrics_out *out, const struct ledger *l)
{
    static const struct part crowded = {"crowded", NULL, NULL, AT(refused)};
    static const struct part waited = {"waited", NULL, NULL, AT(reads)};
    static const struct part peers = {"peer", NULL, NULL, AT(writes)};

    metrics_family(out, "switch_crowded_frames_total", "counter",
                   "Frames from an address beyond the number that is learnt of a port.");
    parts(out, l, "switch_crowded_frames_total", &crowded, 1);
    metrics_family(out, "switch_waited_frames_total", "counter",
                   "Frames to a port that waited for its room or its rate.");
    parts(out, l, "switch_waited_frames_total", &waited, 1);
    metrics_family(out, "switch_connections_total", "counter",
                   "Peers that came to a port's socket.");
    parts(out, l, "switch_connections_total", &peers, 1);
}

/* In seconds: no part of a row is. */
static void waited_seconds(struct metrics_out *out, const struct ledger *l)
{
    metrics_family(out, "switch_waited_seconds_total", "counter",
                   "How long these frames waited, all together.");
    for (const struct ledger_row *r = ledger_first(l); r; r = r->next) {
        struct port p;

        if (r->kind != LEDGER_SWITCH || strcmp(r->name, "waited"))
            continue;
        port_of(&p, r->dev);
        metrics_sample(out, "switch_waited_seconds_total",
                       (struct metrics_label[]){{"switch", p.sw}, {"port", p.port}}, 2,
                       (double)r->ns / 1e9);
    }
}

/* ---- what is now ---- */

enum now { NOW_FRAMES, NOW_BYTES, NOW_LIMIT, NOW_ADDRESSES };

static double now_of(const struct sw_queue *q, enum now what)
{
    return what == NOW_FRAMES  ? q->frames
           : what == NOW_BYTES ? (double)q->kept
           : what == NOW_LIMIT ? (double)q->limit
                               : q->addresses;
}

static void now(struct metrics_out *out, const struct sw *s, const char *family, enum now what)
{
    struct sw_queue q;

    for (unsigned i = 0; i < SW_PORTS; i++)
        if (sw_queue_look(s, i, &q)) {
            struct port p;

            port_of(&p, q.port);
            metrics_sample(out, family,
                           (struct metrics_label[]){{"switch", p.sw}, {"port", p.port}}, 2,
                           now_of(&q, what));
        }
}

void switch_tell(struct metrics_out *out, const struct ledger *l, const struct sw *const *sw,
                 unsigned switches)
{
    static const char *const family[][2] = {
        [NOW_FRAMES] = {"switch_queue_frames", "Frames that wait for a port."},
        [NOW_BYTES] = {"switch_queue_bytes", "Memory that they take."},
        [NOW_LIMIT] = {"switch_queue_limit_bytes", "... and may take."},
        [NOW_ADDRESSES] = {"switch_addresses", "Addresses that live at a port."},
    };

    traffic(out, l);
    others(out, l);
    waited_seconds(out, l);
    for (unsigned what = 0; what < ARRAY_LEN(family); what++) {
        metrics_family(out, family[what][0], "gauge", family[what][1]);
        for (unsigned i = 0; i < switches; i++)
            now(out, sw[i], family[what][0], (enum now)what);
    }
}
