/*
 * The jail of viaduct exec (cli/exec_box.h) as somebody would find it who took the process over:
 * calls made natively, not through the program's table. What no row names ends the process by name;
 * calls on names reach nothing outside the one directory, and only what its option allows inside.
 * Calls on metadata are the known gap (docs/exec.md), and are not tried here.
 */
#include "cli/exec_box.h"
#include "core/error.h"
#include "engine/engine.h"
#include "exec/exec.h"
#include "jail_probe.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TEXT(s) (long)(uintptr_t)(s)
#define HERE    (long)AT_FDCWD

static char top[] = "/tmp/viaduct-exec-jail-XXXXXX";
static int tree = -1;

struct world {
    const struct engine_ops *engine;
    bool none, readonly; /* no root, or one that is only read */
};

static int enter(const void *what)
{
    const struct world *w = what;
    struct exec_setup s = {.engine = w->engine, .root_readonly = w->readonly};
    struct error err = {0};
    int code = exec_box_enter(&s, w->none ? -1 : tree, false, BOX_REQUIRE, &err);

    if (code)
        fprintf(stderr, "%s\n", err.text);
    return code;
}

static int made(const struct world *w, long nr, const long a[6], char *said)
{
    struct jail j = {.enter = enter, .what = w};
    int status = jail_call(&j, nr, a);

    snprintf(said, sizeof(j.said), "%s", j.said);
    return status;
}

/* Its errno, 0 if it was done; -1: it ended the process, which said so. */
static int outcome(const struct world *w, long nr, const long a[6])
{
    char said[512];
    int status = made(w, nr, a, said);

    if (!jail_killed(status))
        return status >> 8 & 0xff; /* <sys/wait.h> has names of cpu_regs.h's */
    assert_non_null(strstr(said, "is not in the list of role exec/"));
    return -1;
}

static int opened(const struct world *w, int dir, const char *path, int flags)
{
    struct open_how how = {.flags = (unsigned)flags, .mode = flags & O_CREAT ? 0600 : 0};

    return outcome(w, SYS_openat2, (long[6]){dir, TEXT(path), TEXT(&how), sizeof(how)});
}

static const struct world ro = {.engine = &engine_dbt, .readonly = true},
                          rw = {.engine = &engine_dbt},
                          none = {.engine = &engine_dbt, .none = true},
                          direct = {.engine = &engine_direct_program};

static void only_its_directory_can_be_opened(void **state)
{
    char inside[64], outside[64], beside[64];

    (void)state;
    snprintf(inside, sizeof(inside), "%s/in/f", top);
    snprintf(outside, sizeof(outside), "%s/secret", top);
    snprintf(beside, sizeof(beside), "%s/new", top);
    for (const struct world *const *w = (const struct world *[]){&rw, &ro, &direct, NULL}; *w;
         w++) {
        assert_int_equal(opened(*w, tree, "f", O_RDONLY), 0);
        assert_int_equal(opened(*w, AT_FDCWD, inside, O_RDONLY), 0);
        assert_int_equal(opened(*w, tree, "../secret", O_RDONLY), EACCES);
        assert_int_equal(opened(*w, tree, "out", O_RDONLY), EACCES); /* a link to it */
        assert_int_equal(opened(*w, AT_FDCWD, outside, O_RDONLY), EACCES);
        assert_int_equal(opened(*w, AT_FDCWD, outside, O_WRONLY | O_TRUNC), EACCES);
        assert_int_equal(opened(*w, AT_FDCWD, beside, O_WRONLY | O_CREAT), EACCES);
        assert_int_equal(opened(*w, AT_FDCWD, "/etc", O_RDONLY | O_DIRECTORY), EACCES);
        assert_int_equal(opened(*w, AT_FDCWD, "/proc/self/mem", O_RDWR), EACCES);
        assert_int_equal(opened(*w, AT_FDCWD, "/dev/null", O_RDWR), EACCES);
    }
    assert_int_equal(opened(&rw, tree, "f", O_WRONLY), 0);
    assert_int_equal(opened(&rw, tree, "made", O_WRONLY | O_CREAT), 0);
    assert_int_equal(opened(&ro, tree, "f", O_WRONLY), EACCES);
    assert_int_equal(opened(&ro, tree, "f", O_RDONLY | O_TRUNC), EACCES);
    assert_int_equal(opened(&ro, tree, "more", O_WRONLY | O_CREAT), EACCES);
    assert_int_equal(opened(&none, tree, "f", O_RDONLY), -1);
}

