/*
 * Guest RAM: one shared memory file mapped once, shown to the guest as slots (below the PCI hole
 * and above 4 GiB). Only mem/, the engines and the ring files ever hold a pointer into it.
 *
 * A screen is a slot more, the last, with a file of its own behind it: memory to the guest in every
 * way, and to nobody a way from there to the rest.
 */
#ifndef MEM_RAM_H
#define MEM_RAM_H

#include "core/types.h"

#define RAM_PAGE_SHIFT 12
#define RAM_PAGE_SIZE  4096u
#define RAM_SLOTS_MAX  16
#define RAM_LOW_MAX    0xc0000000ull /* RAM above this starts again at 4 GiB */
#define RAM_SCREEN_MAX (32ull << 20)

struct ram_slot {
    gpa_t gpa;
    uint64_t len;
    uint8_t *host;
};

/* Per page flags, one byte a page, index = page number within RAM (slot order). */
enum {
    RAM_CODE = 1,  /* the translator holds code of this page: tell it of writes */
    RAM_DIRTY = 2, /* written since last cleared (dirty tracking) */
    RAM_FAST = 4,  /* some vCPU of the translator may write it without looking at these flags */
    RAM_PATCH = 8, /* instructions of it are patched: no write by the guest before ram_original */
};

struct ram {
    struct ram_slot slot[RAM_SLOTS_MAX];
    unsigned slots;
    uint64_t size;       /* of all slots but a screen's */
    int fd;              /* memfd behind them */
    uint64_t screen;     /* length of the screen, mapped where the rest ends; 0: there is none */
    int screen_fd;       /* memfd behind it */
    bool screen_lent;    /* it is sealed: nobody maps it for writing any more */
    uint8_t *page_flags; /* NULL: memory that a peer lent (mem/lent.h) */
    uint8_t *log;        /* who lent it keeps a dirty log: a bit a page of guest-physical memory */
    uint64_t log_len;    /* in bytes */
    /* Called (any thread) after a device wrote into pages marked RAM_CODE. */
    void (*code_written)(void *arg, gpa_t gpa, uint64_t len);
    void *code_arg;
    /* Kept by the patcher (trap/patch.h): how many pages have RAM_PATCH, and who puts their bytes
     * back. */
    unsigned patches;
    void (*patch_back)(void *arg, gpa_t gpa, uint64_t len);
    void (*patch_store)(void *arg, gpa_t gpa, const void *buf, size_t len); /* and writes there */
    void *patch_arg;
    /* Kept by an engine that RAM_PATCH alone tells too little: the flag of a page changes. */
    void (*guard)(void *arg, gpa_t page, bool on);
    void *guard_arg;
};

int ram_open(struct ram *r, uint64_t size); /* size multiple of 1 MiB; 0 or -errno */
void ram_close(struct ram *r);
/* Adds a screen; before anybody else knows of the memory. gpa and len in whole pages, len at most
 * RAM_SCREEN_MAX. 0 or -errno. */
int ram_screen_add(struct ram *r, gpa_t gpa, uint64_t len);
/* The screen's file, for somebody else to map: he can only read it, and nobody can change its size.
 * The first call seals it: after the engine is made.
 * -ENODEV: there is none. */
int ram_screen_share(struct ram *r);
/* How many pages all slots have. */
size_t ram_pages(const struct ram *r);

/* Pointer to [gpa, gpa+len) if all of it lies in one slot, else NULL. */
uint8_t *ram_ptr(const struct ram *r, gpa_t gpa, uint64_t len);
/* The same without a call: dma, and rings, for each frame. */
static inline uint8_t *ram_host(const struct ram *r, gpa_t gpa, uint64_t len)
{
    const struct ram_slot *s;

    for (s = r->slot; s < r->slot + r->slots; s++)
        if (range_in(gpa, len, s->gpa, s->len))
            return s->host + (gpa - s->gpa);
    return NULL;
}
/* The other way round, for a pointer that ram_ptr gave; 0 if it did not. */
gpa_t ram_gpa(const struct ram *r, const void *host);
/* Page index for page_flags of a gpa inside RAM; caller knows it is RAM. */
size_t ram_page(const struct ram *r, gpa_t gpa);
/* Gives whole pages back to the host: they read 0 from now on. 0, -EFAULT (not RAM in one slot, or
 * not whole pages), or -errno. */
int ram_discard(struct ram *r, gpa_t gpa, uint64_t len);
static inline bool ram_patched(const struct ram *r)
{
    return __atomic_load_n(&r->patches, __ATOMIC_ACQUIRE);
}
/* Tell everybody who must know that [gpa, gpa+len) was written by other than the guest's CPU. */
void ram_written(struct ram *r, gpa_t gpa, uint64_t len);
/* For whoever is about to read [gpa, gpa+len) as the guest left it, or to write there: puts back
 * what is patched. Ranges that aren't RAM have nothing. */
void ram_original(struct ram *r, gpa_t gpa, uint64_t len);

#endif
