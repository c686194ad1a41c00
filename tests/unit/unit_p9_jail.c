/*
 * The jail of a share's server (back/p9_jail.c): what its process has, and what becomes of it when
 * it does anything else; that it ends with the machine; what is said where the host has no jails.
 *
 * unit_p9_jail --calls prints the list, for tests/fault/share_server.
 */
#include "jail_probe.h"
#include "unit.h"
#include "back/p9_main.h"
#include "core/error.h"
#include "core/ledger.h"
#include "core/loop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct world {
    char dir[32];
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    snprintf(w->dir, sizeof(w->dir), "/tmp/viaduct-j-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char path[48];

    snprintf(path, sizeof(path), "%s/f", w->dir);
    unlink(path);
    rmdir(w->dir);
    free(w);
    return 0;
}

static void spawn(struct world *w, struct p9_wire *wire, bool readonly)
{
    struct p9_opts o = {.dir = w->dir, .name = "share0", .readonly = readonly};
    struct error err;

    memset(wire, 0, sizeof(*wire));
    if (p9_spawn(wire, &o, &err))
        fail_msg("%s", err.text);
}

/* ---- what it has ---- */

static uint64_t status_of(pid_t pid, const char *key, int base)
{
    char path[32], line[128];
    uint64_t v = UINT64_MAX;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        if (!strncmp(line, key, strlen(key)) && line[strlen(key)] == ':')
            v = strtoull(line + strlen(key) + 1, NULL, base);
    if (f)
        fclose(f);
    return v;
}

/* Where descriptor fd of pid leads. */
static void fd_leads(pid_t pid, int fd, char text[64])
{
    char path[48];
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
    n = readlink(path, text, 63);
    text[n < 0 ? 0 : n] = 0;
}

static unsigned fds_of(pid_t pid)
{
    struct dirent *e;
    char path[32];
    unsigned n = 0;
    DIR *d;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    d = opendir(path);
    while (d && (e = readdir(d)))
        n += *e->d_name != '.';
    closedir(d);
    return n;
}

static void possessions(void **state)
{
    struct world *w = *state;
    struct p9_wire wire;
    char leads[64], want[32];
    int extra = open("/etc/passwd", O_RDONLY); /* ours, and nobody said it is to be closed */

    for (int readonly = 0; readonly < 2; readonly++) {
        spawn(w, &wire, readonly);
        assert_int_equal(status_of(wire.pid, "Seccomp", 10), 2);
        assert_int_equal(status_of(wire.pid, "NoNewPrivs", 10), 1);
        assert_int_equal(status_of(wire.pid, "Threads", 10), 1);
        /* DAC_READ_SEARCH; or DAC_OVERRIDE and FOWNER: if there were any */
        assert_int_equal(status_of(wire.pid, "CapEff", 16) & ~(readonly ? 4ull : 10ull), 0);
        assert_int_equal(status_of(wire.pid, "CapPrm", 16) & ~(readonly ? 4ull : 10ull), 0);
        assert_int_equal(status_of(wire.pid, "CapInh", 16), 0);
        if (!geteuid())
            assert_int_equal(status_of(wire.pid, "CapBnd", 16), 0);
        for (int i = 0; i < 3; i++) {
            fd_leads(wire.pid, i, leads);
            assert_string_equal(leads, "/dev/null");
        }
        fd_leads(wire.pid, P9_FD_SOCK, leads);
        assert_memory_equal(leads, "socket:", 7);
        fd_leads(wire.pid, P9_FD_DIR, leads);
        assert_string_equal(leads, w->dir);
        fd_leads(wire.pid, P9_FD_MEM, leads); /* whose place /proc/self/fd took */
        snprintf(want, sizeof(want), "/proc/%d/fd", (int)wire.pid);
        assert_string_equal(leads, want);
        fd_leads(wire.pid, P9_FD_PIPE, leads);
        assert_memory_equal(leads, "pipe:", 5);
        assert_int_equal(fds_of(wire.pid), P9_FD_END);
        p9_spawn_end(&wire, true, 10000);
        p9_wire_close(&wire);
    }
    close(extra);
}

/* ---- what it may do ---- */

static int enter_as(const struct world *w, bool readonly)
{
    struct p9_server *s;

    return p9_server_open(&s, open(w->dir, O_PATH | O_CLOEXEC), readonly) || p9_jail(s);
}

static int enter(const void *world)
{
    return enter_as(world, false);
}

static int enter_readonly(const void *world)
{
    return enter_as(world, true);
}

static int jailed(struct world *w, bool readonly, long nr, const long a[6])
{
    struct jail j = {.enter = readonly ? enter_readonly : enter, .what = w};

    return jail_call(&j, nr, a);
}

