/*
 * What a system call costs a program: a trivial one, and a read of 4 KiB that is in memory. The
 * best of its rounds, in nanoseconds. bench/exec runs it natively and otherwise.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 9
#define CALLS  50000
#define READS  10000
#define BLOCKS 256 /* the file has at least as many of 4 KiB */
#define STRIDE 37  /* odd, so that all of them come */

static char block[4096] __attribute__((aligned(4096)));

static uint64_t now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static double trivial(void)
{
    uint64_t best = UINT64_MAX;

    for (int r = 0; r < ROUNDS; r++) {
        uint64_t t = now();

        for (int i = 0; i < CALLS; i++)
            syscall(SYS_getppid);
        t = now() - t;
        best = t < best ? t : best;
    }
    return (double)best / CALLS;
}

static double reads(int fd)
{
    uint64_t best = UINT64_MAX;

    for (int r = 0; r < ROUNDS; r++) {
        uint64_t t = now();

        for (int i = 0; i < READS; i++)
            if (pread(fd, block, sizeof(block), (off_t)(i * STRIDE % BLOCKS) * 4096) != 4096)
                return -1;
        t = now() - t;
        best = t < best ? t : best;
    }
    return (double)best / READS;
}

int main(int argc, char **argv)
{
    int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;

    printf("BENCH trivial %.1f\n", trivial());
    if (fd >= 0)
        printf("BENCH read4k %.1f\n", reads(fd));
    return argc > 1 && fd < 0;
}
