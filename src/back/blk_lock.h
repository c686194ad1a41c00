/*
 * Who may use which bytes of a host disk: open-file-description locks (fcntl(2)) on byte ranges.
 *
 *     whole image        [0, end)               writers exclusively, readers shared
 *     one extent         its own bytes          the same
 *     the table          [0, 512)               read: shared; changed: exclusively, both briefly
 *
 * So an image is used as a whole, or by extents side by side; the table changes only while nobody
 * has the whole, and an extent is removed only while nobody has it. The kernel drops the locks of
 * a descriptor with its last user, whatever way that ended.
 */
#ifndef BACK_BLK_LOCK_H
#define BACK_BLK_LOCK_H

#include "core/types.h"

#define BLK_LOCK_TABLE 512u /* bytes: the block of the protective MBR, which no partition holds */

/* len 0: to the end, however far that moves. Waits a little for one that is about to go. 0, -EBUSY,
 * or -errno: locks can't be had there. */
int blk_lock(int fd, bool exclusive, uint64_t at, uint64_t len);
void blk_unlock(int fd, uint64_t at, uint64_t len);

#endif
