/*
 * Which port of a switch an Ethernet address lives at (IEEE 802.1Q, 8.7 and 8.8: learning, ageing).
 * A bounded table in sets of L2_WAYS, hashed with a secret, so that peers can't aim at one set.
 * Time is an argument.
 *
 * An address stays with the port that has it until that port goes or is silent for the ageing time:
 * a VM can't take another's traffic by sending with its address. A port has a quota of addresses.
 * In each VLAN an address is learnt anew: its number stands above the address's 48 bits.
 */
#ifndef SHARE_L2_H
#define SHARE_L2_H

#include "core/types.h"

#define L2_PORTS 64u
#define L2_SETS  512u /* a power of two */
#define L2_WAYS  8u
#define L2_QUOTA 256u

struct l2_entry {
    uint64_t mac; /* first byte on the wire the highest of 48 bits, above them the VLAN; 0: free */
    uint64_t seen;
    unsigned port;
};

struct l2 {
    uint64_t seed, age; /* age: ns */
    unsigned count[L2_PORTS];
    struct l2_entry set[L2_SETS][L2_WAYS];
};

enum l2_learnt {
    L2_KNOWN,
    L2_NEW,
    L2_MANY,    /* over the quota: not learnt */
    L2_FOREIGN, /* it belongs to another port */
};

void l2_init(struct l2 *t, uint64_t seed, uint64_t age_ns);
enum l2_learnt l2_learn(struct l2 *t, uint64_t mac, unsigned port, unsigned quota, uint64_t now);
void l2_drop(struct l2 *t, uint64_t mac);                    /* in all VLANs */
int l2_find(const struct l2 *t, uint64_t mac, uint64_t now); /* the port, or -1 */
void l2_forget(struct l2 *t, unsigned port);
void l2_age(struct l2 *t, uint64_t now); /* frees what is too old; call it now and then */

static inline uint64_t l2_mac(const uint8_t *p)
{
    return (uint64_t)p[0] << 40 | (uint64_t)p[1] << 32 | (uint64_t)p[2] << 24 |
           (uint64_t)p[3] << 16 | (uint64_t)p[4] << 8 | p[5];
}

static inline bool l2_is_group(uint64_t mac) /* broadcast or multicast */
{
    return mac >> 40 & 1;
}

/* 01-80-C2-00-00-0x: bridges don't forward these (802.1Q, table 8-1). */
static inline bool l2_is_reserved(uint64_t mac)
{
    return mac >> 4 == 0x0180c200000;
}

#endif
