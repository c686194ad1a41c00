/* run_script FILE.t …: plays register scripts, each on a bench of its own. TAP on stdout. */
#include "bench.h"

#include <libgen.h>
#include <stdio.h>

#define RAM_SIZE (16ull << 20)

static int play(const char *path, struct error *err)
{
    struct bench *b = bench_open(RAM_SIZE);
    int e;

    if (!b)
        return error_set(err, -1, "out of memory");
    e = script_play(path, &b->world, err);
    bench_close(b);
    return e;
}

int main(int argc, char **argv)
{
    struct error err;
    int i, bad = 0;

    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE.t …\n", argv[0]);
        return 2;
    }
    for (i = 1; i < argc; i++) {
        err.text[0] = '\0';
        if (play(argv[i], &err)) {
            printf("# %s\nnot ok %d - %s\n", err.text, i, basename(argv[i]));
            bad = 1;
        } else {
            printf("ok %d - %s\n", i, basename(argv[i]));
        }
        fflush(stdout);
    }
    return bad;
}
