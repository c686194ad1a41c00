/*
 * What the host's kernel itself makes of a range of a block device: its partitions there. The locks
 * of blk_lock.h are between programs that know them; a mounted file system knows the kernel's
 * claims only (open(2) with O_EXCL), and those are per partition. Files have no partitions: all of
 * these do nothing there.
 */
#ifndef BACK_BLK_KERNEL_H
#define BACK_BLK_KERNEL_H

#include "core/types.h"

/* Claims the kernel's partition that has bytes of [at, at + len), so that nobody mounts it while
 * *held, the caller's, is open. *held -1: it has none there. 0; -EBUSY: it is in use (mounted, part
 * of an array); -errno. */
int blk_kernel_hold(int fd, uint64_t at, uint64_t len, int *held);
/* The table changed: partitions there are no more; there is a new one. 0; -EACCES: that takes
 * CAP_SYS_ADMIN; -EBUSY, -errno. Kernels that have no partitions of that device are not told. */
int blk_kernel_forget(int fd, uint64_t at, uint64_t len);
int blk_kernel_add(int fd, unsigned number, uint64_t at, uint64_t len);

#endif
