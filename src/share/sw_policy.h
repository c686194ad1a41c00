/*
 * What the operator says about one port of a switch, as words (docs/net.md): whose address it has,
 * which VLANs it is in, how fast and how much. It is said on the switch's side; nothing of it can
 * be claimed by what is plugged in there.
 */
#ifndef SHARE_SW_POLICY_H
#define SHARE_SW_POLICY_H

#include "share/l2_tag.h"

#define SW_IPS 8

struct error;

struct sw_ip {
    bool v6;
    uint8_t addr[16]; /* an IPv4 address has four bytes */
};

struct sw_policy {
    char name[24];
    bool has_mac;
    uint8_t mac[6];
    struct sw_ip ip[SW_IPS];
    unsigned ips;
    unsigned vlan; /* access port of that VLAN; 0: not said */
    bool trunk;    /* vlans says which ones come and go with tags */
    struct l2_vlans vlans;
    unsigned native;             /* a trunk's: what comes without a tag; 0: refused */
    uint64_t from_rate, to_rate; /* bytes a second; 0: no limit */
    uint64_t burst;              /* bytes; 0: 50 ms of the rate */
    uint64_t storm;  /* frames a second to all, to groups, to who knows whom; 0: no limit */
    uint64_t queue;  /* bytes kept for it; 0: as the rate has it */
    unsigned weight; /* 0: 1 */
    unsigned macs;   /* addresses that are learnt; 0: L2_QUOTA */
    bool isolate, uplink;
    bool listing; /* the last word was vlans= */
};

#define SW_POLICY_VALUE                                                                            \
    "[,name=TEXT][,mac=ADDR][,ip=ADDR]…[,vlan=N|,vlans=LIST[,native=N]][,rate=R][,rate-from=R]"  \
    "[,rate-to=R][,burst=SIZE][,weight=N][,storm=N][,macs=N][,queue=SIZE][,isolate][,uplink]"

/* 1: the word was taken; 0: it is none of these; -EINVAL: it is, and can't be; err is filled. */
int sw_policy_word(struct sw_policy *p, const char *word, struct error *err);
/* After the last word. 0, or -EINVAL with err filled. */
int sw_policy_check(const struct sw_policy *p, struct error *err);
/* It says something of VLANs: the whole switch then keeps them apart. */
static inline bool sw_policy_has_vlans(const struct sw_policy *p)
{
    return p->vlan || p->trunk;
}

#endif
