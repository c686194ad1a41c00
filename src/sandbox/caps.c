/*
 * Capabilities, capabilities(7): none is left to the calling thread and those it makes, and none
 * can come back (no_new_privs, which the filter needs too). Bounding and ambient sets are emptied
 * as far as they may be. Who serves a directory as root keeps those by which root reads, writes and
 * gives away other's files; that these are none but the directory's is Landlock's. Who reads files
 * anywhere keeps the one for that, who dials sockets the one by which root may connect to others',
 * who reads what processes take the one for processes that have some themselves, who carves a block
 * device the one for telling the kernel, and reads nodes of its partitions whosever they are.
 */
#include "sandbox/impl.h"
#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAP(c) (1u << CAP_##c)

static uint32_t kept(const struct box *b)
{
    if (b->sets & BOX_BIT(BOX_CHANGE))
        return CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(CHOWN);
    if (b->sets & BOX_BIT(BOX_DIAL))
        return CAP(DAC_OVERRIDE);
    if (b->sets & BOX_BIT(BOX_COST))
        return CAP(DAC_READ_SEARCH) | CAP(SYS_PTRACE);
    if (b->sets & BOX_BIT(BOX_PARTS))
        return CAP(SYS_ADMIN) | CAP(DAC_READ_SEARCH);
    return b->sets & BOX_BIT(BOX_TREE) || b->reads[0] ? CAP(DAC_READ_SEARCH) : 0;
}

int caps_drop(const struct box *b)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct has[_LINUX_CAPABILITY_U32S_3];

    for (unsigned long cap = 0; cap <= CAP_LAST_CAP; cap++)
        (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* EPERM: there is nothing to bound */
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capget, &head, has))
        return -errno;
    has[0].permitted &= kept(b);
    has[0].effective = has[0].permitted;
    has[0].inheritable = 0;
    has[1].effective = has[1].permitted = has[1].inheritable = 0;
    return syscall(SYS_capset, &head, has) ? -errno : 0;
}
