/*
 * What a program sees of its system calls, printed: the same natively and under viaduct exec, in
 * both ABIs. Nothing printed depends on time, place or user. Run in a directory of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <dirent.h>
#include <time.h>
#include <unistd.h>

static long tell(const char *what, long r)
{
    if (r == -1)
        printf("%s: %s\n", what, strerrorname_np(errno));
    else
        printf("%s: %ld\n", what, r);
    return r;
}
#define T(x)  tell(#x, (long)(x))
#define OK(x) printf("%s: %s\n", #x, (x) ? "yes" : "no")

static void files(void)
{
    char b[64] = {0}, big[300];
    struct stat st;
    struct iovec v[2] = {{"one ", 4}, {"two", 3}};
    int fd, d;

    T(fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0640));
    T(write(fd, "hello, world", 12));
    T(pwrite(fd, "W", 1, 7));
    T(pread(fd, b, 20, 5)), puts(b);
    T(lseek(fd, 0, SEEK_END)), T(lseek(fd, -100, SEEK_CUR)), T(lseek(fd, 1 << 20, SEEK_SET));
    T(writev(fd, v, 2));
    T(fstat(fd, &st)), printf("%lld %o %d\n", (long long)st.st_size, st.st_mode, (int)st.st_nlink);
    T(ftruncate(fd, 10)), T(fsync(fd));
    T(stat("f", &st)), printf("%lld\n", (long long)st.st_size);
    T(chmod("f", 0600)), T(fchmod(fd, 0644));
    T(lstat("f", &st)), printf("%o\n", st.st_mode);
    T(access("f", R_OK)), T(access("g", R_OK));
    T(d = dup(fd)), T(dup2(fd, 100)), T(close(100)), T(close(100)), T(fcntl(d, F_DUPFD, 50));
    T(fcntl(fd, F_GETFD)), T(fcntl(fd, F_SETFD, 1)), T(fcntl(fd, F_GETFD));
    printf("%o\n", (unsigned)fcntl(fd, F_GETFL) & O_ACCMODE);
    T(close(fd)), T(read(fd, b, 1)), T(close(d));
    T(symlink("f", "l")), T(readlink("l", b, sizeof(b))), T(readlink("f", b, 8));
    T(link("f", "h")), T(stat("h", &st)), T((long)st.st_nlink);
    T(rename("h", "m")), T(unlink("m")), T(unlink("m")), T(unlink("l"));
    T(mkdir("dir", 0755)), T(mkdir("dir", 0755)), T(rmdir("f")), T(unlink("dir"));
    T(open("f", O_RDONLY | O_DIRECTORY)), T(open("dir", O_WRONLY)), T(open("", O_RDONLY));
    T(open("f", O_CREAT | O_EXCL | O_WRONLY, 0600)), T(open("no/f", O_RDONLY)),
        T(open("f/x", O_RDONLY));
    memset(big, 'n', 299), big[299] = 0;
    T(open(big, O_RDONLY));
    T(open((char *)1, O_RDONLY));
    T(chdir("dir")), T(open("../f", O_RDONLY)), T(chdir("..")), T(chdir("f"));
    T(d = open("dir", O_RDONLY)), T(openat(d, "../f", O_RDONLY)), T(fchdir(d)), T(chdir(".."));
    T(read(d, b, 1)), T(rmdir("dir"));
    T(unlink("f/")), T(rename("f/", "g")), T(link("f/", "g")), T(unlinkat(AT_FDCWD, "f", 1));
    T(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "g", 8)), T(mkdir("e/", 0755)),
        T(rmdir("e/"));
    T(unlinkat(AT_FDCWD, "f", 0));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void listing(void)
{
    char *name[300], path[32];
    int n = 0;
    struct dirent *e;
    DIR *d;

    mkdir("many", 0755);
    for (int i = 0; i < 200; i++) {
        snprintf(path, sizeof(path), "many/file-%d", i);
        close(open(path, O_CREAT | O_WRONLY, 0600));
    }
    d = opendir("many");
    while ((e = readdir(d)) && n < 300)
        name[n++] = strdup(e->d_name);
    rewinddir(d), readdir(d);
    long at = telldir(d);
    e = readdir(d);
    char *second = e ? strdup(e->d_name) : NULL;
    readdir(d), readdir(d), seekdir(d, at), e = readdir(d);
    OK(e && second && !strcmp(e->d_name, second));
    closedir(d);
    qsort(name, (size_t)n, sizeof(*name), by_name);
    for (int i = 0; i < n; i++)
        printf("%s%c", name[i], i % 10 == 9 ? '\n' : ' ');
    for (int i = 0; i < 200; i++) {
        snprintf(path, sizeof(path), "many/file-%d", i);
        unlink(path);
    }
    T(rmdir("many"));
}

static void memory(void)
{
    size_t page = 4096;
    char *p = mmap(NULL, 16 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;
    int fd = open("m", O_RDWR | O_CREAT | O_TRUNC, 0600);

    OK(p != MAP_FAILED);
    memset(p, 7, 16 * page);
    T(munmap(p + 4 * page, 2 * page));
    T(write(fd, p, 5 * page)), T(write(fd, p + 4 * page, 1)), T(write(fd, p + 6 * page, page));
    T(mprotect(p, page, PROT_READ)), T(read(fd, p, 0)), T(pread(fd, p, 10, 0));
    T(mprotect(p + 3 * page, 4 * page, PROT_READ));
    T(mprotect(p, page, PROT_NONE)), T(write(fd, p, 1)),
        T(mprotect(p, page, PROT_READ | PROT_WRITE));
    OK(p[0] == 7 && p[3 * page] == 7);
    T(munmap(p + 1, page)), T(munmap(p, 0)), T(munmap(p, page)), T(munmap(p, page));
    q = mmap(NULL, 2 * page, PROT_READ, MAP_PRIVATE, fd, (off_t)(~0ul << 12));
    OK(q == MAP_FAILED);
    q = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    OK(q[0] == 7), q[0] = 8;
    T(pread(fd, p + 6 * page, 1, 0)), T(p[6 * page]);
    OK(mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 1) == MAP_FAILED), T(errno);
    OK(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED), T(errno);
    OK(mmap(NULL, page, PROT_READ, MAP_PRIVATE, 77, 0) == MAP_FAILED), T(errno);
    p = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(p + 3 * page, "moved");
    mmap(p + 4 * page, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    q = mremap(p, 4 * page, 40 * page, MREMAP_MAYMOVE);
    OK(q != MAP_FAILED), puts(q + 3 * page), OK(q[39 * page] == 0);
    OK(mremap(q, 40 * page, 2 * page, 0) == q);
    strcpy(q, "gone"), T(madvise(q, page, MADV_DONTNEED)), OK(!*q);
    q = sbrk(0), OK(sbrk(100000) == q), q[99999] = 1, OK(sbrk(-100000) != (void *)-1);
    OK(malloc((size_t)1 << 24) != NULL);
    close(fd), unlink("m");
}

static void took(int sig)
{
    (void)sig;
}

static void pipes(void)
{
    struct timespec none = {0, 0};
    struct pollfd w[2];
    char b[16] = {0};
    fd_set r;
    static char big[4096];
    int p[2], fd;

    T(pipe(p)), T(write(p[1], "through", 7));
    w[0] = (struct pollfd){p[0], POLLIN, 0}, w[1] = (struct pollfd){p[1], POLLOUT, 0};
    T(poll(w, 2, 0)), printf("%x %x\n", w[0].revents, w[1].revents);
    FD_ZERO(&r);
    FD_SET(p[0], &r);
    T(select(p[0] + 1, &r, NULL, NULL, &(struct timeval){0, 0})), OK(FD_ISSET(p[0], &r));
    T(read(p[0], b, 15)), puts(b);
    T(ppoll(w, 1, &none, NULL)), T(lseek(p[0], 0, SEEK_SET));
    w[0].fd = 99, T(poll(w, 1, 0)), printf("%x\n", w[0].revents);
    fd = open("s", O_RDWR | O_CREAT | O_TRUNC, 0600), write(fd, "0123456789", 10);
    off_t off = 3;
    T(sendfile(p[1], fd, &off, 4)), T(off), T(read(p[0], b, 15)), puts(b);
    T(select(0, NULL, NULL, NULL, &(struct timeval){0, -1}));
    T(write(p[1], b, 1)), FD_SET(p[0], &r);
    T(select(p[0] + 1, &r, NULL, NULL, &(struct timeval){0, 3000000})), T(read(p[0], b, 15));
    T(writev(p[1], (struct iovec[]){{b, 1}, {b, -1}}, 2));
    fcntl(p[1], F_SETFL, O_NONBLOCK), lseek(fd, 3, SEEK_SET);
    while (write(p[1], big, sizeof(big)) > 0)
        ;
    T(sendfile(p[1], fd, NULL, 4)), T(lseek(fd, 0, SEEK_CUR)); /* nothing was sent */
    fcntl(p[0], F_SETFL, O_NONBLOCK);
    while (read(p[0], big, sizeof(big)) == sizeof(big))
        ;
    T(close(p[1])), T(read(p[0], b, 15)), T(write(p[0], b, 1));
    close(fd), unlink("s");
    T(fcntl(p[0], F_SETFL, O_NONBLOCK)), close(p[0]);
    T(pipe2(p, O_NONBLOCK)), T(read(p[0], b, 1));
    signal(SIGPIPE, SIG_IGN), close(p[0]), T(write(p[1], b, 1));
    signal(SIGPIPE, took), T(write(p[1], b, 1));
}

