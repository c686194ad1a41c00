/* Unix sockets behind a vsock: what they promise to the device. The host's programs are the test.
 */
#include "unit.h"
#include "back/vsk.h"
#include "core/error.h"
#include "core/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PATH  "unit-vsk.sock"
#define OTHER "unit-vsk-other.sock"

struct world {
    struct loop *loop;
    struct vsk *vsk;
    struct vsk_end *came; /* the last that was incoming */
    unsigned incoming;
    uint32_t port;
    bool refuse;
    unsigned told; /* VSK_* of conn */
};

static bool on_incoming(void *front, struct vsk_end *e, uint32_t port)
{
    struct world *w = front;

    w->incoming++;
    w->port = port;
    if (w->refuse)
        return false;
    w->came = e;
    e->conn = w;
    return true;
}

static void on_ready(void *conn, unsigned what)
{
    ((struct world *)conn)->told |= what;
}

static int make(struct world *w, const struct vsk_opts *o)
{
    struct error err = {{0}};
    int code;

    *w = (struct world){.loop = loop_open(NULL, false)};
    code = vsk_unix_open(&w->vsk, o, w->loop, &err);
    if (!code)
        w->vsk->front = (struct vsk_front){on_incoming, on_ready, w};
    return code;
}

static void drop(struct world *w)
{
    vsk_free(w->vsk);
    loop_close(w->loop);
}

static void steps(struct world *w)
{
    for (int i = 0; i < 8; i++)
        loop_step(w->loop, 0);
}

static struct sockaddr_un name(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    return at;
}

