/*
 * kills VIADUCT KILLS [split|packed] [direct] [seed=N]: viaduct domain under a load that verifies
 * itself, killed (SIGKILL) at random moments, while it serves or while it comes back, and started
 * again at once. Each block holds its number and the number of the write that it has from; one
 * request at a time is in flight for a block, so what a read must find is known: the last write
 * that was acknowledged. After each kill the whole disk is read, through the new domain and from
 * the image.
 *
 * Prints what was counted and, in TAP, what was promised: no acknowledged write is lost, nothing
 * is answered twice, nothing is forgotten.
 */
#include "vu_front.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BLOCKS = 192, DEPTH = 32, BOUND_S = 60, KILLS_MAX = 100000 };
#define SOCK  "sock"
#define IMAGE "image"

struct load {
    struct front f;
    const char *viaduct;
    bool packed, direct;
    pid_t domain;
    uint64_t seed;
    uint32_t written[BLOCKS]; /* the last write that was acknowledged */
    bool busy[BLOCKS];
    struct {
        unsigned block, kind;
        uint32_t number;
    } asked[FRONT_SLOTS];
    uint64_t reads, writes, lost, twice, failed;
    double *took; /* from each kill to the first answer, seconds */
    unsigned kills, in_flight;
};

static unsigned roll(struct load *l, unsigned n)
{
    l->seed = l->seed * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(l->seed >> 33) % n;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- the domain ---- */

static void domain_start(struct load *l)
{
    char disk[64], *argv[] = {(char *)l->viaduct, "domain", "--disk", disk, NULL};

    snprintf(disk, sizeof(disk), IMAGE ",socket=" SOCK "%s%s", l->packed ? ",packed" : "",
             l->direct ? ",direct" : "");
    l->domain = fork();
    if (l->domain)
        return;
    if (!freopen("domain.err", "a", stderr))
        _exit(1);
    execv(l->viaduct, argv);
    _exit(127);
}

static void domain_kill(struct load *l)
{
    kill(l->domain, SIGKILL);
    waitpid(l->domain, NULL, 0);
    front_disconnect(&l->f);
}

static bool domain_return(struct load *l)
{
    int err;

    domain_start(l);
    err = front_connect(&l->f, SOCK, BOUND_S);
    if (err)
        printf("# no way back to the domain: %s\n", strerror(-err));
    return !err;
}

/* ---- the load ---- */

/* Every word of a block depends on its place, its number and the write's. */
static uint64_t word(unsigned block, uint32_t number, unsigned i)
{
    uint64_t x = ((uint64_t)block << 32 | number) + 0x9e3779b97f4a7c15ull * (i + 1);

    x ^= x >> 29;
    return x * 0xbf58476d1ce4e5b9ull;
}

static void fill(uint8_t *data, unsigned block, uint32_t number)
{
    for (unsigned i = 0; i < FRONT_BLOCK / 8; i++)
        le64_put(data + 8 * i, number ? word(block, number, i) : 0);
}

static bool holds(const uint8_t *data, unsigned block, uint32_t number)
{
    for (unsigned i = 0; i < FRONT_BLOCK / 8; i++)
        if (le64_get(data + 8 * i) != (number ? word(block, number, i) : 0))
            return false;
    return true;
}

static void request(struct load *l, unsigned slot, unsigned block, unsigned kind)
{
    l->asked[slot].block = block;
    l->asked[slot].kind = kind;
    l->asked[slot].number = l->written[block] + 1;
    l->busy[block] = true;
    if (kind == FRONT_WRITE)
        fill(l->f.slot[slot].data, block, l->asked[slot].number);
    else
        memset(l->f.slot[slot].data, 0xee, FRONT_BLOCK);
    front_send(&l->f, slot, kind, (uint64_t)block * (FRONT_BLOCK / 512));
}

static void more(struct load *l)
{
    for (unsigned slot = 0; slot < DEPTH; slot++) {
        unsigned block = roll(l, BLOCKS);

        if (!l->f.slot[slot].flying && !l->busy[block])
            request(l, slot, block, roll(l, 4) ? FRONT_WRITE : FRONT_READ);
    }
    front_kick(&l->f);
}

static void answered(struct load *l, unsigned slot)
{
    unsigned block = l->asked[slot].block;

    l->busy[block] = false;
    if (*l->f.slot[slot].status) {
        l->failed++;
    } else if (l->asked[slot].kind == FRONT_WRITE) {
        l->written[block] = l->asked[slot].number;
        l->writes++;
    } else {
        l->reads++;
        l->lost += !holds(l->f.slot[slot].data, block, l->written[block]);
    }
}

/* What has been answered by now: how many. */
static unsigned collect(struct load *l)
{
    unsigned n = 0;
    int slot;

    while ((slot = front_take(&l->f)) != -1) {
        n++;
        if (slot < 0)
            l->twice++;
        else
            answered(l, (unsigned)slot);
    }
    return n;
}

/* At least one answer; false: none came in time. */
static bool progress(struct load *l)
{
    double until = now() + BOUND_S;
    unsigned n;

    while (!(n = collect(l)) && now() < until)
        front_wait(&l->f, 1000);
    return n;
}

static bool quiet(struct load *l)
{
    while (l->f.flying)
        if (!progress(l)) {
            printf("# %u requests are not answered\n", l->f.flying);
            return false;
        }
    return true;
}

/* All blocks, through the domain and from the image. */
static bool verify(struct load *l, int image)
{
    uint8_t data[FRONT_BLOCK];

    for (unsigned block = 0; block < BLOCKS;) {
        for (unsigned slot = 0; slot < DEPTH && block < BLOCKS; slot++, block++)
            request(l, slot, block, FRONT_READ);
        front_kick(&l->f);
        if (!quiet(l))
            return false;
    }
    for (unsigned block = 0; block < BLOCKS; block++)
        l->lost += pread(image, data, FRONT_BLOCK, (off_t)block * FRONT_BLOCK) != FRONT_BLOCK ||
                   !holds(data, block, l->written[block]);
    return true;
}

static void spin(unsigned ns)
{
    double until = now() + ns / 1e9;

    while (now() < until)
        ;
}

/* Load for a while, of a random number of answers; then a moment more, so that the kill may come
 * anywhere in what the domain does for one request. */
static bool work(struct load *l)
{
    for (unsigned left = roll(l, 300); left;) {
        unsigned n;

        more(l);
        if (!progress(l))
            return false;
        n = collect(l) + 1;
        left = left > n ? left - n : 0;
    }
    more(l);
    spin(roll(l, 60000));
    return true;
}

/* One kill, or a few when the next comes before the domain is quite back. */
static bool fall(struct load *l)
{
    double begin;

    domain_kill(l);
    begin = now();
    l->in_flight += l->f.flying;
    if (!domain_return(l))
        return false;
    if (l->f.flying && !progress(l))
        return false;
    l->took[l->kills++] = now() - begin;
    return true;
}

static int by_size(const void *a, const void *b)
{
    double d = *(const double *)a - *(const double *)b;

    return d < 0 ? -1 : d > 0;
}

static void report(struct load *l)
{
    qsort(l->took, l->kills, sizeof(*l->took), by_size);
    printf("# %s%s: %u kills, %llu writes and %llu reads, %.1f in flight at a kill\n",
           l->packed ? "packed" : "split", l->direct ? ", direct" : "", l->kills,
           (unsigned long long)l->writes, (unsigned long long)l->reads,
           l->kills ? (double)l->in_flight / l->kills : 0.0);
    printf("# lost %llu, answered twice %llu, failed %llu\n", (unsigned long long)l->lost,
           (unsigned long long)l->twice, (unsigned long long)l->failed);
    if (l->kills)
        printf("# from kill to first answer: min %.1f ms, median %.1f, p99 %.1f, max %.1f\n",
               1e3 * l->took[0], 1e3 * l->took[l->kills / 2], 1e3 * l->took[l->kills * 99 / 100],
               1e3 * l->took[l->kills - 1]);
}

static bool promise(bool good, const char *what)
{
    static unsigned count;

    printf("%sok %u - %s\n", good ? "" : "not ", ++count, what);
    return good;
}

static bool run(struct load *l, unsigned kills, int image)
{
    if (!domain_return(l) || !l->f.tracked)
        return false;
    while (l->kills < kills) {
        if (!work(l) || !fall(l))
            return false;
        while (l->kills < kills && !roll(l, 4)) { /* again, while it replays */
            spin(roll(l, 300000));
            if (!fall(l))
                return false;
        }
        if (!quiet(l) || !verify(l, image))
            return false;
    }
    return true;
}

/* In order: SIGTERM, and another takes over. */
static bool upgrade(struct load *l, int image)
{
    int status;

    if (!work(l))
        return false;
    kill(l->domain, SIGTERM);
    if (waitpid(l->domain, &status, 0) != l->domain || status)
        return false;
    front_disconnect(&l->f);
    return domain_return(l) && quiet(l) && verify(l, image);
}

int main(int argc, char **argv)
{
    struct load *l = calloc(1, sizeof(*l));
    unsigned kills = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    int image = open(IMAGE, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good;

    if (!l || !kills || kills > KILLS_MAX || image < 0 ||
        ftruncate(image, (off_t)BLOCKS * FRONT_BLOCK))
        return 2;
    l->viaduct = argv[1];
    l->seed = 1;
    for (int i = 3; i < argc; i++) {
        if (!strcmp(argv[i], "packed"))
            l->packed = true;
        else if (!strcmp(argv[i], "direct"))
            l->direct = true;
        else if (!strncmp(argv[i], "seed=", 5))
            l->seed = strtoull(argv[i] + 5, NULL, 10);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    l->took = calloc(kills, sizeof(*l->took));
    if (!l->took || front_open(&l->f, l->packed))
        return 2;
    good = promise(run(l, kills, image), "the domain comes back each time, and answers all");
    good &= promise(good && upgrade(l, image), "SIGTERM and another domain: the same");
    report(l);
    good &= promise(!l->lost && !l->failed, "no acknowledged write is lost, nothing is corrupt");
    good &= promise(!l->twice, "nothing is answered twice");
    good &= promise(l->in_flight > l->kills, "and there was something in flight to be lost");
    kill(l->domain, SIGTERM);
    waitpid(l->domain, NULL, 0);
    front_close(&l->f);
    free(l->took);
    free(l);
    return good ? 0 : 1;
}