static void the_rest(void)
{
    struct sigaction sa = {.sa_handler = SIG_IGN}, old;
    struct timespec ts = {0, 1000000}, a, b;
    struct rlimit rl;
    struct rusage ru;
    struct utsname u;
    sigset_t set;
    char cwd[4096];
    unsigned char noise[32] = {0};
    struct timeval tv;
    int sum = 0;

    T(clock_gettime(CLOCK_MONOTONIC, &a)), T(nanosleep(&ts, NULL)),
        clock_gettime(CLOCK_MONOTONIC, &b);
    OK((b.tv_sec - a.tv_sec) * 1000000000ll + b.tv_nsec - a.tv_nsec >= 1000000);
    T(gettimeofday(&tv, NULL)), OK(tv.tv_sec > 1600000000 && tv.tv_usec < 1000000);
    OK(llabs((long long)time(NULL) - tv.tv_sec) < 3), T(clock_gettime(99, &a));
    T(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &b, NULL));
    T(uname(&u)), puts(u.sysname);
    T(syscall(SYS_getrandom, noise, sizeof(noise), 0));
    for (int i = 0; i < 32; i++)
        sum += noise[i];
    OK(sum > 0);
    T(sigaction(SIGUSR1, &sa, NULL)), T(sigaction(SIGUSR1, NULL, &old)),
        OK(old.sa_handler == SIG_IGN);
    T(sigaction(SIGKILL, &sa, NULL)), T(raise(SIGUSR1));
    sigemptyset(&set), sigaddset(&set, SIGUSR2), T(sigprocmask(SIG_BLOCK, &set, NULL));
    T(sigprocmask(0, NULL, &set)), OK(sigismember(&set, SIGUSR2));
    T(kill(getpid(), 0)), OK(getpid() == syscall(SYS_gettid)), OK(getppid() != 0);
    T(umask(077)), T(umask(022)), T(isatty(1)), OK(times(NULL) != (clock_t)-1);
    T(getrusage(5, &ru)), T(syscall(SYS_futex, &sum, 0, sum, &(struct timespec){0, -1}));
    T(getrlimit(RLIMIT_STACK, &rl)), OK(getcwd(cwd, sizeof(cwd)) == cwd), OK(!getcwd(cwd, 1));
    T(syscall(SYS_uname, (void *)-1L)), T(syscall(SYS_write, 1, (void *)-4096L, 8));
    T(syscall(SYS_clock_gettime, 0, (void *)8));
    printf("%.6f %Lf %s\n", 1.0 / 7, 1.0L / 3, getenv("NAMED"));
}

int main(int argc, char **argv)
{
    printf("%d %s\n", argc, argv[1]);
    files();
    listing();
    memory();
    pipes();
    the_rest();
    return 42;
}
