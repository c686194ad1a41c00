/*
 * The ledger: rows made once and never moved, so that adding to one is a few plain increments.
 * Output is in core/ledger_out.c.
 */
#include "core/ledger.h"
#include "core/ledger_impl.h"

#include <stdlib.h>
#include <string.h>

struct ledger *ledger_open(void)
{
    struct ledger *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    pthread_mutex_init(&l->lock, NULL);
    return l;
}

static void row_free(struct ledger_row *row)
{
    free((char *)(uintptr_t)row->dev);
    free((char *)(uintptr_t)row->name);
    free(row);
}

void ledger_close(struct ledger *l)
{
    struct ledger_row *row, *next;

    if (!l)
        return;
    for (row = l->first; row; row = next) {
        next = row->next;
        row_free(row);
    }
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static struct ledger_row *row_make(enum ledger_kind kind, const char *dev, const char *name)
{
    struct ledger_row *row = calloc(1, sizeof(*row));

    if (!row)
        return NULL;
    row->kind = kind;
    row->dev = strdup(dev);
    row->name = strdup(name);
    if (!row->dev || !row->name) {
        row_free(row);
        return NULL;
    }
    return row;
}

static struct ledger_row *row_find(const struct ledger *l, enum ledger_kind kind, const char *dev,
                                   const char *name)
{
    struct ledger_row *row;

    for (row = l->first; row; row = row->next)
        if (row->kind == kind && !strcmp(row->dev, dev) && !strcmp(row->name, name))
            return row;
    return NULL;
}

struct ledger_row *ledger_row(struct ledger *l, enum ledger_kind kind, const char *dev,
                              const char *name)
{
    struct ledger_row *row, **tail;

    if (!l)
        return NULL;
    pthread_mutex_lock(&l->lock);
    row = row_find(l, kind, dev, name);
    if (!row) {
        row = row_make(kind, dev, name);
        tail = l->last ? &l->last->next : &l->first;
        if (row) {
            /* Readers walk without the lock: a row is seen whole or not at all. */
            __atomic_store_n(tail, row, __ATOMIC_RELEASE);
            l->last = row;
        }
    }
    pthread_mutex_unlock(&l->lock);
    return row;
}

const struct ledger_row *ledger_first(const struct ledger *l)
{
    return __atomic_load_n(&l->first, __ATOMIC_ACQUIRE);
}

const struct ledger_row *ledger_find(const struct ledger *l, enum ledger_kind kind, const char *dev,
                                     const char *name)
{
    return row_find(l, kind, dev, name);
}

uint64_t ledger_sum(const struct ledger *l, enum ledger_kind kind, const char *dev)
{
    const struct ledger_row *row;
    uint64_t sum = 0;

    for (row = ledger_first(l); row; row = row->next)
        if (row->kind == kind && (!dev || !strcmp(row->dev, dev)))
            sum += row->reads + row->writes;
    return sum;
}

const char *ledger_kind_name(enum ledger_kind kind)
{
    static const char *const name[LEDGER_KINDS] = {
        [LEDGER_PIO] = "pio",     [LEDGER_MMIO] = "mmio",   [LEDGER_HCALL] = "hcall",
        [LEDGER_DMA] = "dma",     [LEDGER_IRQ] = "irq",     [LEDGER_MSI] = "msi",
        [LEDGER_VEC] = "vec",     [LEDGER_BELL] = "bell",   [LEDGER_BLK] = "blk",
        [LEDGER_WAY] = "way",     [LEDGER_NET] = "net",     [LEDGER_EXIT] = "exit",
        [LEDGER_CHECK] = "check", [LEDGER_SHARE] = "share", [LEDGER_CALL] = "call",
        [LEDGER_FILE] = "file",   [LEDGER_EVIL] = "evil",   [LEDGER_CHR] = "chr",
        [LEDGER_INPUT] = "input", [LEDGER_VHOST] = "vhost", [LEDGER_SWITCH] = "switch",
    };

    return (unsigned)kind < LEDGER_KINDS ? name[kind] : "?";
}
