/*
 * Register pages that a guest reads with no trap: the device keeps the bytes of a page of its own
 * current, the engine lets the guest read that page, and writes trap as MMIO as ever
 * (docs/mechanisms.md). Only for devices whose reads have no side effect.
 */
#ifndef CORE_SHADOW_H
#define CORE_SHADOW_H

#include "core/types.h"

struct shadow {
    gpa_t gpa;     /* of the page; not RAM */
    uint8_t *host; /* its 4096 bytes, page-aligned: what the guest reads there */
    int fd;        /* the memory file host maps from 0: for a guest in another process */
};

struct shadow_sink {
    /* Before the machine runs; s stays where it is until hide. 0 or -errno. */
    int (*show)(void *ctx, const struct shadow *s);
    void (*hide)(void *ctx, const struct shadow *s); /* no vCPU runs */
    void *ctx;
};

#endif
