/*
 * viaduct guest: the bundled guest, made of Debian's own packages: the kernel of linux-image-amd64
 * and busybox-static, downloaded as any user may, unpacked and not installed. Modules and scripts
 * go into an initial RAM disk; the kernel is kept as it came (vmlinuz) and unpacked (vmlinux), so
 * that each run saves the second that takes. Files appear under their names only when complete.
 */
#include "board/boot.h"
#include "board/unpack.h"
#include "cli/cli.h"
#include "cli/cpio.h"
#include "cli/guest_init.h"
#include "cli/guest_pack.h"
#include "cli/modules.h"
#include "core/error.h"
#include "core/log.h"
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEBS_MAX   8
#define KERNEL_MAX (512u << 20)

extern char **environ;

struct fetch {
    const char *given, *deb[DEBS_MAX];
    unsigned debs;
    char dir[400];  /* where the guest goes */
    char work[440]; /* below it: downloads; removed at the end */
    struct error *err;
};

int guest_dir(char *buf, size_t room, const char *given)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    int n;

    if (given)
        n = snprintf(buf, room, "%s", given);
    else if (data && *data == '/')
        n = snprintf(buf, room, "%s/viaduct", data);
    else
        n = snprintf(buf, room, "%s/.local/share/viaduct", home ? home : "");
    return n > 0 && (size_t)n < room ? 0 : -ENAMETOOLONG;
}

/* ---- programs ---- */

