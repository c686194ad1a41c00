/* A device's view of guest memory: resolves RAM only, checks the whole range first. */
#include "mem/dma.h"
#include "core/ledger.h"
#include "core/tap.h"
#include "mem/ram.h"

#include <errno.h>
#include <string.h>

/* A device finds what the guest wrote, and no patched instruction. */
static uint8_t *dma_resolve(struct dma *d, gpa_t gpa, size_t len)
{
    uint8_t *host = d->enabled ? ram_host(d->ram, gpa, len) : NULL;

    if (host && ram_patched(d->ram))
        ram_original(d->ram, gpa, len);
    return host;
}

static __attribute__((noinline)) void tap_tell(struct dma *d, enum tap_dma_kind kind, gpa_t gpa,
                                               size_t len, void *data)
{
    struct tap_dma what = {.kind = kind, .gpa = gpa, .len = len, .data = data};

    d->tap->ops->dma(d->tap, &what);
}

static inline void dma_tell(struct dma *d, enum tap_dma_kind kind, gpa_t gpa, size_t len,
                            void *data)
{
    if (__builtin_expect(d->tap != NULL, 0))
        tap_tell(d, kind, gpa, len, data);
}

/* A refused crossing moves no bytes. */
static int dma_refuse(struct dma *d, enum tap_dma_kind kind, gpa_t gpa, size_t len)
{
    if (d->row) {
        ledger_add(d->row, kind == TAP_WRITE || kind == TAP_HOLD_WRITE, 0);
        ledger_refuse(d->row);
    }
    dma_tell(d, kind, gpa, len, NULL);
    return -EFAULT;
}

static void dma_count(struct dma *d, bool write, size_t len)
{
    if (d->row)
        ledger_add(d->row, write, len);
}

static void dma_copied(struct dma *d, size_t len)
{
    if (d->row)
        ledger_copy(d->row, len);
}

int dma_read(struct dma *d, gpa_t gpa, void *buf, size_t len)
{
    const uint8_t *host = dma_resolve(d, gpa, len);

    if (!host)
        return dma_refuse(d, TAP_READ, gpa, len);
    memcpy(buf, host, len);
    dma_count(d, false, len);
    dma_copied(d, len);
    dma_tell(d, TAP_READ, gpa, len, buf);
    return 0;
}

int dma_write(struct dma *d, gpa_t gpa, const void *buf, size_t len)
{
    uint8_t *host = dma_resolve(d, gpa, len);

    if (!host)
        return dma_refuse(d, TAP_WRITE, gpa, len);
    memcpy(host, buf, len);
    dma_count(d, true, len);
    dma_copied(d, len);
    ram_written(d->ram, gpa, len);
    dma_tell(d, TAP_WRITE, gpa, len, (void *)(uintptr_t)buf);
    return 0;
}

typedef unsigned __int128 wide;

/* Most are a few bytes of headers: two moves that may overlap, no call. */
static inline void move(uint8_t *to, const uint8_t *from, size_t n)
{
    if (n - 16 <= 16) {
        wide low, high;

        memcpy(&low, from, sizeof(low));
        memcpy(&high, from + n - sizeof(high), sizeof(high));
        memcpy(to, &low, sizeof(low));
        memcpy(to + n - sizeof(high), &high, sizeof(high));
    } else if (n - 8 < 8) {
        uint64_t low, high;

        memcpy(&low, from, sizeof(low));
        memcpy(&high, from + n - sizeof(high), sizeof(high));
        memcpy(to, &low, sizeof(low));
        memcpy(to + n - sizeof(high), &high, sizeof(high));
    } else {
        memcpy(to, from, n);
    }
}

static void parts_tell(struct dma *d, gpa_t gpa, const struct dma_parts *p)
{
    dma_tell(d, TAP_WRITE, gpa, p->head_len, (void *)(uintptr_t)p->head);
    gpa += p->head_len;
    for (int i = 0; i < p->iovs; i++) {
        dma_tell(d, TAP_WRITE, gpa, p->iov[i].iov_len, p->iov[i].iov_base);
        gpa += p->iov[i].iov_len;
    }
}

/* Does the sum say what the parts have? Else they might be written beyond what was looked up. */
static bool parts_fit(const struct dma_parts *p)
{
    size_t left = p->len;

    if (p->head_len > left)
        return false;
    left -= p->head_len;
    for (int i = 0; i < p->iovs; i++) {
        if (p->iov[i].iov_len > left)
            return false;
        left -= p->iov[i].iov_len;
    }
    return !left;
}

int dma_write_parts(struct dma *d, gpa_t gpa, const struct dma_parts *p)
{
    uint8_t *host = parts_fit(p) ? dma_resolve(d, gpa, p->len) : NULL;

    if (!host)
        return dma_refuse(d, TAP_WRITE, gpa, p->len);
    move(host, p->head, p->head_len);
    host += p->head_len;
    for (int i = 0; i < p->iovs; i++) {
        move(host, p->iov[i].iov_base, p->iov[i].iov_len);
        host += p->iov[i].iov_len;
    }
    if (d->row)
        ledger_add_all(d->row, true, 1u + (unsigned)p->iovs, p->len);
    dma_copied(d, p->len);
    ram_written(d->ram, gpa, p->len);
    if (__builtin_expect(d->tap != NULL, 0))
        parts_tell(d, gpa, p);
    return 0;
}

int dma_peel(struct dma *d, gpa_t gpa, size_t len, void *buf, size_t head, struct iovec *iov)
{
    uint8_t *host = head <= len ? dma_resolve(d, gpa, len) : NULL;

    if (!host)
        return dma_refuse(d, TAP_READ, gpa, len);
    move(buf, host, head);
    if (d->row)
        ledger_add_all(d->row, false, 2, len);
    dma_copied(d, head);
    dma_tell(d, TAP_READ, gpa, head, buf);
    dma_tell(d, TAP_HOLD_READ, gpa + head, len - head, host + head);
    *iov = (struct iovec){.iov_base = host + head, .iov_len = len - head};
    return len > head;
}

int dma_hold(struct dma *d, gpa_t gpa, size_t len, bool device_writes, struct iovec *iov, int max)
{
    enum tap_dma_kind kind = device_writes ? TAP_HOLD_WRITE : TAP_HOLD_READ;
    uint8_t *host = dma_resolve(d, gpa, len);

    if (!host || max < 1)
        return dma_refuse(d, kind, gpa, len);
    if (!device_writes)
        dma_count(d, false, len);
    dma_tell(d, kind, gpa, len, host);
    if (!len)
        return 0;
    *iov = (struct iovec){.iov_base = host, .iov_len = len};
    return 1;
}

void dma_drop(struct dma *d, gpa_t gpa, size_t len, bool device_wrote)
{
    if (!device_wrote)
        return;
    dma_count(d, true, len);
    ram_written(d->ram, gpa, len);
    if (__builtin_expect(d->tap != NULL, 0))
        dma_tell(d, TAP_DROP, gpa, len, ram_ptr(d->ram, gpa, len));
}

void dma_told(struct dma *d, bool write, const void *host, void *data, size_t len)
{
    dma_tell(d, write ? TAP_WRITE : TAP_READ, ram_gpa(d->ram, host), len, data);
}
