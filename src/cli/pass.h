/* Messages between processes of ours that carry descriptors: over a pair of SOCK_SEQPACKET. */
#ifndef CLI_PASS_H
#define CLI_PASS_H

#include "core/types.h"
#include <sys/types.h>

#define PASS_FDS 8u

/* 0 or -errno. */
int pass_send(int sock, const void *bytes, size_t len, const int *fd, unsigned fds);
/* Its length; 0: nobody is there any more; or -errno. */
ssize_t pass_take(int sock, void *bytes, size_t room, int fd[PASS_FDS], unsigned *fds);

#endif
