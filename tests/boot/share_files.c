/*
 * In the guest of tests/boot/share: what no shell can ask of files on a share. Locks against the
 * host's and the guest's own, files that are open and have no name any more, appending by two,
 * directories read while they change, attributes refused. Prints "OK …" or "BAD …" a thing.
 * Usage: share_files DIR; the host has a lock of all of DIR/locked.
 *        share_files DIR many: opens files until no more can be had, then fewer again.
 */
#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static void is(const char *what, int ok)
{
    printf("%s %s%s%s\n", ok ? "OK" : "BAD", what, ok ? "" : ": ", ok ? "" : strerror(errno));
    fflush(stdout);
}

static int record(int fd, int type, off_t from, off_t len)
{
    struct flock l = {.l_type = (short)type, .l_start = from, .l_len = len};

    return fcntl(fd, F_SETLK, &l);
}

/* Does another process of this guest find [from, from + len) locked? */
static int taken(const char *path, off_t from, off_t len)
{
    int status;
    pid_t p = fork();

    if (!p)
        _exit(record(open(path, O_RDWR), F_WRLCK, from, len) && errno == EAGAIN);
    waitpid(p, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

static void locks(void)
{
    int fd = open("locked", O_RDWR), own = open("free", O_RDWR | O_CREAT, 0644);
    struct flock l = {.l_type = F_WRLCK};
    int rd;

    is("a lock of the host holds", record(fd, F_WRLCK, 0, 1) && errno == EAGAIN);
    is("and is seen", !fcntl(fd, F_GETLK, &l) && l.l_type == F_WRLCK);
    is("an own lock", !record(own, F_WRLCK, 10, 10));
    is("holds against others", taken("free", 15, 1) && !taken("free", 20, 5));
    is("and ends", !record(own, F_UNLCK, 0, 0) && !taken("free", 15, 1));
    rd = open("free", O_RDONLY);
    is("flock of a file open for reading", !flock(rd, LOCK_EX | LOCK_NB));
    close(fd);
    close(own);
    close(rd);
}

static void nameless(void)
{
    char buf[8] = {0};
    struct stat st;
    int fd = open("nameless", O_RDWR | O_CREAT | O_EXCL, 0600);

    is("a file without a name", fd >= 0 && !unlink("nameless") && write(fd, "still", 5) == 5 &&
                                    pread(fd, buf, 5, 0) == 5 && !strcmp(buf, "still"));
    is("its size", !fstat(fd, &st) && st.st_size == 5);
    close(fd);
}

static void appending(void)
{
    int a = open("log", O_WRONLY | O_CREAT | O_APPEND, 0644), b = open("log", O_WRONLY | O_APPEND);
    struct stat st;

    for (int i = 0; i < 100; i++)
        if (write(i & 1 ? a : b, "0123456789", 10) != 10)
            is("append", 0);
    is("two append to one file", !stat("log", &st) && st.st_size == 1000);
    close(a);
    close(b);
}

static void removing(void)
{
    struct dirent *e;
    char name[32];
    unsigned left = 0, n = 0;
    DIR *d;

    mkdir("many", 0755);
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "many/%d", i);
        close(open(name, O_WRONLY | O_CREAT, 0644));
    }
    d = opendir("many");
    while ((e = readdir(d)))
        if (*e->d_name != '.' && !unlinkat(dirfd(d), e->d_name, 0))
            n++;
    rewinddir(d);
    while ((e = readdir(d)))
        left += *e->d_name != '.';
    closedir(d);
    is("a directory emptied while it is read", n == 200 && !left && !rmdir("many"));
}

static void mapped(void)
{
    int fd = open("log", O_RDWR);
    char *p = mmap(NULL, 1000, PROT_READ, MAP_PRIVATE, fd, 0);

    is("a private map", p != MAP_FAILED && !memcmp(p + 990, "0123456789", 10));
    close(fd);
}

static void moving(void)
{
    struct stat a, b;

    is("a rename over another", !link("log", "log2") && !stat("log", &a) &&
                                    !rename("free", "log2") && !stat("log2", &b) && !b.st_size &&
                                    access("free", F_OK));
    is("no attributes", setxattr("log", "user.x", "y", 1, 0) && errno == EOPNOTSUPP);
    is("directory not empty", rmdir("/mnt/t") && errno == ENOTEMPTY);
    is("fsync of file and directory", !fsync(open("log", O_RDWR)) && !fsync(open(".", O_RDONLY)));
}

/* As many as there may be, twice: all of them are let go in between. */
static void many(void)
{
    int fd[900], n[2] = {0}, err[2] = {0};
    char name[16];

    for (int turn = 0; turn < 2; turn++) {
        for (; n[turn] < 900; n[turn]++) {
            snprintf(name, sizeof(name), "%d", n[turn]);
            fd[n[turn]] = open(name, O_RDWR | O_CREAT, 0644);
            err[turn] = errno;
            if (fd[n[turn]] < 0)
                break;
        }
        for (int i = 0; i < n[turn]; i++)
            close(fd[i]);
    }
    printf("opened %d, then %s; and again %d\n", n[0], strerror(err[0]), n[1]);
    is("as many again", n[0] > 3 && n[0] < 900 && err[0] == EMFILE && n[0] == n[1]);
    is("and all is well", !unlink("0") && !access("1", R_OK | W_OK));
}

int main(int argc, char **argv)
{
    if (argc < 2 || chdir(argv[1]))
        return 2;
    if (argc == 3) {
        many();
        return 0;
    }
    locks();
    nameless();
    appending();
    removing();
    mapped();
    moving();
    return 0;
}
