/*
 * A stress of what several CPUs share, run as a program of a stock Linux guest (tests/boot/smp).
 * Every part counts what it did and compares with what must come out; a wrong count, a torn value
 * or stale code is a failure, a hang is caught by the test's time limit.
 * Usage: smp_stress ROUNDS. Prints "ok PART …" or "BAD PART …" a part, exit status 1 if any is bad.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4

static unsigned long rounds;
static int bad;
static uint64_t began;

static uint64_t clock_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void verdict(const char *part, int ok, unsigned long got, unsigned long want)
{
    printf("%s %s %lu of %lu, %ld ms\n", ok ? "ok" : "BAD", part, got, want,
           (long)(clock_ms() - began));
    began = clock_ms();
    bad |= !ok;
}

static void threads(void *(*run)(void *))
{
    pthread_t t[THREADS];

    for (long i = 0; i < THREADS; i++)
        if (pthread_create(&t[i], NULL, run, (void *)i))
            exit(2);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
}

/* ---- locks: every kind of locked instruction on one line ---- */

static struct {
    pthread_mutex_t mutex;
    unsigned long plain, add, cas;
    atomic_ulong spin;
    unsigned long spun;
    __uint128_t wide __attribute__((aligned(16)));
} shared = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void wide_add(void)
{
    __uint128_t old = shared.wide, new;

    for (;;) {
        new = old + (((__uint128_t)1 << 64) | 1);
        if (__sync_bool_compare_and_swap(&shared.wide, old, new))
            return;
        old = shared.wide; /* perhaps torn: then the next try fails too */
    }
}

static void *locks(void *arg)
{
    (void)arg;
    for (unsigned long i = 0; i < rounds * 100; i++) {
        unsigned long old = __atomic_load_n(&shared.cas, __ATOMIC_RELAXED);

        pthread_mutex_lock(&shared.mutex);
        shared.plain++;
        pthread_mutex_unlock(&shared.mutex);
        __atomic_fetch_add(&shared.add, 1, __ATOMIC_SEQ_CST);
        while (!__atomic_compare_exchange_n(&shared.cas, &old, old + 1, 0, __ATOMIC_SEQ_CST,
                                            __ATOMIC_RELAXED))
            ;
        while (atomic_exchange(&shared.spin, 1))
            while (atomic_load(&shared.spin))
                __builtin_ia32_pause();
        shared.spun++;
        atomic_store(&shared.spin, 0);
        wide_add();
    }
    return NULL;
}

static void part_locks(void)
{
    unsigned long want = rounds * 100 * THREADS;
    int ok;

    threads(locks);
    ok = shared.plain == want && shared.add == want && shared.cas == want && shared.spun == want &&
         shared.wide == (((__uint128_t)want << 64) | want);
    verdict("locks", ok, shared.plain, want);
}

/* ---- memory order: who sees the flag sees the data ---- */

static struct {
    atomic_ulong data, flag __attribute__((aligned(128)));
} mp;

static void *order(void *arg)
{
    static atomic_ulong wrong;

    if ((long)arg == 0)
        for (unsigned long i = 1; i <= rounds * 1000; i++) {
            atomic_store_explicit(&mp.data, i, memory_order_relaxed);
            atomic_store_explicit(&mp.flag, i, memory_order_release);
        }
    else if ((long)arg == 1)
        while (atomic_load(&mp.flag) < rounds * 1000) {
            unsigned long f = atomic_load_explicit(&mp.flag, memory_order_acquire);

            if (atomic_load_explicit(&mp.data, memory_order_relaxed) < f)
                wrong++;
        }
    return (void *)(uintptr_t)wrong;
}

static void part_order(void)
{
    pthread_t t[2];
    void *wrong;

    pthread_create(&t[0], NULL, order, (void *)0);
    pthread_create(&t[1], NULL, order, (void *)1);
    pthread_join(t[0], NULL);
    pthread_join(t[1], &wrong);
    verdict("order", !wrong, (unsigned long)wrong, 0);
}

/* ---- futexes: a token goes round by condition variables ---- */

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t turn[THREADS];
    unsigned long token;
} ring = {.mutex = PTHREAD_MUTEX_INITIALIZER,
          .turn = {PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER,
                   PTHREAD_COND_INITIALIZER}};

static void *futexes(void *arg)
{
    long me = (long)arg;

    pthread_mutex_lock(&ring.mutex);
    for (unsigned long i = 0; i < rounds; i++) {
        while (ring.token % THREADS != (unsigned long)me)
            pthread_cond_wait(&ring.turn[me], &ring.mutex);
        ring.token++;
        pthread_cond_signal(&ring.turn[(me + 1) % THREADS]);
    }
    pthread_mutex_unlock(&ring.mutex);
    return NULL;
}

