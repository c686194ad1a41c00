/*
 * Random reads of 4 KiB in a guest, past its page cache: O_DIRECT and native AIO by bare system
 * calls, so that a static program needs no library. What to run stands in the kernel's command
 * line: randread=DEVICE:DEPTH:COUNT[,DEVICE:DEPTH:COUNT...] Each prints "READ device depth iops".
 * The image's blocks begin with their own number (bench/disk writes it so), which each completion
 * checks: a fast wrong answer is no answer.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BLOCK     4096u
#define DEPTH_MAX 64u

static struct iocb cb[DEPTH_MAX];
static unsigned char *buf[DEPTH_MAX];
static uint64_t seed = 88172645463325252u;

static uint64_t next(void) /* xorshift64 */
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void arm(int fd, unsigned i, uint64_t blocks)
{
    memset(&cb[i], 0, sizeof(cb[i]));
    cb[i].aio_lio_opcode = IOCB_CMD_PREAD;
    cb[i].aio_fildes = (unsigned)fd;
    cb[i].aio_buf = (uint64_t)(uintptr_t)buf[i];
    cb[i].aio_nbytes = BLOCK;
    cb[i].aio_offset = (int64_t)(next() % blocks * BLOCK);
    cb[i].aio_data = i;
}

static void judge(const struct io_event *e)
{
    const struct iocb *c = &cb[e->data];
    uint64_t block;

    memcpy(&block, buf[e->data], sizeof(block));
    if (e->res == BLOCK && block == (uint64_t)c->aio_offset / BLOCK)
        return;
    printf("READ wrong: offset %lld, result %lld, block %llu\n", (long long)c->aio_offset,
           (long long)e->res, (unsigned long long)block);
    exit(1);
}

static void submit(aio_context_t ctx, struct iocb **list, unsigned n)
{
    while (n) {
        long done = syscall(SYS_io_submit, ctx, (long)n, list);

        if (done <= 0)
            die("io_submit");
        list += done;
        n -= (unsigned)done;
    }
}

static void reads(int fd, aio_context_t ctx, unsigned depth, unsigned count, uint64_t blocks)
{
    struct iocb *list[DEPTH_MAX];
    struct io_event ev[DEPTH_MAX];
    unsigned sent = 0, got = 0, n = 0;

    for (; n < depth && sent < count; n++, sent++) {
        arm(fd, n, blocks);
        list[n] = &cb[n];
    }
    while (got < count) {
        long done;

        submit(ctx, list, n);
        done = syscall(SYS_io_getevents, ctx, 1L, (long)depth, ev, NULL);
        if (done <= 0)
            die("io_getevents");
        got += (unsigned)done;
        n = 0;
        for (long i = 0; i < done; i++) {
            judge(&ev[i]);
            if (sent == count)
                continue;
            arm(fd, (unsigned)ev[i].data, blocks);
            list[n++] = &cb[ev[i].data];
            sent++;
        }
    }
}

static void run(const char *dev, unsigned depth, unsigned count)
{
    aio_context_t ctx = 0;
    uint64_t bytes;
    int fd = open(dev, O_RDONLY | O_DIRECT);
    double t;

    if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes))
        die(dev);
    if (syscall(SYS_io_setup, DEPTH_MAX, &ctx))
        die("io_setup");
    if (!depth || depth > DEPTH_MAX)
        exit(2);
    t = now();
    reads(fd, ctx, depth, count, bytes / BLOCK);
    t = now() - t;
    printf("READ %s %u %.0f\n", dev, depth, count / t);
    fflush(stdout);
    syscall(SYS_io_destroy, ctx);
    close(fd);
}

int main(void)
{
    static char line[4096];
    FILE *f = fopen("/proc/cmdline", "r");
    char *p;

    if (!f || !fgets(line, sizeof(line), f) || !(p = strstr(line, "randread=")))
        return 2;
    for (unsigned i = 0; i < DEPTH_MAX; i++)
        if (posix_memalign((void **)&buf[i], BLOCK, BLOCK))
            return 2;
    p = strtok(p + strlen("randread="), " \n");
    for (p = strtok(p, ","); p; p = strtok(NULL, ",")) {
        char dev[64];
        unsigned depth, count;

        if (sscanf(p, "%63[^:]:%u:%u", dev, &depth, &count) != 3)
            return 2;
        run(dev, depth, count);
    }
    return 0;
}
