/*
 * A program that tries to get out of viaduct exec. With no argument it lists its attempts, each
 * with the status it must end with; with a name it makes that attempt. Exit 0: refused as it should
 * be; 1: not refused. Those of the CPU end by a signal.
 */
#define _GNU_SOURCE
#include "escape.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int bad;

void escaped(const char *what, long r)
{
    printf("not refused: %s: %ld, %s\n", what, r, r == -1 ? strerrorname_np(errno) : "no error");
    bad = 1;
}

void want(const char *what, long r, int err)
{
    if (r != -1 || errno != err)
        escaped(what, r);
}

int main(int argc, char **argv)
{
#ifdef __i386__
    static const struct attempt *const part[] = {on_narrow, on_files};
#else
    static const struct attempt *const part[] = {on_monitor, on_files, by_calls, on_memory, by_cpu};
#endif

    for (size_t i = 0; i < sizeof(part) / sizeof(*part); i++)
        for (const struct attempt *a = part[i]; a->name; a++)
            if (argc < 2)
                printf("%s %d\n", a->name, a->status);
            else if (!strcmp(argv[1], a->name))
                a->run();
    return bad;
}
