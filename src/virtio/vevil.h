/*
 * --evil: a virtio device that misbehaves towards its driver, for those who test drivers. What it
 * does and when is drawn from a seed: one draw a chance, and chances come in the order of what the
 * driver does, so the same seed and the same driver make the same log. It never harms the host; to
 * the guest it is as bad as it says. Called with the device's lock held.
 */
#ifndef VIRTIO_VEVIL_H
#define VIRTIO_VEVIL_H

#include "core/types.h"

struct dev_env;
struct state;
struct vevil;
struct virtio;
struct vq;

enum vevil_kind { /* docs/virtio-evil.md; names in vevil.c */
                  VEVIL_ID,
                  VEVIL_LENGTH,
                  VEVIL_TWICE,
                  VEVIL_LATE,
                  VEVIL_LOST,
                  VEVIL_SHORT,
                  VEVIL_JUMP,
                  VEVIL_MUTE,
                  VEVIL_SPURIOUS,
                  VEVIL_CONFIG,
                  VEVIL_LIE,
                  VEVIL_DEAF,
                  VEVIL_RESET,
                  VEVIL_KINDS
};

struct vevil_opts {
    uint64_t seed;
    uint32_t rate;      /* one chance in so many is taken; 0: 100 */
    uint32_t kinds;     /* 1 << enum vevil_kind; 0: all */
    const char *device; /* instance name; NULL: all */
};

const char *vevil_name(unsigned kind);

/* NULL: no memory. */
struct vevil *vevil_open(struct virtio *v, const struct dev_env *env, const struct vevil_opts *o);
void vevil_close(struct vevil *e); /* NULL is fine */
/* Completions that are held back: given back now, or forgotten with their queue. */
void vevil_release(struct vevil *e);
void vevil_forget(struct vevil *e, unsigned queue);

/* A kick arrived. True: it is not heard. */
bool vevil_kick(struct vevil *e, unsigned queue);
/* What the driver reads of the configuration. */
uint32_t vevil_config(struct vevil *e, uint32_t off, unsigned size, uint32_t val);
/* The ring's own file asks: vq_evil.c. A chain is to be given back: true if that was seen to. */
bool vevil_give(struct vevil *e, struct vq *q, uint16_t head, uint32_t written);
/* How many of len bytes are written into a chain. */
size_t vevil_put(struct vevil *e, struct vq *q, size_t len);
/* About to show what was pushed. False: no interrupt, whatever the driver wants. */
bool vevil_show(struct vevil *e, struct vq *q);

#endif
