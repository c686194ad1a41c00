/*
 * The jails of viaduct run, switch, domain, exec, seat and up, and of ctl, top, console, logs, ps
 * and disk (sandbox/box.h), entered by what their command lines say: every system call that no row
 * names ends the process with a line that names the call, on threads that were there before too;
 * every listed one is let through, with the listed arguments only.
 */
#include "box_asked.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Every number there is. Calls whose rows all look at arguments: see arguments. */
static void numbers(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROLES; i++) {
        struct jail j = jail_of(&roles[i]);
        struct asked q = {.a = {-1}};

        for (q.nr = 0; q.nr < JAIL_CALLS_END; q.nr++) {
            if (!jail_sees(q.nr))
                continue;
            q.a[1] = q.nr == SYS_ppoll ? -1 : 0; /* of no descriptors it would wait for ever */
            if (!any_row(&roles[i], row_names, &q))
                expect_death(&j, &roles[i], &q);
            else if (any_row(&roles[i], row_is_plain, &q))
                expect_life(&j, &roles[i], &q);
        }
        q.nr = 0x40000000; /* read(2), as x32 numbers it */
        assert_true(jail_killed(jail_call(&j, q.nr, q.a)));
    }
}

static void set(struct asked *q, const struct box_cond *c)
{
    if (c->test != BOX_NONE)
        q->a[c->arg] = c->test == BOX_SELF ? JAIL_SELF : (long)c->value;
}

/* One argument that is judged is not what the row says. */
static void flip(struct asked *q, const struct box_cond *c)
{
    q->a[c->arg] = c->test == BOX_BITS ? (long)(c->value ^ c->mask)
                   : c->test == BOX_IS ? (long)(c->value ^ 0x4000)
                                       : 1; /* init's */
}

static bool row_arguments(const struct box_row *row, void *ctx)
{
    const struct role *r = ((struct asked *)ctx)->role;
    struct asked q = {.role = r, .nr = row->nr, .a = {-1}};
    struct jail j = jail_of(r);

    for (unsigned c = 0; c < ARRAY_LEN(row->cond); c++)
        set(&q, &row->cond[c]);
    if (row->answer && !any_row(r, row_is_plain, &q) && !any_row(r, row_does, &q))
        assert_int_equal(expect_life(&j, r, &q), row->answer);
    else if (row->cond[0].test != BOX_NONE && row->nr != SYS_clone) /* see threads */
        expect_life(&j, r, &q);
    for (unsigned c = 0; c < ARRAY_LEN(row->cond) && row->cond[c].test != BOX_NONE; c++) {
        struct asked other = q;

        flip(&other, &row->cond[c]);
        if (!any_row(r, row_matches, &other))
            expect_death(&j, r, &other);
    }
    return false;
}

/* Of listed calls: each row's arguments pass, and each of them is looked at. */
static void arguments(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROLES; i++)
        any_row(&roles[i], row_arguments, &(struct asked){.role = &roles[i]});
}

/* ---- what whoever takes a process over would try first ---- */

#define TEXT(s) (long)(uintptr_t)(s)
#define HERE    (long)(uint32_t)AT_FDCWD /* as compilers pass it */
#define THREAD  (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)

static int program_fd(void)
{
    static const char script[] = "#!/bin/true\n";
    int fd = memfd_create("program", 0);

    if (fd < 0 || write(fd, script, sizeof(script) - 1) < 0)
        fail_msg("memfd: %s", strerror(errno));
    return fd;
}

/* In no role, and a thread from before the jail has none either. */
static void no_way(const struct asked *tried)
{
    for (unsigned i = 0; i < ROLES; i++) {
        struct jail j = jail_of(&roles[i]);

        /* A record of what is in flight is one, and a replay's memory; that it can't be executed
         * is tried too. */
        if (tried->nr == SYS_memfd_create &&
            roles[i].sets & (BOX_BIT(BOX_BACK) | BOX_BIT(BOX_MAKE)))
            continue;
        if (tried->nr == SYS_openat && roles[i].sets & BOX_BIT(BOX_LAB))
            continue; /* see files */
        if (roles[i].sets & (BOX_BIT(BOX_LOOK) | BOX_BIT(BOX_PARTS)) &&
            any_row(&roles[i], row_does, (void *)tried))
            continue; /* see looks */
        if (tried->nr == SYS_openat2 && roles[i].sets & BOX_BIT(BOX_TREE)) {
            /* Landlock holds where: unit_exec_jail.c */
            assert_int_equal(expect_life(&j, &roles[i], tried), EACCES);
            continue;
        }
        expect_death(&j, &roles[i], tried);
        j.elder = true;
        expect_death(&j, &roles[i], tried);
    }
}

