/*
 * The compute benchmark, run natively and inside guests: one line a workload, "name ns", the best
 * of several rounds. Static, so that an initramfs needs nothing else. Each round checks its result,
 * so that a fast wrong answer shows.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 5

static uint64_t now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static volatile uint64_t sink;

static void integer_mix(void)
{
    uint64_t a = 1, b = 2, c = 3;
    for (int i = 0; i < 20000000; i++) {
        a = a * 6364136223846793005ull + 1442695040888963407ull;
        b ^= a >> 13;
        c += (b << 7) ^ (a & 0xffff);
        if (c & 64)
            b += c;
    }
    sink = a ^ b ^ c;
}

static int cmp(const void *x, const void *y)
{
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    return a < b ? -1 : a > b;
}

static uint32_t arr[1 << 18];

static void sort(void)
{
    uint32_t s = 1;
    for (size_t i = 0; i < sizeof(arr) / 4; i++)
        arr[i] = s = s * 1664525 + 1013904223;
    qsort(arr, sizeof(arr) / 4, 4, cmp);
    for (size_t i = 1; i < sizeof(arr) / 4; i++)
        if (arr[i - 1] > arr[i])
            abort();
}

static __attribute__((noinline)) uint64_t fib(unsigned n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static void calls(void)
{
    if (fib(30) != 832040)
        abort();
}

static uint32_t ror(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static uint32_t K[64];

static void sha_init(void)
{
    for (int i = 0; i < 64; i++)
        K[i] = 0x428a2f98u * (uint32_t)(i * 2 + 1) ^ 0x71374491u;
}

static void sha_rounds(void) /* the shape of SHA-256's compression, own constants */
{
    static uint32_t w[64];
    uint32_t h[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    for (int blk = 0; blk < 16384; blk++) {
        for (int i = 0; i < 16; i++)
            w[i] = (uint32_t)(blk * 31 + i * 7);
        for (int i = 16; i < 64; i++) {
            uint32_t s0 = ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3;
            uint32_t s1 = ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10;
            w[i] = w[i - 16] + s0 + w[i - 7] + s1;
        }
        uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], k = h[7];
        for (int i = 0; i < 64; i++) {
            uint32_t t1 =
                k + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i];
            uint32_t t2 = (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
            k = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
        }
        h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e, h[5] += f, h[6] += g, h[7] += k;
    }
    sink = h[0] ^ h[7];
}

#define N 192
static double A[N][N] __attribute__((aligned(16))), B[N][N] __attribute__((aligned(16))),
    C[N][N] __attribute__((aligned(16)));

static void matmul(void) /* SSE2 */
{
    typedef double v2 __attribute__((vector_size(16)));
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            A[i][j] = i + j, B[i][j] = i - j, C[i][j] = 0;
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++) {
            v2 a = {A[i][k], A[i][k]};
            for (int j = 0; j < N; j += 2)
                *(v2 *)&C[i][j] += a * *(v2 *)&B[k][j];
        }
    sink = (uint64_t)C[5][7];
}

static void x87(void)
{
    long double x = 1.0L, y = 0.5L;
    for (int i = 0; i < 3000000; i++) {
        x = x * 1.0000001L + y;
        y = y / 1.0000003L - x * 1e-9L;
    }
    sink = (uint64_t)x;
}

static char buf1[1 << 20], buf2[1 << 20];

static void copy_libc(void)
{
    for (int i = 0; i < 400; i++) {
        memcpy(buf2, buf1, sizeof(buf1));
        __asm__ volatile("" ::: "memory");
    }
}

static void copy_small(void) /* 256 bytes at a time */
{
    for (int i = 0; i < 1000000; i++) {
        memcpy(buf2 + (i & 4095) * 64, buf1 + (i & 1023) * 64, 256);
        __asm__ volatile("" ::: "memory");
    }
}

static void copy_rep(void) /* a tenth of copy_libc's rounds: it takes QEMU 50 ms each */
{
    for (int i = 0; i < 40; i++) {
        void *d = buf2;
        const void *s = buf1;
        size_t n = sizeof(buf1);
        __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
    }
}

