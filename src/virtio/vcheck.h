/*
 * --check virtio: a bystander who watches a driver and says which rule of VIRTIO 1.2 it broke. It
 * changes nothing: it reads registers' values as they pass and rings as they are fetched, with
 * pointers that the queue checked. A device that nobody watches has no struct vcheck, and each of
 * the calls below costs it a test of a pointer. Called with the device's lock held.
 */
#ifndef VIRTIO_VCHECK_H
#define VIRTIO_VCHECK_H

#include "virtio/vcheck_rules.h"
#include "virtio/virtio.h"

struct dev_env;
struct vcheck;
struct vq_check;
struct vwatch;

struct vcheck_access { /* of a register */
    uint32_t off, val; /* val: what is written */
    unsigned size;
    bool write;
};

struct vcheck *vcheck_open(struct virtio *v, const struct dev_env *env, bool mmio);
void vcheck_close(struct vcheck *c); /* NULL is fine */

/* A rule was broken: the first time of each is told, all are counted. queue < 0: none. */
void vcheck_broken(struct vcheck *c, int queue, enum vrule rule, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* vcheck.c: before the device acts on it. */
void vcheck_status(struct vcheck *c, uint8_t val);
void vcheck_take(struct vcheck *c, uint32_t select, uint32_t bits);
void vcheck_loaded(struct vcheck *c); /* a saved state replaced the device's */
/* vq_check_setup.c */
void vcheck_enable(struct vcheck *c, unsigned queue);
struct vq_check *vcheck_enabled(struct vcheck *c, unsigned queue); /* it runs: for its vq */
void vcheck_queue_gone(struct vcheck *c, unsigned queue);
/* size 0: a bell rang, and nobody knows what was written, or when. */
void vcheck_kick(struct vcheck *c, unsigned queue, unsigned size, uint32_t val);
/* vcheck_regs.c: accesses of the common configuration, of the MMIO registers, of the device's
 * configuration. */
void vcheck_pci(struct vcheck *c, unsigned queue_sel, const struct vcheck_access *a);
void vcheck_mmio(struct vcheck *c, unsigned queue_sel, const struct vcheck_access *a);
void vcheck_config(struct vcheck *c, uint32_t off, unsigned size, bool write);
/* vq_check.c: the ring's own file tells of its chains. */
void vq_check_fetch(struct vq_check *k, struct vq *q); /* about to look for the next chain */
void vq_check_unpop(struct vq_check *k, uint16_t head);
void vq_check_push(struct vq_check *k, struct vq *q, uint16_t head); /* before it is written */

#endif
