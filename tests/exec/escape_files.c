/*
 * Names that lead out of the directory that the program was given, and changes made by them.
 */
#define _GNU_SOURCE
#include "escape.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* No file outside is reached: whatever the error, nothing is opened. */
static void closed(const char *path, int flags)
{
    int fd = open(path, flags, 0600);

    if (fd >= 0)
        escaped(path, fd);
}

static void names(void)
{
    static const char *const path[] = {"../secret",
                                       "/../secret",
                                       "../../../../../../../../etc/passwd",
                                       "/etc/passwd",
                                       "out",
                                       "abs",
                                       "outdir/secret",
                                       "dir/../../secret",
                                       "dir/up/secret",
                                       "loop",
                                       "/proc/self/exe",
                                       "/proc/self/mem",
                                       "/proc/self/root/etc/passwd",
                                       "/proc/self/fd/0",
                                       "/dev/mem",
                                       "/dev/kmem",
                                       "/dev/tty",
                                       "/dev/fd/0",
                                       "dev_null",
                                       "socket",
                                       "/dev/vdz",
                                       "/dev/vda",
                                       "procexe"};

    for (size_t i = 0; i < sizeof(path) / sizeof(*path); i++) {
        closed(path[i], O_RDONLY);
        closed(path[i], O_WRONLY);
        closed(path[i], O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    }
}

static void dirfds(void)
{
    int d = open("dir", O_PATH | O_DIRECTORY), e = open("dir", O_RDONLY), r = open("/", O_PATH);

    WANT(openat(d, "../../secret", O_RDONLY), ENOENT);
    WANT(openat(e, "../../secret", O_RDONLY), ENOENT);
    WANT(openat(r, "../secret", O_RDONLY), ENOENT);
    WANT(openat(r, "/../secret", O_RDONLY), ENOENT);
    WANT(openat(77, "x", O_RDONLY), EBADF);
    fchdir(e), chdir(".."), chdir(".."), chdir("..");
    WANT(open("secret", O_RDONLY), ENOENT);
    WANT(open("../secret", O_RDONLY), ENOENT);
    WANT(read(d, &d, 1), EBADF);
    WANT(syscall(SYS_getdents64, d, &d, 4), EBADF);
}

static void changes(void)
{
    rename("f", "../f2"), rename("f2", "f"); /* .. of the root is the root */
    WANT(link("f", "outdir/f"), ENOENT);
    WANT(rename("f", "outdir/f"), ENOENT);
    WANT(mkdir("outdir/new", 0700), ENOENT);
    WANT(open("outdir/new", O_CREAT | O_WRONLY, 0600), ENOENT);
    WANT(unlink("../secret"), ENOENT);
    WANT(unlink("outdir/secret"), ENOENT);
    WANT(truncate("abs", 0), ENOENT);
    WANT(chmod("out", 0777), ENOENT);
    WANT(rmdir(".."), EINVAL);
    WANT(mkdir("..", 0700), EINVAL);
    WANT(rename("dir/..", "y"), EINVAL);
    WANT(symlink("/etc/passwd", "../z/z"), ENOENT);
    WANT(mknod("n", S_IFCHR | 0600, 0x103), ENOSYS);
    WANT(chroot("dir"), ENOSYS);
}

static void fifo(void) /* neither hangs nor is a way to anybody */
{
    char b;
    int fd = open("fifo", O_RDONLY);

    if (fd < 0 || read(fd, &b, 1) != 0)
        escaped("a FIFO that nobody writes to", fd);
    close(fd);
    WANT(open("fifo", O_WRONLY), ENXIO);
}

const struct attempt on_files[] = {
    {"names", names, 0}, {"dirfds", dirfds, 0}, {"changes", changes, 0}, {"fifo", fifo, 0}, {0},
};
