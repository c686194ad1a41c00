/*
 * The control socket of one machine: a Unix socket that only its owner can open, served by the
 * VM's loop. What is said there is in api/qmp.h.
 */
#ifndef API_CTL_H
#define API_CTL_H

#include "vm/vm.h"

#define CTL_CLIENTS 32 /* at once; more are turned away */

struct ctl;

/* Before vm_run. A socket that a dead process left at path is replaced. */
int ctl_open(struct ctl **out, struct vm *vm, const char *path, struct error *err);
/* After vm_run: tells the clients how it ended, and removes the socket. NULL is fine. */
void ctl_close(struct ctl *c, enum vm_end end);

#endif
