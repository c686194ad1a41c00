/*
 * The process that serves a share, started by p9_spawn.c with the directory, a socket and a piece
 * of shared memory. It goes to jail (p9_jail.c) before it reads the first request, and ends with
 * the machine: when the socket does, or by a signal when the machine's process does.
 *
 * Needs after start-up: the directory and what is below it, /proc/self/fd, the socket, the pipe,
 * the shared memory; the system calls that p9_jail.c lists. It allocates nothing.
 */
#include "back/p9_main.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILES_MAX = 16384 }; /* descriptors: what guests have open are descriptors here */
enum { PAGE = 4096 };
enum { OK = 0, USAGE = 2, FAILED = 4 };

/* ---- requests ---- */

static bool ask_good(const struct p9_ask *a, size_t n)
{
    return n >= P9_ASK_HEAD && a->len <= P9_MSG_MAX && n - P9_ASK_HEAD == a->len &&
           a->slot < P9_SLOTS && a->data_len <= P9_BULK && a->room_len <= P9_BULK &&
           a->room_len >= P9_ERROR_LEN;
}

/* The reply's beginning goes into the answer, the rest into the slot. A Twrite's data, which is in
 * the slot too, has been read by then. */
static void serve(struct p9_far *f, struct p9_answer *answer)
{
    const struct p9_ask *a = &f->ask;
    uint8_t *bulk = f->shared->bulk[a->slot];
    struct iovec data = {bulk, a->data_len},
                 room[2] = {{answer->head, P9_ERROR_LEN}, {bulk, a->room_len - P9_ERROR_LEN}};
    struct p9_req *r = &f->req;

    memcpy(r->msg, a->msg, a->len);
    r->len = a->len;
    r->data = &data;
    r->datas = 1;
    r->data_len = a->data_len;
    r->room = room;
    r->rooms = 2;
    r->room_len = a->room_len;
    r->cancelled = __atomic_load_n(&f->shared->cancelled[a->slot], __ATOMIC_RELAXED);
    p9_serve(f->server, r);
    answer->slot = a->slot;
    answer->replied = r->replied;
    answer->piped = r->piped;
}

bool p9_far_serve(struct p9_far *f)
{
    struct p9_answer answer = {0};
    ssize_t n = p9_spin(&f->spin, f->sock, &f->ask, sizeof(f->ask));

    if (!n)
        n = recv(f->sock, &f->ask, sizeof(f->ask), 0);
    if (n <= 0 || !ask_good(&f->ask, (size_t)n))
        return false;
    serve(f, &answer);
    f->spin.other = f->ask.cpu;
    answer.cpu = (uint32_t)sched_getcpu();
    return send(f->sock, &answer, sizeof(answer), MSG_NOSIGNAL) == (ssize_t)sizeof(answer);
}

/* ---- start ---- */

/* A page of data may lie across two of the pipe's. */
void p9_pipe_use(struct p9_server *s, int pipe)
{
    int size = fcntl(pipe, F_GETPIPE_SZ);

    s->pipe = pipe;
    s->pipe_room = size > PAGE ? (uint32_t)(size - PAGE) : 0;
}

/* Nothing is inherited but what p9_spawn.c gave; no core of it is left; a file that would be too
 * long is an error of the write. */
static void settle(void)
{
    struct rlimit l;

    close_range(P9_FD_END, ~0u, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    if (!getrlimit(RLIMIT_NOFILE, &l) && l.rlim_cur < FILES_MAX) {
        l.rlim_cur = l.rlim_max < FILES_MAX ? l.rlim_max : FILES_MAX;
        setrlimit(RLIMIT_NOFILE, &l);
    }
    umask(0); /* modes are as the guest's umask left them, not as ours */
}

static struct p9_far *far_open(bool readonly, int *err)
{
    struct p9_far *f = calloc(1, sizeof(*f));

    *err = f ? 0 : -ENOMEM;
    if (!f)
        return NULL;
    f->sock = P9_FD_SOCK;
    f->shared = p9_shared_map(P9_FD_MEM);
    *err = f->shared ? 0 : -errno;
    close(P9_FD_MEM);
    if (!*err)
        *err = p9_server_open(&f->server, P9_FD_DIR, readonly);
    if (!*err)
        p9_pipe_use(f->server, P9_FD_PIPE);
    return f;
}

int p9_main(int argc, char **argv)
{
    bool readonly = argc > 3 && !strcmp(argv[3], P9_WORD_READONLY);
    struct p9_hello hello = {.magic = P9_MAGIC};
    struct stat st;
    struct p9_far *f;

    if (argc < 3 || fstat(P9_FD_SOCK, &st) || !S_ISSOCK(st.st_mode)) {
        fprintf(stderr, "viaduct %s: is started by viaduct run --share\n", P9_VERB);
        return USAGE;
    }
    settle();
    f = far_open(readonly, &hello.err);
    if (!hello.err)
        hello.lack = p9_jail(f->server);
    if (send(P9_FD_SOCK, &hello, sizeof(hello), MSG_NOSIGNAL) < 0 || hello.err)
        return FAILED;
    while (p9_far_serve(f)) /* bound: the machine's life */
        ;
    syscall(SYS_exit_group, OK); /* at once: what libraries do last is not on the jail's list */
    return OK;
}