static void part_futexes(void)
{
    threads(futexes);
    verdict("futexes", ring.token == rounds * THREADS, ring.token, rounds * THREADS);
}

/* ---- signals: real-time ones queue, so none may be lost ---- */

static atomic_ulong caught;

static void on_signal(int n)
{
    (void)n;
    caught++;
}

static void *signaller(void *target)
{
    for (unsigned long i = 0; i < rounds; i++) {
        union sigval v = {0};

        while (pthread_sigqueue(*(pthread_t *)target, SIGRTMIN, v))
            usleep(100); /* the queue is full */
    }
    return NULL;
}

static atomic_int signals_over;

static void *signalled(void *arg)
{
    volatile double x = 1;

    (void)arg;
    while (!signals_over) /* arithmetic whose registers a handler must not lose */
        for (int i = 1; i < 100; i++)
            x = x * 3 / 3;
    return (void *)(uintptr_t)(x != 1);
}

static void part_signals(void)
{
    pthread_t target, t[2];
    void *off;

    signal(SIGRTMIN, on_signal);
    pthread_create(&target, NULL, signalled, NULL);
    for (int i = 0; i < 2; i++)
        pthread_create(&t[i], NULL, signaller, &target);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    while (caught < 2 * rounds)
        usleep(1000);
    signals_over = 1;
    pthread_join(target, &off);
    verdict("signals", caught == 2 * rounds && !off, caught, 2 * rounds);
}

/* ---- mmap: no access may reach a page after munmap or mprotect returned ---- */

static void *mapper(void *arg)
{
    unsigned long wrong = 0;

    for (unsigned long i = 0; i < rounds; i++) {
        size_t n = 64 * 4096;
        uint64_t *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED)
            exit(2);
        for (size_t at = 0; at < n / 8; at += 512) {
            wrong += p[at] != 0; /* fresh pages are clean, whoever had them before */
            p[at] = (uint64_t)(uintptr_t)arg << 32 | i;
        }
        for (size_t at = 0; at < n / 8; at += 512)
            wrong += p[at] != ((uint64_t)(uintptr_t)arg << 32 | i);
        munmap(p, n);
    }
    return (void *)wrong;
}

/* ---- mprotect: once it returned, no CPU writes the page any more ---- */

static uint64_t *watched;
static atomic_int locked, over;

/* The store failed: it is tried again when the page may be written. */
static void on_fault(int n, siginfo_t *si, void *uc)
{
    (void)n, (void)uc;
    if ((uint64_t *)si->si_addr != watched)
        _exit(3);
    while (locked)
        sched_yield();
}

static void *writer(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; !over; i++)
        __atomic_store_n(watched, i, __ATOMIC_RELAXED);
    return NULL;
}

static void part_protect(void)
{
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    unsigned long moved = 0;
    pthread_t t;

    watched = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigaction(SIGSEGV, &sa, NULL);
    pthread_create(&t, NULL, writer, NULL);
    for (unsigned long i = 0; i < rounds; i++) {
        uint64_t was;

        locked = 1;
        mprotect(watched, 4096, PROT_READ);
        was = __atomic_load_n(watched, __ATOMIC_RELAXED);
        for (int spin = 0; spin < 300; spin++)
            moved += __atomic_load_n(watched, __ATOMIC_RELAXED) != was;
        mprotect(watched, 4096, PROT_READ | PROT_WRITE);
        locked = 0;
        for (int spin = 0; spin < 1000 && __atomic_load_n(watched, __ATOMIC_RELAXED) == was; spin++)
            sched_yield();
    }
    over = 1;
    pthread_join(t, NULL);
    signal(SIGSEGV, SIG_DFL);
    verdict("protect", !moved, moved, 0);
}

static void part_mmap(void)
{
    pthread_t t[THREADS];
    unsigned long wrong = 0;

    for (long i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, mapper, (void *)i);
    for (int i = 0; i < THREADS; i++) {
        void *w;

        pthread_join(t[i], &w);
        wrong += (unsigned long)w;
    }
    verdict("mmap", !wrong, wrong, 0);
}

/*
 * Stale pages: one thread maps a page and hands it to the other by an atomic, takes it back,
 * unmaps it and maps another at the same address. A stale TLB entry would show the old value.
 */
static uint64_t *slot;
static atomic_ulong handed, read_back;

