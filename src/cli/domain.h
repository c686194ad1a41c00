/* Shared by the files of viaduct domain: what it serves, each at a socket of its own. */
#ifndef CLI_DOMAIN_H
#define CLI_DOMAIN_H

#include "cli/cli.h"
#include "cli/disk_opts.h"
#include "sandbox/box.h"
#include "share/sw_policy.h"

#define DOMAIN_DEVICES 64

struct blk;
struct domain_smalls;
struct service;
struct domain_switches;
struct ledger;
struct loop;
struct net;
struct vblk;
struct vhost_back;
struct vnet;

struct domain_disk { /* --disk FILE,socket=PATH[,…] */
    char text[1024];
    const char *file, *socket, *serial;
    unsigned queues;
    bool readonly, packed, in_order;
    struct disk_policy policy;
};

/* Host disks, and how many of the domain's disks are on each. */
struct domain_hosts {
    struct domain_host {
        uint64_t key;
        unsigned disks;
        struct share_disk *share;
    } host[DOMAIN_DEVICES];
    unsigned hosts;
};

struct domain_net { /* --net SPEC,socket=PATH[,…] */
    char text[1024], spec[1024];
    const char *socket, *pcap;
    const char *on;          /* port=: the switch inside the domain; or NULL */
    struct sw_policy policy; /* of its port there */
    unsigned queues;         /* pairs of them */
    bool packed, in_order;
};

struct domain_device {
    char name[16]; /* "disk0", "net0" */
    bool is_net;
    union {
        struct domain_disk disk;
        struct domain_net net;
    };
    struct blk *blk;
    struct domain_host *host; /* of a disk */
    struct net *cable;
    struct vblk *vblk;
    struct vnet *vnet;
    struct vhost_back *back;
};

/* domain_disk.c: one from its words. 0 or -EINVAL with err filled. */
int domain_disk_take(struct domain_disk *d, const char *value, struct error *err);
/* domain_net.c: the same */
int domain_net_take(struct domain_net *n, const char *value, struct error *err);
/* domain_device.c: opened and listening. 0 or -errno with err filled. */
int domain_device_open(struct domain_device *d, struct domain_switches *switches, struct loop *loop,
                       struct ledger *ledger, struct error *err);
void domain_device_close(struct domain_device *d);
/* domain_share.c: which disk is on which host disk, before any is opened; and a disk's place there.
 */
void domain_hosts_find(struct domain_hosts *h, struct domain_device *d, unsigned devices);
void domain_hosts_close(struct domain_hosts *h); /* after the devices */
int domain_disk_share(struct domain_device *d, struct ledger *ledger);
/* domain_box.c: into the jail, with what such a domain needs. 0 or -errno with err filled. */
struct domain_served {
    const struct domain_device *device;
    unsigned devices;
    const struct domain_switches *switches;
    const struct domain_smalls *smalls;
    const struct service *service;
};
int domain_box_enter(const struct domain_served *s, enum box_mode mode, struct error *err);
static inline const char *domain_socket(const struct domain_device *d)
{
    return d->is_net ? d->net.socket : d->disk.socket;
}

#define DOMAIN_DISK_VALUE                                                                          \
    "FILE,socket=PATH[,readonly][,queues=N][,packed][,in-order][,serial=TEXT]" DISK_POLICY_VALUE   \
    "[,weight=N]"
#define DOMAIN_NET_VALUE                                                                           \
    "port=NAME|switch=PATH|tap=NAME|user[,…]|null,socket=PATH[,queues=N][,packed][,in-order]"    \
    "[,pcap=FILE]"

#endif
