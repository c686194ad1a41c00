/*
 * The screen of a running machine. The machine may lie: its numbers are judged, and the memory must
 * be sealed against shrinking, so that reading it never ends in SIGBUS.
 */
#include "cli/screen.h"
#include "core/error.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint32_t number(const cJSON *said, const char *name)
{
    double n = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(said, name));

    return n >= 1 && n <= 4.0 * SCREEN_MAX ? (uint32_t)n : 0; /* NaN is neither */
}

static bool sealed(int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);

    return seals >= 0 && (seals & F_SEAL_SHRINK);
}

int screen_take(struct screen *s, int fd, struct error *err)
{
    struct stat st = {0};
    void *p = MAP_FAILED;

    s->len = (size_t)s->stride * s->height;
    if (s->width && s->width <= SCREEN_MAX && s->height && s->height <= SCREEN_MAX &&
        s->stride <= 4 * SCREEN_MAX && s->stride / 4 >= s->width && s->stride % 4 == 0 && fd >= 0 &&
        sealed(fd) && !fstat(fd, &st) && (uint64_t)st.st_size >= s->len)
        p = mmap(NULL, s->len, PROT_READ, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    if (p == MAP_FAILED) {
        *s = (struct screen){0};
        return error_set(err, -EPROTO, "the machine lends no screen that can be used");
    }
    s->at = p;
    return 0;
}

int screen_map(struct screen *s, const cJSON *said, int fd, struct error *err)
{
    *s = (struct screen){.width = number(said, "width"),
                         .height = number(said, "height"),
                         .stride = number(said, "stride")};
    return screen_take(s, fd, err);
}

void screen_unmap(struct screen *s)
{
    if (s->at)
        munmap((void *)(uintptr_t)s->at, s->len);
    *s = (struct screen){0};
}
