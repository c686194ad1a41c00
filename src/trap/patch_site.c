/*
 * The table of patched instructions: the two bytes that stood at each, named by a code, and how
 * they come and go. A page with any of them is marked (RAM_PATCH), so that its own bytes are back
 * before a store of the guest reaches it.
 */
#include "mem/peek.h"
#include "trap/patch_impl.h"

#include <string.h>

#define PROBES      16u /* of the table, for one address */
#define STRIKES_MAX 8u  /* times put back for its own sake; then the site stays as it is */
#define LINE        64u

/* ---- codes ---- */

void patch_code_bytes(unsigned code, uint8_t out[2])
{
    out[0] = code < PATCH_PORTS ? OUT_AL : OUT_EAX;
    out[1] = (uint8_t)(PATCH_PORT + code % PATCH_PORTS);
}

/* CODES: there are no more. */
static unsigned code_for(struct patch *p, const uint8_t bytes[2])
{
    unsigned c;

    for (c = 0; c < CODES && p->coded[c]; c++)
        if (!memcmp(p->code[c], bytes, 2))
            return c;
    if (c < CODES) {
        memcpy(p->code[c], bytes, 2);
        p->coded[c] = true;
        p->second[bytes[1]] = true;
    }
    return c;
}

/* ---- sites ---- */

struct site *patch_site_find(struct patch *p, gpa_t gpa, bool make)
{
    unsigned at = (unsigned)((gpa ^ gpa >> 10) % SITES);

    for (unsigned i = 0; i < PROBES; i++) {
        struct site *s = &p->site[(at + i) % SITES];

        if (s->used && s->gpa == gpa)
            return s;
        if (!s->used) {
            if (make)
                *s = (struct site){.used = true, .gpa = gpa};
            return make ? s : NULL;
        }
    }
    return NULL;
}

/* No vCPU may read one byte before and the other after. */
static void quiet(const struct patch *p, bool on)
{
    if (p->cpu.quiet)
        p->cpu.quiet(p->cpu.ctx, on);
}

bool patch_swap(struct patch *p, gpa_t gpa, const uint8_t from[2], const uint8_t to[2])
{
    bool done;

    quiet(p, true);
    done = ram_swap(p->ram, gpa, from, to);
    quiet(p, false);
    return done;
}

static bool page_patched(const struct patch *p, gpa_t page)
{
    for (unsigned i = 0; i < p->lives; i++)
        if ((p->site[p->live[i]].gpa & ~(gpa_t)(RAM_PAGE_SIZE - 1)) == page)
            return true;
    return false;
}

static void page_mark(struct patch *p, gpa_t gpa, bool on)
{
    struct ram *ram = p->ram;
    uint8_t *flags = &ram->page_flags[ram_page(ram, gpa)];
    gpa_t page = gpa & ~(gpa_t)(RAM_PAGE_SIZE - 1);

    if (on == ((*flags & RAM_PATCH) != 0))
        return;
    if (on) {
        __atomic_fetch_or(flags, RAM_PATCH, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&ram->patches, 1, __ATOMIC_SEQ_CST);
    } else {
        __atomic_fetch_and(flags, (uint8_t)~RAM_PATCH, __ATOMIC_SEQ_CST);
        __atomic_fetch_sub(&ram->patches, 1, __ATOMIC_SEQ_CST);
    }
    if (ram->guard)
        ram->guard(ram->guard_arg, page, on);
}

static void site_live(struct patch *p, struct site *s, bool live)
{
    uint16_t index = (uint16_t)(s - p->site);
    unsigned i = 0;

    if (s->live == live)
        return;
    s->live = live;
    if (live) {
        p->live[p->lives++] = index;
        return;
    }
    while (p->live[i] != index)
        i++;
    p->live[i] = p->live[--p->lives];
}

/* The guest's bytes stay; but of one that it wrote over half, the other half goes. */
static void half_restore(struct patch *p, const struct site *s, const uint8_t ours[2])
{
    uint8_t now[2], want[2];

    if (!ram_peek(p->ram, s->gpa, now, 2))
        return;
    for (unsigned i = 0; i < 2; i++)
        want[i] = now[i] == ours[i] ? p->code[s->code][i] : now[i];
    if (memcmp(now, want, 2) && patch_swap(p, s->gpa, now, want))
        ram_written(p->ram, s->gpa, 2);
}

void patch_site_restore(struct patch *p, struct site *s)
{
    uint8_t ours[2];

    if (!s->live)
        return;
    patch_code_bytes(s->code, ours);
    site_live(p, s, false);
    if (patch_swap(p, s->gpa, ours, p->code[s->code])) {
        p->stats.restored++;
        ram_written(p->ram, s->gpa, 2);
    } else {
        p->stats.lost++;
        half_restore(p, s, ours);
    }
    if (!page_patched(p, s->gpa & ~(gpa_t)(RAM_PAGE_SIZE - 1)))
        page_mark(p, s->gpa, false);
}

void patch_site_make(struct patch *p, const struct view *v)
{
    struct site *s = patch_site_find(p, v->gpa, true);
    unsigned code;
    uint8_t ours[2];

    if (!s || s->strikes >= STRIKES_MAX || v->gpa % LINE == LINE - 1 ||
        (code = code_for(p, v->bytes)) == CODES) {
        p->stats.refused++;
        return;
    }
    s->code = (uint8_t)code;
    s->len = v->len;
    site_live(p, s, true);
    page_mark(p, v->gpa, true); /* first, so that no write slips through */
    patch_code_bytes(code, ours);
    if (patch_swap(p, v->gpa, v->bytes, ours)) {
        p->stats.made++;
        ram_written(p->ram, v->gpa, 2);
    } else {
        patch_site_restore(p, s); /* somebody was faster, or it is patched */
    }
}

/* ---- from outside ---- */

static void range_restore(struct patch *p, gpa_t gpa, uint64_t len)
{
    for (unsigned i = p->lives; i--;) { /* the last takes the place of one that goes */
        struct site *s = &p->site[p->live[i]];

        if (s->gpa - gpa < len || gpa - s->gpa < s->len)
            patch_site_restore(p, s);
    }
}

void patch_restore(struct patch *p, gpa_t gpa, uint64_t len)
{
    pthread_mutex_lock(&p->lock);
    range_restore(p, gpa, len);
    pthread_mutex_unlock(&p->lock);
}

/* Nothing is patched between putting back and the store. */
void patch_store(void *arg, gpa_t gpa, const void *buf, size_t len)
{
    struct patch *p = arg;

    pthread_mutex_lock(&p->lock);
    range_restore(p, gpa, len);
    quiet(p, true);
    ram_poke(p->ram, gpa, buf, len);
    quiet(p, false);
    pthread_mutex_unlock(&p->lock);
}

void patch_restore_all(struct patch *p)
{
    patch_restore(p, 0, UINT64_MAX);
}

void patch_back(void *arg, gpa_t gpa, uint64_t len)
{
    patch_restore(arg, gpa, len);
}
