/*
 * viaduct exec: what its handlers call on behalf of a program, on descriptors that it opened
 * beneath its root, and nothing by path but relative to those (exec/root.h).
 */
#include "sandbox/impl.h"
#include <asm/termbits.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static const struct box_row program[] = {
    {CALL(readv), .why = "read(2) and its kin"},
};

static const struct box_row program_fs[] = {
    {CALL(openat2), .why = "names, beneath the root"},
};

const struct box_list box_lists_program[] = {
    [BOX_PROGRAM] = BOX_LIST("program", program),
    [BOX_PROGRAM_FS] = BOX_LIST("program-fs", program_fs),
    [BOX_VHOST] = BOX_LIST("vhost", program),
};
