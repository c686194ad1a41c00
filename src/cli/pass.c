/* Descriptors in messages: unix(7), SCM_RIGHTS. */
#include "cli/pass.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

union control {
    struct cmsghdr align;
    char room[CMSG_SPACE(PASS_FDS * sizeof(int))];
};

static void fds_attach(struct msghdr *m, union control *control, const int *fd, unsigned n)
{
    struct cmsghdr *c;

    if (!n)
        return;
    m->msg_control = control->room;
    m->msg_controllen = CMSG_SPACE(n * sizeof(int));
    c = CMSG_FIRSTHDR(m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(n * sizeof(int));
    memcpy(CMSG_DATA(c), fd, n * sizeof(int));
}

static unsigned fds_take(struct msghdr *m, int fd[PASS_FDS])
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    unsigned n;

    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
        return 0;
    n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(fd, CMSG_DATA(c), n * sizeof(int)); /* control has room for no more than PASS_FDS */
    return n;
}

int pass_send(int sock, const void *bytes, size_t len, const int *fd, unsigned fds)
{
    union control control = {0};
    struct iovec io = {(void *)(uintptr_t)bytes, len};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};

    fds_attach(&m, &control, fd, fds);
    return sendmsg(sock, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

ssize_t pass_take(int sock, void *bytes, size_t room, int fd[PASS_FDS], unsigned *fds)
{
    union control control = {0};
    struct iovec io = {bytes, room};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
    ssize_t n;

    m.msg_control = control.room;
    m.msg_controllen = sizeof(control.room);
    do
        n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    *fds = n < 0 ? 0 : fds_take(&m, fd);
    return n < 0 ? -errno : n;
}
