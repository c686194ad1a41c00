/*
 * What those need who look at machines for the user: ctl, top, metrics, console, logs, ps, up and
 * down; and replay, and disk, which looks at images. Sockets are connected and files open before
 * the first byte of a machine is read; none of them can make, connect or open another, but to read
 * what a lab's supervisor and the kernel wrote (look, parts). Who must, later, asks a process that
 * was made before and reads nothing of a machine (cli/dial.h, cli/eye.h).
 */
#include "sandbox/impl.h"
#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static const struct box_row tell[] = {
    {CALL(newfstatat), ONLY(WHEN(3, AT_EMPTY_PATH)), .why = "stdio asks what stdout is"},
    {CALL(fstat), .why = "the same, from glibc 2.39 on", .unseen = LATER_GLIBC},
    {CALL(ioctl), ONLY(WHEN(1, TCGETS)), .why = "is it a terminal"},
};

static const struct box_row ask[] = {
    {CALL(sendto), .why = "commands; which machine is to be dialled"},
    {CALL(recvmsg), .why = "answers, with a descriptor: a screen, a machine that was dialled"},
};

static const struct box_row pause_[] = {
    {CALL(clock_nanosleep), .why = "until the next picture, or the next question"},
};

static const struct box_row window[] = {
    {CALL(ioctl), ONLY(WHEN(1, TIOCGWINSZ)), .why = "the size of the terminal's window"},
};

static const struct box_row picture[] = {
    {CALL(fcntl), ONLY(WHEN(1, F_GET_SEALS)), .why = "a screen that is lent must not shrink"},
    {CALL(ftruncate), .why = "the file becomes the picture, once there is one"},
};

static const struct box_row wait_[] = {
    {CALL(poll), .why = "a console and who types; a log and the machine's end"},
};

static const struct box_row raw[] = {
    {CALL(ioctl), ONLY(WHEN(1, TCGETS)), .why = "glibc looks at the terminal before it is set"},
    {CALL(ioctl), ONLY(WHEN(1, TCSETSW)), .why = "each key by itself; and back as it was"},
};

static const struct box_row copy[] = {
    {CALL(lseek), .why = "how long is the log now"},
    {CALL(pread64), .why = "what is new in it"},
};

/* Of labs' state files; Landlock says below what, but for who looks at costs. */
static const struct box_row look[] = {
    {CALL(openat),
     ONLY(WHEN(0, (uint32_t)AT_FDCWD), WHEN_BITS(2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)),
     .why = "a lab's state and locks, /proc, logs: to read"},
    {CALL(newfstatat), ONLY(WHEN(3, AT_EMPTY_PATH)), .why = "stdio asks what it reads"},
    {CALL(newfstatat), ONLY(WHEN(3, AT_SYMLINK_NOFOLLOW)), .why = "whose is the directory of labs"},
    {CALL(fstat), .why = "the same, from glibc 2.39 on", .unseen = LATER_GLIBC},
    {CALL(geteuid), .why = "the same"},
    {CALL(flock), ONLY(WHEN(1, LOCK_EX | LOCK_NB)), .why = "does a supervisor hold the lock"},
};

/* What processes take. No Landlock: it would forbid to read it of processes of other jails
 * (land.c). */
static const struct box_row cost[] = {
    {CALL(getdents64), .why = "which labs are there"},
};

/* A machine whose devices a recording is played against. */
static const struct box_row make[] = {
    {CALL(memfd_create), .why = "its memory"},
    {CALL(ftruncate), .why = "how much of it"},
    {CALL(fcntl), ONLY(WHEN(1, F_ADD_SEALS)), .why = "which it keeps"},
    {CALL(madvise), ONLY(WHEN(2, MADV_HUGEPAGE)), .why = "in large pages"},
    {CALL(epoll_create1), .why = "its loop, in which nothing runs"},
    {CALL(eventfd2), .why = "the same"},
    {CALL(epoll_ctl), .why = "the same"},
};

static const struct box_row dial[] = {
    {CALL(socket), ONLY(WHEN(0, AF_UNIX), WHEN_BITS(1, 0xf, SOCK_STREAM)),
     .why = "a machine that went is dialled anew"},
    {CALL(connect), .why = "the same: paths are those of the command line, chosen by number"},
    {CALL(setsockopt), ONLY(WHEN(1, SOL_SOCKET), WHEN(2, SO_RCVTIMEO)),
     .why = "a machine that stops is not waited for"},
    {CALL(setsockopt), ONLY(WHEN(1, SOL_SOCKET), WHEN(2, SO_SNDTIMEO)), .why = "the same"},
    {CALL(sendmsg), .why = "here it is"},
};

static const struct box_row table[] = {
    {CALL(pread64), .why = "the table, and what lies where one would be"},
    {CALL(fcntl), ONLY(WHEN(1, F_OFD_SETLK)), .why = "nobody changes it meanwhile, or uses it"},
    {CALL(fcntl), ONLY(WHEN(1, F_OFD_GETLK)), .why = "which extents are in use"},
    {CALL(clock_nanosleep), .why = "who was killed just now still holds its lock"},
};

static const struct box_row carve[] = {
    {CALL(pwrite64), .why = "the table, copy by copy"},
    {CALL(fsync), .why = "each of them, before the next"},
    {CALL(fallocate), .why = "a new extent is zeroes"},
    {CALL(getrandom), .why = "what is new has a GUID"},
};

static const struct box_row sizes[] = {
    {CALL(ioctl), ONLY(WHEN(1, BLKGETSIZE64)), .why = "how large it is"},
    {CALL(ioctl), ONLY(WHEN(1, BLKSSZGET)), .why = "and its blocks"},
};

static const struct box_row parts[] = {
    {CALL(ioctl), ONLY(WHEN(1, BLKPG)), .why = "the kernel is told what has changed"},
    {CALL(openat), ONLY(WHEN_BITS(2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)),
     .why = "its partitions, in sysfs; and are they mounted? Landlock says below what"},
    {CALL(getdents64), .why = "the same"},
    {CALL(read), .why = "the same"},
};

const struct box_list box_lists_client[] = {
    [BOX_TELL] = BOX_LIST("tell", tell),
    [BOX_ASK] = BOX_LIST("ask", ask),
    [BOX_PAUSE] = BOX_LIST("pause", pause_),
    [BOX_WINDOW] = BOX_LIST("window", window),
    [BOX_PICTURE] = BOX_LIST("picture", picture),
    [BOX_WAIT] = BOX_LIST("wait", wait_),
    [BOX_RAW] = BOX_LIST("raw", raw),
    [BOX_COPY] = BOX_LIST("copy", copy),
    [BOX_LOOK] = BOX_LIST("look", look),
    [BOX_COST] = BOX_LIST("cost", cost),
    [BOX_MAKE] = BOX_LIST("make", make),
    [BOX_DIAL] = BOX_LIST("dial", dial),
    [BOX_TABLE] = BOX_LIST("table", table),
    [BOX_CARVE] = BOX_LIST("carve", carve),
    [BOX_SIZES] = BOX_LIST("sizes", sizes),
    [BOX_PARTS] = BOX_LIST("parts", parts),
};
