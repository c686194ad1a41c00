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
    uint8_t *host = d->enabled ? ram_ptr(d->ram, gpa, len) : NULL;

    if (host && ram_patched(d->ram))
        ram_original(d->ram, gpa, len);
    return host;
}

static void dma_tell(struct dma *d, enum tap_dma_kind kind, gpa_t gpa, size_t len, void *data)
{
    struct tap_dma what = {.kind = kind, .gpa = gpa, .len = len, .data = data};

    if (__builtin_expect(d->tap != NULL, 0))
        d->tap->ops->dma(d->tap, &what);
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

/* Bound: len, whatever the parts say. */
int dma_write_parts(struct dma *d, gpa_t gpa, const struct iovec *part, int parts, size_t len)
{
    uint8_t *host = dma_resolve(d, gpa, len);
    size_t at = 0;

    if (!host)
        return dma_refuse(d, TAP_WRITE, gpa, len);
    for (int i = 0; i < parts; i++) {
        size_t n = part[i].iov_len < len - at ? part[i].iov_len : len - at;

        memcpy(host + at, part[i].iov_base, n);
        dma_count(d, true, n);
        dma_tell(d, TAP_WRITE, gpa + at, n, part[i].iov_base);
        at += n;
    }
    dma_copied(d, at);
    ram_written(d->ram, gpa, len);
    return 0;
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
