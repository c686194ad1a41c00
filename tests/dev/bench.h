/*
 * A test bench for devices: bus, memory, loop with manual time, interrupt lines that remember, a
 * place for messages, disks and serial cables. It is the world of register scripts (docs/script.md)
 * and of fuzzers. A device comes onto it through its fixture, one small file tests/dev/fix_*.c.
 */
#ifndef TESTS_DEV_BENCH_H
#define TESTS_DEV_BENCH_H

#include "back/blk.h"
#include "back/chr.h"
#include "bus/dev.h"
#include "core/apics.h"
#include "core/error.h"
#include "core/shadow.h"
#include "engine/script.h"
#include "mem/ram.h"
#include "trap/dispatch.h"
#include "virtio/vevil.h"
#include "virtio/vwatch.h"

#define BENCH_DEVS   32
#define BENCH_LINES  64
#define BENCH_MSIS   256
#define BENCH_EVENTS 64
#define BENCH_DISKS  8
#define BENCH_CABLES 4 /* ends of serial ports, and of a console's ports */
#define BENCH_NETS   4
#define BENCH_PINS   4
#define BENCH_PAGES  4
#define BENCH_NAME   32
#define BENCH_CABLE  65536

struct bench_vsk;
struct i8042;
struct vcon;
struct vinput;

struct bench_line { /* an interrupt line that a device drives */
    char name[BENCH_NAME];
    bool level;
    uint64_t edges; /* rising, since the last `irq NAME edges` */
};

struct bench_cable { /* the other end of a serial port */
    struct chr chr;
    char name[BENCH_NAME];
    uint8_t sent[BENCH_CABLE]; /* by the device, not yet looked at */
    size_t len;
    bool limited; /* it takes so many bytes more, and no others */
    size_t takes;
    uint16_t cols, rows; /* 0: no terminal */
};

struct bench_disk {
    char name[BENCH_NAME];
    struct blk *blk;
};

struct bench_pins { /* inputs of an interrupt controller, for the verb `pin` */
    char name[BENCH_NAME];
    void (*set)(void *chip, unsigned pin, bool level);
    void *chip;
};

struct bench {
    pthread_mutex_t lock;
    struct ledger *ledger;
    struct loop *loop;
    struct bus *bus;
    struct pci_bus *pci;
    struct ram ram;
    struct dispatch dispatch;
    struct dev dev[BENCH_DEVS];
    char dev_name[BENCH_DEVS][BENCH_NAME];
    unsigned devs;
    struct bench_line line[BENCH_LINES];
    unsigned lines;
    struct {
        uint64_t addr;
        uint32_t data;
    } msi[BENCH_MSIS];
    unsigned msi_sent, msi_seen; /* counts; the newest BENCH_MSIS are kept */
    char event[BENCH_EVENTS][BENCH_NAME];
    unsigned event_sent, event_seen;
    struct bench_disk disk[BENCH_DISKS];
    unsigned disks;
    struct bench_cable cable[BENCH_CABLES];
    unsigned cables;
    struct bench_net *net[BENCH_NETS]; /* bench_net.h */
    unsigned nets;
    struct bench_vsk *vsk; /* bench_vsk.h; or NULL */
    struct bench_pins pins[BENCH_PINS];
    unsigned pin_sets;
    struct irq gsi[24], isa[16]; /* inputs of the fixture chip */
    const struct intr_ops *intr; /* set by a fixture of interrupt controllers */
    void *intr_ctl;
    struct apics apics; /* of fixture irqchip split=1: what is sent there is seen by `msi` */
    uint8_t apic_page[2][INTR_LAPIC_PAGE];
    struct i8042 *kbd;                      /* set by its fixture, for the user's verbs */
    struct vinput *input;                   /* the same, for `frame` */
    struct vcon *vcon;                      /* the same, for `plug` */
    const struct shadow *page[BENCH_PAGES]; /* register pages; NULL: none */
    struct shadow_sink page_sink;
    struct vevil_opts evil;
    struct vwatch watch; /* of virtio devices made from now on: check=1 */
    struct script_world world;
};

/* What stands after `device CLASS as NAME`: key=value words, each of which must be asked for. */
struct bench_args {
    struct script *script;
    char **word;
    int words;
    bool used[32];
    struct error *err; /* filled by the first bad one */
    bool bad;
};

struct fixture {
    const char *name;            /* as in `device NAME` */
    const struct dev_class *cls; /* NULL: make fills out->cls itself */
    /* 0 or -errno with err filled (or a plain -errno). env is complete: its irq is the line
     * called like the instance. */
    int (*make)(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err);
};

extern const struct fixture *const fixtures[]; /* ends with NULL */

/* ram: bytes, a multiple of 1 MiB. NULL: out of memory. */
struct bench *bench_open(uint64_t ram);
void bench_close(struct bench *b);
/* The words of a `device` line: class, [as NAME], key=value … script may be NULL (fuzzers). */
int bench_device(struct bench *b, struct script *s, int argc, char **argv, struct error *err);
void bench_reset(struct bench *b);
void bench_state(struct bench *b, struct state *st);

/* For fixtures. */
uint64_t bench_arg(struct bench_args *a, const char *key, uint64_t otherwise);
const char *bench_arg_text(struct bench_args *a, const char *key, const char *otherwise);
struct irq bench_line(struct bench *b, const char *name);
void bench_event(struct bench *b, const char *name);
struct blk *bench_disk(struct bench *b, const char *name);  /* NULL if none, or name is NULL */
struct chr *bench_cable(struct bench *b, const char *name); /* bench_cable.c */
void bench_pins(struct bench *b, const char *name, void (*set)(void *, unsigned, bool), void *chip);

/* tests/dev/bench_page.c */
void bench_pages(struct bench *b);
int bench_page_verb(struct bench *b, struct script *s, int argc, char **argv, struct error *err);
/* tests/dev/bench_cable.c: -ENOENT: no such verb */
int bench_cable_verb(struct bench *b, struct script *s, int argc, char **argv, struct error *err);
/* tests/dev/bench_verbs.c */
/* tests/dev/bench_input.c: -ENOENT: no such verb */
int bench_input_verb(struct bench *b, struct script *s, int argc, char **argv, struct error *err);
int bench_verb(void *bench, struct script *s, int argc, char **argv, struct error *err);

#endif
