/*
 * DMA: a device's view of guest memory. Resolves RAM only, never MMIO, so that a device can't
 * re-enter registers. All or nothing: the whole range is checked before the first byte moves.
 */
#ifndef MEM_DMA_H
#define MEM_DMA_H

#include "core/types.h"
#include <sys/uio.h>

struct ram;
struct ledger_row;
struct tap;

struct dma {
    struct ram *ram;
    struct ledger_row *row; /* reads = device reads guest memory; refused counted too */
    bool enabled;           /* bus-master enable; false: every access is refused */
    struct tap *tap;        /* told of each transfer; NULL: nobody listens (core/tap.h) */
};

/* 0, or -EFAULT (not RAM, or disabled). */
int dma_read(struct dma *d, gpa_t gpa, void *buf, size_t len);
int dma_write(struct dma *d, gpa_t gpa, const void *buf, size_t len);

/* As dma_write of a head and of each part behind the one before, but all or nothing. */
struct dma_parts {
    const void *head;
    size_t head_len;
    const struct iovec *iov;
    int iovs;
    size_t len; /* of all of it */
};
int dma_write_parts(struct dma *d, gpa_t gpa, const struct dma_parts *p);

/*
 * Hold [gpa, gpa+len) for zero-copy I/O: adds up to max iovecs at iov (adjacent ones are merged by
 * the caller's choice), returns how many, or -EFAULT. RAM never goes away while the VM lives, so a
 * hold needs no pin; dma_drop after a device-to-memory transfer marks the bytes written
 * (dirty tracking, translated code) and counts them; a device's reads are counted by the hold.
 */
int dma_hold(struct dma *d, gpa_t gpa, size_t len, bool device_writes, struct iovec *iov, int max);
/* Of len bytes, dma_read of the first head into buf and dma_hold of the rest, which the device
 * reads: one iovec or, of nothing, none. */
int dma_peel(struct dma *d, gpa_t gpa, size_t len, void *buf, size_t head, struct iovec *iov);
void dma_drop(struct dma *d, gpa_t gpa, size_t len, bool device_wrote);
/* Ring files, when there is a tap: len bytes of guest memory at host were read into data, or were
 * written and are data's. Of a read the tap may change data. */
void dma_told(struct dma *d, bool write, const void *host, void *data, size_t len);

#endif