static void names_elsewhere_can_not_be_changed(void **state)
{
    const struct {
        long nr, a[6];
        int inside; /* errno when tried, of a tree that may be changed */
    } tried[] = {
        {SYS_unlinkat, {tree, TEXT("../secret"), 0}, EACCES},
        {SYS_unlinkat, {tree, TEXT("../empty"), AT_REMOVEDIR}, EACCES},
        {SYS_mkdirat, {tree, TEXT("../d"), 0700}, EACCES},
        {SYS_symlinkat, {TEXT("x"), tree, TEXT("../l")}, EACCES},
        {SYS_linkat, {tree, TEXT("../secret"), tree, TEXT("h"), 0}, EXDEV},
        {SYS_linkat, {tree, TEXT("f"), tree, TEXT("../h"), 0}, EXDEV},
        {SYS_renameat2, {tree, TEXT("../secret"), tree, TEXT("s"), 0}, EXDEV},
        {SYS_renameat2, {tree, TEXT("f"), tree, TEXT("../s"), 0}, EXDEV},
        {SYS_mkdirat, {tree, TEXT("d"), 0700}, 0},
        {SYS_symlinkat, {TEXT("x"), tree, TEXT("l")}, 0},
        {SYS_linkat, {tree, TEXT("f"), tree, TEXT("d/h"), 0}, 0},
        {SYS_renameat2, {tree, TEXT("d/h"), tree, TEXT("g"), 0}, 0},
        {SYS_unlinkat, {tree, TEXT("g"), 0}, 0},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(tried); i++) {
        int got = outcome(&rw, tried[i].nr, tried[i].a);

        if (got != tried[i].inside && !(got == EACCES && tried[i].inside == EXDEV))
            fail_msg("number %u: %d, not %d", i, got, tried[i].inside);
        assert_int_equal(outcome(&ro, tried[i].nr, tried[i].a), -1);
        assert_int_equal(outcome(&none, tried[i].nr, tried[i].a), -1);
    }
}

static void what_no_program_needs_ends_it(void **state)
{
    static char text[64] = "/bin/true";
    char *argv[] = {text, NULL};
    const struct {
        long nr, a[6];
    } tried[] = {
        {SYS_execve, {TEXT(text), TEXT(argv)}},
        {SYS_openat, {HERE, TEXT("/etc/passwd"), O_RDONLY}},
        {SYS_openat, {tree, TEXT("made2"), O_WRONLY | O_CREAT, 0600}},
        {SYS_mknodat, {tree, TEXT("dev"), S_IFCHR | 0600, 0x103}},
        {SYS_chmod, {TEXT("/etc"), 0777}},
        {SYS_fchmodat, {tree, TEXT("f"), 04755}},
        {SYS_fchmodat, {HERE, TEXT("/etc"), 0777}},
        {SYS_fchownat, {HERE, TEXT("/etc/passwd"), 1, 1, 0}},
        {SYS_utimensat, {HERE, TEXT("/etc/passwd"), 0, 0}},
        {SYS_mkdirat, {tree, TEXT("set"), 02755}},
        {SYS_socket, {1, 1, 0}},
        {SYS_kill, {1, 0}},
        {SYS_ptrace, {16, 1}},
        {SYS_pidfd_open, {1, 0}},
        {SYS_process_vm_readv, {1, TEXT(text), 1, TEXT(text), 1}},
        {SYS_ioctl, {0, 0x5412, TEXT("x")}}, /* TIOCSTI */
        {SYS_fcntl, {0, F_SETOWN, 1}},
        {SYS_fcntl, {0, F_SETFL, O_ASYNC}},
        {SYS_io_uring_setup, {4, TEXT(text)}},
        {SYS_mmap, {0, 4096, 5, 0x22, -1, 0}},
        {SYS_mprotect, {TEXT(text) & ~4095l, 4096, 5}},
        {SYS_prctl, {38, 0}},
        {SYS_seccomp, {0}},
        {SYS_unshare, {0x20000}},
        {SYS_setuid, {0}},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(tried); i++)
        for (const struct world *const *w = (const struct world *[]){&rw, &direct, NULL}; *w; w++)
            if (outcome(*w, tried[i].nr, tried[i].a) != -1)
                fail_msg("number %u, call %ld", i, tried[i].nr);
}

static int setup(void **state)
{
    char name[64];

    (void)state;
    if (!mkdtemp(top))
        return -1;
    snprintf(name, sizeof(name), "%s/in", top);
    mkdir(name, 0700);
    tree = open(name, O_PATH | O_DIRECTORY);
    close(openat(tree, "f", O_CREAT | O_WRONLY, 0600));
    close(openat(tree, "../secret", O_CREAT | O_WRONLY, 0600));
    return tree < 0 || symlinkat("../secret", tree, "out") || mkdirat(tree, "../empty", 0700);
}

static int teardown(void **state)
{
    static const char *const left[] = {"made", "f", "out", "l", "../secret"};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(left); i++)
        unlinkat(tree, left[i], 0);
    unlinkat(tree, "d", AT_REMOVEDIR);
    unlinkat(tree, "../empty", AT_REMOVEDIR);
    unlinkat(tree, "../in", AT_REMOVEDIR);
    return rmdir(top); /* nothing else was left behind */
}

int main(void)
{
    const char *why;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_its_directory_can_be_opened),
        cmocka_unit_test(names_elsewhere_can_not_be_changed),
        cmocka_unit_test(what_no_program_needs_ends_it),
    };

    if (box_built_without(&why)) {
        print_message("the jail is not tried: %s stays outside it\n", why);
        return 0;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
