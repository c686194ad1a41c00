/*
 * A virtio device without its transport: status machine, feature negotiation, queues.
 * VIRTIO 1.2, chapters 2 and 3. A transport (vpci) owns the registers and calls the upper half;
 * a device (vblk, …) fills in a struct virtio_class and calls the lower half.
 */
#ifndef VIRTIO_VIRTIO_H
#define VIRTIO_VIRTIO_H

#include "core/log.h"
#include "core/loop.h"
#include "virtio/vq.h"

#define VIRTIO_QUEUES_MAX 20
#define VIRTIO_NO_VECTOR  0xffff

enum { /* 2.1 device status */
       VIRTIO_ACKNOWLEDGE = 1,
       VIRTIO_DRIVER = 2,
       VIRTIO_DRIVER_OK = 4,
       VIRTIO_FEATURES_OK = 8,
       VIRTIO_NEEDS_RESET = 64,
       VIRTIO_FAILED = 128,
};

enum { /* chapter 6, reserved feature bits: numbers, not masks */
       VIRTIO_F_INDIRECT_DESC = 28,
       VIRTIO_F_EVENT_IDX = 29,
       VIRTIO_F_VERSION_1 = 32,
       VIRTIO_F_RING_PACKED = 34,
       VIRTIO_F_IN_ORDER = 35,
       VIRTIO_F_NOTIFICATION_DATA = 38,
       VIRTIO_F_RING_RESET = 40,
};
#define VIRTIO_BIT(n) (1ull << (n))

struct vcheck;
struct vevil;
struct virtio;

struct virtio_class { /* what makes a device that device; constant data */
    const char *name;
    uint16_t id;        /* chapter 5: 1 network, 2 block, 3 console, 4 entropy … */
    uint32_t pci_class; /* class code, 24 bits */
    uint8_t queues;     /* at most; virtio_init says how many there are */
    uint16_t queue_max; /* largest ring, a power of two */
    uint16_t cfg_len;   /* device-specific configuration */
    void (*cfg_read)(void *dev, uint8_t *cfg); /* fill all cfg_len bytes */
    void (*cfg_write)(void *dev, uint32_t off, unsigned size, uint32_t val); /* may be NULL */
    void (*start)(void *dev);                  /* may be NULL: the driver is ready */
    void (*notify)(void *dev, unsigned queue); /* the queue is running and was kicked */
    /* The same for one queue, which the driver resets alone. */
    void (*queue_reset)(void *dev, unsigned queue);
    /* Cancel, then drain: nothing touches guest memory or queues for an old request after this. */
    void (*reset)(void *dev);
};

struct virtio_queue {
    struct vq_conf conf; /* what the driver reads back and writes; vq runs from its own copy */
    uint16_t vector;     /* MSI-X, for transports that have it */
    bool enabled;
    struct vq vq;
};

struct virtio_transport { /* how interrupts leave; told with the device's lock held */
    void (*queue_irq)(void *transport, unsigned queue);
    void (*config_irq)(void *transport);
    void *transport;
};

struct virtio {
    const struct virtio_class *cls;
    void *dev;
    struct dma *dma;
    struct loop *loop;
    struct virtio_transport out;
    const char *name;        /* instance, for messages */
    uint64_t offered, taken; /* features; taken is frozen once FEATURES_OK is set */
    uint8_t status;
    uint8_t generation; /* of the device configuration */
    uint8_t queues;
    struct virtio_queue queue[VIRTIO_QUEUES_MAX];
    uint32_t unsignalled; /* queues with pushes to show, one bit each */
    uint32_t unwalked;    /* queues whose walk ran out of budget */
    struct loop_work work;
    struct log_budget log;
    struct vcheck *check; /* who watches the driver; NULL: nobody */
    struct vevil *evil;   /* who misbehaves towards it; NULL: nobody */
};

/* queues: 0 is the class's number. Rings are offered split; VIRTIO_F_RING_PACKED is a feature. */
void virtio_init(struct virtio *v, const struct virtio_class *cls, void *dev, uint64_t features,
                 unsigned queues);
void virtio_reset(struct virtio *v);                   /* as a write of 0 to the status register */
void virtio_stop(struct virtio *v);                    /* for good: cancels what is deferred */
void virtio_state(struct virtio *v, struct state *st); /* after the device has drained */

/* ---- for transports ---- */
uint32_t virtio_features(const struct virtio *v, uint32_t select); /* offered, 32 at a time */
uint32_t virtio_taken(const struct virtio *v, uint32_t select);
void virtio_take(struct virtio *v, uint32_t select, uint32_t bits);
void virtio_set_status(struct virtio *v, uint8_t val);
void virtio_enable(struct virtio *v, unsigned queue);      /* latches queue[].conf */
void virtio_queue_reset(struct virtio *v, unsigned queue); /* 2.6.1: as never enabled */
void virtio_queue_stop(struct virtio *v, unsigned queue);  /* the same, negotiated or not */
void virtio_notify(struct virtio *v, unsigned queue);      /* a kick; any number is tolerated */
/* What is deferred or held back, at once: before a state walk that saves. */
void virtio_settle(struct virtio *v);
uint32_t virtio_cfg_read(struct virtio *v, uint32_t off, unsigned size);
void virtio_cfg_write(struct virtio *v, uint32_t off, unsigned size, uint32_t val);

/* ---- for devices ---- */
static inline bool virtio_has(const struct virtio *v, unsigned feature)
{
    return v->taken >> feature & 1;
}
/* May finished chains be pushed to this queue? Not while a reset drains. */
bool virtio_answers(const struct virtio *v, unsigned queue);
/* Chains were pushed to this queue: show them and interrupt once the batch is over. */
void virtio_done(struct virtio *v, unsigned queue);
/* The walk of this queue stopped for its budget: notify comes again soon. */
void virtio_again(struct virtio *v, unsigned queue);
void virtio_config_changed(struct virtio *v);
/* The driver broke a rule that no request can carry: stop until it resets (2.1.1). */
void virtio_needs_reset(struct virtio *v, const char *why);
/* The same with no reason: for vevil.c. */
void virtio_ask_reset(struct virtio *v);
/* DRIVER_OK, and neither FAILED nor NEEDS_RESET. */
bool virtio_running(const struct virtio *v);

#endif
