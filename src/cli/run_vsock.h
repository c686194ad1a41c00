/* --vsock of viaduct run. */
#ifndef CLI_RUN_VSOCK_H
#define CLI_RUN_VSOCK_H

#include "vm/vm.h"

#define RUN_VSOCK_VALUE "cid=N,path=PATH[,peer=CID:PATH…][,via=virtio|virtio-mmio][,packed]"
#define RUN_VSOCK_HELP                                                                             \
    "virtio-vsock: the guest is CID N; host programs connect to PATH and say CONNECT port,\n"      \
    "      the guest reaches PATH_port; peer=: another machine's CID and its PATH (docs/vsock.md)"

int run_vsock_take(struct vm_vsock *v, const char *value, struct error *err);
void run_vsock_room(void); /* before it runs: descriptors for many connections */

#endif
