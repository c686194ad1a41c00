/* --net of viaduct run. */
#ifndef CLI_RUN_NET_H
#define CLI_RUN_NET_H

#include "vm/vm.h"

#define RUN_NET_VALUE                                                                              \
    "user[,forward=tcp:8080:80]…|tap=NAME|switch=PATH|vhost-user=SOCKET[,wait]|null[,via=e1000|" \
    "virtio|virtio-mmio|"                                                                          \
    "hypercall]"                                                                                   \
    "[,queues=N][,packed][,offload=all|csum|none][,mac=M][,pcap=FILE]"
#define RUN_NET_HELP                                                                               \
    "a network card: NAT by passt, a tap of the host, viaduct switch, or nothing at the other\n"   \
    "      end; repeated for more (docs/net.md)"

struct run_net_text { /* what the words of the command line are kept in */
    char spec[VM_NETS_MAX][1024], pcap[VM_NETS_MAX][512];
};

int run_net_take(struct vm_setup *vm, struct run_net_text *text, const char *value,
                 struct error *err);

#endif
