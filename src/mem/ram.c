/* Guest RAM: a memfd mapped once. Slots never touch each other, so a range is RAM if and only if
 * it lies in one slot. */
#include "mem/ram.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RAM_UNIT      (1ull << 20)
#define RAM_HIGH_BASE (1ull << 32)
#define GUARD         (1ull << 21) /* nothing is mapped before and after; keeps huge pages whole */
#define SPARE         (2 * GUARD + RAM_SCREEN_MAX) /* of addresses: guards, and a screen's place */

static void slot_add(struct ram *r, gpa_t gpa, uint64_t len, uint8_t *host)
{
    r->slot[r->slots++] = (struct ram_slot){.gpa = gpa, .len = len, .host = host};
}

static int ram_map(struct ram *r, uint64_t size)
{
    uint64_t low = size < RAM_LOW_MAX ? size : RAM_LOW_MAX;
    uint8_t *host;

    /* Its length is sealed: a process that it is lent to (vhost-user) can't cut it short. */
    if (ftruncate(r->fd, (off_t)size) ||
        fcntl(r->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        return -errno;
    host = mmap(NULL, size + SPARE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (host == MAP_FAILED)
        return -errno;
    host = mmap(host + GUARD, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED,
                r->fd, 0);
    if (host == MAP_FAILED)
        return -errno;
    madvise(host, size, MADV_HUGEPAGE); /* advice: kernels without shared huge pages refuse it */
    slot_add(r, 0, low, host);
    if (size > low)
        slot_add(r, RAM_HIGH_BASE, size - low, host + low);
    r->size = size;
    return 0;
}

int ram_open(struct ram *r, uint64_t size)
{
    int err;

    memset(r, 0, sizeof(*r));
    r->fd = r->screen_fd = -1;
    if (!size || size % RAM_UNIT || size > INT64_MAX)
        return -EINVAL;
    r->page_flags = calloc(size >> RAM_PAGE_SHIFT, 1);
    if (!r->page_flags)
        return -ENOMEM;
    r->fd = memfd_create("guest-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    err = r->fd < 0 ? -errno : ram_map(r, size);
    if (err)
        ram_close(r);
    return err;
}

void ram_close(struct ram *r)
{
    if (r->slots)
        munmap(r->slot[0].host - GUARD, r->size + SPARE);
    if (r->fd >= 0)
        close(r->fd);
    if (r->screen)
        close(r->screen_fd);
    free(r->page_flags);
    memset(r, 0, sizeof(*r));
    r->fd = r->screen_fd = -1;
}

/* ---- the screen ---- */

size_t ram_pages(const struct ram *r)
{
    return (size_t)((r->size + r->screen) >> RAM_PAGE_SHIFT);
}

int ram_screen_add(struct ram *r, gpa_t gpa, uint64_t len)
{
    uint8_t *at = r->slot[0].host + r->size, *flags;
    int fd, err = 0;

    if (!len || len > RAM_SCREEN_MAX || len % RAM_PAGE_SIZE || gpa % RAM_PAGE_SIZE ||
        r->slots == RAM_SLOTS_MAX || r->screen)
        return -EINVAL;
    flags = realloc(r->page_flags, (r->size + len) >> RAM_PAGE_SHIFT);
    if (!flags)
        return -ENOMEM;
    memset(flags + (r->size >> RAM_PAGE_SHIFT), 0, len >> RAM_PAGE_SHIFT);
    r->page_flags = flags;
    fd = memfd_create("guest-screen", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, (off_t)len) ||
        mmap(at, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, 0) != at)
        err = -errno;
    if (err) {
        if (fd >= 0)
            close(fd);
        return err;
    }
    slot_add(r, gpa, len, at);
    r->screen = len;
    r->screen_fd = fd;
    return 0;
}

int ram_screen_share(struct ram *r)
{
    static const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

    if (!r->screen)
        return -ENODEV;
    if (!r->screen_lent && fcntl(r->screen_fd, F_ADD_SEALS, seals))
        return -errno;
    r->screen_lent = true;
    return r->screen_fd;
}

uint8_t *ram_ptr(const struct ram *r, gpa_t gpa, uint64_t len)
{
    return ram_host(r, gpa, len);
}

gpa_t ram_gpa(const struct ram *r, const void *host)
{
    const uint8_t *p = host;

    for (const struct ram_slot *s = r->slot; s < r->slot + r->slots; s++)
        if (p >= s->host && (size_t)(p - s->host) < s->len)
            return s->gpa + (gpa_t)(p - s->host);
    return 0;
}

size_t ram_page(const struct ram *r, gpa_t gpa)
{
    const struct ram_slot *s;
    size_t first = 0;

    for (s = r->slot; s < r->slot + r->slots; s++) {
        if (range_in(gpa, 1, s->gpa, s->len))
            return first + (size_t)((gpa - s->gpa) >> RAM_PAGE_SHIFT);
        first += (size_t)(s->len >> RAM_PAGE_SHIFT);
    }
    return 0;
}

/* Sets RAM_DIRTY; says whether the translator holds code of this page. */
static bool page_written(uint8_t *flags)
{
    uint8_t f = __atomic_load_n(flags, __ATOMIC_RELAXED);

    if (!(f & RAM_DIRTY))
        __atomic_fetch_or(flags, RAM_DIRTY, __ATOMIC_RELAXED);
    return f & RAM_CODE;
}

void ram_original(struct ram *r, gpa_t gpa, uint64_t len)
{
    size_t page, last;

    if (!ram_patched(r) || !len || !ram_ptr(r, gpa, len))
        return;
    last = ram_page(r, gpa + len - 1);
    for (page = ram_page(r, gpa); page <= last; page++)
        if (__atomic_load_n(&r->page_flags[page], __ATOMIC_RELAXED) & RAM_PATCH) {
            r->patch_back(r->patch_arg, gpa, len);
            return;
        }
}

/* Pages behind the log's end have no bit; who lent it knows. Bound: the range's pages. */
static void log_written(const struct ram *r, gpa_t gpa, uint64_t len)
{
    uint64_t last = (gpa + len - 1) >> RAM_PAGE_SHIFT;

    for (uint64_t page = gpa >> RAM_PAGE_SHIFT; page <= last && page / 8 < r->log_len; page++)
        __atomic_fetch_or(&r->log[page / 8], (uint8_t)(1u << page % 8), __ATOMIC_SEQ_CST);
}

void ram_written(struct ram *r, gpa_t gpa, uint64_t len)
{
    size_t page, last;
    bool code = false;

    if ((!r->page_flags && !r->log) || !len || !ram_ptr(r, gpa, len))
        return;
    if (!r->page_flags) {
        if (r->log)
            log_written(r, gpa, len);
        return;
    }
    /* The bytes first, then the flags: pairs with the translator, which sets RAM_CODE before it
     * reads the bytes it translates. One of the two sees the other. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    last = ram_page(r, gpa + len - 1);
    for (page = ram_page(r, gpa); page <= last; page++)
        code |= page_written(&r->page_flags[page]);
    if (code && r->code_written)
        r->code_written(r->code_arg, gpa, len);
}

int ram_discard(struct ram *r, gpa_t gpa, uint64_t len)
{
    uint8_t *host = ram_ptr(r, gpa, len);

    if (!host || !len || gpa % RAM_PAGE_SIZE || len % RAM_PAGE_SIZE)
        return -EFAULT;
    if (madvise(host, len, MADV_REMOVE))
        return -errno;
    ram_written(r, gpa, len); /* it is other memory now */
    return 0;
}
