/*
 * virtio-input: VIRTIO 1.2, section 5.8, a keyboard or a tablet. Types and codes are Linux's, as
 * the specification says (input-event-codes.h).
 */
#ifndef VIRTIO_VINPUT_H
#define VIRTIO_VINPUT_H

#include "bus/dev.h"

enum {
    VINPUT_SYN = 0,
    VINPUT_KEY = 1,
    VINPUT_REL = 2,
    VINPUT_ABS = 3,
    VINPUT_LED = 0x11,
    VINPUT_REP = 0x14
};
enum { VINPUT_ABS_MAX = 0x7fff }; /* places are from 0 to this */
enum { VINPUT_FRAME = 8 };        /* events of one frame, at most */

struct vinput;

struct vinput_codes { /* a run of codes, each below 1024; last < first: the type alone */
    uint8_t type;
    uint16_t first, last;
};

struct vinput_kind { /* what a device is; constant data */
    const char *name;
    uint16_t product;
    uint32_t properties; /* INPUT_PROP_…, a bit each */
    const struct vinput_codes *codes;
    unsigned runs;
};

extern const struct vinput_kind vinput_keyboard, vinput_tablet; /* vinput_kinds.c */

struct vinput_opts {
    const struct vinput_kind *kind;
    const char *serial; /* borrowed for the life of the device */
    bool packed;        /* offer packed rings */
    uint64_t mmio;      /* where the registers go; 0: a PCI function */
};

struct vinput_event {
    uint16_t type, code;
    uint32_t value;
};

extern const struct dev_class vinput_class;

/* 0, -ENOMEM, or -EBUSY when env->devfn is taken. */
int vinput_create(struct vinput **out, const struct dev_env *env, const struct vinput_opts *o);

/* A frame of n events; the SYN_REPORT behind them is added. All or, if the guest gave too few
 * buffers, nothing: false, and counted. The VM lock is held, here and below. */
bool vinput_send(struct vinput *d, const struct vinput_event *e, unsigned n);
bool vinput_can(const struct vinput *d, unsigned type, unsigned code);
bool vinput_listens(const struct vinput *d); /* a driver has it */
/* How many events would go now. Looks at the ring: not for hot paths. */
unsigned vinput_room(struct vinput *d);
bool vinput_idle(struct vinput *d);           /* the guest has given all buffers back */
unsigned vinput_leds(const struct vinput *d); /* bit n: LED_… n is on */
/* room is called when the guest has given buffers, from inside its access. */
void vinput_on_room(struct vinput *d, void (*room)(void *ctx), void *ctx);

#endif