static bool listed(long nr, bool readonly)
{
    static const long number[] = {
        SYS_recvfrom,  SYS_sendto,    SYS_preadv,     SYS_splice,     SYS_pwritev,
        SYS_openat,    SYS_openat2,   SYS_close,      SYS_newfstatat, SYS_fstatfs,
        SYS_fcntl,     SYS_lseek,     SYS_getdents64, SYS_readlinkat, SYS_fsync,
        SYS_fdatasync, SYS_ftruncate, SYS_fchmodat,   SYS_utimensat,  SYS_mkdirat,
        SYS_symlinkat, SYS_linkat,    SYS_renameat,   SYS_unlinkat,   SYS_exit_group};
    const struct p9_call *call;
    unsigned n;

    call = p9_calls(&n);
    assert_int_equal(n, ARRAY_LEN(number));
    for (unsigned i = 0; i < n; i++)
        if (number[i] == nr)
            return !readonly || !call[i].changes;
    return false;
}

/* Every call there is: those that aren't listed end it, and only those. fcntl's command and
 * splice's end are judged: see arguments. */
static void calls(void **state)
{
    static const long nothing[6] = {-1, 0, 0, 0, 0, 0};
    struct world *w = *state;

    for (long nr = 0; nr < JAIL_CALLS_END; nr++) {
        if (nr == SYS_fcntl || nr == SYS_splice || !jail_sees(nr))
            continue;
        if (jail_killed(jailed(w, false, nr, nothing)) == listed(nr, false))
            fail_msg("system call %ld", nr);
        if (listed(nr, false) && jail_killed(jailed(w, true, nr, nothing)) == listed(nr, true))
            fail_msg("system call %ld of a read-only share", nr);
    }
    assert_true(
        jail_killed(jailed(w, false, 0x40000000, nothing))); /* read(2), as x32 numbers it */
}

#define STATUS(readonly, nr, ...) jailed(*state, readonly, nr, (const long[6]){__VA_ARGS__})
#define TEXT(s)                   (long)(uintptr_t)(s)

/* Of listed calls, arguments that no request needs. */
static void arguments(void **state)
{
    assert_true(jail_killed(STATUS(false, SYS_fcntl, 0, F_SETFL, 0)));
    assert_true(jail_killed(STATUS(false, SYS_fcntl, 0, F_SETOWN, 1)));
    assert_true(jail_killed(STATUS(false, SYS_fcntl, 0, F_NOTIFY, 0)));
    assert_int_equal(STATUS(false, SYS_fcntl, 0, F_DUPFD_CLOEXEC, 0) >> 8, 0);
    assert_true(jail_killed(STATUS(false, SYS_splice, 0, 0, P9_FD_PIPE + 1, 0, 1, 0)));
    assert_int_equal(STATUS(false, SYS_splice, -1, 0, P9_FD_PIPE, 0, 1, 0) >> 8, EBADF);
    assert_true(jail_killed(STATUS(false, SYS_fchmodat, -1, TEXT(""), 04755)));
    assert_true(jail_killed(STATUS(false, SYS_fchmodat, -1, TEXT(""), 02755)));
    assert_true(jail_killed(STATUS(false, SYS_mkdirat, -1, TEXT("x"), 02755)));
    assert_true(jail_killed(STATUS(false, SYS_openat, -1, TEXT("x"), O_CREAT, 04755)));
    assert_int_equal(STATUS(false, SYS_fchmodat, -1, TEXT("x"), 01755) >> 8, EBADF);
    for (long how = 1; how < 3; how++)
        assert_true(jail_killed(STATUS(true, SYS_openat, -1, TEXT("x"), how, 0)));
    assert_true(jail_killed(STATUS(true, SYS_openat, -1, TEXT("x"), O_CREAT, 0)));
    assert_true(jail_killed(STATUS(true, SYS_openat, -1, TEXT("x"), O_TRUNC, 0)));
}

/* Of listed calls with the right arguments, what is outside. */
static void outside(void **state)
{
    struct world *w = *state;
    char file[48];

    snprintf(file, sizeof(file), "%s/f", w->dir);
    close(open(file, O_WRONLY | O_CREAT, 0600));
    for (int readonly = 0; readonly < 2; readonly++) {
        assert_int_equal(STATUS(readonly, SYS_openat, AT_FDCWD, TEXT(file), O_RDONLY), 0);
        assert_int_equal(STATUS(readonly, SYS_openat, AT_FDCWD, TEXT("/etc/passwd"), O_RDONLY) >> 8,
                         EACCES);
        assert_int_equal(
            STATUS(readonly, SYS_openat, AT_FDCWD, TEXT("/proc/self/mem"), O_RDONLY) >> 8, EACCES);
    }
    assert_int_equal(STATUS(false, SYS_openat, AT_FDCWD, TEXT(file), O_RDWR), 0);
    assert_int_equal(
        STATUS(false, SYS_openat, AT_FDCWD, TEXT("/tmp/x"), O_CREAT | O_RDWR, 0600) >> 8, EACCES);
    assert_int_equal(STATUS(false, SYS_mkdirat, AT_FDCWD, TEXT("/tmp/viaduct-j"), 0700) >> 8,
                     EACCES);
    assert_int_equal(STATUS(false, SYS_unlinkat, AT_FDCWD, TEXT("/etc/passwd"), 0) >> 8, EACCES);
    assert_int_equal(STATUS(false, SYS_symlinkat, TEXT("x"), AT_FDCWD, TEXT("/tmp/viaduct-j")) >> 8,
                     EACCES);
    assert_true(STATUS(false, SYS_linkat, AT_FDCWD, TEXT("/etc/passwd"), AT_FDCWD, TEXT(file)) >>
                8);
    assert_int_equal(
        STATUS(false, SYS_renameat, AT_FDCWD, TEXT(file), AT_FDCWD, TEXT("/tmp/viaduct-j")) >> 8,
        EACCES);
}

