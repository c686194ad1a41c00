/*
 * The transmitter of the 82540EM: manual 3.3 and 3.4, 13.4.38-50. A write of TDT sends all that is
 * new in one go on the thread that wrote, then flushes the backend once. Descriptors are copied in
 * batches and judged as copies; frames are gathered in one buffer, so that guest memory is read
 * once. Write-back thresholds only delay what happens here at once.
 */
#include "core/state.h"
#include "dev/e1000_impl.h"

#include <string.h>

#define BATCH 32u /* descriptors read at once */
/* Work under one hold of the lock: bytes moved, descriptors at KICK_DESC each. The rest is
 * deferred, so that a guest with a long ring doesn't keep the loop from everybody else. */
#define KICK_COST 0x200000u
#define KICK_DESC 256u

struct tx_ring {
    gpa_t base;
    uint32_t count, head, tail;
};

struct kick { /* what a run found that interrupts are about */
    bool done, at_once;
    bool full; /* the backend takes no more for now */
    uint32_t cost;
};

static bool ring_get(const struct e1000 *e, struct tx_ring *r)
{
    r->base = (uint64_t)e1000_get(e, TDBAH) << 32 | (e1000_get(e, TDBAL) & ~15u);
    r->count = (e1000_get(e, TDLEN) & 0xfff80) / TXD_LEN;
    r->head = e1000_get(e, TDH) & 0xffff;
    r->tail = e1000_get(e, TDT) & 0xffff;
    return r->head < r->count && r->tail < r->count;
}

/* ---- one descriptor ---- */

static void context_take(struct e1000 *e, const uint8_t *d)
{
    uint8_t tucmd = d[11];

    e->tx.ctx[!!(tucmd & TXD_TSE)] = (struct e1000_ctx){
        .ipcss = d[0],
        .ipcso = d[1],
        .ipcse = le16_get(d + 2),
        .tucss = d[4],
        .tucso = d[5],
        .tucse = le16_get(d + 6),
        .tucmd = tucmd,
        .hdrlen = d[13],
        .mss = le16_get(d + 14),
    };
}

static void frame_begin(struct e1000 *e, const uint8_t *d)
{
    struct e1000_tx *tx = &e->tx;

    tx->begun = true;
    tx->bad = false;
    tx->len = tx->segs = 0;
    tx->data = d[11] & TXD_DEXT;
    tx->tse = tx->data && (d[11] & TXD_TSE);
    tx->popts = tx->data ? d[13] : 0;
    tx->ic = !tx->data && (d[11] & TXD_IC);
    tx->cso = d[10];
    tx->css = d[13];
}

/* At most 1 MiB of DTALEN, in pieces no smaller than what draining makes room for. */
static void gather(struct e1000 *e, gpa_t from, uint32_t n)
{
    struct e1000_tx *tx = &e->tx;

    while (n && !tx->bad) {
        uint32_t room = E1000_TX_ROOM - tx->len, piece = n < room ? n : room;

        if (!piece && tx->tse && e1000_seg_drain(e))
            continue;
        if (!piece || dma_read(&e->pci.dma, from, tx->buf + tx->len, piece)) {
            tx->bad = true;
            break;
        }
        tx->len += piece;
        from += piece;
        n -= piece;
    }
}

static uint32_t data_take(struct e1000 *e, const uint8_t *d)
{
    uint32_t len = d[11] & TXD_DEXT ? le32_get(d + 8) & 0xfffff : le16_get(d + 8);

    if (!e->tx.begun)
        frame_begin(e, d);
    gather(e, le64_get(d), len);
    if (!(d[11] & TXD_EOP))
        return len;
    e->tx.ifcs = e->tx.tse || (d[11] & TXD_IFCS);
    e->tx.tag = (d[11] & TXD_VLE) && (e1000_get(e, CTRL) & CTRL_VME);
    e->tx.tci = le16_get(d + 14);
    e1000_frame_end(e);
    e->tx.begun = false;
    return len;
}

static bool is_context(const uint8_t *d)
{
    return (d[11] & TXD_DEXT) && (d[10] >> 4) == TXD_CONTEXT;
}

static void desc_take(struct e1000 *e, const uint8_t *d, gpa_t at, struct kick *k)
{
    uint8_t done = d[12] | TXD_DD;

    k->cost += KICK_DESC;
    if (is_context(d))
        context_take(e, d);
    else
        k->cost += data_take(e, d);
    if (!(d[11] & (TXD_RS | TXD_RPS)))
        return;
    dma_write(&e->pci.dma, at + 12, &done, 1);
    k->done = true;
    k->at_once |= !(d[11] & TXD_IDE);
}

/* ---- a run through the ring ---- */

