/*
 * vu_bench SECONDS DEPTH SOCKET…: 4 KiB random reads from vhost-user block devices, DEPTH at once,
 * each socket in turn for SECONDS, packed rings if all have them; a line a socket: its requests a
 * second. The front end sleeps until it is called, as a guest's driver does. bench/domain uses it.
 */
#include "vu_front.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BLOCKS = 16384, PATIENCE_MS = 10000 };

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t sector(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
    return (*seed >> 33) % BLOCKS * (FRONT_BLOCK / 512);
}

/* What has been answered is asked again: how many; -1: something went wrong. */
static int turn(struct front *f, uint64_t *seed, bool more)
{
    int slot, n = 0;

    while ((slot = front_take(f)) >= 0) {
        if (*f->slot[slot].status)
            return -1;
        if (more)
            front_send(f, (unsigned)slot, FRONT_READ, sector(seed));
        n++;
    }
    if (n && more)
        front_kick(f);
    return slot == -1 ? n : -1;
}

static bool measure(struct front *f, double seconds, unsigned depth, double *rate)
{
    double begin, end;
    uint64_t seed = 1, done = 0;

    for (unsigned i = 0; i < depth; i++)
        front_send(f, i, FRONT_READ, sector(&seed));
    front_kick(f);
    begin = now();
    for (end = begin; end - begin < seconds || f->flying; end = now()) {
        int n = turn(f, &seed, end - begin < seconds);

        if (n < 0 || (!n && !front_wait(f, PATIENCE_MS)))
            return false;
        done += (unsigned)n;
    }
    *rate = (double)done / (end - begin);
    return true;
}

int main(int argc, char **argv)
{
    double seconds = argc > 3 ? strtod(argv[1], NULL) : 0;
    unsigned depth = argc > 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;

    if (!depth || depth > FRONT_SLOTS)
        return 2;
    for (int i = 3; i < argc; i++) {
        struct front f;
        double rate = 0;
        int err = front_open(&f, false);

        if (!err)
            err = front_connect(&f, argv[i], 10);
        if (err || !measure(&f, seconds, depth, &rate)) {
            fprintf(stderr, "vu_bench: %s: %s\n", argv[i], err ? strerror(-err) : "no answer");
            return 1;
        }
        printf("%s %.0f\n", argv[i], rate);
        front_close(&f);
    }
    return 0;
}
