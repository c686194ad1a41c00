/*
 * Namespaces of our own, where this host permits: an empty network (no interface, not even a
 * loopback that is up), no System V objects, another host name. namespaces(7), user_namespaces(7).
 * Descriptors that are open keep what they had: a tap still carries frames. Without CAP_SYS_ADMIN a
 * user namespace comes first, which only a process with one thread may make; not where files have
 * owners that a program sees. A lab stays in those it was started in; so does who looks at labs,
 * since in a user namespace all owners would look the same.
 */
#include "sandbox/impl.h"
#include <errno.h>
#include <sched.h>

#define SPACES (CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

int space_enter(const struct box *b)
{
    if (b->sets & (BOX_BIT(BOX_LAB) | BOX_BIT(BOX_LOOK)))
        return 0; /* a lab looks for listening sockets of this network (proc(5), net/unix) */
    if (!unshare(SPACES))
        return 0;
    if (errno == EPERM && !(b->sets & BOX_BIT(BOX_TREE)) && !unshare(CLONE_NEWUSER | SPACES))
        return 0;
    return -errno;
}
