/*
 * Recordings: what crosses between chosen devices and the rest of the machine, written down as text
 * while a guest runs, and played back to the device models alone. The format, and what makes a
 * replay exact, is told in docs/record.md.
 *
 * One `struct rec` is either being made (rec_create) or being played (rec_open). The board asks it
 * to stand on the wires of each device it makes; that is the same in both, so that the code which
 * writes a line is the code which later says what the line should have been.
 */
#ifndef RECORD_RECORD_H
#define RECORD_RECORD_H

#include "bus/dev.h"

struct blk;
struct chr;
struct net;
struct rec;

#define REC_DISKS 16
#define REC_NICS  8
#define REC_PICKS 48
#define REC_NAME  32

struct rec_disk { /* what a front end can see of a backend */
    char name[REC_NAME];
    unsigned via; /* enum board_via: nothing to this directory but a number */
    uint64_t sectors;
    bool readonly, discard, zeroes, cache;
    unsigned queues; /* virtio */
    bool packed;
    bool has_serial;
    char serial[24];
};

struct rec_nic {
    char name[REC_NAME]; /* of the network */
    unsigned via;        /* enum board_nic */
    uint8_t mac[6];
    unsigned takes; /* as in struct net */
    bool up;
    unsigned queues; /* virtio */
    bool packed;
    unsigned less; /* virtio: enum vnet_less */
};

struct rec_machine { /* all that the replay needs to make the same devices */
    char board[REC_NAME];
    uint64_t memory; /* bytes */
    bool debug_exit;
    bool split;     /* the engine keeps the local APICs: lines have no waits and watch */
    uint64_t epoch; /* seconds since 1970 at VM time 0 */
    uint64_t start; /* VM time at which the devices were made */
    struct rec_disk disk[REC_DISKS];
    unsigned disks;
    struct rec_nic nic[REC_NICS];
    unsigned nics;
    char pick[REC_PICKS][REC_NAME]; /* devices by name */
    unsigned picks;                 /* 0: all that can be recorded */
};

/* ---- making ---- */

struct rec_opts {
    const char *path; /* ends in .zst: compressed */
    uint64_t limit;   /* bytes of text after which the recording ends by itself; 0: REC_LIMIT */
};

#define REC_LIMIT (1ull << 30) /* also the most that is read back */

/* m.epoch and m.start are filled here. The loop is the VM's; the ledger is what rec_finish sums. */
int rec_create(struct rec **out, const struct rec_opts *o, const struct rec_machine *m,
               struct loop *loop, struct ledger *ledger, struct error *err);
/* The last lines. 0, or -errno if any of it could not be written. Caller holds the VM lock. */
int rec_finish(struct rec *r, struct error *err);

/* ---- playing ---- */

/* Reads and checks the whole file; edited: a checksum that is wrong or missing is no reason to
 * refuse it. -EINVAL: it is no recording, or a damaged one. */
int rec_open(struct rec **out, const char *path, bool edited, struct error *err);
int rec_open_text(struct rec **out, const char *name, const char *text, size_t len, bool edited,
                  struct error *err);
const struct rec_machine *rec_machine(const struct rec *r);

struct rec_player {
    struct bus *bus;
    struct loop *loop; /* manual; never stepped */
    struct ledger *ledger;
    int (*reset)(void *ctx, const char *dev); /* 0, or -ENOENT */
    /* Gives the device an input that did not come by the bus; 0, or -ENOENT: it has none such. */
    int (*input)(void *ctx, const char *dev, const char *what, const int v[3]);
    void *ctx;
};

/* Before the board is made. */
void rec_player(struct rec *r, const struct rec_player *p);
/* Backends for the board: disk and network n of the machine, and a console. rec_close closes
 * them. */
struct blk *rec_disk(struct rec *r, unsigned n);
struct net *rec_nic(struct rec *r, unsigned n);
struct chr *rec_console(struct rec *r);
/* 0: every line as it should be; -EPROTO: err tells the first difference; -EINVAL: bad line. */
int rec_play(struct rec *r, struct error *err);
uint64_t rec_events(const struct rec *r); /* how many were played */

/* ---- both ---- */

/* The board is complete: every device that was picked must be there. */
int rec_ready(struct rec *r, struct error *err);
void rec_close(struct rec *r); /* after the devices, before the backends; NULL is fine */

/* ---- for boards; a NULL rec or tap changes nothing ---- */

bool rec_playing(const struct rec *r);
/* A device's world, as made by the board: with the tap in it if the device is chosen. */
void rec_env(struct rec *r, struct dev_env *env);
struct irq rec_irq(struct tap *t, struct irq irq);
struct msi_sink rec_msi(struct tap *t, struct msi_sink msi);
struct blk *rec_blk(struct tap *t, struct blk *blk); /* NULL stays NULL */
struct chr *rec_chr(struct tap *t, struct chr *chr);
struct net *rec_net(struct tap *t, struct net *net);
/* Resets the device, which is an event of its own. */
void rec_reset(struct rec *r, const struct dev *d);

#endif
