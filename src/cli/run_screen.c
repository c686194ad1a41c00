/* viaduct run --screen WIDTHxHEIGHT: a frame buffer for the guest. */
#include "board/board.h"
#include "cli/run.h"
#include "core/error.h"
#include "mem/ram.h"
#include <errno.h>
#include <stdio.h>

int run_screen_take(void *run, const char *value, struct error *err)
{
    struct vm_screen *s = &((struct run *)run)->vm.screen;
    int end = 0;

    if (sscanf(value, "%4u%*1[x]%4u%n", &s->width, &s->height, &end) != 2 || !end || value[end] ||
        s->width < BOARD_SCREEN_MIN || s->height < BOARD_SCREEN_MIN ||
        s->width > BOARD_SCREEN_MAX || s->height > BOARD_SCREEN_MAX)
        return error_set(err, -EINVAL,
                         "--screen %s: must be WIDTHxHEIGHT, as 1024x768, each from %u to %u",
                         value, BOARD_SCREEN_MIN, BOARD_SCREEN_MAX);
    if ((uint64_t)s->width * s->height * 4 > RAM_SCREEN_MAX)
        return error_set(err, -EINVAL, "--screen %s: is more than %llu MiB", value,
                         (unsigned long long)(RAM_SCREEN_MAX >> 20));
    return 0;
}
