/*
 * Landlock, landlock(7): no file can be opened, made, moved or taken away by path, but sockets of
 * ours at the end and files below one directory that a role serves. No TCP port (ABI 4), no
 * abstract Unix socket of others and no signal to others (ABI 6). It holds for the calling thread
 * and those that it makes.
 */
#include "sandbox/impl.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rights by number: Debian 12's <linux/landlock.h> is of ABI 1. */
#define FS_WRITE_FILE  (1ull << 1)
#define FS_READ_FILE   (1ull << 2)
#define FS_READ_DIR    (1ull << 3)
#define FS_REMOVE_DIR  (1ull << 4)
#define FS_REMOVE_FILE (1ull << 5)
#define FS_MAKE_DIR    (1ull << 7)
#define FS_MAKE_REG    (1ull << 8)
#define FS_MAKE_SYM    (1ull << 12)
#define FS_CHANGES                                                                                 \
    (FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_MAKE_SYM)
#define FS_ABI_1      ((1ull << 13) - 1)
#define FS_REFER      (1ull << 13) /* ABI 2 */
#define FS_TRUNCATE   (1ull << 14) /* ABI 3 */
#define FS_IOCTL_DEV  (1ull << 15) /* ABI 5 */
#define NET_TCP       3ull         /* ABI 4: bind, connect */
#define SCOPE_SOCKETS 1ull         /* ABI 6: abstract sockets */
#define SCOPE_SIGNALS 2ull         /* ABI 6: signals */

struct land_attr { /* as of ABI 6 */
    uint64_t fs, net, scoped;
};

static int landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    return abi < 0 ? 0 : (int)abi;
}

static uint64_t rights(int abi)
{
    return FS_ABI_1 | (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) |
           (abi >= 5 ? FS_IOCTL_DEV : 0);
}

static int allow_fd(int set, int dir, uint64_t what)
{
    struct landlock_path_beneath_attr a = {.allowed_access = what, .parent_fd = dir};

    return syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &a, 0) ? -errno : 0;
}

static int allow(int set, const char *dir, uint64_t what)
{
    int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), err;

    if (fd < 0)
        return -errno;
    err = allow_fd(set, fd, what);
    close(fd);
    return err;
}

static int allow_above(int set, const char *path, uint64_t what)
{
    char dir[PATH_MAX];

    if (snprintf(dir, sizeof(dir), "%s", path) >= (int)sizeof(dir))
        return -ENAMETOOLONG;
    return allow(set, dirname(dir), what);
}

/* The socket's directory: Landlock knows no smaller place to take a name away from. */
static int allow_gone(int set, const char *path)
{
    return allow_above(set, path, FS_REMOVE_FILE);
}

/* Regular files, directories and links; nothing to run, no device, socket or pipe is made. Before
 * ABI 2 no file moves between directories: the kernel says EXDEV. */
static int allow_tree(int set, const struct box *b, int abi)
{
    uint64_t what = FS_READ_FILE | FS_READ_DIR;

    if (b->sets & BOX_BIT(BOX_CHANGE))
        what |= FS_CHANGES | FS_REFER | FS_TRUNCATE;
    return allow_fd(set, b->tree, what & rights(abi));
}

/* All below it, and itself: which the directory above has a say in. */
static int allow_changes(int set, const char *path, int abi)
{
    uint64_t what = FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE | FS_MAKE_REG | FS_REMOVE_FILE |
                    (FS_TRUNCATE & rights(abi));
    int err = allow(set, path, what);

    return err ? err : allow_above(set, path, FS_REMOVE_DIR);
}

static int rules(int set, const struct box *b, int abi)
{
    int err = 0;

    for (unsigned i = 0; i < ARRAY_LEN(b->reads) && b->reads[i] && !err; i++)
        if ((err = allow(set, b->reads[i], FS_READ_FILE | FS_READ_DIR)) == -ENOENT)
            err = 0; /* what is not there needs no leave */
    if (!err && b->changes)
        err = allow_changes(set, b->changes, abi);
    for (unsigned i = 0; i < b->gones && !err; i++)
        err = allow_gone(set, b->gone[i]);
    if (!err && (b->sets & BOX_BIT(BOX_TREE)))
        err = allow_tree(set, b, abi);
    return err;
}

/* Who has children that were there before must be able to end them. */
static uint64_t scopes(const struct box *b)
{
    bool children = b->sets & (BOX_BIT(BOX_DIRECT) | BOX_BIT(BOX_PASST) | BOX_BIT(BOX_SHARE) |
                               BOX_BIT(BOX_SEAT) | BOX_BIT(BOX_LAB));

    return SCOPE_SOCKETS | (children ? 0 : SCOPE_SIGNALS);
}

int land_enter(const struct box *b)
{
    int abi = landlock_abi(), set, err;
    struct land_attr a = {
        .fs = rights(abi), .net = abi >= 4 ? NET_TCP : 0, .scoped = abi >= 6 ? scopes(b) : 0};

    /* landlock(7): nothing of a process outside the domain may be read that ptrace(2) judges. */
    if (b->sets & BOX_BIT(BOX_COST))
        return 0;
    if (!abi)
        return -ENOSYS;
    set = (int)syscall(SYS_landlock_create_ruleset, &a, abi >= 6 ? 24 : abi >= 4 ? 16 : 8, 0);
    if (set < 0)
        return -errno;
    err = rules(set, b, abi);
    if (!err && syscall(SYS_landlock_restrict_self, set, 0))
        err = -errno;
    close(set);
    return err;
}
