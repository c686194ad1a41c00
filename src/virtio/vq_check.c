/*
 * --check virtio: what the checkers of both ring layouts share. A chain is walked when the device
 * is about to fetch it, on its own account and by all the rules, also those that the device does
 * not care for; its descriptors are kept and compared when the device gives it back. VIRTIO 1.2:
 * 2.7.4, 2.7.5, 2.7.13, 2.8.17.
 */
#include "mem/ram.h"
#include "virtio/vcheck_impl.h"
#include <string.h>

enum { ADDR = 0, LEN = 8 };

bool vq_check_bad(struct vq_check_walk *w, enum vrule rule, const uint8_t *d, unsigned at)
{
    w->bad = true;
    vcheck_broken(w->k->c, (int)w->k->queue, rule,
                  "head %u, index %u: address 0x%llx, length %u, 0x%04x, 0x%04x", w->head, at,
                  (unsigned long long)le64_get(d + ADDR), le32_get(d + LEN), le16_get(d + 12),
                  le16_get(d + 14));
    return false;
}

bool vq_check_element(struct vq_check_walk *w, const uint8_t *d, unsigned at)
{
    bool packed = w->q->conf.packed;
    uint16_t flags = le16_get(d + (packed ? 14 : 12));
    uint32_t len = le32_get(d + LEN);

    w->bytes += len;
    w->elements++;
    if (!len)
        return vq_check_bad(w, VRULE_DESC_EMPTY, d, at);
    if (!ram_ptr(w->q->dma->ram, le64_get(d + ADDR), len))
        return vq_check_bad(w, VRULE_DESC_MEMORY, d, at);
    if (w->bytes > 1ull << 32)
        return vq_check_bad(w, VRULE_DESC_BYTES, d, at);
    if (flags & DESC_F_WRITE)
        w->writable = true;
    else if (w->writable)
        return vq_check_bad(w, packed ? VRULE_PACKED_ORDER : VRULE_DESC_ORDER, d, at);
    return true;
}

const uint8_t *vq_check_table(struct vq_check_walk *w, const uint8_t *d, unsigned at)
{
    uint32_t len = le32_get(d + LEN);
    const uint8_t *table = NULL;

    if (!w->q->conf.indirect) {
        vq_check_bad(w, VRULE_INDIRECT_UNOFFERED, d, at);
        return NULL;
    }
    if (len && len % DESC_LEN == 0)
        table = ram_ptr(w->q->dma->ram, le64_get(d + ADDR), len);
    if (!table)
        vq_check_bad(w, VRULE_INDIRECT_TABLE, d, at);
    return table;
}

uint64_t vq_check_sum(const uint8_t *p, size_t len)
{
    uint64_t sum = 0xcbf29ce484222325u; /* FNV-1a, 8 bytes at a time: tables are whole in those */

    for (size_t i = 0; i + 8 <= len; i += 8)
        sum = (sum ^ le64_get(p + i)) * 0x100000001b3u;
    return sum;
}

void vq_check_table_kept(struct vq_check_walk *w, const uint8_t *d, const uint8_t *table)
{
    struct vq_check_chain *chain = &w->k->chain[w->head];

    chain->table = le64_get(d + ADDR);
    chain->table_len = le32_get(d + LEN);
    chain->table_sum = vq_check_sum(table, chain->table_len);
}

/* ---- what the ring tells ---- */

static const struct vq_check_ring *ring_of(const struct vq *q)
{
    return q->conf.packed ? &vq_check_packed : &vq_check_split;
}

void vq_check_start(struct vq_check *k, struct vcheck *c, unsigned queue)
{
    struct vq *q = &c->v->queue[queue].vq;

    memset(k, 0, sizeof(*k));
    k->c = c;
    k->queue = queue;
    k->last_idx = q->next_avail;
    ring_of(q)->start(k, q);
}

void vq_check_fetch(struct vq_check *k, struct vq *q)
{
    ring_of(q)->fetch(k, q);
}

void vq_check_unpop(struct vq_check *k, uint16_t head)
{
    struct vq *q = &k->c->v->queue[k->queue].vq;

    if (k->chain[head].known)
        ring_of(q)->undo(k, q, head);
    k->chain[head].known = false;
}

static bool table_changed(const struct vq_check_chain *chain, struct vq *q)
{
    const uint8_t *table =
        chain->table_len ? ram_ptr(q->dma->ram, chain->table, chain->table_len) : NULL;

    return table && vq_check_sum(table, chain->table_len) != chain->table_sum;
}

void vq_check_push(struct vq_check *k, struct vq *q, uint16_t head)
{
    struct vq_check_chain *chain = &k->chain[head];
    enum vrule rule = q->conf.packed ? VRULE_PACKED_CHANGED : VRULE_DESC_CHANGED;
    int at;

    if (!chain->known)
        return;
    at = ring_of(q)->changed(k, q, head);
    if (at >= 0)
        vcheck_broken(k->c, (int)k->queue, rule, "head %u, index %d", head, at);
    else if (table_changed(chain, q))
        vcheck_broken(k->c, (int)k->queue, rule, "head %u, its table at 0x%llx", head,
                      (unsigned long long)chain->table);
    ring_of(q)->drop(k, q, head);
    chain->known = false;
}
