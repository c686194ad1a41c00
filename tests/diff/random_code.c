/*
 * Hostile code: every opcode in every form, and random bytes, run as a guest's first instructions
 * in 16-, 32- and 64-bit mode, ring 0 and 3. Whatever they are, the VMM must not crash or hang, the
 * engine must not give up, and no host address may be seen in a guest register. Operands lie at the
 * very ends of guest RAM, beside unmapped memory, so that an access wider than was checked is
 * caught. Batches run in child processes. Intel SDM volume 2, appendix A, for the opcode maps.
 *
 * random_code [--sweep N] [--random N] [--seed S]: every N-th form; N random sequences.
 */
#include "random_code.h"
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 4000, QUIET_SECONDS = 60 };

struct shared { /* with the child */
    atomic_ulong done;
    struct seq now;
    char why[200];
};

/* A test program's main file: one of each. */
static struct shared *sh;

/* ---- children ---- */

struct plan {
    bool kept, sweep;
    uint64_t first, step, end, seed;
};

static void make(struct seq *s, const struct plan *p, uint64_t n)
{
    if (p->kept)
        kept_make(s, n);
    else if (p->sweep)
        sweep_make(s, n);
    else
        random_make(s, p->seed + n);
}

_Noreturn static void child(const struct plan *p)
{
    if (!guest_open())
        _exit(3);
    for (uint64_t n = p->first; n < p->end; n += p->step) {
        make(&sh->now, p, n);
        if (!guest_run(&sh->now, sh->why))
            _exit(2);
        atomic_fetch_add(&sh->done, 1);
    }
    _exit(0);
}

static void tell(const struct plan *p, const char *what)
{
    printf("# %s at %s %llu: %u-bit ring %u, registers %llx, %s\n#  ", what,
           p->kept    ? "kept"
           : p->sweep ? "sweep"
                      : "random",
           (unsigned long long)(p->first + p->step * sh->done), sh->now.bits, sh->now.cpl,
           (unsigned long long)sh->now.at, sh->why);
    for (unsigned i = 0; i < sh->now.len; i++)
        printf(" %02x", sh->now.bytes[i]);
    printf("\n");
    fflush(stdout);
}

/* One child over [first, end); says how many it did before it failed, or all. */
static uint64_t batch(struct plan p, unsigned *failed)
{
    unsigned long seen = 0;
    time_t since = time(NULL);
    int status = 0;
    atomic_store(&sh->done, 0);
    sh->why[0] = 0;
    pid_t pid = fork();
    if (!pid)
        child(&p);
    while (waitpid(pid, &status, WNOHANG) != pid) {
        const struct timespec ms = {0, 2000000};
        nanosleep(&ms, NULL);
        if (atomic_load(&sh->done) != seen) {
            seen = atomic_load(&sh->done);
            since = time(NULL);
        } else if (time(NULL) - since > QUIET_SECONDS) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            break;
        }
    }
    if (status) {
        (*failed)++;
        if (WIFSIGNALED(status))
            snprintf(sh->why, sizeof(sh->why), "signal %d", WTERMSIG(status));
        tell(&p, "failed");
        return sh->done + 1;
    }
    return (p.end - p.first + p.step - 1) / p.step;
}

static unsigned all(struct plan p)
{
    unsigned failed = 0;
    uint64_t end = p.end;
    while (p.first < end && failed < 40) {
        p.end = end - p.first > BATCH * p.step ? p.first + BATCH * p.step : end;
        p.first += batch(p, &failed) * p.step;
    }
    return failed;
}

int main(int argc, char **argv)
{
    uint64_t step = 499, count = 20000, seed = 1, from = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t v = strtoull(argv[i + 1], NULL, 0);
        if (!strcmp(argv[i], "--sweep"))
            step = v;
        else if (!strcmp(argv[i], "--random"))
            count = v;
        else if (!strcmp(argv[i], "--seed"))
            seed = v;
        else if (!strcmp(argv[i], "--from"))
            from = v;
    }
    sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (sh == MAP_FAILED)
        return 1;
    unsigned k = all((struct plan){.kept = true, .step = 1, .end = KEPT});
    printf("%s 1 - what once failed\n", k ? "not ok" : "ok");
    unsigned a = step ? all((struct plan){
                            .sweep = true, .first = from + seed % step, .step = step, .end = SWEEP})
                      : 0;
    printf("%s 2 - every %llu. form of every opcode\n", a ? "not ok" : "ok",
           (unsigned long long)step);
    unsigned b = all((struct plan){.step = 1, .end = count, .seed = seed << 32});
    printf("%s 3 - %llu random sequences from seed %llu\n1..3\n", b ? "not ok" : "ok",
           (unsigned long long)count, (unsigned long long)seed);
    return k || a || b;
}