static void attacks(void **state)
{
    static char file[] = "/tmp/viaduct-box-new", true_[] = "/bin/true", none[4096];
    static char *argv[] = {true_, NULL};
    struct iovec io = {none, 1};
    const struct open_how new_file = {.flags = O_WRONLY | O_CREAT, .mode = 0600};
    const struct asked tried[] = {
        {.nr = SYS_execve, .a = {TEXT(true_), TEXT(argv), 0}},
        {.nr = SYS_execveat, .a = {program_fd(), TEXT(""), TEXT(argv), 0, AT_EMPTY_PATH}},
        {.nr = SYS_memfd_create, .a = {TEXT("x"), 0}},
        {.nr = SYS_fork},
        {.nr = SYS_vfork},
        {.nr = SYS_clone, .a = {SIGCHLD}},
        {.nr = SYS_clone, .a = {CLONE_VM | SIGCHLD}},
        {.nr = SYS_clone, .a = {THREAD | CLONE_NEWUSER}},
        {.nr = SYS_ptrace, .a = {PTRACE_ATTACH, 1}},
        {.nr = SYS_process_vm_readv, .a = {1, TEXT(&io), 1, TEXT(&io), 1}},
        {.nr = SYS_process_vm_writev, .a = {1, TEXT(&io), 1, TEXT(&io), 1}},
        {.nr = SYS_socket, .a = {AF_INET, SOCK_STREAM}},
        {.nr = SYS_socket, .a = {AF_INET, SOCK_RAW}},
        {.nr = SYS_socket, .a = {AF_NETLINK, SOCK_RAW}},
        {.nr = SYS_socket, .a = {AF_UNIX, SOCK_DGRAM}},
        {.nr = SYS_bind},
        {.nr = SYS_open, .a = {TEXT("/etc/passwd"), O_RDONLY}},
        {.nr = SYS_openat, .a = {HERE, TEXT("/etc/passwd"), O_RDONLY}},
        {.nr = SYS_openat, .a = {HERE, TEXT(file), O_WRONLY | O_CREAT | O_CLOEXEC, 0600}},
        {.nr = SYS_openat2, .a = {HERE, TEXT(file), TEXT(&new_file), sizeof(new_file)}},
        {.nr = SYS_mount, .a = {TEXT("none"), TEXT("/tmp"), TEXT("tmpfs")}},
        {.nr = SYS_unshare, .a = {CLONE_NEWNS}},
        {.nr = SYS_setns, .a = {0, 0}},
        {.nr = SYS_kill, .a = {1, 0}},
        {.nr = SYS_tgkill, .a = {1, 1, 0}},
        {.nr = SYS_tkill, .a = {1, 0}},
        {.nr = SYS_pidfd_open, .a = {1, 0}},
        {.nr = SYS_bpf, .a = {0, TEXT(none), sizeof(none)}},
        {.nr = SYS_userfaultfd, .a = {0}},
        {.nr = SYS_io_uring_setup, .a = {4, TEXT(none)}},
        {.nr = SYS_io_uring_register, .a = {-1}},
        {.nr = SYS_perf_event_open, .a = {TEXT(none), 0, -1, -1}},
        {.nr = SYS_keyctl, .a = {0}},
        {.nr = SYS_add_key, .a = {0}},
        {.nr = SYS_mmap, .a = {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1}},
        {.nr = SYS_mprotect, .a = {TEXT(none), 4096, PROT_READ | PROT_EXEC}},
        {.nr = SYS_pkey_mprotect, .a = {TEXT(none), 4096, PROT_READ | PROT_EXEC, -1}},
        {.nr = SYS_seccomp, .a = {0}},
        {.nr = SYS_prctl, .a = {PR_SET_DUMPABLE, 1}},
        {.nr = SYS_rt_sigaction, .a = {SIGSYS, 0, 0, 8}}, /* nobody takes the last words away */
        {.nr = SYS_ioctl, .a = {0, 0x5412, TEXT("x")}},   /* TIOCSTI */
        {.nr = SYS_ioctl, .a = {0, 0xae01, 0}},           /* KVM_CREATE_VM */
        {.nr = SYS_chmod, .a = {TEXT("/tmp"), 0777}},
        {.nr = SYS_setuid, .a = {0}},
    };

    (void)state;
    for (unsigned t = 0; t < ARRAY_LEN(tried); t++) {
        no_way(&tried[t]);
        assert_int_equal(access(file, F_OK), -1);
    }
    close((int)tried[1].a[0]);
}

