/* What passes a network card, as a pcap file with nanosecond times. */
#ifndef BACK_NET_PCAP_H
#define BACK_NET_PCAP_H

#include "core/types.h"

struct net_pcap;
struct net_frame;
struct error;

#define NET_PCAP_SNAP 262144u /* the longest frame that is written, unless snaplen says less */

/* Creates or empties the file. snaplen 0: all of each frame. */
int net_pcap_open(struct net_pcap **out, const char *path, uint32_t snaplen, struct error *err);
void net_pcap_frame(struct net_pcap *p, const struct net_frame *f); /* at the time it is now */
void net_pcap_frame_at(struct net_pcap *p, const struct net_frame *f, uint64_t ns);
void net_pcap_flush(struct net_pcap *p); /* at the end of a burst: the file is whole then */
void net_pcap_close(struct net_pcap *p); /* NULL is fine */

#endif
