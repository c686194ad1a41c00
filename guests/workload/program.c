/*
 * The workload as a Linux program, without a C library, for viaduct exec: the disk is /dev/vda, a
 * request is pread64 or pwrite64, a flush fsync. By SYSCALL as x86-64 has it, or by INT 0x80 as
 * i386 has it (man 2 syscall, man 2 intro; numbers from asm/unistd_64.h and asm/unistd_32.h).
 *
 * Words as those of workload.c. All it says goes out in one write at the end, so that two runs
 * differ in requests only. Exit status: failures << 1 | 1, as the guests have it by the exit port.
 */
#include "work.h"
#include <stdarg.h>

#define SAID_MAX 8192
#define O_RDWR   2

#ifdef __x86_64__
enum {
    SYS_WRITE = 1,
    SYS_PREAD = 17,
    SYS_PWRITE = 18,
    SYS_OPEN = 2,
    SYS_FSYNC = 74,
    SYS_EXIT = 60
};
#else
enum {
    SYS_WRITE = 4,
    SYS_PREAD = 180,
    SYS_PWRITE = 181,
    SYS_OPEN = 5,
    SYS_FSYNC = 118,
    SYS_EXIT = 1
};
#endif

static char said[SAID_MAX];
static unsigned said_len, failures;
static long disk;
static struct req *ended;

#ifdef __x86_64__
static long call(long nr, long a, long b, long c, long d)
{
    register long r10 asm("r10") = d;
    long r;

    asm volatile("syscall"
                 : "=a"(r)
                 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
                 : "rcx", "r11", "memory");
    return r;
}
#else
/* The fifth word is the high half of an offset, which is nought here. */
static long call(long nr, long a, long b, long c, long d)
{
    long r;

    asm volatile("int $0x80"
                 : "=a"(r)
                 : "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(0)
                 : "memory");
    return r;
}
#endif

/* ---- what loop.c needs of where it runs ---- */

void work_open(void)
{
}

void work_sleep(void)
{
}

static void put_char(char c)
{
    if (said_len < SAID_MAX)
        said[said_len++] = c;
}

static void put_text(const char *s)
{
    for (; *s; s++)
        put_char(*s);
}

static void put_number(uint32_t v, unsigned base, unsigned width)
{
    char digits[16];
    unsigned n = 0;

    do {
        digits[n++] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v || n < width);
    while (n)
        put_char(digits[--n]);
}

/* %s, %u and %08x are all that is said here. */
void say(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    for (; *fmt; fmt++) {
        if (*fmt != '%') {
            put_char(*fmt);
            continue;
        }
        fmt++;
        if (*fmt == 's')
            put_text(va_arg(ap, const char *));
        else if (*fmt == 'u')
            put_number(va_arg(ap, unsigned), 10, 1);
        else
            put_number(va_arg(ap, unsigned), 16, 8), fmt += 2;
    }
    va_end(ap);
}

bool check(const char *name, bool ok)
{
    failures += !ok;
    say("%s %s\n", ok ? "ok" : "FAIL", name);
    return ok;
}

bool check_eq(const char *name, uint64_t got, uint64_t want)
{
    return check(name, got == want);
}

/* ---- the way ---- */

static bool disk_open(void)
{
    disk = call(SYS_OPEN, (long)(word) "/dev/vda", O_RDWR, 0, 0);
    return disk >= 0;
}

static void submit(struct req *r)
{
    long got = r->flush ? call(SYS_FSYNC, disk, 0, 0, 0)
                        : call(r->write ? SYS_PWRITE : SYS_PREAD, disk, (long)(word)r->buf,
                               (long)request_size, (long)(r->sector * SECTOR));

    r->failed = got != (r->flush ? 0 : (long)request_size);
    ended = r;
}

static struct req *reap(void)
{
    struct req *r = ended;

    ended = NULL;
    return r;
}

static const struct way way_syscall = {"syscall", 1, disk_open, submit, NULL, reap};

/* ---- words ---- */

static uint32_t number(char **words, const char *key, uint32_t fallback)
{
    for (; *words; words++) {
        const char *w = *words, *k = key;
        uint32_t v = 0;

        while (*k && *k == *w)
            k++, w++;
        if (*k || *w++ != '=')
            continue;
        for (; *w >= '0' && *w <= '9'; w++)
            v = v * 10 + (uint32_t)(*w - '0');
        return v;
    }
    return fallback;
}

/* stack: as the ABI has it at the start, the count and then the words. */
__attribute__((noreturn, used)) void program_main(word *stack)
{
    char **words = (char **)(stack + 1);
    const struct work o = {
        .size = number(words, "size", 4096),
        .read = number(words, "read", 100),
        .blocks = number(words, "blocks", 64),
        .depth = 1,
        .n = number(words, "n", 100),
        .rounds = number(words, "rounds", 1),
        .flushes = number(words, "flushes", 0),
        .seed = number(words, "seed", 1),
        .polled = true, /* a call comes back when it is done */
    };

    if (check("the workload can be run", work_set(&o, &way_syscall)) &&
        check("the disk is there", disk_open()))
        work_run(&o, &way_syscall);
    call(SYS_WRITE, 1, (long)(word)said, (long)said_len, 0);
    for (;;)
        call(SYS_EXIT, (long)(failures << 1 | 1), 0, 0, 0);
}

#ifdef __x86_64__
asm(".globl _start\n_start: mov %rsp, %rdi; and $-16, %rsp; call program_main");
#else
asm(".globl _start\n_start: mov %esp, %eax; and $-16, %esp; sub $12, %esp; push %eax; "
    "call program_main");
#endif

/* gcc emits calls to these by itself. */
void *memset(void *p, int c, size_t n);
void *memcpy(void *d, const void *s, size_t n);
void *memset(void *p, int c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((volatile uint8_t *)p)[i] = (uint8_t)c;
    return p;
}

void *memcpy(void *d, const void *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((volatile uint8_t *)d)[i] = ((const volatile uint8_t *)s)[i];
    return d;
}
