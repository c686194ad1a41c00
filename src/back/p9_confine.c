/*
 * The process of a share, confined by the kernel to what it is for: Landlock (landlock(7)). Should
 * the rules of p9_path.c ever have a hole, it still can't open, make, move or remove anything
 * outside the share, nor write to one that is read-only.
 *
 * Left out: kernels whose Landlock can't let files move between directories (before 5.19).
 */
#include "back/p9_main.h"
#include <errno.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14) /* newer than Debian 12's headers */
#endif

enum { ABI_REFER = 2, ABI_TRUNCATE = 3 };

#define READS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITES                                                                                     \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                               \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |  \
     LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER)
/* Nowhere, not even in the share: devices, pipes, sockets; running a program. */
#define NEVER                                                                                      \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_SOCK |    \
     LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK)

static int abi(void)
{
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

int p9_confine(const struct p9_server *s)
{
    uint64_t writes = WRITES | (abi() >= ABI_TRUNCATE ? LANDLOCK_ACCESS_FS_TRUNCATE : 0);
    struct landlock_ruleset_attr all = {.handled_access_fs = READS | writes | NEVER};
    struct landlock_path_beneath_attr share = {
        .allowed_access = s->readonly ? READS : READS | writes, .parent_fd = s->root};
    int fd, err = 0;

    if (abi() < ABI_REFER)
        return -EOPNOTSUPP;
    fd = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
    if (fd < 0)
        return -errno;
    if (syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &share, 0) ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_landlock_restrict_self, fd, 0))
        err = -errno;
    close(fd);
    return err;
}
