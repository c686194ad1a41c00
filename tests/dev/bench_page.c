/* Register pages on the bench (core/shadow.h): what a guest would read there with no trap. */
#include "bench.h"

#include <errno.h>
#include <string.h>

static int show(void *ctx, const struct shadow *s)
{
    struct bench *b = ctx;

    for (unsigned i = 0; i < BENCH_PAGES; i++)
        if (!b->page[i]) {
            b->page[i] = s;
            return 0;
        }
    return -ENOSPC;
}

static void hide(void *ctx, const struct shadow *s)
{
    struct bench *b = ctx;

    for (unsigned i = 0; i < BENCH_PAGES; i++)
        if (b->page[i] == s)
            b->page[i] = NULL;
}

void bench_pages(struct bench *b)
{
    b->page_sink = (struct shadow_sink){show, hide, b};
}

/* page ADDR SIZE VALUE */
int bench_page_verb(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    uint64_t addr = 0, size = 0, want = 0, got = 0;

    if (argc != 4 || script_number(s, argv[1], &addr, err) ||
        script_number(s, argv[2], &size, err) || script_number(s, argv[3], &want, err) || size > 8)
        return error_set(err, -EINVAL, "page ADDR SIZE VALUE");
    for (unsigned i = 0; i < BENCH_PAGES; i++) {
        const struct shadow *p = b->page[i];

        if (!p || !range_in(addr, size, p->gpa, RAM_PAGE_SIZE))
            continue;
        memcpy(&got, p->host + (addr - p->gpa), size);
        return got == want ? 0
                           : error_set(err, -EPROTO, "expected 0x%llx, got 0x%llx",
                                       (unsigned long long)want, (unsigned long long)got);
    }
    return error_set(err, -EINVAL, "no register page there");
}
