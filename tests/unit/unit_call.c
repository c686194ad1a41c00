/*
 * The ring that signals a vhost-user peer's calls (vhost/call.h): whoever takes the domain over has
 * its descriptor, and a filter of system calls does not see what is asked of it. So it does nothing
 * but NOPs, takes eventfds and lets go of them, and nothing else, whatever it is asked.
 */
#include "unit.h"
#include "vhost/call.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { REGISTER_END = 64 }; /* past the last of IORING_REGISTER_* that these tests know of */

static int made(void **state)
{
    static struct vhost_call call;

    vhost_call_init(&call);
    vhost_call_make(&call);
    *state = &call;
    return call.made ? 0 : -1; /* a host without io_uring */
}

static int unmade(void **state)
{
    vhost_call_close(*state);
    return 0;
}

/* Every operation there is, in whose place an attacker would put one that opens or connects. */
static void requests(void **state)
{
    struct vhost_call *c = *state;
    char path[] = "/etc/passwd";

    for (unsigned op = 0; op < 256; op++) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&c->ring);
        struct io_uring_cqe *cqe;

        if (!sqe)
            fail_msg("no place in the ring");
        else
            *sqe = (struct io_uring_sqe){.opcode = (uint8_t)op,
                                         .fd = op == IORING_OP_NOP ? -1 : -100, /* AT_FDCWD */
                                         .addr = (uintptr_t)path};
        assert_int_equal(io_uring_submit(&c->ring), 1);
        assert_int_equal(io_uring_wait_cqe(&c->ring, &cqe), 0);
        if (op == IORING_OP_NOP)
            assert_int_equal(cqe->res, 0);
        else /* EINVAL: of no kernel, or not of this one */
            assert_true(cqe->res == -EACCES || (op >= IORING_OP_LAST && cqe->res == -EINVAL));
        io_uring_cqe_seen(&c->ring, cqe);
    }
}

static void registrations(void **state)
{
    struct vhost_call *c = *state;
    static char room[4096];

    for (unsigned op = 0; op < REGISTER_END; op++) {
        bool may = op == IORING_REGISTER_EVENTFD || op == IORING_UNREGISTER_EVENTFD;
        long rc = syscall(SYS_io_uring_register, c->ring.ring_fd, op, room, 1);

        if (!may && (rc != -1 || (errno != EACCES && errno != EINVAL && errno != EBADFD)))
            fail_msg("registration %u: %ld, %s", op, rc, strerror(errno));
        if (op < IORING_REGISTER_LAST && !may && errno != EACCES && errno != EBADFD)
            fail_msg("registration %u: %s", op, strerror(errno));
    }
}

/* And it still does what it is for, for one peer after another. */
static void calls(void **state)
{
    struct vhost_call *c = *state;

    for (unsigned peer = 0; peer < 3; peer++) {
        int theirs = eventfd(0, EFD_NONBLOCK), ours = dup(theirs);
        uint64_t n = 0;

        assert_int_equal(vhost_call_set(c, ours), 0);
        vhost_call_raise(c);
        assert_int_equal(read(theirs, &n, sizeof(n)), sizeof(n));
        assert_int_equal(n, 1);
        assert_int_equal(vhost_call_set(c, -1), 0);
        vhost_call_raise(c);
        assert_int_equal(read(theirs, &n, sizeof(n)), -1);
        close(theirs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests, made, unmade),
        cmocka_unit_test_setup_teardown(registrations, made, unmade),
        cmocka_unit_test_setup_teardown(calls, made, unmade),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
