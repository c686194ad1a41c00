/*
 * What viaduct exec calls for the program it serves (docs/exec.md): its descriptors, time, and by
 * option the names of one directory. Only descriptors that the program was given or opened below
 * its root are there to be read and written; which names may be opened is Landlock's (land.c).
 */
#include "sandbox/impl.h"
#include <asm/termbits.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* openat's directory is a descriptor: AT_FDCWD is negative. */
#define OF_DIRECTORY WHEN_BITS(0, 0x80000000u, 0)
#define SET_IDS      (S_ISUID | S_ISGID) /* nothing made here runs with this user's rights */

static const struct box_row serve[] = {
    {CALL(readv), .why = "read"},
    {CALL(preadv), .why = "pread, and pages of files on first use, its own text too"},
    {CALL(writev), .why = "write"},
    {CALL(pwritev), .why = "pwrite"},
    {CALL(lseek), .why = "lseek; and the numbers that narrow programs know entries by"},
    {CALL(newfstatat), ONLY(WHEN(3, AT_EMPTY_PATH)), .why = "fstat, and what a name led to"},
    {CALL(fstat), .why = "the same, from glibc 2.39 on",
     .unseen = "Debian 12's glibc does it by newfstatat"},
    {CALL(fstatfs), .why = "fstatfs, statfs"},
    {CALL(fsync), .why = "fsync, fdatasync"},
    {CALL(ftruncate), .why = "ftruncate, truncate"},
    {CALL(fallocate), .why = "fallocate"},
    {CALL(fcntl), ONLY(WHEN(1, F_GETFL)), .why = "F_SETFL changes some flags of those that are"},
    {CALL(fcntl), ONLY(WHEN(1, F_SETFL), WHEN_BITS(2, O_ASYNC, 0)),
     .why = "the same; no signal is ever asked for"},
    {CALL(ioctl), ONLY(WHEN(1, TCGETS)), .why = "a terminal's modes"},
    {CALL(ioctl), ONLY(WHEN(1, TCSETS)), .why = "a terminal's modes are set"},
    {CALL(ioctl), ONLY(WHEN(1, TCSETSW)), .why = "the same, once all is written"},
    {CALL(ioctl), ONLY(WHEN(1, TCSETSF)), .why = "the same, without what was typed ahead"},
    {CALL(ioctl), ONLY(WHEN(1, TIOCGWINSZ)), .why = "the size of its window"},
    {CALL(ioctl), ONLY(WHEN(1, FIONREAD)), .why = "how much there is to read"},
    {CALL(pipe2), .why = "pipe"},
    {CALL(ppoll), .why = "poll, select"},
    {CALL(clock_nanosleep), .why = "nanosleep; a futex with a time-out"},
    {CALL(clock_getres), .why = "clock_getres"},
    {CALL(times), .why = "times"},
    {CALL(getrusage), ONLY(WHEN(0, RUSAGE_THREAD)), .why = "getrusage"},
    {CALL(getrandom), .why = "getrandom, /dev/urandom"},
    {CALL(uname), .why = "uname tells this kernel's release"},
    {CALL(umask), .why = "umask, for the names it makes"},
    {CALL(epoll_ctl), .why = "at the end its disks leave the loop"},
};

static const struct box_row tree[] = {
    {CALL(openat2), .why = "a name below the root; what it must not lead to, see exec/root.c"},
    {CALL(openat), ONLY(OF_DIRECTORY, WHEN_BITS(2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)),
     .why = "what a name led to, judged, is opened; by its descriptor's name in /proc/self/fd"},
    {CALL(readlinkat), .why = "readlink; the name of a directory that is open"},
    {CALL(faccessat2), .why = "access"},
    {CALL(getdents64), .why = "getdents64"},
};

static const struct box_row change[] = {
    {CALL(openat), ONLY(OF_DIRECTORY, WHEN_BITS(2, O_CREAT, 0)), .why = "the same, to write"},
    {CALL(mkdirat), ONLY(WHEN_BITS(2, SET_IDS, 0)), .why = "mkdir"},
    {CALL(unlinkat), .why = "unlink, rmdir"},
    {CALL(renameat2), .why = "rename"},
    {CALL(linkat), .why = "link"},
    {CALL(symlinkat), .why = "symlink"},
    {CALL(fchmodat), ONLY(OF_DIRECTORY, WHEN_BITS(2, SET_IDS, 0)), .why = "chmod"},
    {CALL(fchmod), ONLY(WHEN_BITS(1, SET_IDS, 0)), .why = "fchmod"},
    {CALL(fchownat), ONLY(OF_DIRECTORY, WHEN(4, AT_EMPTY_PATH)), .why = "chown"},
    {CALL(fchown), .why = "fchown"},
    {CALL(utimensat), ONLY(OF_DIRECTORY, WHEN_BITS(3, ~(uint32_t)AT_EMPTY_PATH, 0)),
     .why = "utimensat, futimens"},
};

const struct box_list box_lists_exec[] = {
    [BOX_SERVE] = BOX_LIST("serve", serve),
    [BOX_TREE] = BOX_LIST("tree", tree),
    [BOX_CHANGE] = BOX_LIST("change", change),
};
