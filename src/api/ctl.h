/*
 * The control socket of a process: a Unix socket that only its owner can open, served by the
 * process's loop. What is said there is in api/qmp.h.
 */
#ifndef API_CTL_H
#define API_CTL_H

#include "vm/vm.h"

#define CTL_CLIENTS 32 /* at once; more are turned away */

struct ctl;
struct qmp_ops;

struct ctl_opts {
    const char *path; /* of the socket: one that a dead process left there is replaced */
    struct loop *loop;
    const struct qmp_ops *ops;
    void *machine; /* what ops are called with */
};

/* Both with the loop's lock held. 0 or -errno with err filled. */
int ctl_listen(struct ctl **out, const struct ctl_opts *o, struct error *err);
/* Tells the clients why it ended, as QEMU's ShutdownCause says it, and removes the socket. NULL is
 * fine. */
void ctl_leave(struct ctl *c, const char *reason);

/* ---- of a machine ---- */

int ctl_open(struct ctl **out, struct vm *vm, const char *path,
             struct error *err);                               /* before vm_run */
void ctl_close(struct ctl *c, struct vm *vm, enum vm_end end); /* after it. c NULL is fine */

#endif