/* A lab's supervisor may open files, and Landlock says which to read and which to change. */
static void files(void **state)
{
    static const struct {
        struct asked call;
        int err; /* as an error, or 0: it is done */
    } tried[] = {
        {{.nr = SYS_openat, .a = {HERE, TEXT("/etc/passwd"), O_RDONLY}}, 0},
        {{.nr = SYS_openat, .a = {HERE, TEXT("/etc/passwd"), O_WRONLY}}, EACCES},
        {{.nr = SYS_openat, .a = {HERE, TEXT("viaduct-box-new"), O_WRONLY | O_CREAT, 0600}},
         EACCES},
        {{.nr = SYS_openat, .a = {HERE, TEXT(BOX_RUN "/new"), O_WRONLY | O_CREAT, 0600}}, 0},
        {{.nr = SYS_rename, .a = {TEXT(BOX_RUN "/new"), TEXT(BOX_RUN "/newer")}}, 0},
        {{.nr = SYS_rename, .a = {TEXT(BOX_RUN "/newer"), TEXT("viaduct-box-new")}}, EACCES},
        {{.nr = SYS_unlink, .a = {TEXT("viaduct-box-other")}}, EACCES},
        {{.nr = SYS_unlink, .a = {TEXT(BOX_RUN "/newer")}}, 0},
        {{.nr = SYS_rmdir, .a = {TEXT(BOX_RUN)}}, 0},
    };
    const struct role *up = &roles[ROLES - 1];

    (void)state;
    assert_true(up->sets & BOX_BIT(BOX_LAB));
    close(open("viaduct-box-other", O_WRONLY | O_CREAT, 0600));
    for (unsigned t = 0; t < ARRAY_LEN(tried); t++) {
        struct jail j = jail_of(up);
        int err = expect_life(&j, up, &tried[t].call);

        if (err != tried[t].err)
            fail_msg("attempt %u: %s", t, strerror(err));
    }
    unlink("viaduct-box-other");
    assert_int_equal(mkdir(BOX_RUN, 0700), 0);
}

static char lab_home[] = "/tmp/viaduct-XXXXXX", lab_file[64];

/* A place for them, which is short enough (lab_base). */
static void labs_make(void)
{
    if (!mkdtemp(lab_home) || setenv("XDG_RUNTIME_DIR", lab_home, 1))
        fail_msg("%s: %s", lab_home, strerror(errno));
    snprintf(lab_file, sizeof(lab_file), "%s/viaduct", lab_home);
    mkdir(lab_file, 0700);
    snprintf(lab_file, sizeof(lab_file), "%s/viaduct/file", lab_home);
    close(open(lab_file, O_WRONLY | O_CREAT, 0600));
}

static void labs_gone(void)
{
    unlink(lab_file);
    *strrchr(lab_file, '/') = 0;
    rmdir(lab_file);
    rmdir(lab_home);
}

/* Who looks at labs may open files to read: their directory's and /proc's, says Landlock (who
 * carves a block device: /sys's and /dev's); for who looks at what processes take, which Landlock
 * would forbid, the list says it, and has no call by which what it read could leave. */
static void looks(void **state)
{
    const struct asked other = {.nr = SYS_openat, .a = {HERE, TEXT("/etc/passwd"), O_RDONLY}};
    const struct asked proc = {.nr = SYS_openat, .a = {HERE, TEXT("/proc/1/stat"), O_RDONLY}};
    const struct asked lab = {.nr = SYS_openat, .a = {HERE, TEXT(lab_file), O_RDONLY}};
    const struct asked change = {.nr = SYS_openat, .a = {HERE, TEXT(lab_file), O_RDWR}};
    const struct asked part = {.nr = SYS_openat, .a = {HERE, TEXT("/sys/kernel"), O_RDONLY}};
    static const int out[] = {SYS_sendto, SYS_sendmsg, SYS_connect, SYS_socket, SYS_rename};
    unsigned seen = 0;

    (void)state;
    for (unsigned i = 0; i < ROLES; i++) {
        const struct role *r = &roles[i];
        struct jail j = jail_of(r);

        if (!(r->sets & (BOX_BIT(BOX_LOOK) | BOX_BIT(BOX_PARTS))))
            continue;
        assert_int_equal(expect_life(&j, r, &other), r->sets & BOX_BIT(BOX_COST) ? 0 : EACCES);
        if (r->sets & BOX_BIT(BOX_PARTS)) {
            assert_int_equal(expect_life(&j, r, &proc), EACCES);
            assert_int_equal(expect_life(&j, r, &part), 0);
        } else {
            assert_int_equal(expect_life(&j, r, &proc), 0);
            assert_int_equal(expect_life(&j, r, &lab), 0);
        }
        expect_death(&j, r, &change);
        for (unsigned k = 0; k < ARRAY_LEN(out); k++)
            expect_death(&j, r, &(struct asked){.nr = out[k]});
        seen++;
    }
    assert_int_equal(seen, 3);
}

