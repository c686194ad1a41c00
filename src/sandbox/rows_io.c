/* What back ends need: disks, networks, sockets, directories, vhost-user. */
#include "sandbox/impl.h"
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <linux/sockios.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define NO_RING "only hosts without io_uring"

static const struct box_row disk[] = {
    {CALL(preadv2), .why = "cached reads at once, others by the worker"},
    {CALL(pread64), .why = "reads by the worker"},
    {CALL(pwritev2), .why = "writes"},
    {CALL(pwrite64), .why = "writes of zeroes, and by the worker"},
    {CALL(fdatasync), .why = "flushes"},
    {CALL(fallocate), .why = "discards and zeroes"},
};

static const struct box_row ring[] = {
    {CALL(io_uring_enter), .why = "the ring is told; it is restricted to reads, writes, fsync and "
                                  "fallocate (blk_raw_ring.c)"},
};

static const struct box_row block[] = {
    {CALL(ioctl), ONLY(WHEN(1, BLKDISCARD)), .why = "discards of a block device"},
};

static const struct box_row listen_[] = {
    {CALL(accept4), .why = "a client comes"},
    {CALL(newfstatat), ONLY(WHEN(3, AT_SYMLINK_NOFOLLOW)), .why = "is the socket there still ours"},
    {CALL(unlink), .why = "then it goes; Landlock holds where"},
};

static const struct box_row stream[] = {
    {CALL(recvfrom), .why = "what a peer says"},
    {CALL(sendto), .why = "what it is told"},
    {CALL(sendmsg), .why = "the same, in pieces"},
    {CALL(shutdown), .why = "a stream ends"},
};

static const struct box_row connect_[] = {
    {CALL(socket), ONLY(WHEN(0, AF_UNIX), WHEN_BITS(1, 0xf, SOCK_STREAM)),
     .why = "peers that went are looked for: Unix sockets alone"},
    {CALL(connect), .why = "the same"},
    {CALL(getrandom), .why = "a cable's mark, new with each connection"},
};

static const struct box_row vsock[] = {
    {CALL(recvmsg), .why = "what a host program says, into the guest's buffers"},
};

static const struct box_row tap[] = {
    {CALL(writev), .why = "a frame and its header"},
};

static const struct box_row passt[] = {
    {CALL(ioctl), ONLY(WHEN(1, SIOCOUTQ)), .why = "what passt has not read yet"},
    {CALL(wait4), .why = "how passt ended"},
    {CALL(pidfd_send_signal), .why = "passt is ended; no other process has a pidfd here"},
    {CALL(poll), .why = "is its greeting there"},
};

static const struct box_row random_[] = {
    {CALL(getrandom), .why = "virtio-rng"},
};

/* The server is a process with a list of its own (back/p9_jail.c). */
static const struct box_row share[] = {
    {CALL(sendmsg), .why = "requests, with descriptors for their answers"},
    {CALL(recvfrom), .why = "answers"},
    {CALL(readv), .why = "long answers, from the pipe"},
    {CALL(shutdown), .why = "there is nothing more to ask"},
    {CALL(poll), .why = "an answer that is waited for"},
    {CALL(pidfd_send_signal), .why = "its server is ended; no other process has a pidfd here"},
    {CALL(wait4), .why = "how it ended"},
};

/* vhost-user's front end: the back end may go and come back. */
static const struct box_row front[] = {
    {CALL(poll), .why = "an answer that is waited for"},
    {CALL(eventfd2), .why = "a ring's calls"},
    {CALL(socketpair), ONLY(WHEN(0, AF_UNIX)), .why = "a channel for the back end's own requests"},
    {CALL(pipe2), .why = "a ring's kicks, where the back end reads a byte each"},
    {CALL(recvmsg), .why = "what a back end says, with descriptors"},
    {CALL(preadv2), .why = "a ring's calls, without waiting"},
    {CALL(memfd_create), .why = "rings for a new back end: the old one may still write to its own"},
    {CALL(ftruncate), .why = "the same"},
    {CALL(fcntl), ONLY(WHEN(1, F_ADD_SEALS)), .why = "a peer can't cut them short"},
};

/* vhost-user's back end: front ends come, lend memory and rings, and go. */
static const struct box_row back[] = {
    {CALL(io_uring_enter), .why = "a call to the driver; the ring is restricted to NOPs (call.c)"},
    {CALL(preadv2), .why = "a kick, without waiting"},
    {CALL(recvmsg), .why = "what a front end asks, with descriptors"},
    {CALL(sendmsg), .why = "what it is answered"},
    {CALL(sendto), .why = "a configuration that changed, and a reset that is needed"},
    {CALL(accept4), .why = "a front end comes"},
    {CALL(newfstatat), ONLY(WHEN(3, AT_EMPTY_PATH)), .why = "how long is the file that it lends"},
    {CALL(fstat), .why = "the same, from glibc 2.39 on", .unseen = LATER_GLIBC},
    {CALL(fstatfs), .why = "is it of huge pages"},
    {CALL(io_uring_register), ONLY(WHEN(1, IORING_REGISTER_EVENTFD)),
     .why = "a call descriptor is given to a ring that can do nothing else"},
    {CALL(io_uring_register), ONLY(WHEN(1, IORING_UNREGISTER_EVENTFD)), .why = "and taken away"},
    {CALL(fcntl), ONLY(WHEN(1, F_GETFL)), .why = "a call descriptor is not to wait"},
    {CALL(fcntl), ONLY(WHEN(1, F_SETFL)), .why = "the same"},
    {CALL(fcntl), ONLY(WHEN(1, F_DUPFD_CLOEXEC)), .why = "a driver is told of its error"},
    {CALL(memfd_create), .why = "the record of what is in flight"},
    {CALL(ftruncate), .why = "its length"},
    {CALL(fcntl), ONLY(WHEN(1, F_ADD_SEALS)), .why = "which then stays"},
    {CALL(poll), .why = "may a call descriptor be written", .unseen = NO_RING},
    {CALL(newfstatat), ONLY(WHEN(3, AT_SYMLINK_NOFOLLOW)), .why = "is the socket there still ours"},
    {CALL(unlink), .why = "then it goes; Landlock holds where"},
};

static const struct box_row screen[] = {
    {CALL(fcntl), ONLY(WHEN(1, F_ADD_SEALS)), .why = "a screen is lent to be read only"},
};

static const struct box_row console_log[] = {
    {CALL(pread64), .why = "its newer half is kept"},
    {CALL(ftruncate), .why = "its older half goes"},
};

const struct box_list box_lists_io[] = {
    [BOX_CONSOLE_LOG] = BOX_LIST("console-log", console_log),
    [BOX_SCREEN] = BOX_LIST("screen", screen),
    [BOX_FRONT] = BOX_LIST("front", front),
    [BOX_BACK] = BOX_LIST("back", back),
    [BOX_SHARE] = BOX_LIST("share", share),
    [BOX_DISK] = BOX_LIST("disk", disk),
    [BOX_RING] = BOX_LIST("ring", ring),
    [BOX_BLOCK] = BOX_LIST("block", block),
    [BOX_LISTEN] = BOX_LIST("listen", listen_),
    [BOX_STREAM] = BOX_LIST("stream", stream),
    [BOX_CONNECT] = BOX_LIST("connect", connect_),
    [BOX_VSOCK] = BOX_LIST("vsock", vsock),
    [BOX_TAP] = BOX_LIST("tap", tap),
    [BOX_PASST] = BOX_LIST("passt", passt),
    [BOX_RANDOM] = BOX_LIST("random", random_),
};
