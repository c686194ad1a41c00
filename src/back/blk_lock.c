/* Byte-range locks of host disks; see blk_lock.h. */
#include "back/blk_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#define TRIES    400u /* 0.4 s in all */
#define PAUSE_NS 1000000

/* A VMM killed a moment ago: the kernel still finishes the requests in its ring, and holds the lock
 * until they have all landed, which is what the lock is for. That is worth a short wait. */
int blk_lock(int fd, bool exclusive, uint64_t at, uint64_t len)
{
    struct flock fl = {.l_type = exclusive ? F_WRLCK : F_RDLCK,
                       .l_whence = SEEK_SET,
                       .l_start = (off_t)at,
                       .l_len = (off_t)len};
    const struct timespec pause = {.tv_nsec = PAUSE_NS};

    for (unsigned i = 0; i < TRIES; i++) {
        if (!fcntl(fd, F_OFD_SETLK, &fl))
            return 0;
        if (errno != EAGAIN && errno != EACCES)
            return -errno;
        nanosleep(&pause, NULL);
    }
    return -EBUSY;
}

void blk_unlock(int fd, uint64_t at, uint64_t len)
{
    struct flock fl = {
        .l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = (off_t)at, .l_len = (off_t)len};

    fcntl(fd, F_OFD_SETLK, &fl);
}
