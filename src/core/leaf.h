/* A CPUID leaf that the machine, not the CPU, has something to say in: 0x40000000 and up. */
#ifndef CORE_LEAF_H
#define CORE_LEAF_H

#include "core/types.h"

struct leaf {
    uint32_t number;
    uint32_t out[4]; /* EAX EBX ECX EDX, of every subleaf */
};

#endif
