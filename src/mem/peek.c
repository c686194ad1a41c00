/* A few bytes of guest RAM that vCPUs may change meanwhile. */
#include "mem/peek.h"

#include <string.h>

bool ram_peek(const struct ram *r, gpa_t gpa, void *buf, size_t len)
{
    const uint8_t *p = ram_ptr(r, gpa, len);

    if (!p)
        return false;
    if (len == 8 && gpa % 8 == 0)
        le64_put(buf, __atomic_load_n((const uint64_t *)(const void *)p, __ATOMIC_RELAXED));
    else if (len == 4 && gpa % 4 == 0)
        le32_put(buf, __atomic_load_n((const uint32_t *)(const void *)p, __ATOMIC_RELAXED));
    else
        memcpy(buf, p, len);
    return true;
}

bool ram_poke(struct ram *r, gpa_t gpa, const void *buf, size_t len)
{
    uint8_t *p = ram_ptr(r, gpa, len);

    if (p)
        memcpy(p, buf, len);
    return p;
}

bool ram_swap(struct ram *r, gpa_t gpa, const uint8_t from[2], const uint8_t to[2])
{
    uint8_t *p = ram_ptr(r, gpa, 2);
    uint16_t was = le16_get(from);

    return p && __atomic_compare_exchange_n((uint16_t *)(void *)p, &was, le16_get(to), false,
                                            __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}
