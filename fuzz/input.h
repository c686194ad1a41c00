/* The bytes a fuzzer made up, taken from the front; when they run out, zeroes. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include "core/types.h"
#include <string.h>

struct input {
    const uint8_t *p;
    size_t len;
};

static inline size_t take(struct input *in, void *buf, size_t n)
{
    size_t have = n < in->len ? n : in->len;

    memset(buf, 0, n);
    if (have)
        memcpy(buf, in->p, have);
    in->p += have;
    in->len -= have;
    return have;
}

static inline uint64_t take_int(struct input *in, unsigned bytes)
{
    uint8_t b[8] = {0};

    take(in, b, bytes);
    return le64_get(b);
}

static inline uint8_t take_u8(struct input *in)
{
    return (uint8_t)take_int(in, 1);
}

static inline uint16_t take_u16(struct input *in)
{
    return (uint16_t)take_int(in, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What fuzzing is for: a broken promise ends the process, and the input is kept. */
#define PROMISE(x)                                                                                 \
    do {                                                                                           \
        if (!(x))                                                                                  \
            __builtin_trap();                                                                      \
    } while (0)

#endif
