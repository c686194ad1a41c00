/* One child, one call: jail_probe.h. */
#include "jail_probe.h"
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROBES = 335, OUTSIDE = 199, SECONDS = 60 };

struct call {
    long nr, a[6];
    int there[2];
    atomic_bool
        go; /* by which the other thread waits without any system call: a jail may lack it */
};

bool jail_sees(long nr)
{
    return nr < PROBES || nr >= PROBES + 2;
}

static void make(const struct call *c)
{
    const long *a = c->a;

    syscall(SYS_exit_group, syscall(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]) < 0 ? errno : 0);
}

static void *elder(void *arg)
{
    struct call *c = arg;

    if (write(c->there[1], "", 1) != 1)
        return NULL;
    while (!atomic_load(&c->go)) /* until the alarm, at most */
        __builtin_ia32_pause();
    make(c);
    return NULL;
}

/* A thread, and it has done what threads do first. */
static bool elder_start(struct call *c, pthread_t *t)
{
    char byte;

    return !pipe(c->there) && !pthread_create(t, NULL, elder, c) &&
           read(c->there[0], &byte, 1) == 1;
}

static void child(const struct jail *j, struct call *c)
{
    pthread_t t = 0;

    alarm(SECONDS);
    for (unsigned i = 0; i < 6; i++)
        c->a[i] = c->a[i] == JAIL_SELF ? getpid() : c->a[i];
    if (j->elder && !elder_start(c, &t))
        _exit(OUTSIDE);
    if (j->enter(j->what))
        _exit(OUTSIDE);
    if (!j->elder)
        make(c);
    atomic_store(&c->go, true);
    pthread_join(t, NULL); /* it ends us all */
    _exit(OUTSIDE);
}

int jail_call(struct jail *j, long nr, const long a[6])
{
    struct call c = {.nr = nr, .a = {a[0], a[1], a[2], a[3], a[4], a[5]}};
    int err[2], status = 0;
    size_t n = 0;
    ssize_t got;
    pid_t pid;

    assert_int_equal(pipe(err), 0);
    pid = fork();
    if (!pid) {
        dup2(err[1], STDERR_FILENO);
        close(err[0]);
        close(err[1]);
        child(j, &c);
    }
    close(err[1]);
    while (n < sizeof(j->said) - 1 &&
           (got = read(err[0], j->said + n, sizeof(j->said) - 1 - n)) > 0)
        n += (size_t)got;
    j->said[n] = 0;
    close(err[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status == OUTSIDE << 8 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM))
        fail_msg("system call %ld: the child ended with %#x: %s", nr, (unsigned)status, j->said);
    return status;
}

bool jail_killed(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}
