/* What back ends need: disks, networks, sockets, directories, vhost-user. */
#include "sandbox/impl.h"
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static const struct box_row disk[] = {
    {CALL(preadv2), .why = "cached reads at once, others by the worker"},
    {CALL(pread64), .why = "reads by the worker"},
    {CALL(pwritev2), .why = "writes"},
    {CALL(pwrite64), .why = "writes of zeroes"},
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
    {CALL(recvfrom), .why = "what a peer says"}, {CALL(recvmsg), .why = "the same, in pieces"},
    {CALL(sendto), .why = "what it is told"},    {CALL(sendmsg), .why = "the same, in pieces"},
    {CALL(shutdown), .why = "a stream ends"},
};

static const struct box_row connect_[] = {
    {CALL(socket), ONLY(WHEN(0, AF_UNIX), WHEN_BITS(1, 0xf, SOCK_STREAM)),
     .why = "peers that went are looked for: Unix sockets alone"},
    {CALL(connect), .why = "the same"},
    {CALL(getrandom), .why = "a cable's mark, new with each connection"},
};

static const struct box_row tap[] = {
    {CALL(writev), .why = "a frame and its header"},
};

static const struct box_row passt[] = {
    {CALL(wait4), .why = "how passt ended"},
    {CALL(pidfd_send_signal), .why = "passt is ended; no other process has a pidfd here"},
    {CALL(poll), .why = "is its greeting there"},
};

static const struct box_row random_[] = {
    {CALL(getrandom), .why = "virtio-rng"},
};

static const struct box_row share[] = {
    {CALL(landlock_create_ruleset), .why = "the server's thread shuts itself in"},
    {CALL(landlock_add_rule), .why = "the same"},
    {CALL(landlock_restrict_self), .why = "the same"},
    {CALL(prctl), ONLY(WHEN(0, PR_SET_NO_NEW_PRIVS)), .why = "the same"},
    {CALL(unshare), ONLY(WHEN(0, CLONE_FS)), .why = "the same: an umask of its own"},
    {CALL(umask), .why = "the same"},
    {CALL(openat2), .why = "Twalk"},
    {CALL(openat), .why = "Tlopen, Tlcreate"},
    {CALL(newfstatat), .why = "Tgetattr"},
    {CALL(fstatfs), .why = "Tstatfs"},
    {CALL(fcntl), .why = "a second descriptor, locks"},
    {CALL(lseek), .why = "Treaddir"},
    {CALL(getdents64), .why = "Treaddir"},
    {CALL(readlinkat), .why = "Treadlink"},
    {CALL(preadv), .why = "Tread"},
    {CALL(preadv2), .why = "Tread"},
    {CALL(pwritev), .why = "Twrite"},
    {CALL(fsync), .why = "Tfsync"},
    {CALL(fdatasync), .why = "Tfsync"},
    {CALL(ftruncate), .why = "Tsetattr"},
    {CALL(fchmodat), .why = "Tsetattr"},
    {CALL(utimensat), .why = "Tsetattr"},
    {CALL(mkdirat), .why = "Tmkdir"},
    {CALL(symlinkat), .why = "Tsymlink"},
    {CALL(linkat), .why = "Tlink"},
    {CALL(renameat), .why = "Trenameat"},
    {CALL(unlinkat), .why = "Tunlinkat"},
};

const struct box_list box_lists_io[] = {
    [BOX_SHARE] = BOX_LIST("share", share),        [BOX_DISK] = BOX_LIST("disk", disk),
    [BOX_RING] = BOX_LIST("ring", ring),           [BOX_BLOCK] = BOX_LIST("block", block),
    [BOX_LISTEN] = BOX_LIST("listen", listen_),    [BOX_STREAM] = BOX_LIST("stream", stream),
    [BOX_CONNECT] = BOX_LIST("connect", connect_), [BOX_TAP] = BOX_LIST("tap", tap),
    [BOX_PASST] = BOX_LIST("passt", passt),        [BOX_RANDOM] = BOX_LIST("random", random_),
};
