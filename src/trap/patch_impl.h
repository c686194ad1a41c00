/* The files of patched instructions share this; trap/patch.h is for the others. */
#ifndef TRAP_PATCH_IMPL_H
#define TRAP_PATCH_IMPL_H

#include "core/cpu_regs.h"
#include "mem/ram.h"
#include "trap/patch.h"
#include "trap/patch_insn.h"

#include <pthread.h>

#define SITES     1024u /* a driver has a few dozen */
#define CODES     (2 * PATCH_PORTS)
#define RANGES    8u
#define OUT_AL    0xe6
#define OUT_EAX   0xe7
#define RFLAGS_TF 0x100u

struct site {
    bool used, live;            /* live: patched now */
    uint8_t strikes, code, len; /* len: of the instruction */
    gpa_t gpa;
    /* The instruction as it was decoded last, from these bytes, in this mode. */
    uint8_t bytes[PATCH_INSN_MAX];
    uint16_t mode;
    struct patch_insn insn;
};

struct patch {
    pthread_mutex_t lock;
    struct ram *ram;
    struct bus *bus;
    struct patch_cpu cpu;
    bool off;
    struct {
        gpa_t base;
        uint64_t len;
    } range[RANGES];
    unsigned ranges;
    uint8_t code[CODES][2]; /* what stood there */
    bool coded[CODES];
    bool second[256]; /* the second of them: half a patch is an OUT to that port */
    struct site site[SITES];
    uint16_t live[SITES]; /* those that are */
    unsigned lives;
    struct patch_stats stats;
};

/* An instruction as the CPU finds it now. */
struct view {
    struct cpu_regs r;
    uint64_t rip; /* where it starts */
    gpa_t gpa;    /* of its first byte */
    uint8_t bytes[PATCH_INSN_MAX];
    size_t n; /* how many of them can be read */
    uint8_t len;
    enum trap_rip where; /* r.rip: at it, or behind it */
};

/* ---- patch_view.c ---- */

uint64_t patch_rip_mask(const struct cpu_regs *r); /* RIP in this mode: how far it counts */
bool patch_supervisor(const struct cpu_regs *r);
/* Up to max bytes at rip, as far as they are mapped RAM; false: fewer than two. */
bool patch_view_at(const struct patch *p, struct view *v, uint64_t rip, size_t max);

/* ---- patch_site.c, all under the lock but the last two ---- */

void patch_code_bytes(unsigned code, uint8_t out[2]);
struct site *patch_site_find(struct patch *p, gpa_t gpa, bool make); /* NULL: none, no room */
void patch_site_make(struct patch *p, const struct view *v);
void patch_site_restore(struct patch *p, struct site *s);
bool patch_swap(struct patch *p, gpa_t gpa, const uint8_t from[2], const uint8_t to[2]);
void patch_store(void *arg, gpa_t gpa, const void *buf, size_t len); /* ram.patch_store */
void patch_back(void *arg, gpa_t gpa, uint64_t len);                 /* ram.patch_back */

#endif
