/*
 * What a switch counts: rows of kind "switch", one set a port, named SWITCH.PORT.
 *
 *     from      writes: frames that came from it
 *     to        reads: frames that went to it; refused: found no room
 *     copies    reads: the same frames; writes: copies made of them since their sender's memory,
 *               bytes: those copied
 *     whole     reads: those with segments or checksums left undone, which it takes so
 *     cut       reads: those that had to be finished for it
 *     flood     writes: frames from it that went to all
 *     waited    reads: of those to it, the ones that were kept for it until there was room; ns: how
 *               long, all together
 *     bad, spoofed, vlan, storm, isolated     refused, from it, and why
 *     crowded   addresses not learnt, from it
 */
#include "core/ledger.h"
#include "share/sw_impl.h"
#include <errno.h>

int sw_rows_open(struct sw_port *p)
{
    static const char *const name[SW_ROWS] = {
        [SW_FROM] = "from",         [SW_TO] = "to",     [SW_COPIES] = "copies",
        [SW_WHOLE] = "whole",       [SW_CUT] = "cut",   [SW_FLOOD] = "flood",
        [SW_WAITED] = "waited",     [SW_BAD] = "bad",   [SW_SPOOFED] = "spoofed",
        [SW_CROWDED] = "crowded",   [SW_VLAN] = "vlan", [SW_STORM] = "storm",
        [SW_ISOLATED] = "isolated",
    };

    for (unsigned i = 0; i < SW_ROWS; i++) {
        p->row[i] = ledger_row(p->s->ledger, LEDGER_SWITCH, p->name, name[i]);
        if (!p->row[i])
            return -ENOMEM;
    }
    return 0;
}

void sw_refuse(struct sw_port *p, enum sw_row why, uint64_t *count)
{
    ledger_refuse(p->row[why]);
    ++*count;
}

void sw_count_from(struct sw_port *p, unsigned frames, size_t len)
{
    p->count.in += frames;
    p->count.in_bytes += len;
    ledger_add_all(p->row[SW_FROM], true, frames, len);
}

static void count_copies(struct sw_port *q, unsigned frames, size_t bytes, unsigned copies)
{
    struct ledger_row *row = q->row[SW_COPIES];

    q->count.out += frames;
    q->count.out_bytes += bytes;
    ledger_add_all(q->row[SW_TO], false, frames, bytes);
    ledger_add_all(row, false, frames, bytes);
    ledger_add_all(row, true, (uint64_t)copies * frames, copies * bytes);
    ledger_copy(row, copies * bytes);
}

void sw_count_all(struct sw_port *q, const struct sw_port *from, unsigned frames, size_t bytes)
{
    count_copies(q, frames, bytes, q->plug.copies_to + from->plug.copies_from);
}

/* from: NULL when its port is gone meanwhile. */
void sw_count_to(struct sw_port *q, const struct sw_port *from, const struct net_frame *f,
                 bool waited)
{
    count_copies(q, 1, f->len, q->plug.copies_to + waited + (from ? from->plug.copies_from : 0));
    if (f->todo)
        ledger_add(q->row[f->todo & ~q->plug.takes(q->ctx) ? SW_CUT : SW_WHOLE], false, f->len);
}

void sw_count_waited(struct sw_port *q, const struct sw_item *it)
{
    struct ledger_row *row = q->row[SW_WAITED];

    ledger_add(row, false, it->f.len);
    row->ns += sw_now(q->s) - it->since;
    row->samples++;
}

bool sw_queue_look(const struct sw *s, unsigned index, struct sw_queue *out)
{
    const struct sw_port *q = index < SW_PORTS ? s->port[index] : NULL;

    if (!q)
        return false;
    *out = (struct sw_queue){q->name, q->waiting, q->kept, q->limit, s->l2.count[index]};
    return true;
}
