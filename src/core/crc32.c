/*
 * CRC-32 by carry-less multiplication: V. Gopal and others, "Fast CRC Computation for Generic
 * Polynomials Using PCLMULQDQ Instruction" (Intel, 2009), in its bit-reflected form. A block of 16
 * bytes is moved n bits ahead by multiplying its halves with x^(n+32) and x^(n-32) modulo the
 * polynomial, and added to the block that stands there: four blocks at a time, then one. The last
 * block, and what is shorter than one, is zlib's, as is everything on CPUs without PCLMULQDQ.
 */
#include "core/crc32.h"

#include <immintrin.h>
#include <string.h>
#include <zlib.h>

#define X544 0x154442bd4ll /* x^(4*128+32) mod P, reflected, and so on */
#define X480 0x1c6e41596ll
#define X160 0x1751997d0ll
#define X96  0x0ccaa009ell

#define BLOCK 16u
#define RAW   0xffffffffu /* makes zlib start from a register of zeroes */
#define CLMUL __attribute__((target("pclmul,sse4.1")))

CLMUL static __m128i block(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

CLMUL static __m128i ahead(__m128i x, __m128i by, __m128i next)
{
    __m128i low = _mm_clmulepi64_si128(x, by, 0x00);
    __m128i high = _mm_clmulepi64_si128(x, by, 0x11);

    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/* len is at least 64. */
CLMUL static uint32_t crc_clmul(const uint8_t *p, size_t len)
{
    const __m128i four = _mm_set_epi64x(X480, X544), one = _mm_set_epi64x(X96, X160);
    __m128i x[4];
    uint8_t last[BLOCK];

    for (unsigned i = 0; i < 4; i++)
        x[i] = block(p + i * BLOCK);
    x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128(-1)); /* the register starts as ones */
    for (p += 4 * BLOCK, len -= 4 * BLOCK; len >= 4 * BLOCK; p += 4 * BLOCK, len -= 4 * BLOCK)
        for (unsigned i = 0; i < 4; i++)
            x[i] = ahead(x[i], four, block(p + i * BLOCK));
    for (unsigned i = 1; i < 4; i++)
        x[0] = ahead(x[0], one, x[i]);
    for (; len >= BLOCK; p += BLOCK, len -= BLOCK)
        x[0] = ahead(x[0], one, block(p));
    memcpy(last, &x[0], sizeof(last));
    return (uint32_t)crc32(crc32(RAW, last, BLOCK), p, (uInt)len);
}

uint32_t crc32_ieee(const void *p, size_t len)
{
    if (len >= 4 * BLOCK && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1"))
        return crc_clmul(p, len);
    return (uint32_t)crc32_z(0, p, len);
}
