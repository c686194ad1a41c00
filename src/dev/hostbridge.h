/* The PCI host bridge: function 00:00.0 and the type-1 configuration ports. */
#ifndef DEV_HOSTBRIDGE_H
#define DEV_HOSTBRIDGE_H

#include "bus/dev.h"

struct hostbridge;

struct hostbridge_opts {
    uint64_t base;            /* 0xcf8: eight ports */
    uint16_t vendor, device;  /* 0: 8086:1237 */
    void (*reset)(void *ctx); /* reset control at base + 1 (a PC's 0xcf9); NULL: none there */
    void *ctx;
};

/* env->pci is the bus it makes reachable; env->devfn is normally 0. */
int hostbridge_create(struct hostbridge **out, const struct dev_env *env,
                      const struct hostbridge_opts *o);
extern const struct dev_class hostbridge_class;

#endif