/* Returns false when the ring can't be read: the transmitter stands, as after a master abort. */
static bool batch_take(struct e1000 *e, struct tx_ring *r, struct kick *k)
{
    uint32_t n = (r->tail > r->head ? r->tail : r->count) - r->head;
    uint8_t d[BATCH * TXD_LEN];
    gpa_t at = r->base + r->head * TXD_LEN;

    n = n < BATCH ? n : BATCH;
    if (dma_read(&e->pci.dma, at, d, n * TXD_LEN))
        return false;
    for (uint32_t i = 0; i < n; i++, r->head++) {
        if (!e->tx.begun && e->net && !e1000_loops(e) && net_full(e->net)) {
            k->full = true;
            break;
        }
        desc_take(e, d + i * TXD_LEN, at + i * TXD_LEN, k);
    }
    if (r->head == r->count)
        r->head = 0;
    return true;
}

static void kick_end(struct e1000 *e, const struct tx_ring *r, const struct kick *k, uint32_t had)
{
    uint32_t left = r->tail >= r->head ? r->tail - r->head : r->count - r->head + r->tail;
    uint32_t low = (e1000_get(e, TXDCTL) >> 25) * 8, causes = 0;

    *e1000_at(e, TDH) = r->head;
    if (!left)
        causes |= INT_TXQE;
    if (low && had > low && left <= low)
        causes |= INT_TXD_LOW;
    if (k->done)
        e1000_cause_tx(e, !k->at_once);
    if (causes)
        e1000_cause(e, causes);
    if (e->rx_new)
        e1000_recv_end(e); /* what was looped back */
    if (e->net)
        net_flush(e->net);
}

/* At most the ring's descriptors (count is under 64 Ki), and no more than KICK_COST in one go. */
static void tx_run(struct e1000 *e)
{
    struct tx_ring r;
    struct kick k = {0};
    uint32_t had;

    if (e->tx_busy || !(e1000_get(e, TCTL) & TCTL_EN) || !e1000_awake(e) || !ring_get(e, &r) ||
        r.head == r.tail)
        return;
    had = r.tail > r.head ? r.tail - r.head : r.count - r.head + r.tail;
    e->tx_busy = true; /* a backend may say that it has room while it takes a frame */
    while (r.head != r.tail && k.cost < KICK_COST && !k.full)
        if (!batch_take(e, &r, &k))
            break;
    e->tx_busy = false;
    if (k.cost >= KICK_COST && r.head != r.tail && !k.full) {
        e->tx_more = true;
        loop_defer(e->pci.env.loop, &e->tx_work);
    }
    kick_end(e, &r, &k, had);
}

static void tx_rest(void *arg)
{
    struct e1000 *e = arg;

    e->tx_more = false;
    tx_run(e);
}

void e1000_tdt_write(struct e1000 *e, unsigned off, uint32_t val)
{
    *e1000_at(e, off) = val & 0xffff;
    if (!e->tx_more)
        tx_run(e);
}

void e1000_tx_room(void *front)
{
    struct e1000 *e = front;

    if (!e->tx_more)
        tx_run(e);
}

void e1000_tctl_write(struct e1000 *e, unsigned off, uint32_t val)
{
    *e1000_at(e, off) = val & 0x03fffffa;
    if (!e->tx_more)
        tx_run(e);
}

/* ---- life ---- */

void e1000_tx_init(struct e1000 *e)
{
    e->tx_work = (struct loop_work){.run = tx_rest, .arg = e};
}

void e1000_tx_stop(struct e1000 *e)
{
    if (e->tx_more)
        loop_work_cancel(e->pci.env.loop, &e->tx_work);
    e->tx_more = false;
    e->tx.begun = false;
    e->tx.len = 0;
    memset(e->tx.ctx, 0, sizeof(e->tx.ctx));
}

static void ctx_state(struct e1000_ctx *c, struct state *st)
{
    state_u8(st, &c->ipcss);
    state_u8(st, &c->ipcso);
    state_u16(st, &c->ipcse);
    state_u8(st, &c->tucss);
    state_u8(st, &c->tucso);
    state_u16(st, &c->tucse);
    state_u16(st, &c->mss);
    state_u8(st, &c->tucmd);
    state_u8(st, &c->hdrlen);
}

/* A frame that is half gathered goes along; between frames its buffer is nobody's. */
void e1000_tx_state(struct e1000 *e, struct state *st)
{
    struct e1000_tx *tx = &e->tx;
    uint32_t len = tx->begun ? tx->len : 0;

    ctx_state(&tx->ctx[0], st);
    ctx_state(&tx->ctx[1], st);
    state_bool(st, &tx->begun);
    state_bool(st, &tx->bad);
    state_bool(st, &tx->tse);
    state_bool(st, &tx->data);
    state_bool(st, &tx->ic);
    state_u8(st, &tx->popts);
    state_u8(st, &tx->cso);
    state_u8(st, &tx->css);
    state_u32(st, &tx->segs);
    state_u32(st, &len);
    if (!state_check(st, len <= E1000_TX_ROOM))
        len = 0;
    state_bytes(st, tx->buf, len);
    if (!st->load)
        return;
    tx->len = len;
    e->tx_more = true; /* whatever it waited for, it looks at its ring again */
    loop_defer(e->pci.env.loop, &e->tx_work);
}
