/*
 * Unpacking on the host what the guest would take billions of instructions to unpack itself.
 *
 * Formats: RFC 1952 (gzip), the .xz file format 1.1.0 with any filter liblzma knows (kernels use
 * BCJ x86 + LZMA2), RFC 8878 (zstd), and the legacy frame of lz4_Frame_format.md. All input is
 * hostile: output is bounded by the caller, and every step either takes input or yields output.
 * Left out: bzip2, lzma-alone and lzo, which Debian does not ship; a kernel so packed is entered
 * through its own unpacker.
 */
#include "board/unpack.h"
#include <errno.h>
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define XZ_MEMORY_MAX       (512ull << 20) /* dictionaries beyond this are refused */
#define ZSTD_WINDOW_LOG_MAX 27             /* 128 MiB; the kernel's own limit for zstd -19 */
#define LZ4_BLOCK           (8u << 20) /* legacy frame: every block but the last unpacks to 8 MiB */
#define STEP                (1u << 20)

enum packing packing_of(const uint8_t *in, size_t len)
{
    static const struct {
        uint8_t magic[6];
        uint8_t n;
        enum packing p;
    } known[] = {
        {{0x1f, 0x8b, 0x08}, 3, PACK_GZIP},       {{0xfd, '7', 'z', 'X', 'Z', 0}, 6, PACK_XZ},
        {{0x28, 0xb5, 0x2f, 0xfd}, 4, PACK_ZSTD}, {{0x02, 0x21, 0x4c, 0x18}, 4, PACK_LZ4},
        {{'B', 'Z', 'h'}, 3, PACK_OTHER},         {{0x5d, 0, 0}, 3, PACK_OTHER},
        {{0x89, 'L', 'Z', 'O'}, 4, PACK_OTHER},
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (len >= known[i].n && !memcmp(in, known[i].magic, known[i].n))
            return known[i].p;
    return PACK_NONE;
}

const char *packing_name(enum packing p)
{
    static const char *const name[] = {"none", "gzip", "xz", "zstd", "lz4", "other"};

    return name[p];
}

/* ---- the growing buffer ---- */

/* Room for n more bytes, within max. Grows by half, so that large outputs are not copied often. */
static int bytes_room(struct bytes *b, size_t n, size_t max)
{
    size_t room;
    uint8_t *p;

    if (b->len > max || n > max - b->len)
        return -EFBIG;
    if (n <= b->room - b->len)
        return 0;
    room = b->len + n + b->room / 2;
    if (room > max)
        room = max;
    p = realloc(b->at, room);
    if (!p)
        return -ENOMEM;
    b->at = p;
    b->room = room;
    return 0;
}

/* As much room as can be had up to STEP; -EFBIG when max is reached. */
static int bytes_step(struct bytes *b, size_t max)
{
    size_t left = b->len < max ? max - b->len : 0;

    if (b->room > b->len)
        return 0;
    return left ? bytes_room(b, left < STEP ? left : STEP, max) : -EFBIG;
}

int bytes_add(struct bytes *b, const void *p, size_t n, size_t max)
{
    int err = bytes_room(b, n, max);

    if (err || !n)
        return err;
    memcpy(b->at + b->len, p, n);
    b->len += n;
    return 0;
}

void bytes_free(struct bytes *b)
{
    free(b->at);
    *b = (struct bytes){0};
}

/* ---- one function a format ---- */

static int unpack_gzip(const uint8_t *in, size_t len, struct bytes *out, size_t max, size_t *used)
{
    z_stream z = {0};
    int r = Z_OK, err = 0;

    if (len > UINT32_MAX)
        return -EFBIG;
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
        return -ENOMEM;
    z.next_in = (uint8_t *)(uintptr_t)in;
    z.avail_in = (uInt)len;
    /* Bound: each round fills at least a byte of the at most max bytes of output, or ends. */
    while (r == Z_OK && !(err = bytes_step(out, max))) {
        size_t room = out->room - out->len;

        z.next_out = out->at + out->len;
        z.avail_out = room > STEP ? STEP : (uInt)room;
        r = inflate(&z, Z_NO_FLUSH);
        out->len = (size_t)(z.next_out - out->at);
    }
    /* An output of exactly max bytes leaves the end of the stream unread: it counts as too big. */
    *used = len - z.avail_in;
    inflateEnd(&z);
    return err ? err : r == Z_STREAM_END ? 0 : r == Z_MEM_ERROR ? -ENOMEM : -EINVAL;
}

static int unpack_xz(const uint8_t *in, size_t len, struct bytes *out, size_t max, size_t *used)
{
    lzma_stream z = LZMA_STREAM_INIT;
    lzma_ret r = lzma_stream_decoder(&z, XZ_MEMORY_MAX, 0);
    int err = 0;

    if (r != LZMA_OK)
        return -ENOMEM;
    z.next_in = in;
    z.avail_in = len;
    /* Bound: as above. */
    while (r == LZMA_OK && !(err = bytes_step(out, max))) {
        z.next_out = out->at + out->len;
        z.avail_out = out->room - out->len;
        r = lzma_code(&z, LZMA_FINISH);
        out->len = (size_t)(z.next_out - out->at);
    }
    *used = len - z.avail_in;
    lzma_end(&z);
    return err ? err : r == LZMA_STREAM_END ? 0 : r == LZMA_MEM_ERROR ? -ENOMEM : -EINVAL;
}

static int unpack_zstd(const uint8_t *in, size_t len, struct bytes *out, size_t max, size_t *used)
{
    ZSTD_DCtx *z = ZSTD_createDCtx();
    ZSTD_inBuffer src = {in, len, 0};
    size_t r = 1;
    int err = 0;

    if (!z)
        return -ENOMEM;
    ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
    /* Bound: each round takes input or yields output; one that does neither ends the loop. */
    while (r && !(err = bytes_step(out, max))) {
        ZSTD_outBuffer dst = {out->at, out->room, out->len};
        size_t before = src.pos;

        r = ZSTD_decompressStream(z, &dst, &src);
        if (ZSTD_isError(r) || (dst.pos == out->len && src.pos == before)) {
            err = -EINVAL;
            break;
        }
        out->len = dst.pos;
        if (r && src.pos == len && out->len < out->room) {
            err = -EINVAL; /* cut short */
            break;
        }
    }
    *used = src.pos;
    ZSTD_freeDCtx(z);
    return err;
}

/* Blocks {u32 packed length, bytes} until the input, or another stream's magic, ends the frame. */
static int unpack_lz4(const uint8_t *in, size_t len, struct bytes *out, size_t max, size_t *used)
{
    size_t at = 4;
    int err = 0;

    /* Bound: every round takes at least four of len bytes. */
    while (!err && len - at >= 4) {
        uint32_t n = le32_get(in + at);
        size_t left = out->len < max ? max - out->len : 0;
        int got, want = (int)(left < LZ4_BLOCK ? left : LZ4_BLOCK);

        if (n == 0 || packing_of(in + at, len - at) != PACK_NONE)
            break;
        if (n > len - at - 4 || n > (uint32_t)LZ4_compressBound(LZ4_BLOCK)) {
            err = -EINVAL;
            break;
        }
        err = bytes_room(out, (size_t)want, max);
        if (err)
            break;
        got = LZ4_decompress_safe((const char *)in + at + 4, (char *)out->at + out->len, (int)n,
                                  want);
        if (got < 0) {
            err = left < LZ4_BLOCK ? -EFBIG : -EINVAL;
            break;
        }
        out->len += (size_t)got;
        at += 4 + (size_t)n;
    }
    *used = at;
    return err;
}

int unpack(enum packing p, const uint8_t *in, size_t len, struct bytes *out, size_t max,
           size_t *used)
{
    *used = 0;
    switch (p) {
    case PACK_GZIP: return unpack_gzip(in, len, out, max, used);
    case PACK_XZ: return unpack_xz(in, len, out, max, used);
    case PACK_ZSTD: return unpack_zstd(in, len, out, max, used);
    case PACK_LZ4: return len < 4 ? -EINVAL : unpack_lz4(in, len, out, max, used);
    default: return -ENOTSUP;
    }
}

/* ---- initramfs: Documentation/driver-api/early-userspace/buffer-format.rst ---- */

#define CPIO_HEAD     110
#define CPIO_ALIGN(n) (((n) + 3) & ~(size_t)3)

static bool cpio_hex(const uint8_t *p, uint32_t *v)
{
    *v = 0;
    for (int i = 0; i < 8; i++) {
        unsigned c = p[i], d = c - '0';

        if (d > 9)
            d = (c | 0x20) - 'a' < 6 ? (c | 0x20) - 'a' + 10 : 16;
        if (d > 15)
            return false;
        *v = *v << 4 | d;
    }
    return true;
}

/* Length of the archive at in (through its trailer), or 0 if it is none. */
static size_t cpio_span(const uint8_t *in, size_t len)
{
    size_t at = 0;

    /* Bound: every member is at least CPIO_HEAD of len bytes. */
    while (len - at >= CPIO_HEAD && !memcmp(in + at, "07070", 5)) {
        uint32_t size, name;
        size_t body, end;
        bool last;

        if (!cpio_hex(in + at + 54, &size) || !cpio_hex(in + at + 94, &name))
            return 0;
        if (name == 0 || name > 4096 || name > len - at - CPIO_HEAD)
            return 0;
        last = name == 11 && !memcmp(in + at + CPIO_HEAD, "TRAILER!!!", 11);
        body = CPIO_ALIGN(at + CPIO_HEAD + name);
        if (body > len || size > len - body)
            return 0;
        end = CPIO_ALIGN(body + size);
        at = end > len ? len : end;
        if (last)
            return at;
    }
    return 0;
}

static int pad4(struct bytes *out, size_t max)
{
    return bytes_add(out, "\0\0\0", CPIO_ALIGN(out->len) - out->len, max);
}

int unpack_initramfs(const uint8_t *in, size_t len, struct bytes *out, size_t max)
{
    size_t at = 0;
    int err = 0;

    /* Bound: every round takes at least one of len bytes. */
    while (!err && at < len) {
        enum packing p;
        size_t n = 0;

        if (in[at] == 0) { /* padding; archives start at multiples of four */
            at++;
            continue;
        }
        p = packing_of(in + at, len - at);
        err = pad4(out, max);
        if (err)
            break;
        if (in[at] == '0') {
            n = cpio_span(in + at, len - at);
            err = n ? bytes_add(out, in + at, n, max) : -EINVAL;
        } else {
            err = unpack(p, in + at, len - at, out, max, &n);
        }
        if (!err && !n)
            err = -EINVAL;
        at += n;
    }
    return err;
}