/* Runs a program in dir; 0, or -errno with err filled. Its words go to stderr. */
static int program(const char *dir, char *const argv[], struct error *err)
{
    posix_spawn_file_actions_t fa;
    int status = 0, code;
    pid_t pid;

    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_addchdir_np(&fa, dir);
    posix_spawn_file_actions_adddup2(&fa, STDERR_FILENO, STDOUT_FILENO);
    code = posix_spawnp(&pid, argv[0], &fa, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    if (code)
        return error_set(err, -code, "%s: %s; is it installed?", argv[0], strerror(code));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        return error_set(err, -EIO, "%s %s failed", argv[0], argv[1]);
    return 0;
}

/* The package that linux-image-amd64 stands for. */
static int kernel_package(char *name, size_t room, struct error *err)
{
    FILE *f = popen("apt-cache depends linux-image-amd64 2>/dev/null", "re");
    char line[256];
    bool found = false;

    while (f && fgets(line, sizeof(line), f)) {
        char *at = strstr(line, "Depends: linux-image-");

        if (!at || found)
            continue;
        at += strlen("Depends: ");
        at[strcspn(at, " \n")] = 0;
        found = strlen(at) < room;
        if (found)
            memcpy(name, at, strlen(at) + 1);
    }
    if (f)
        pclose(f);
    return found ? 0
                 : error_set(err, -ENOENT,
                             "apt knows no linux-image-amd64; run apt-get update, or give package "
                             "files with --deb");
}

/* ---- steps ---- */

static int make_dirs(const char *path)
{
    char part[PATH_MAX];
    size_t n = strlen(path);

    for (size_t i = 1; i <= n && n < sizeof(part); i++)
        if (path[i] == '/' || !path[i]) {
            snprintf(part, sizeof(part), "%.*s", (int)i, path);
            if (mkdir(part, 0777) && errno != EEXIST)
                return -errno;
        }
    return 0;
}

static int download(struct fetch *f)
{
    char kernel[128], busybox[] = "busybox-static";
    char *const argv[] = {
        (char[]){"apt-get"}, (char[]){"download"}, (char[]){"-q"}, kernel, busybox, NULL};
    int code = kernel_package(kernel, sizeof(kernel), f->err);

    if (code)
        return code;
    log_info("downloading %s and %s", kernel, busybox);
    return program(f->work, argv, f->err);
}

static int unpack_deb(struct fetch *f, const char *deb)
{
    char to[480], path[PATH_MAX];
    char *const argv[] = {(char[]){"dpkg-deb"}, (char[]){"-x"}, path, to, NULL};

    if (!realpath(deb, path))
        return error_set(f->err, -errno, "--deb %s: %s", deb, strerror(errno));
    snprintf(to, sizeof(to), "%s/x", f->work);
    return program(f->work, argv, f->err);
}

static int unpack_all(struct fetch *f)
{
    char pattern[480];
    glob_t g = {0};
    int code = 0;

    for (unsigned i = 0; i < f->debs && !code; i++)
        code = unpack_deb(f, f->deb[i]);
    snprintf(pattern, sizeof(pattern), "%s/*.deb", f->work);
    if (!code && !glob(pattern, 0, NULL, &g))
        for (size_t i = 0; i < g.gl_pathc && !code; i++)
            code = unpack_deb(f, g.gl_pathv[i]);
    globfree(&g);
    return code;
}

/* The one file that matches, or none. */
static int one_file(struct fetch *f, const char *what, char *path, size_t room)
{
    char pattern[480];
    glob_t g = {0};
    int code = -ENOENT;

    snprintf(pattern, sizeof(pattern), "%s/x/%s", f->work, what);
    if (!glob(pattern, 0, NULL, &g) && g.gl_pathc == 1 &&
        (size_t)snprintf(path, room, "%s", g.gl_pathv[0]) < room)
        code = 0;
    globfree(&g);
    return code ? error_set(f->err, code, "the packages have no file %s (or several)", what) : 0;
}

static int file_write(struct fetch *f, const char *name, const void *data, size_t len)
{
    char tmp[PATH_MAX], path[PATH_MAX];
    FILE *out;
    bool ok;

    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    snprintf(tmp, sizeof(tmp), "%s/%s", f->work, name);
    out = fopen(tmp, "we");
    ok = out && fwrite(data, 1, len, out) == len;
    if (out && fclose(out))
        ok = false;
    if (!ok || rename(tmp, path))
        return error_set(f->err, errno ? -errno : -EIO, "%s: %s", path, strerror(errno));
    return 0;
}

static int kernel_make(struct fetch *f)
{
    char path[PATH_MAX];
    struct boot_file k = {0};
    struct bytes elf = {0};
    int code = one_file(f, "boot/vmlinuz-*", path, sizeof(path));

    if (!code)
        code = boot_file_read(&k, "kernel", path, f->err);
    if (!code && !linux_is(&k))
        code = error_set(f->err, -ENOEXEC, "%s is not a Linux kernel", path);
    if (!code)
        code = linux_unpack(&k, KERNEL_MAX, &elf, f->err);
    if (!code)
        code = file_write(f, "vmlinuz", k.data, k.len);
    if (!code)
        code = file_write(f, GUEST_KERNEL, elf.at, elf.len);
    bytes_free(&elf);
    boot_file_free(&k);
    return code;
}

static int initramfs_make(struct fetch *f)
{
    static const char *const dirs[] = {"bin", "dev", "proc",        "sys", "mnt",       "root",
                                       "tmp", "lib", "lib/modules", "etc", "etc/udhcpc"};
    char busybox[PATH_MAX], modules[480], path[480];
    struct cpio c;
    int code = one_file(f, "bin/busybox", busybox, sizeof(busybox));

    snprintf(path, sizeof(path), "%s/%s", f->dir, GUEST_INITRD);
    snprintf(modules, sizeof(modules), "%s/x/lib/modules", f->work);
    if (!code && (code = cpio_open(&c, path)))
        return error_set(f->err, code, "%s: %s", path, strerror(-code));
    if (code)
        return code;
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
        cpio_dir(&c, dirs[i]);
    cpio_node(&c, "dev/console", 020600, 5, 1);
    cpio_file(&c, "init", 0755, guest_init, strlen(guest_init));
    cpio_file(&c, "bin/viaduct-demo", 0755, guest_demo, strlen(guest_demo));
    cpio_file(&c, "etc/udhcpc/default.script", 0755, guest_udhcpc, strlen(guest_udhcpc));
    code = cpio_host_file(&c, busybox, "bin/busybox", 0755);
    if (!code)
        code = modules_add(&c, modules, f->err);
    if (code && !c.err)
        c.err = code;
    code = cpio_close(&c, path);
    return code && !f->err->text[0] ? error_set(f->err, code, "%s: %s", path, strerror(-code))
                                    : code;
}

static int fetch_all(struct fetch *f)
{
    int code = guest_dir(f->dir, sizeof(f->dir), f->given);

    if (!code)
        code = make_dirs(f->dir);
    snprintf(f->work, sizeof(f->work), "%s/.fetch-XXXXXX", f->dir);
    if (code || !mkdtemp(f->work))
        return error_set(f->err, code ? code : -errno, "--dir %s: %s", f->dir,
                         strerror(code ? -code : errno));
    if (!f->debs)
        code = download(f);
    if (!code)
        code = unpack_all(f);
    if (!code)
        code = kernel_make(f);
    if (!code)
        code = initramfs_make(f);
    if (!strncmp(f->work, f->dir, strlen(f->dir))) { /* what mkdtemp made, and nothing else */
        char *const argv[] = {(char[]){"rm"}, (char[]){"-rf"}, (char[]){"--"}, f->work, NULL};

        program("/", argv, NULL);
    }
    return code;
}

/* ---- the verb ---- */

static int take_dir(void *ctx, const char *value, struct error *err)
{
    (void)err;
    ((struct fetch *)ctx)->given = value;
    return 0;
}

static int take_deb(void *ctx, const char *value, struct error *err)
{
    struct fetch *f = ctx;

    if (f->debs == DEBS_MAX)
        return error_set(err, -EINVAL, "--deb: at most %d", DEBS_MAX);
    f->deb[f->debs++] = value;
    return 0;
}

static const struct opt options[] = {
    {"dir", "DIR", "where to put it ($XDG_DATA_HOME/viaduct, or ~/.local/share/viaduct)", take_dir},
    {"deb", "FILE", "use this package file and download nothing; repeat for each", take_deb},
    {0},
};

static int guest_run(int argc, char **argv)
{
    struct error err = {0};
    struct fetch f = {.err = &err};
    bool help, fetch = argc > 1 && !strcmp(argv[1], "fetch");

    if (argc > 1 && !strcmp(argv[1], "pack"))
        return guest_pack(argc - 1, argv + 1);
    if (fetch)
        argv[1] = "guest fetch"; /* as messages name it */
    if (opt_parse(options, fetch ? argc - 1 : argc, fetch ? argv + 1 : argv, &f, NULL, &help,
                  &err)) {
        log_error("%s", err.text);
        return EXIT_USAGE;
    }
    if (help || !fetch) {
        opt_help(&verb_guest, options);
        return help ? EXIT_OFF : EXIT_USAGE;
    }
    if (fetch_all(&f)) {
        log_error("%s", err.text[0] ? err.text : "the guest could not be made");
        return EXIT_VMM;
    }
    log_info("the bundled guest is in %s; viaduct run starts it", f.dir);
    return EXIT_OFF;
}

const struct verb verb_guest = {"guest", "fetch [options]", "make the bundled Debian guest",
                                guest_run};
