/* An Intel 82540EM gigabit Ethernet controller (8086:100e, the PRO/1000 MT desktop adapter). */
#ifndef DEV_E1000_H
#define DEV_E1000_H

#include "bus/dev.h"

struct net;

struct e1000_setup {
    struct net *net; /* borrowed, outlives the device; NULL: no cable */
    uint8_t mac[6];
};

/* env->pci and env->devfn say where the function sits; BARs are the firmware's to place. 0,
 * -EBUSY (devfn taken), -ENOMEM. */
int e1000_create(struct dev *out, const struct dev_env *env, const struct e1000_setup *s);

#endif