static int dial(const char *path)
{
    struct sockaddr_un at = name(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static int listens(const char *path)
{
    struct sockaddr_un at = name(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    unlink(path);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static const struct vsk_opts plain = {.path = PATH};

static void greeting_in_pieces_and_data_behind_it(void **state)
{
    struct world w;
    char got[32] = {0};
    struct iovec iov = {got, sizeof(got)};
    int fd;

    (void)state;
    assert_int_equal(make(&w, &plain), 0);
    fd = dial(PATH);
    say(fd, "CONN");
    steps(&w);
    assert_int_equal(w.incoming, 0);
    say(fd, "ECT 4294967294\nfirst");
    steps(&w);
    assert_int_equal(w.incoming, 1);
    assert_true(w.port == 4294967294u);
    assert_int_equal(read(fd, got, sizeof(got)), -1); /* no answer before the guest's */
    w.vsk->ops->accepted(w.came, 7);
    assert_int_equal(read(fd, got, sizeof(got)), 5);
    assert_memory_equal(got, "OK 7\n", 5);
    w.vsk->ops->watch(w.came, VSK_IN);
    steps(&w);
    assert_int_equal(w.told, VSK_IN);
    assert_int_equal(w.vsk->ops->read(w.came, &iov, 1), 5); /* none of it was lost */
    assert_memory_equal(got, "first", 5);
    assert_int_equal(w.vsk->ops->read(w.came, &iov, 1), -EAGAIN);
    w.vsk->ops->close(w.came);
    close(fd);
    drop(&w);
    assert_int_equal(access(PATH, F_OK), -1);
}

static void what_is_no_greeting_is_closed(void **state)
{
    static const char *const bad[] = {"\n",
                                      "connect 1\n",
                                      "CONNECT\n",
                                      "CONNECT \n",
                                      "CONNECT -1\n",
                                      "CONNECT 1x\n",
                                      "CONNECT 4294967295\n",
                                      "CONNECT 99999999999999999999\n",
                                      "CONNECT 1 of a line that does not end soon"};
    struct world w;
    char c;

    (void)state;
    assert_int_equal(make(&w, &plain), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int fd = dial(PATH);

        say(fd, bad[i]);
        steps(&w);
        assert_true(read(fd, &c, 1) == 0 || errno == ECONNRESET);
        close(fd);
    }
    close(dial(PATH)); /* one that says nothing at all */
    steps(&w);
    assert_int_equal(w.incoming, 0);
    drop(&w);
}

static void greeters_are_bounded_and_refusals_close(void **state)
{
    struct world w;
    int fd[130];
    char c;

    (void)state;
    assert_int_equal(make(&w, &plain), 0);
    for (int i = 0; i < 130; i++) {
        fd[i] = dial(PATH);
        loop_step(w.loop, 0);
    }
    steps(&w);
    assert_int_equal(read(fd[129], &c, 1), 0); /* the 130th was one too many */
    assert_int_equal(read(fd[0], &c, 1), -1);
    w.refuse = true;
    say(fd[0], "CONNECT 5\n");
    steps(&w);
    assert_int_equal(w.incoming, 1);
    assert_int_equal(read(fd[0], &c, 1), 0);
    drop(&w); /* the others are still in their greeting */
    for (int i = 0; i < 130; i++)
        close(fd[i]);
}

static void guest_reaches_who_listens(void **state)
{
    struct world w;
    struct vsk_end *e = NULL;
    struct iovec iov = {(char *)(uintptr_t) "hello", 5};
    char got[8];
    int listener, fd;

    (void)state;
    assert_int_equal(make(&w, &plain), 0);
    assert_int_equal(w.vsk->ops->connect(w.vsk, VSK_CID_HOST, 80, &e), -ENOENT);
    assert_int_equal(w.vsk->ops->connect(w.vsk, 9, 80, &e), -ENETUNREACH);
    listener = listens(PATH "_80");
    assert_int_equal(w.vsk->ops->connect(w.vsk, VSK_CID_HOST, 80, &e), 0);
    e->conn = &w;
    fd = accept(listener, NULL, NULL);
    assert_int_equal(w.vsk->ops->write(e, &iov, 1), 5);
    assert_int_equal(read(fd, got, sizeof(got)), 5);
    w.vsk->ops->shut(e);
    assert_int_equal(read(fd, got, sizeof(got)), 0);
    w.vsk->ops->watch(e, VSK_IN);
    close(fd); /* both ways: told as gone, and reading says so */
    steps(&w);
    assert_true(w.told & VSK_GONE);
    iov.iov_base = got;
    assert_int_equal(w.vsk->ops->read(e, &iov, 1), 0);
    assert_int_equal(w.vsk->ops->write(e, &iov, 1), -EPIPE); /* and no signal */
    w.vsk->ops->watch(e, 0);
    w.told = 0;
    steps(&w);
    assert_int_equal(w.told, 0); /* a hang-up that nobody watches for is not told again */
    w.vsk->ops->close(e);
    close(listener);
    assert_int_equal(w.vsk->ops->connect(w.vsk, VSK_CID_HOST, 80, &e), -ECONNREFUSED);
    unlink(PATH "_80");
    drop(&w);
}

/* A program that is slow to accept: whoever does not fit into its queue waits, and gets there. */
static void full_for_a_while(void **state)
{
    struct world w;
    struct vsk_end *e[8];
    int listener = listens(PATH "_80"), came = 0, now = 0, later = 0;

    (void)state;
    assert_int_equal(make(&w, &plain), 0);
    for (int i = 0; i < 8; i++) { /* its backlog is 4 */
        int err = w.vsk->ops->connect(w.vsk, VSK_CID_HOST, 80, &e[i]);

        e[i]->conn = &w;
        now += !err;
        later += err == -EINPROGRESS;
    }
    assert_true(now >= 4 && later >= 1);
    assert_int_equal(now + later, 8);
    for (int i = 0; i < 1000 && came < 8; i++) {
        int fd = accept(listener, NULL, NULL);

        came += fd >= 0;
        if (fd >= 0)
            close(fd);
        loop_step(w.loop, 5);
    }
    assert_int_equal(came, 8);
    loop_step(w.loop, 5);
    assert_true(w.told & VSK_OPEN);
    w.vsk->ops->close(e[0]);
    w.vsk->ops->close(e[1]);
    assert_int_equal(w.vsk->ops->connect(w.vsk, VSK_CID_HOST, 80, &e[0]), 0);
    while (!w.vsk->ops->connect(w.vsk, VSK_CID_HOST, 80, &e[1])) /* ends: the backlog is full */
        w.vsk->ops->close(e[1]);
    w.told = 0;
    e[1]->conn = &w;
    close(listener); /* while one waits: refused */
    unlink(PATH "_80");
    for (int i = 0; i < 1000 && !w.told; i++)
        loop_step(w.loop, 5);
    assert_int_equal(w.told, VSK_GONE);
    for (int i = 0; i < 8; i++)
        w.vsk->ops->close(e[i]);
    drop(&w);
}

/* The other machine's part is played with its own two lines. */
static void another_machine(void **state)
{
    static const struct vsk_opts o = {
        .path = PATH, .peer = {{.cid = 9, .path = OTHER}}, .peers = 1};
    static const struct {
        const char *answer;
        unsigned told;
    } way[] = {{"OK 1073741824\n", VSK_OPEN}, {"no\n", VSK_GONE}, {"", VSK_GONE}};
    struct world w;
    int listener = listens(OTHER);
    char got[32];

    (void)state;
    assert_int_equal(make(&w, &o), 0);
    for (size_t i = 0; i < ARRAY_LEN(way); i++) {
        struct vsk_end *e = NULL;
        int fd;

        assert_int_equal(w.vsk->ops->connect(w.vsk, 9, 1234, &e), -EINPROGRESS);
        e->conn = &w;
        fd = accept(listener, NULL, NULL);
        assert_int_equal(read(fd, got, sizeof(got)), 13);
        assert_memory_equal(got, "CONNECT 1234\n", 13);
        steps(&w);
        assert_int_equal(w.told, 0);
        say(fd, way[i].answer);
        if (!*way[i].answer)
            close(fd);
        steps(&w);
        assert_int_equal(w.told, way[i].told);
        w.told = 0;
        w.vsk->ops->close(e);
        if (*way[i].answer)
            close(fd);
    }
    close(listener);
    unlink(OTHER);
    drop(&w);
}

static void its_place(void **state)
{
    struct world w, second;
    struct stat st;
    int fd;

    (void)state;
    close(listens(PATH)); /* left over: nobody answers there */
    assert_int_equal(make(&w, &plain), 0);
    assert_int_equal(stat(PATH, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(make(&second, &plain), -EADDRINUSE);
    drop(&second);
    unlink(PATH); /* another's, at the same place, stays */
    fd = listens(PATH);
    drop(&w);
    assert_int_equal(access(PATH, F_OK), 0);
    close(fd);
    unlink(PATH);
    fd = open(PATH, O_CREAT | O_WRONLY, 0600);
    close(fd);
    assert_int_equal(make(&w, &plain), -EEXIST);
    drop(&w);
    unlink(PATH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greeting_in_pieces_and_data_behind_it),
        cmocka_unit_test(what_is_no_greeting_is_closed),
        cmocka_unit_test(greeters_are_bounded_and_refusals_close),
        cmocka_unit_test(guest_reaches_who_listens),
        cmocka_unit_test(full_for_a_while),
        cmocka_unit_test(another_machine),
        cmocka_unit_test(its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