static void streams(void) /* two read streams 64 MiB apart */
{
    static char *big;
    if (!big)
        big = mmap(NULL, 130u << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t s = 0;
    for (int r = 0; r < 20; r++)
        for (size_t i = 0; i < 1 << 20; i += 64)
            s += (uint64_t)big[i] + (uint64_t)big[i + (64u << 20)];
    sink = s;
}

static void getppid_(void)
{
    for (int i = 0; i < 200000; i++)
        syscall(SYS_getppid);
}

static void page_fault(void)
{
    size_t n = 4000;
    char *p = mmap(NULL, n * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(p, n * 4096, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < n; i++)
        p[i * 4096] = 1;
    munmap(p, n * 4096);
}

static const char *self;

static void fork_exec(void)
{
    for (int i = 0; i < 40; i++) {
        pid_t p = fork();
        if (!p) {
            execl(self, self, "nothing", (char *)NULL);
            _exit(1);
        }
        int st;
        waitpid(p, &st, 0);
        if (st)
            abort();
    }
}

static void pipe_switch(void)
{
    int a[2], b[2];
    char c = 0;
    if (pipe(a) || pipe(b))
        abort();
    pid_t p = fork();
    if (!p) {
        for (int i = 0; i < 5000; i++)
            if (read(a[0], &c, 1) != 1 || write(b[1], &c, 1) != 1)
                _exit(1);
        _exit(0);
    }
    for (int i = 0; i < 5000; i++)
        if (write(a[1], &c, 1) != 1 || read(b[0], &c, 1) != 1)
            abort();
    waitpid(p, NULL, 0);
    close(a[0]), close(a[1]), close(b[0]), close(b[1]);
}

static unsigned char *code;

static void jit_fresh(void) /* a new function each time: 64 instructions, run once */
{
    for (int i = 0; i < 2000; i++) {
        unsigned char *p = code + (size_t)(i & 255) * 1024, *q = p;
        for (int k = 0; k < 64; k++) { /* add eax, imm32 */
            *q++ = 0x05;
            uint32_t v = (uint32_t)(i * 64 + k);
            memcpy(q, &v, 4);
            q += 4;
        }
        *q = 0xc3;
        sink += (uint64_t)((int (*)(void))p)();
    }
}

static void self_modify(void) /* one immediate rewritten before each call */
{
    unsigned char f[] = {0xb8, 0, 0, 0, 0, 0x05, 1, 0, 0, 0, 0xc3};
    memcpy(code, f, sizeof(f));
    for (uint32_t i = 0; i < 20000; i++) {
        memcpy(code + 1, &i, 4);
        if (((uint32_t(*)(void))code)() != i + 1)
            abort();
    }
}

static const struct {
    const char *name;
    void (*run)(void);
    double per; /* units in one run */
} bench[] = {
    {"integer", integer_mix, 20e6},
    {"sort", sort, 1 << 18},
    {"calls", calls, 2.7e6},
    {"sha256", sha_rounds, 16384},
    {"sse2-matmul", matmul, N *N *(double)N / 2},
    {"x87", x87, 3e6},
    {"memcpy", copy_libc, 400},
    {"memcpy-256", copy_small, 1e6},
    {"rep-movsb", copy_rep, 40},
    {"streams", streams, 20 * 16384.0},
    {"getppid", getppid_, 200000},
    {"page-fault", page_fault, 4000},
    {"fork-exec", fork_exec, 40},
    {"pipe-switch", pipe_switch, 10000},
    {"jit-fresh", jit_fresh, 2000},
    {"self-modify", self_modify, 20000},
};

int main(int argc, char **argv)
{
    self = argv[0];
    if (argc > 1 && !strcmp(argv[1], "nothing"))
        return 0;
    code =
        mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sha_init();
    for (size_t i = 0; i < sizeof(bench) / sizeof(bench[0]); i++) {
        if (argc > 1 && strcmp(argv[1], bench[i].name))
            continue;
        uint64_t best = UINT64_MAX;
        for (int r = 0; r < ROUNDS; r++) {
            uint64_t t = now();
            bench[i].run();
            t = now() - t;
            best = t < best ? t : best;
        }
        printf("BENCH %s %.2f\n", bench[i].name, (double)best / bench[i].per);
        fflush(stdout);
    }
    return 0;
}
