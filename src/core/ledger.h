/*
 * The ledger: every trap, byte and interrupt is counted where it happens, always on.
 * A row is one crossing: who (device), where (name), what kind. Rows are made at creation time and
 * live until ledger_close; adding to a row is a few plain increments under the lock of whoever
 * owns the crossing (the region's lock, the vCPU thread for exits).
 */
#ifndef CORE_LEDGER_H
#define CORE_LEDGER_H

#include "core/types.h"
#include <stdio.h>

enum ledger_kind {
    LEDGER_PIO,   /* accesses by port instructions */
    LEDGER_MMIO,  /* trapped loads and stores */
    LEDGER_HCALL, /* hypercalls by number */
    LEDGER_DMA,   /* a device's reads and writes of guest memory */
    LEDGER_IRQ,   /* line: writes = rising edges */
    LEDGER_MSI,   /* message-signalled interrupts sent */
    LEDGER_VEC,   /* interrupts a vCPU took, one row a vector */
    LEDGER_BELL,  /* doorbells (ioeventfd) */
    LEDGER_BLK,   /* block requests by backend; refused = failed */
    LEDGER_WAY,   /* the same requests, by the way that served them */
    LEDGER_NET,   /* frames by backend: writes = from the guest; refused = dropped */
    LEDGER_CHECK, /* rules a driver broke (--check): writes and refused = how often */
    LEDGER_SHARE, /* requests of a shared directory: writes = those that change; refused = errors */
    LEDGER_EVIL,  /* what a device did that it must not (--evil): writes = how often */
    LEDGER_CHR,   /* pieces of a port's stream: writes = from the guest; refused = lost */
    LEDGER_INPUT, /* events of an input device: reads = to the guest; refused = frames lost */
    LEDGER_SWITCH, /* frames at a switch's port: share/sw_count.c says what each row counts */
    LEDGER_VHOST,  /* vhost-user messages, by request: reads = replies; refused = not obeyed */
    LEDGER_EXIT,   /* vCPU exits by kind: writes = count */
    LEDGER_CALL,   /* a program's system calls by ABI: writes = calls; bytes as the calls moved them
                    */
    LEDGER_FILE,   /* a program's reads and writes by file, below its calls */
    LEDGER_KINDS
};

struct ledger_row {
    const char *dev;  /* instance name: "ide0", "com1"; owned by the ledger */
    const char *name; /* region, line, queue …; owned by the ledger */
    enum ledger_kind kind;
    uint64_t reads, writes; /* crossings */
    uint64_t read_bytes, write_bytes;
    uint64_t refused; /* of the crossings above, how many were refused */
    uint64_t copied;  /* of the bytes above, how many a CPU copied; the rest stayed where it was */
    uint64_t ns;      /* time spent serving: sampled ns, see samples */
    uint64_t samples; /* how many crossings ns was measured over */
    struct ledger_row *next;
};

struct ledger;

struct ledger *ledger_open(void);
void ledger_close(struct ledger *l);

/* Find or make a row; NULL only when memory is exhausted. Not for hot paths. Thread-safe. */
struct ledger_row *ledger_row(struct ledger *l, enum ledger_kind kind, const char *dev,
                              const char *name);

static inline void ledger_add(struct ledger_row *row, bool write, uint64_t bytes)
{
    if (write) {
        row->writes++;
        row->write_bytes += bytes;
    } else {
        row->reads++;
        row->read_bytes += bytes;
    }
}

/* So many crossings at once. */
static inline void ledger_add_all(struct ledger_row *row, bool write, uint64_t n, uint64_t bytes)
{
    if (write) {
        row->writes += n;
        row->write_bytes += bytes;
    } else {
        row->reads += n;
        row->read_bytes += bytes;
    }
}

static inline void ledger_copy(struct ledger_row *row, uint64_t bytes)
{
    row->copied += bytes;
}

static inline void ledger_refuse(struct ledger_row *row)
{
    row->refused++;
}

/* Sum of reads+writes over rows matching kind and, unless NULL, dev. */
uint64_t ledger_sum(const struct ledger *l, enum ledger_kind kind, const char *dev);
const struct ledger_row *ledger_first(const struct ledger *l);
/* The row if it exists, else NULL. */
const struct ledger_row *ledger_find(const struct ledger *l, enum ledger_kind kind, const char *dev,
                                     const char *name);
const char *ledger_kind_name(enum ledger_kind kind);

void ledger_print(const struct ledger *l, FILE *out);      /* the table at exit */
int ledger_json(const struct ledger *l, FILE *out);        /* 0 or -errno */
int ledger_save(const struct ledger *l, const char *path); /* "-" is stdout; 0 or -errno */
/* The same in two steps, for who opens no files later: NULL and errno; put closes. */
FILE *ledger_place(const char *path);
int ledger_put(const struct ledger *l, FILE *out); /* 0 or -errno */

#endif