/* Files that are there are not, for glibc, which does without. */
static void answers(void **state)
{
    struct asked file = {.nr = SYS_openat, .a = {HERE, TEXT("/etc/passwd"), O_RDONLY | O_CLOEXEC}};
    struct asked clone3 = {.nr = SYS_clone3, .a = {TEXT(""), 88}};

    (void)state;
    for (unsigned i = 0; i < ROLES; i++) {
        struct jail j = jail_of(&roles[i]);

        /* Who has them: see files, and looks. */
        if (!(roles[i].sets & (BOX_BIT(BOX_LAB) | BOX_BIT(BOX_LOOK) | BOX_BIT(BOX_PARTS))))
            assert_int_equal(expect_life(&j, &roles[i], &file), ENOENT);
        if (any_row(&roles[i], row_answers, &clone3))
            assert_int_equal(expect_life(&j, &roles[i], &clone3), ENOSYS);
        else
            expect_death(&j, &roles[i], &clone3);
    }
}

/* ---- threads ---- */

enum { MANY = 20 }; /* more than malloc has arenas for without counting CPUs */

static void *hello(void *arg)
{
    size_t room = 1 << 16;
    char *p = malloc(room);

    prctl(PR_SET_NAME, "hello");
    for (; p && room < 1 << 20; room *= 2) { /* past what malloc maps, and moves */
        char *more = realloc(p, room * 2);

        if (more)
            more[room] = 1;
        else
            free(p);
        p = more;
    }
    pthread_barrier_wait(arg); /* all are there at once */
    arg = p ? arg : NULL;
    free(p);
    return arg;
}

/* A machine's process still makes threads, and these are in the jail. */
static int enter_and_thread(const void *role)
{
    const struct role *r = role;
    pthread_barrier_t all;
    pthread_t t[MANY];
    void *there;
    int bad = 0;

    if (r->enter(r->what) || pthread_barrier_init(&all, NULL, MANY))
        return -1;
    for (unsigned i = 0; i < MANY && !bad; i++)
        bad = pthread_create(&t[i], NULL, hello, &all);
    for (unsigned i = 0; i < MANY && !bad; i++)
        bad = pthread_join(t[i], &there) || !there;
    return bad;
}

static void threads(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROLES; i++) {
        struct jail j = {.enter = enter_and_thread, .what = &roles[i]};
        struct asked done = {.nr = SYS_exit_group, .a = {0}}, dead = {.nr = SYS_execve};

        if (!(roles[i].sets & BOX_BIT(BOX_THREADS)))
            continue;
        assert_int_equal(expect_life(&j, &roles[i], &done), 0);
        expect_death(&j, &roles[i], &dead);
    }
}

/* ---- the whole ---- */

static bool row_reasons(const struct box_row *row, void *ctx)
{
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, row->nr);

    (void)ctx;
    assert_non_null(name);
    assert_string_equal(name, row->call);
    assert_true(*row->why);
    free(name);
    return false;
}

static void rows(void **state)
{
    const struct role whole = {.sets = BOX_BIT(BOX_SETS) - 1};

    (void)state;
    any_row(&whole, row_reasons, NULL);
    for (enum box_set s = 0; s < BOX_SETS; s++) {
        const struct box_row *row;

        assert_non_null(box_set_name(s));
        assert_true(box_rows(s, &row) > 0);
    }
}

int main(void)
{
    const char *why;
    const struct CMUnitTest in_jail[] = {
        cmocka_unit_test(numbers), cmocka_unit_test(arguments), cmocka_unit_test(attacks),
        cmocka_unit_test(answers), cmocka_unit_test(threads),   cmocka_unit_test(files),
        cmocka_unit_test(looks),
    };
    const struct CMUnitTest always[] = {cmocka_unit_test(rows)};
    int bad = cmocka_run_group_tests(always, NULL, NULL);
    if (box_built_without(&why)) {
        print_message("the jail is not tried: %s stays outside it\n", why);
        return bad;
    }
    mkdir(BOX_RUN, 0700);
    labs_make();
    bad += cmocka_run_group_tests(in_jail, NULL, NULL);
    rmdir(BOX_RUN);
    labs_gone();
    return bad;
}
