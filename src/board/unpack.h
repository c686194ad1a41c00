/* Unpacking of what kernels and initial RAM disks come packed in: gzip, xz, zstd, legacy lz4. */
#ifndef BOARD_UNPACK_H
#define BOARD_UNPACK_H

#include "core/types.h"

struct bytes { /* a growing buffer; bytes_free when done */
    uint8_t *at;
    size_t len, room;
};

enum packing { PACK_NONE, PACK_GZIP, PACK_XZ, PACK_ZSTD, PACK_LZ4, PACK_OTHER };

/* By magic number. PACK_OTHER: a packing Linux knows and we don't (bzip2, lzma, lzo). */
enum packing packing_of(const uint8_t *in, size_t len);
const char *packing_name(enum packing p);

/*
 * Unpacks one stream and appends it to out, which never grows beyond max bytes. *used is how much
 * of the input the stream took. 0; -EINVAL damaged or cut short; -EFBIG more than max; -ENOMEM;
 * -ENOTSUP. What was appended before an error stays.
 */
int unpack(enum packing p, const uint8_t *in, size_t len, struct bytes *out, size_t max,
           size_t *used);

/*
 * Rewrites an initramfs as Linux accepts it (cpio archives and packed streams one after another,
 * zero padding between) with all streams unpacked. Same errors; the caller then hands the original
 * to the guest, whose own judgement counts.
 */
int unpack_initramfs(const uint8_t *in, size_t len, struct bytes *out, size_t max);

int bytes_add(struct bytes *b, const void *p, size_t n, size_t max);
void bytes_free(struct bytes *b);

#endif