/* ---- its end ---- */

static bool gone(pid_t pid)
{
    struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    bool ended = p.fd < 0 || poll(&p, 1, 60000) == 1;

    if (p.fd >= 0)
        close(p.fd);
    return ended;
}

static void ends_with_the_socket(void **state)
{
    struct p9_wire wire;
    int status;

    spawn(*state, &wire, false);
    close(wire.sock);
    wire.sock = -1;
    assert_true(gone(wire.pid));
    assert_int_equal(waitpid(wire.pid, &status, 0), wire.pid);
    assert_int_equal(status, 0);
    p9_wire_close(&wire);
}

/* The machine's process is killed while somebody else has its end of the socket. */
static void ends_with_the_machine(void **state)
{
    int told[2];
    pid_t machine, server = 0;

    assert_int_equal(pipe(told), 0);
    machine = fork();
    if (!machine) {
        struct p9_wire wire;

        spawn(*state, &wire, false);
        if (!fork()) {
            close(told[1]);
            pause(); /* has the socket, till the test ends */
        }
        if (write(told[1], &wire.pid, sizeof(wire.pid)) < 0)
            _exit(1);
        pause();
    }
    setpgid(machine, machine);
    close(told[1]);
    assert_int_equal(read(told[0], &server, sizeof(server)), sizeof(server));
    kill(machine, SIGKILL);
    assert_true(gone(server));
    waitpid(machine, NULL, 0);
    kill(-machine, SIGKILL);
    close(told[0]);
}

/* ---- hosts that have less ---- */

/* As a kernel without: Landlock, or seccomp's filters. */
static void without(bool seccomp)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);

    assert_non_null(f);
    if (seccomp) {
        seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(seccomp), 0);
        seccomp_rule_add(f, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(prctl), 1,
                         SCMP_A0_64(SCMP_CMP_EQ, PR_SET_SECCOMP, 0));
    } else {
        seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(landlock_create_ruleset), 0);
    }
    assert_int_equal(seccomp_load(f), 0);
    seccomp_release(f);
}

/* It is told in one line, and the share is served all the same. */
static void less(struct world *w, bool seccomp, const char *line)
{
    char said[1024] = {0};
    int err[2], status;
    pid_t pid;

    assert_int_equal(pipe(err), 0);
    pid = fork();
    if (!pid) {
        struct p9_wire wire;

        dup2(err[1], 2);
        without(seccomp);
        spawn(w, &wire, false);
        _exit(status_of(wire.pid, "NoNewPrivs", 10) != 1);
    }
    close(err[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(read(err[0], said, sizeof(said) - 1) > 0);
    assert_non_null(strstr(said, line));
    assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
    close(err[0]);
}

static void without_landlock(void **state)
{
    less(*state, false, "has no Landlock");
}

static void without_seccomp(void **state)
{
    less(*state, true, "has no seccomp filters");
}

/* Nobody types it. */
static void by_hand(void **state)
{
    int status;
    pid_t pid = fork();

    (void)state;
    if (!pid) {
        close_range(P9_FD_SOCK, ~0u, 0);
        close(2);
        execl("/proc/self/exe", "viaduct", P9_VERB, "share0", NULL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 2);
}

static int list(void)
{
    unsigned n;
    const struct p9_call *call = p9_calls(&n);

    for (unsigned i = 0; i < n; i++)
        printf("%s\n", call[i].name);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(possessions, setup, teardown),
        cmocka_unit_test_setup_teardown(calls, setup, teardown),
        cmocka_unit_test_setup_teardown(arguments, setup, teardown),
        cmocka_unit_test_setup_teardown(outside, setup, teardown),
        cmocka_unit_test_setup_teardown(ends_with_the_socket, setup, teardown),
        cmocka_unit_test_setup_teardown(ends_with_the_machine, setup, teardown),
        cmocka_unit_test_setup_teardown(without_landlock, setup, teardown),
        cmocka_unit_test_setup_teardown(without_seccomp, setup, teardown),
        cmocka_unit_test(by_hand),
    };

    if (argc > 1 && !strcmp(argv[1], P9_VERB))
        return p9_main(argc, argv);
    if (argc > 1 && !strcmp(argv[1], "--calls"))
        return list();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
