/*
 * Each call of a program that makes viaduct exec call the host, once, whatever it comes to: what
 * tests/exec/jail traces. Standard input is a terminal.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static char b[512];
static struct iovec v = {b, 8};

static void descriptors(int fd)
{
    struct termios t;
    struct winsize w;
    int n, p[2];

    write(fd, b, 8), pwrite(fd, b, 8, 0), lseek(fd, 0, SEEK_SET), read(fd, b, 8);
    pread(fd, b, 8, 0), readv(fd, &v, 1), writev(fd, &v, 1);
    fsync(fd), fdatasync(fd), ftruncate(fd, 4), fallocate(fd, 0, 0, 4096);
    fcntl(fd, F_SETFL, O_APPEND), fchmod(fd, 0600), fchown(fd, -1, -1);
    futimens(fd, NULL);
    tcgetattr(0, &t), tcsetattr(0, TCSANOW, &t), tcsetattr(0, TCSADRAIN, &t);
    tcsetattr(0, TCSAFLUSH, &t), ioctl(0, TIOCGWINSZ, &w), ioctl(0, FIONREAD, &n);
    pipe(p), poll(&(struct pollfd){p[0], POLLIN, 0}, 1, 0);
}

static void names(void)
{
    struct statfs fs;
    struct dirent *e;
    struct stat st;
    DIR *d;

    stat("f", &st), access("f", R_OK), statfs("f", &fs), truncate("f", 1);
    mkdir("d", 0755), symlink("f", "s"), readlink("s", b, sizeof(b)), link("f", "l");
    rename("l", "d/l"), unlink("d/l"), unlink("s"), chmod("f", 0644), chown("f", -1, -1);
    utimensat(AT_FDCWD, "f", NULL, 0);
    d = opendir("d");
    while (d && (e = readdir(d)))
        puts(e->d_name);
    rmdir("d"), unlink("f");
}

int main(void)
{
    struct timespec ts = {0, 1000};
    struct rusage u;
    struct utsname n;
    struct tms t;
    int disk = open("/dev/vda", O_RDWR);

    umask(022);
    descriptors(open("f", O_RDWR | O_CREAT, 0600));
    names();
    nanosleep(&ts, NULL), clock_getres(CLOCK_THREAD_CPUTIME_ID, &ts);
    times(&t), getrusage(RUSAGE_SELF, &u), uname(&n), syscall(SYS_getrandom, b, 8, 0);
    pwrite(disk, b, 512, 0), pread(disk, b, 512, 512), fsync(disk);
    return 0;
}