static void *remap_reader(void *arg)
{
    unsigned long wrong = 0;

    (void)arg;
    for (unsigned long i = 1; i <= rounds; i++) {
        while (atomic_load(&handed) < i)
            __builtin_ia32_pause();
        wrong += slot[0] != i;
        slot[1] = i;
        atomic_store(&read_back, i);
    }
    return (void *)wrong;
}

static void part_remap(void)
{
    unsigned long lost = 0;
    pthread_t t;
    void *wrong;

    slot = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_create(&t, NULL, remap_reader, NULL);
    for (unsigned long i = 1; i <= rounds; i++) {
        if (mmap(slot, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                 0) != slot)
            exit(2);
        slot[0] = i;
        atomic_store(&handed, i);
        while (atomic_load(&read_back) < i)
            __builtin_ia32_pause();
        lost += slot[1] != i;
    }
    pthread_join(t, &wrong);
    verdict("remap", !wrong && !lost, (unsigned long)wrong + lost, 0);
}

/* ---- code: one CPU writes a function, another calls it ---- */

static uint8_t *code;

static void emit(unsigned long v)
{
    uint32_t imm = (uint32_t)v;

    code[0] = 0xb8; /* mov eax, imm32; ret */
    memcpy(code + 1, &imm, 4);
    code[5] = 0xc3;
}

static atomic_ulong emitted, called;

static void *caller(void *arg)
{
    unsigned long wrong = 0;

    (void)arg;
    for (unsigned long i = 1; i <= rounds; i++) {
        while (atomic_load(&emitted) < i)
            __builtin_ia32_pause();
        wrong += ((uint32_t(*)(void))(uintptr_t)code)() != (uint32_t)i;
        atomic_store(&called, i);
    }
    return (void *)wrong;
}

static void part_code(void)
{
    pthread_t t;
    void *wrong;

    code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_create(&t, NULL, caller, NULL);
    for (unsigned long i = 1; i <= rounds; i++) {
        emit(i);
        atomic_store(&emitted, i);
        while (atomic_load(&called) < i)
            __builtin_ia32_pause();
    }
    pthread_join(t, &wrong);
    verdict("code", !wrong, (unsigned long)wrong, 0);
}

/* The same, fresh pages each time: a page's first translation races with the CPU that wrote it. */
static void *fresh(void *arg)
{
    unsigned long wrong = 0;

    for (unsigned long i = 0; i < rounds / 4; i++) {
        uint8_t *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        for (uint32_t v = 0; v < 8; v++) {
            uint32_t imm = v + (uint32_t)(uintptr_t)arg * 8;

            p[0] = 0xb8;
            memcpy(p + 1, &imm, 4);
            p[5] = 0xc3;
            wrong += ((uint32_t(*)(void))(uintptr_t)p)() != imm;
        }
        munmap(p, 4096);
    }
    return (void *)wrong;
}

static void part_fresh(void)
{
    pthread_t t[THREADS];
    unsigned long wrong = 0;

    for (long i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, fresh, (void *)i);
    for (int i = 0; i < THREADS; i++) {
        void *w;

        pthread_join(t[i], &w);
        wrong += (unsigned long)w;
    }
    verdict("fresh", !wrong, wrong, 0);
}

/* ---- processes ---- */

static void *forker(void *arg)
{
    unsigned long wrong = 0;

    for (unsigned long i = 0; i < rounds / 20; i++) {
        int status = 0;
        pid_t pid = fork();

        if (!pid)
            _exit((int)((i + (unsigned long)arg) & 127));
        if (pid < 0 || waitpid(pid, &status, 0) != pid ||
            WEXITSTATUS(status) != (int)((i + (unsigned long)arg) & 127))
            wrong++;
    }
    return (void *)wrong;
}

static void part_fork(void)
{
    pthread_t t[THREADS];
    unsigned long wrong = 0;

    for (long i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, forker, (void *)i);
    for (int i = 0; i < THREADS; i++) {
        void *w;

        pthread_join(t[i], &w);
        wrong += (unsigned long)w;
    }
    verdict("fork", !wrong, wrong, 0);
}

int main(int argc, char **argv)
{
    rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
    setvbuf(stdout, NULL, _IOLBF, 0);
    began = clock_ms();
    part_locks();
    part_order();
    part_futexes();
    part_signals();
    part_mmap();
    part_protect();
    part_remap();
    part_code();
    part_fresh();
    part_fork();
    printf("%s\n", bad ? "stress: BAD" : "stress: fine");
    return bad;
}
