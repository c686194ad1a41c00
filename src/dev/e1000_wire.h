/* Headers as they lie on the wire: big-endian fields and Internet checksums. */
#ifndef DEV_E1000_WIRE_H
#define DEV_E1000_WIRE_H

#include "back/net_offload.h"

static inline uint16_t be16_get(const void *p)
{
    const uint8_t *b = p;

    return (uint16_t)(b[0] << 8 | b[1]);
}

static inline void be16_put(void *p, uint16_t v)
{
    uint8_t *b = p;

    b[0] = (uint8_t)(v >> 8);
    b[1] = (uint8_t)v;
}

static inline uint32_t be32_get(const void *p)
{
    return (uint32_t)be16_get(p) << 16 | be16_get((const uint8_t *)p + 2);
}

static inline void be32_put(void *p, uint32_t v)
{
    be16_put(p, (uint16_t)(v >> 16));
    be16_put((uint8_t *)p + 2, (uint16_t)v);
}

static inline uint16_t inet_add(uint16_t a, uint16_t b)
{
    uint32_t s = (uint32_t)a + b;

    return (uint16_t)(s + (s >> 16));
}

/* RFC 1071; folded, not complemented. */
static inline uint16_t inet_sum(const void *p, size_t len)
{
    const struct iovec iov = {(void *)(uintptr_t)p, len};

    return net_sum(&iov, 1, 0, len);
}

#endif
