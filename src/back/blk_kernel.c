/* The kernel's partitions of a block device: found in sysfs (Linux Documentation/ABI, sysfs-block),
 * claimed by their device nodes, added and removed by BLKPG (linux/blkpg.h). */
#include "back/blk_kernel.h"
#include "back/blk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { PARTS_MAX = 4096 }; /* directories looked at: a disk has 256 partitions at most */

struct part {
    char name[256]; /* of the device node, too */
    unsigned number;
    dev_t dev;
};

/* A number in a file of sysfs. False: no such file, so no partition. */
static bool number_read(int dir, const char *part, const char *file, uint64_t *val)
{
    char path[300], text[32] = "";
    bool ok;
    int fd;

    if (snprintf(path, sizeof(path), "%s/%s", part, file) >= (int)sizeof(path))
        return false;
    fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ok = read(fd, text, sizeof(text) - 1) > 0;
    close(fd);
    *val = strtoull(text, NULL, 10);
    return ok;
}

static bool dev_read(int dir, const char *part, dev_t *dev)
{
    char path[300], text[32] = "";
    unsigned major, minor;
    bool ok;
    int fd;

    if (snprintf(path, sizeof(path), "%s/dev", part) >= (int)sizeof(path))
        return false;
    fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ok = read(fd, text, sizeof(text) - 1) > 0 && sscanf(text, "%u:%u", &major, &minor) == 2;
    close(fd);
    if (ok)
        *dev = makedev(major, minor);
    return ok;
}

/* Is that directory a partition with bytes of the range? */
static bool part_there(int dir, const char *name, uint64_t at, uint64_t len, struct part *p)
{
    uint64_t number, start, size;

    if (!number_read(dir, name, "partition", &number) || !number_read(dir, name, "start", &start) ||
        !number_read(dir, name, "size", &size) || !dev_read(dir, name, &p->dev))
        return false;
    snprintf(p->name, sizeof(p->name), "%s", name);
    p->number = (unsigned)number;
    start *= BLK_SECTOR;
    size *= BLK_SECTOR;
    return start < at ? at - start < size : start - at < len;
}

/* Calls each for every partition with bytes of the range, until one says an error. */
static int parts_walk(int fd, uint64_t at, uint64_t len,
                      int (*each)(void *ctx, const struct part *p), void *ctx)
{
    struct part p = {0};
    struct stat st;
    char path[64];
    struct dirent *e;
    DIR *d;
    int rc = 0;

    if (fstat(fd, &st) || !S_ISBLK(st.st_mode))
        return 0;
    snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(st.st_rdev), minor(st.st_rdev));
    d = opendir(path);
    if (!d)
        return 0; /* no sysfs: nothing is known */
    for (unsigned n = 0; !rc && n < PARTS_MAX && (e = readdir(d)); n++)
        if (e->d_name[0] != '.' && part_there(dirfd(d), e->d_name, at, len, &p))
            rc = each(ctx, &p);
    closedir(d);
    return rc;
}

/* ---- claims ---- */

/* More than one partition there are of a table of before: each must be unused, one is held. */
static int hold_one(void *ctx, const struct part *p)
{
    char path[300];
    struct stat st;
    int *held = ctx, fd;

    snprintf(path, sizeof(path), "/dev/%s", p->name);
    fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) /* no such node: nobody has it mounted by that name */
        return errno == ENOENT || errno == ENXIO || errno == ENODEV ? 0 : -errno;
    if (fstat(fd, &st) || !S_ISBLK(st.st_mode) || st.st_rdev != p->dev || *held >= 0)
        close(fd);
    else
        *held = fd;
    return 0;
}

int blk_kernel_hold(int fd, uint64_t at, uint64_t len, int *held)
{
    int rc;

    *held = -1;
    rc = parts_walk(fd, at, len, hold_one, held);
    if (rc && *held >= 0) {
        close(*held);
        *held = -1;
    }
    return rc;
}

/* ---- changes ---- */

static int tell(int fd, int op, struct blkpg_partition *p)
{
    struct blkpg_ioctl_arg arg = {.op = op, .datalen = sizeof(*p), .data = p};

    if (!ioctl(fd, BLKPG, &arg) || errno == EINVAL || errno == ENOTTY || errno == ENXIO)
        return 0; /* no partitions of such a device, or no such one */
    return -errno;
}

static int forget_one(void *ctx, const struct part *p)
{
    struct blkpg_partition gone = {.pno = (int)p->number};

    return tell(*(const int *)ctx, BLKPG_DEL_PARTITION, &gone);
}

int blk_kernel_forget(int fd, uint64_t at, uint64_t len)
{
    return parts_walk(fd, at, len, forget_one, &fd);
}

int blk_kernel_add(int fd, unsigned number, uint64_t at, uint64_t len)
{
    struct blkpg_partition part = {
        .start = (long long)at, .length = (long long)len, .pno = (int)number};
    struct stat st;

    if (fstat(fd, &st) || !S_ISBLK(st.st_mode))
        return 0;
    return tell(fd, BLKPG_ADD_PARTITION, &part);
}
