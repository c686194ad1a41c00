/*
 * 9P messages: fields out of a request, fields into a reply. All integers are little-endian; a
 * string is a 16-bit length and its bytes, without a NUL. Reading past a request's end marks it bad
 * and gives zeros, so that handlers look once, at the end (p9_end).
 */
#include "back/p9_server.h"
#include <errno.h>
#include <string.h>

/* The next len bytes, or NULL. */
static const uint8_t *next(struct p9_in *in, size_t len)
{
    const uint8_t *at = in->at;

    if (in->bad || len > (size_t)(in->end - at)) {
        in->bad = true;
        return NULL;
    }
    in->at += len;
    return at;
}

uint8_t p9_u8(struct p9_in *in)
{
    const uint8_t *p = next(in, 1);

    return p ? *p : 0;
}

uint16_t p9_u16(struct p9_in *in)
{
    const uint8_t *p = next(in, 2);

    return p ? le16_get(p) : 0;
}

uint32_t p9_u32(struct p9_in *in)
{
    const uint8_t *p = next(in, 4);

    return p ? le32_get(p) : 0;
}

uint64_t p9_u64(struct p9_in *in)
{
    const uint8_t *p = next(in, 8);

    return p ? le64_get(p) : 0;
}

int p9_text(struct p9_in *in, char *buf, size_t max)
{
    size_t len = p9_u16(in);
    const uint8_t *p = next(in, len);

    *buf = 0;
    if (!p || memchr(p, 0, len))
        return -EINVAL;
    if (len > max)
        return -ENAMETOOLONG;
    memcpy(buf, p, len);
    buf[len] = 0;
    return 0;
}

int p9_end(const struct p9_in *in)
{
    return in->bad || in->at != in->end ? -EINVAL : 0;
}

/* ---- replies ---- */

static void put(struct p9_out *out, const void *p, size_t len)
{
    if (len > sizeof(out->buf) - out->len) {
        out->full = true;
        return;
    }
    memcpy(out->buf + out->len, p, len);
    out->len += (uint32_t)len;
}

void p9_put8(struct p9_out *out, uint8_t v)
{
    put(out, &v, 1);
}

void p9_put16(struct p9_out *out, uint16_t v)
{
    uint8_t b[2];

    le16_put(b, v);
    put(out, b, sizeof(b));
}

void p9_put32(struct p9_out *out, uint32_t v)
{
    uint8_t b[4];

    le32_put(b, v);
    put(out, b, sizeof(b));
}

void p9_put64(struct p9_out *out, uint64_t v)
{
    uint8_t b[8];

    le64_put(b, v);
    put(out, b, sizeof(b));
}

void p9_put_text(struct p9_out *out, const char *s, size_t len)
{
    p9_put16(out, (uint16_t)len);
    put(out, s, len);
}

/* One number a file, unique in the share. Subvolumes have inode numbers of their own, told apart by
 * their device number: multiplied by the golden ratio it lands in bits that inodes rarely use. */
uint64_t p9_qid_path(const struct p9_server *s, const struct stat *st)
{
    uint64_t other = (uint64_t)st->st_dev ^ (uint64_t)s->root_dev;

    return (uint64_t)st->st_ino ^ other * 0x9e3779b97f4a7c15;
}

void p9_put_qid(struct p9_out *out, const struct p9_server *s, const struct stat *st)
{
    uint64_t changed = (uint64_t)st->st_ctim.tv_sec * 1000000000u + (uint64_t)st->st_ctim.tv_nsec;

    p9_put8(out, S_ISDIR(st->st_mode) ? 0x80 : S_ISLNK(st->st_mode) ? 2 : 0);
    p9_put32(out, (uint32_t)(changed ^ changed >> 32));
    p9_put64(out, p9_qid_path(s, st));
}

void p9_error(uint8_t reply[P9_ERROR_LEN], const uint8_t head[P9_HEAD], int err)
{
    enum { RLERROR = 7 };

    le32_put(reply, P9_ERROR_LEN);
    reply[4] = RLERROR;
    memcpy(reply + 5, head + 5, 2);
    le32_put(reply + P9_HEAD, (uint32_t)-err);
}

/* ---- iovecs ---- */

int p9_slice(const struct iovec *iov, int n, uint64_t off, uint64_t len, struct iovec *part)
{
    int parts = 0;

    for (int i = 0; i < n && len; i++) {
        uint64_t have = iov[i].iov_len, take;

        if (off >= have) {
            off -= have;
            continue;
        }
        take = have - off < len ? have - off : len;
        part[parts++] = (struct iovec){(uint8_t *)iov[i].iov_base + off, (size_t)take};
        len -= take;
        off = 0;
    }
    return parts;
}

void p9_copy(const struct iovec *iov, int n, uint64_t off, const void *buf, size_t len)
{
    const uint8_t *from = buf;
    struct iovec part[P9_IOVS];
    int parts = p9_slice(iov, n, off, len, part);

    for (int i = 0; i < parts; i++) {
        memcpy(part[i].iov_base, from, part[i].iov_len);
        from += part[i].iov_len;
    }
}
