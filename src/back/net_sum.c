/*
 * The Internet checksum (RFC 1071) over scattered bytes, and walks over iovec lists. The sum is
 * made in 64-bit steps in the host's byte order, which RFC 1071 section 2(B) allows, and turned
 * around at the end.
 */
#include "back/net_offload.h"
#include <errno.h>
#include <string.h>

static uint64_t fold(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* Little-endian sum of a piece that begins at an even byte of the whole. At most 2^32 steps of two
 * 32-bit halves, so the 64 bits don't overflow. */
static uint64_t sum_piece(const uint8_t *p, size_t n)
{
    uint64_t low = 0, high = 0, v[4];

    for (; n >= sizeof(v); p += sizeof(v), n -= sizeof(v)) {
        memcpy(v, p, sizeof(v));
        low +=
            (v[0] & 0xffffffff) + (v[1] & 0xffffffff) + (v[2] & 0xffffffff) + (v[3] & 0xffffffff);
        high += (v[0] >> 32) + (v[1] >> 32) + (v[2] >> 32) + (v[3] >> 32);
    }
    low += high;
    for (; n >= 2; p += 2, n -= 2)
        low += le16_get(p);
    return n ? low + *p : low;
}

uint16_t net_sum(const struct iovec *iov, int iovs, size_t at, size_t len)
{
    uint64_t sum = 0;
    bool odd = false;

    for (int i = 0; i < iovs && len; i++) {
        size_t n = iov[i].iov_len;
        uint64_t part;

        if (at >= n) {
            at -= n;
            continue;
        }
        n -= at;
        if (n > len)
            n = len;
        part = fold(sum_piece((const uint8_t *)iov[i].iov_base + at, n));
        sum += odd ? (part & 0xff) << 8 | part >> 8 : part;
        odd ^= n & 1;
        len -= n;
        at = 0;
    }
    sum = fold(sum);
    return (uint16_t)((sum & 0xff) << 8 | sum >> 8);
}

size_t net_head(const struct net_frame *f, uint8_t *buf, size_t n)
{
    size_t at = 0;

    for (int i = 0; i < f->iovs && at < n; i++) {
        size_t len = f->iov[i].iov_len < n - at ? f->iov[i].iov_len : n - at;

        if (len)
            memcpy(buf + at, f->iov[i].iov_base, len);
        at += len;
    }
    return at;
}

int net_slice(struct iovec *out, int room, const struct net_frame *f, size_t at, size_t len)
{
    int n = 0;

    for (int i = 0; i < f->iovs && len; i++) {
        size_t part = f->iov[i].iov_len;

        if (at >= part) {
            at -= part;
            continue;
        }
        if (n == room)
            return -EINVAL;
        part -= at;
        if (part > len)
            part = len;
        out[n++] = (struct iovec){(uint8_t *)f->iov[i].iov_base + at, part};
        len -= part;
        at = 0;
    }
    return len ? -EINVAL : n;
}

bool net_frame_ok(const struct net_frame *f)
{
    size_t left = f->len;

    if (f->len < NET_FRAME_MIN || f->len > NET_FRAME_MAX || f->iovs < 1 || f->iovs > NET_IOVS_MAX)
        return false;
    for (int i = 0; i < f->iovs; i++) {
        if (f->iov[i].iov_len > left)
            return false;
        left -= f->iov[i].iov_len;
    }
    return !left;
}
