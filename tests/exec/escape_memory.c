/*
 * Mappings outside its addresses, and more of everything than it may have.
 */
#define _GNU_SOURCE
#include "escape.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static void mappings(void)
{
    unsigned long top = TOP;
    int fix = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, rw = PROT_READ | PROT_WRITE;
    char *p = mmap(NULL, 8192, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    WANT(mmap(KERNEL, 4096, rw, fix, -1, 0), ENOMEM);
    WANT(mmap((void *)top, 4096, rw, fix, -1, 0), ENOMEM);
    WANT(mmap((void *)(top - 4096), 8192, rw, fix, -1, 0), ENOMEM);
    WANT(mmap((void *)-4096l, 4096, rw, fix, -1, 0), ENOMEM);
    WANT(mmap((void *)0, 4096, rw, fix, -1, 0), EPERM);
    WANT(mmap((void *)4096, 1l << 62, rw, fix, -1, 0), ENOMEM);
    WANT(mmap(p + 1, 4096, rw, fix, -1, 0), EINVAL);
    WANT(mmap(NULL, -1ul, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    WANT(mmap(NULL, 1ul << 46, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    WANT(mmap(NULL, 4096, 0x1000007, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
    WANT(munmap(KERNEL, 4096), EINVAL);
    WANT(munmap((void *)-4096l, 8192), EINVAL);
    WANT(munmap(p, -4096ul), EINVAL);
    WANT(mprotect(KERNEL, 4096, rw), EINVAL);
    WANT(mprotect((void *)(top - 4096), 8192, rw), EINVAL);
    WANT(mremap(KERNEL, 4096, 8192, MREMAP_MAYMOVE), EFAULT);
    WANT(mremap(p, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, KERNEL), EINVAL);
    WANT(mremap(p, 8192, -4096ul, MREMAP_MAYMOVE), ENOMEM);
    WANT(madvise(KERNEL, 4096, MADV_DONTNEED), EINVAL);
    WANT(syscall(SYS_arch_prctl, 0x1002, KERNEL), EPERM);
    if (syscall(SYS_brk, KERNEL) != syscall(SYS_brk, 0) ||
        syscall(SYS_brk, -1l) != syscall(SYS_brk, 0))
        escaped("brk", 0);
    *(volatile char *)p = 1; /* still whole */
}

static void limits(void)
{
    int n = 0, fd;
    char *p = NULL, *q;

    while ((fd = dup(0)) >= 0)
        n++;
    want("a descriptor too many", fd, EMFILE);
    if (n < 200 || n > 1000)
        escaped("descriptors", n);
    for (n = 0; n < 100000; n++) { /* one area each: the rights differ */
        q = mmap(NULL, 4096, n & 1 ? PROT_READ : PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (q == MAP_FAILED)
            break;
        p = q;
    }
    if (errno != ENOMEM || n < 500 || n > 2000)
        escaped("mappings", n);
    munmap(p, 4096);
    for (int i = 600; i < 1400; i++) /* more kinds than there are lines for */
        syscall(i);
}

static void too_much(void)
{
    char *p = malloc(60ul << 20), *q;

    memset(p, 1, 60ul << 20);
    for (int i = 0; i < 10; i++)
        q = malloc(40ul << 20), memset(q, 1, 40ul << 20);
}

static int deeper(volatile int *p)
{
    volatile int here[1000];

    here[0] = p ? *p : 1;
    return deeper(here) + here[0];
}

static void deep(void)
{
    deeper(NULL);
}

const struct attempt on_memory[] = {
    {"mappings", mappings, 0},
    {"limits", limits, 0},
    {"too_much", too_much, DIE(SIGKILL)},
    {"deep", deep, DIE(SIGSEGV)},
    {0},
};
