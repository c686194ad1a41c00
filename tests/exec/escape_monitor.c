/*
 * Engine direct's monitor, which is within reach of a program's addresses.
 */
#define _GNU_SOURCE
#include "escape.h"
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MONITOR ((unsigned char *)0x7d0000000000ul)
#define SHARED  ((unsigned long *)0x7e0000000000ul)

static void by_monitor(long nr, long a, long b, long c, long d, long e, long f)
{
    unsigned char *p = MONITOR;
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    long r;

    while (p[0] != 0x0f || p[1] != 0x05 || p[2] != 0xc3) /* syscall; ret */
        p++;
    __asm__ volatile("call *%1"
                     : "=a"(r)
                     : "r"(p), "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    printf("the host's system call %ld: ", nr);
    escaped("made", r);
}

static void host_getpid(void)
{
    by_monitor(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

static void host_fork(void)
{
    by_monitor(SYS_fork, 0, 0, 0, 0, 0, 0);
}

static void host_execve(void)
{
    by_monitor(SYS_execve, (long)"/bin/sh", 0, 0, 0, 0, 0);
}

static void host_open(void)
{
    by_monitor(SYS_open, (long)"/etc/passwd", 0, 0, 0, 0, 0);
}

static void host_memory(void) /* more than it was given */
{
    by_monitor(SYS_mmap, 0x10000000, 1l << 30, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void host_tables(void) /* page tables */
{
    by_monitor(SYS_mmap, 0x10000000, 4096, 3, MAP_SHARED | MAP_FIXED, 4, 4096);
}

static void host_shared(void) /* another descriptor */
{
    by_monitor(SYS_mmap, 0x10000000, 4096, 3, MAP_SHARED | MAP_FIXED, 3, 1 << 24);
}

static void host_mprotect(void)
{
    by_monitor(SYS_mprotect, (long)MONITOR, 4096, 7, 0, 0, 0);
}

static void scribble(void)
{
    for (unsigned i = 1; i < 0x20000 / 8; i++) /* all but whose turn it is */
        SHARED[i] = 0x4141414141414141ul * (i & 1) + i;
    getpid();
    getpid();
}

const struct attempt on_monitor[] = {
    {"host_getpid", host_getpid, DIE(SIGSEGV)}, {"host_fork", host_fork, DIE(SIGSEGV)},
    {"host_execve", host_execve, DIE(SIGSEGV)}, {"host_open", host_open, DIE(SIGSEGV)},
    {"host_memory", host_memory, DIE(SIGSEGV)}, {"host_tables", host_tables, DIE(SIGSEGV)},
    {"host_shared", host_shared, DIE(SIGSEGV)}, {"host_mprotect", host_mprotect, DIE(SIGSEGV)},
    {"scribble", scribble, DIE(SIGSEGV)},       {0},
};
