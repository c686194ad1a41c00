/* A peer's eventfd that is signalled without ever waiting for it. The ring that does it is made
 * before any peer comes, by a process that may still make one, and serves one peer after another.
 */
#ifndef VHOST_CALL_H
#define VHOST_CALL_H

#include "core/types.h"
#include <liburing.h>

struct vhost_call {
    int fd;    /* ours to close; -1: none */
    bool made; /* there is a ring */
    struct io_uring ring;
};

void vhost_call_init(struct vhost_call *c);
void vhost_call_make(struct vhost_call *c); /* its ring, if it has none and io_uring is allowed */
/* fd is c's from now on, the one before is closed; < 0: none. 0; -EINVAL: no eventfd. */
int vhost_call_set(struct vhost_call *c, int fd);
void vhost_call_raise(struct vhost_call *c);
void vhost_call_close(struct vhost_call *c);

#endif
