/*
 * Signalling an eventfd whose other holder is not trusted. A write waits while the counter is full,
 * unless O_NONBLOCK is set; and that flag belongs to both: a peer that clears it and fills the
 * counter could make the domain wait, and with it all other peers. No check before the write helps,
 * since the peer is quick. But the kernel itself, when it signals an eventfd, never waits: so the
 * descriptor is registered with an io_uring whose only requests are NOPs, and each completion
 * signals it. That costs a system call, as the write would. What is asked of a ring no filter of
 * system calls sees: so it is restricted to NOPs and to changing the eventfd.
 *
 * Where io_uring is not allowed the write is made only if it would not wait just before. The gap
 * between the two is known; docs/domain.md names it.
 */
#include "vhost/call.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

void vhost_call_init(struct vhost_call *c)
{
    *c = (struct vhost_call){.fd = -1};
}

static int restrict_to_calls(struct io_uring *ring)
{
    struct io_uring_restriction may[] = {
        {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_NOP},
        {.opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_REGISTER_EVENTFD},
        {.opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_UNREGISTER_EVENTFD},
    };

    /* By number: Debian 12's liburing declares these two functions and has neither. */
    if (syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_RESTRICTIONS, may,
                ARRAY_LEN(may)) ||
        syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0))
        return -errno;
    return 0;
}

void vhost_call_make(struct vhost_call *c)
{
    if (c->made || io_uring_queue_init(2, &c->ring, IORING_SETUP_R_DISABLED))
        return;
    c->made = !restrict_to_calls(&c->ring);
    if (!c->made)
        io_uring_queue_exit(&c->ring);
}

static void fd_close(struct vhost_call *c)
{
    if (c->fd < 0)
        return;
    if (c->made)
        io_uring_unregister_eventfd(&c->ring);
    close(c->fd);
    c->fd = -1;
}

int vhost_call_set(struct vhost_call *c, int fd)
{
    int flags;

    fd_close(c);
    if (fd < 0)
        return 0;
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) ||
        (c->made && io_uring_register_eventfd(&c->ring, fd))) {
        close(fd);
        return -EINVAL;
    }
    c->fd = fd;
    return 0;
}

/* False: the write must do. */
static bool raise_safely(struct vhost_call *c)
{
    struct io_uring_sqe *sqe = c->made ? io_uring_get_sqe(&c->ring) : NULL;

    if (!sqe)
        return false;
    io_uring_prep_nop(sqe);
    if (io_uring_submit(&c->ring) != 1)
        return false;
    io_uring_cq_advance(&c->ring, io_uring_cq_ready(&c->ring));
    return true;
}

void vhost_call_raise(struct vhost_call *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLOUT};
    uint64_t one = 1;

    if (c->fd < 0 || raise_safely(c))
        return;
    if (poll(&p, 1, 0) == 1 && p.revents & POLLOUT && write(c->fd, &one, sizeof(one)) < 0)
        return; /* the peer's loss, and nothing to be done */
}

void vhost_call_close(struct vhost_call *c)
{
    fd_close(c);
    if (c->made)
        io_uring_queue_exit(&c->ring);
    c->made = false;
}
