/*
 * The ledger's rows of the recorded devices, at the end of the recording: registers, DMA, messages,
 * disks. A replay must arrive at the same counts. Lines that other devices share, and disks that
 * are behind other controllers too, are left out: their rows count more than was recorded.
 */
#include "bus/bus.h"
#include "core/ledger.h"
#include "record/rec_impl.h"
#include <string.h>

static void row_write(struct rec *r, const struct ledger_row *row)
{
    struct rec_text *t = &r->tmp;

    t->len = 0;
    rec_add(t, "ledger %s %s %s %llu %llu %llu %llu %llu\n", ledger_kind_name(row->kind), row->dev,
            row->name, (unsigned long long)row->reads, (unsigned long long)row->writes,
            (unsigned long long)row->read_bytes, (unsigned long long)row->write_bytes,
            (unsigned long long)row->refused);
    rec_write(r, t);
}

static bool single(const struct rec *r, const struct blk *b)
{
    for (unsigned i = 0; i < r->m.disks; i++)
        if (!strcmp(r->m.disk[i].name, b->name))
            return !(r->m.disk[i].via & (r->m.disk[i].via - 1));
    return false;
}

static bool belongs(const struct rec_dev *d, const struct ledger_row *row)
{
    switch (row->kind) {
    case LEDGER_PIO:
    case LEDGER_MMIO:
        for (unsigned i = 0; i < d->regions; i++)
            if (d->region[i].region->row == row)
                return true;
        return false;
    case LEDGER_DMA:
    case LEDGER_MSI: return !strcmp(row->dev, d->name);
    case LEDGER_BLK:
        for (unsigned i = 0; i < d->blks; i++)
            if (single(d->rec, &d->blk[i]->blk) && !strcmp(row->dev, d->blk[i]->blk.name))
                return true;
        return false;
    default: return false;
    }
}

void rec_sum_write(struct rec *r)
{
    for (const struct ledger_row *row = ledger_first(r->ledger); row; row = row->next)
        for (unsigned i = 0; i < r->devs; i++)
            if (belongs(r->dev[i], row)) {
                row_write(r, row);
                break;
            }
}

static const struct ledger_row *row_named(const struct rec *r, const char *kind, const char *dev,
                                          const char *name)
{
    for (unsigned k = 0; k < LEDGER_KINDS; k++)
        if (!strcmp(ledger_kind_name((enum ledger_kind)k), kind))
            return ledger_find(r->ledger, (enum ledger_kind)k, dev, name);
    return NULL;
}

/* KIND DEV NAME and five counts */
void rec_sum_check(struct rec *r, char *words)
{
    static const char *const field[] = {"reads", "writes", "read bytes", "write bytes", "refused"};
    char *save = NULL, *kind = strtok_r(words, " ", &save), *dev = strtok_r(NULL, " ", &save),
         *name = strtok_r(NULL, " ", &save);
    const struct ledger_row *row = kind && dev && name ? row_named(r, kind, dev, name) : NULL;

    if (!row) {
        rec_differ(r, "the ledger has no such row");
        return;
    }
    const uint64_t got[] = {row->reads, row->writes, row->read_bytes, row->write_bytes,
                            row->refused};

    for (size_t i = 0; i < ARRAY_LEN(field); i++) {
        const char *word = strtok_r(NULL, " ", &save);
        uint64_t want;

        if (!word || !rec_number(&word, 10, &want)) {
            rec_differ(r, "not a row of the ledger");
            return;
        }
        if (want != got[i])
            rec_differ(r, "ledger, %s %s %s, %s: expected %llu, got %llu", kind, dev, name,
                       field[i], (unsigned long long)want, (unsigned long long)got[i]);
    }
}
