/*
 * A shared directory from within a guest, mounted at /mnt by the program itself: one file written
 * and read from its beginning to its end, in pieces of 1 MiB and of 4 KiB, then many small files
 * made, looked at, read and removed. Nothing is cached on the client's side (cache=none, Linux'
 * default). What was read is compared with what was written. Prints "SHARE what number": MB/s, or
 * operations a second.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MIB   (1u << 20)
#define SIZE  (64u * MIB)
#define SMALL 500u

static unsigned char buf[MIB], got[MIB];

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void stream(const char *what, size_t size, size_t piece, int writes)
{
    int fd = open("/mnt/stream", writes ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY, 0644);
    double start = now();

    if (fd < 0)
        fail(what);
    for (size_t at = 0; at < size; at += piece) {
        unsigned char *part = buf + at % MIB;

        if (writes ? write(fd, part, piece) != (ssize_t)piece
                   : read(fd, got, piece) != (ssize_t)piece || memcmp(got, part, piece))
            fail(what);
    }
    printf("SHARE %s %.1f\n", what, (double)size / 1e6 / (now() - start));
    close(fd);
}

static int make(const char *name)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);

    return fd < 0 || write(fd, buf, 100) != 100 || close(fd);
}

static int look(const char *name)
{
    struct stat st;

    return stat(name, &st) || st.st_size != 100;
}

static int fetch(const char *name)
{
    int fd = open(name, O_RDONLY);

    return fd < 0 || read(fd, got, 200) != 100 || memcmp(got, buf, 100) || close(fd);
}

static void each(const char *what, int (*go)(const char *name))
{
    double start = now();
    char name[64];

    for (unsigned i = 0; i < SMALL; i++) {
        snprintf(name, sizeof(name), "/mnt/small/%u", i);
        if (go(name))
            fail(what);
    }
    printf("SHARE %s %.0f\n", what, SMALL / (now() - start));
}

int main(void)
{
    if (mount("host", "/mnt", "9p", 0, "trans=virtio,version=9p2000.L"))
        fail("mount");
    for (unsigned i = 0; i < MIB; i++)
        buf[i] = (unsigned char)(i * 2654435761u >> 24);
    stream("write-1M", SIZE, MIB, 1);
    stream("read-1M", SIZE, MIB, 0);
    stream("write-4k", SIZE / 8, 4096, 1);
    stream("read-4k", SIZE / 8, 4096, 0);
    if (mkdir("/mnt/small", 0755))
        fail("mkdir");
    each("create", make);
    each("stat", look);
    each("open-read", fetch);
    each("remove", unlink);
    rmdir("/mnt/small");
    unlink("/mnt/stream");
    umount("/mnt");
    printf("SHARE done 1\n");
    return 0;
}
