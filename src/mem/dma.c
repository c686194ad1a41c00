/* A device's view of guest memory: resolves RAM only, checks the whole range first. */
#include "mem/dma.h"
#include "core/ledger.h"
#include "mem/ram.h"

#include <errno.h>
#include <string.h>

static uint8_t *dma_resolve(struct dma *d, gpa_t gpa, size_t len)
{
    return d->enabled ? ram_ptr(d->ram, gpa, len) : NULL;
}

/* A refused crossing moves no bytes. */
static int dma_refuse(struct dma *d, bool write)
{
    if (d->row) {
        ledger_add(d->row, write, 0);
        ledger_refuse(d->row);
    }
    return -EFAULT;
}

static void dma_count(struct dma *d, bool write, size_t len)
{
    if (d->row)
        ledger_add(d->row, write, len);
}

int dma_read(struct dma *d, gpa_t gpa, void *buf, size_t len)
{
    const uint8_t *host = dma_resolve(d, gpa, len);

    if (!host)
        return dma_refuse(d, false);
    memcpy(buf, host, len);
    dma_count(d, false, len);
    return 0;
}

int dma_write(struct dma *d, gpa_t gpa, const void *buf, size_t len)
{
    uint8_t *host = dma_resolve(d, gpa, len);

    if (!host)
        return dma_refuse(d, true);
    memcpy(host, buf, len);
    dma_count(d, true, len);
    ram_written(d->ram, gpa, len);
    return 0;
}

int dma_hold(struct dma *d, gpa_t gpa, size_t len, bool device_writes, struct iovec *iov, int max)
{
    uint8_t *host = dma_resolve(d, gpa, len);

    if (!host || max < 1)
        return dma_refuse(d, device_writes);
    if (!device_writes)
        dma_count(d, false, len);
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
}
