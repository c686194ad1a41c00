/*
 * What those need who have many machines: a seat, and a lab's supervisor. Both start processes; for
 * that they ask one that is outside of the jail (cli/starter.h), and have no call for it here.
 */
#include "sandbox/impl.h"
#include <asm/termbits.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static const struct box_row seat[] = {
    {CALL(socket), ONLY(WHEN(0, AF_UNIX), WHEN_BITS(1, 0xf, SOCK_STREAM)),
     .why = "a machine that went is looked for"},
    {CALL(connect), .why = "the same"},
    {CALL(recvmsg), .why = "what a machine says, with its screen; what was started"},
    {CALL(recvfrom), .why = "consoles, clients, what a viewer does"},
    {CALL(sendto), .why = "keys and motion; consoles; clients"},
    {CALL(sendmsg), .why = "a screen to what serves VNC; what is to be started"},
    {CALL(dup), .why = "a screen is judged, and kept"},
    {CALL(fcntl), ONLY(WHEN(1, F_GET_SEALS)), .why = "it must not shrink"},
    {CALL(newfstatat), ONLY(WHEN(3, AT_EMPTY_PATH)), .why = "how long it is"},
    {CALL(fstat), .why = "the same, from glibc 2.39 on", .unseen = LATER_GLIBC},
    {CALL(socketpair), ONLY(WHEN(0, AF_UNIX)), .why = "between it and what serves VNC"},
    {CALL(pidfd_send_signal), .why = "what serves VNC is ended; no other process has a pidfd here"},
    {CALL(wait4), .why = "how it ended"},
    {CALL(ioctl), ONLY(WHEN(1, TCGETS)), .why = "glibc looks at the terminal before it is set"},
    {CALL(ioctl), ONLY(WHEN(1, TCSETS)), .why = "the user gets the terminal back as it was"},
    {CALL(ioctl), ONLY(WHEN(1, TIOCGWINSZ)), .why = "the size of its window"},
};

static const struct box_row lab[] = {
    {CALL(openat), .why = "the lab's file, /proc, logs, the state; Landlock holds where"},
    {CALL(newfstatat), .why = "files that the lab's file names; stdio asks what it reads"},
    {CALL(fstat), .why = "the same, from glibc 2.39 on", .unseen = LATER_GLIBC},
    {CALL(readlink), .why = "the lab's file's own name, whichever way it was named"},
    {CALL(geteuid), .why = "whose run directory is it"},
    {CALL(lseek), .why = "the end of a log"},
    {CALL(getdents64), .why = "what is in the run directory, when it goes"},
    {CALL(unlinkat), .why = "files of the run directory; Landlock holds where"},
    {CALL(unlink), .why = "sockets of one that was killed; Landlock holds where"},
    {CALL(rmdir), .why = "the run directory goes; Landlock holds where"},
    {CALL(rename), .why = "the state is written whole; Landlock holds where"},
    {CALL(accept4), .why = "a client comes"},
    {CALL(recvfrom), .why = "what it wants; what a machine says that is to end"},
    {CALL(sendto), .why = "what it is told"},
    {CALL(sendmsg), .why = "what is to be started"},
    {CALL(recvmsg), .why = "that it was"},
    {CALL(socket), ONLY(WHEN(0, AF_UNIX), WHEN_BITS(1, 0xf, SOCK_STREAM)),
     .why = "a machine's control socket, to end it"},
    {CALL(connect), .why = "the same"},
    {CALL(pidfd_send_signal), .why = "one that does not end; no other process has a pidfd here"},
    {CALL(wait4), .why = "how one ended"},
};

const struct box_list box_lists_lab[] = {
    [BOX_SEAT] = BOX_LIST("seat", seat),
    [BOX_LAB] = BOX_LIST("lab", lab),
};
