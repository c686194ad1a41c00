/*
 * The receiver of the 82540EM: manual 3.2, 13.4.22-37. A frame that passes the filter is stored in
 * as many descriptors as its length asks for, or waits at the backend until RDT moves: the card's
 * FIFO, so to speak. The FCS is appended unless RCTL.SECRC says no, the tag taken out if CTRL.VME
 * says so. A descriptor is read once, and written with its status last.
 */
#include "core/crc32.h"
#include "dev/e1000_impl.h"
#include "dev/e1000_wire.h"

#include <string.h>

#define TAG          4u
#define MACS         12u
#define RX_SIZE_UNIT 256u

struct rx_frame { /* what goes to memory: the frame, then its FCS */
    const uint8_t *p;
    uint32_t len, total;
    uint8_t fcs[ETH_FCS];
    uint8_t status, errors;
    uint16_t sum, special;
};

struct rx_ring {
    gpa_t base;
    uint32_t count, head, tail, bufsize;
};

/* RCTL.BSIZE and BSEX: 2048, 1024, 512, 256; extended 16 times the last three. */
static uint32_t buffer_size(uint32_t rctl)
{
    unsigned size = rctl >> RCTL_BSIZE & 3;

    return (RX_SIZE_UNIT << (3 - size)) * (rctl & RCTL_BSEX && size ? 16 : 1);
}

/* False: it can't be used as it is. */
static bool ring_get(const struct e1000 *e, struct rx_ring *r)
{
    r->base = (uint64_t)e1000_get(e, RDBAH) << 32 | (e1000_get(e, RDBAL) & ~15u);
    r->count = (e1000_get(e, RDLEN) & 0xfff80) / RXD_LEN;
    r->head = e1000_get(e, RDH) & 0xffff;
    r->tail = e1000_get(e, RDT) & 0xffff;
    r->bufsize = buffer_size(e1000_get(e, RCTL));
    return r->head < r->count && r->tail < r->count;
}

static uint32_t ring_free(const struct rx_ring *r)
{
    return r->tail >= r->head ? r->tail - r->head : r->count - r->head + r->tail;
}

/* RDMTS: one half, quarter, eighth of the ring. Told when the number passes it downwards. */
static uint32_t ring_low(const struct e1000 *e, const struct rx_ring *r)
{
    return r->count >> (1 + (e1000_get(e, RCTL) >> RCTL_RDMTS & 3));
}

/* ---- storing ---- */

/* Bytes [at, at + n) of frame and FCS. A buffer that is no memory loses them, as on a real bus. */
static void bytes_store(struct e1000 *e, gpa_t to, const struct rx_frame *f, uint32_t at,
                        uint32_t n)
{
    uint32_t first = at < f->len ? f->len - at : 0;

    if (first > n)
        first = n;
    if (first)
        dma_write(&e->pci.dma, to, f->p + at, first);
    if (n > first)
        dma_write(&e->pci.dma, to + first, f->fcs + (at + first - f->len), n - first);
}

static void desc_store(struct e1000 *e, gpa_t desc, const struct rx_frame *f, uint32_t n, bool last)
{
    uint8_t back[8] = {0};

    le16_put(back, (uint16_t)n);
    back[4] = RXD_DD;
    if (last) {
        le16_put(back + 2, (uint16_t)(f->sum << 8 | f->sum >> 8));
        back[4] |= (uint8_t)(RXD_EOP | f->status);
        back[5] = f->errors;
        le16_put(back + 6, f->special);
    }
    dma_write(&e->pci.dma, desc + 8, back, sizeof(back));
}

/* Bounded by the frame: at most E1000_WIRE / 256 descriptors, all of which are free. */
static bool frame_store(struct e1000 *e, struct rx_ring *r, const struct rx_frame *f)
{
    for (uint32_t at = 0, n; at < f->total; at += n) {
        gpa_t desc = r->base + r->head * RXD_LEN;
        uint8_t addr[8];

        n = f->total - at < r->bufsize ? f->total - at : r->bufsize;
        if (dma_read(&e->pci.dma, desc, addr, sizeof(addr)))
            return false;
        if (le64_get(addr)) /* a null address takes nothing */
            bytes_store(e, le64_get(addr), f, at, n);
        desc_store(e, desc, f, n, at + n == f->total);
        r->head = r->head + 1 == r->count ? 0 : r->head + 1;
    }
    return true;
}

/* ---- one frame ---- */

/* Zeroes up to the least length, and the tag out of the middle; both need a copy. */
static void frame_shape(struct e1000 *e, const uint8_t *p, uint32_t len, struct rx_frame *f)
{
    bool strip = (e1000_get(e, CTRL) & CTRL_VME) && e1000_tagged(e, p, len);
    uint32_t wire = len < ETH_MIN ? ETH_MIN : len;

    *f = (struct rx_frame){.p = p, .len = wire};
    if (wire != len || (strip && p != e->rx)) {
        memmove(e->rx, p, len);
        memset(e->rx + len, 0, wire - len);
        f->p = e->rx;
    }
    if (!(e1000_get(e, RCTL) & RCTL_SECRC))
        le32_put(f->fcs, crc32_ieee(f->p, wire));
    if (strip) {
        f->special = be16_get(f->p + ETH_HDR);
        f->status |= RXD_VP;
        memmove(e->rx + TAG, e->rx, MACS);
        f->p += TAG;
        f->len -= TAG;
    }
    f->total = f->len + (e1000_get(e, RCTL) & RCTL_SECRC ? 0 : ETH_FCS);
}

static void frame_judge(struct e1000 *e, enum e1000_pass pass, struct rx_frame *f)
{
    struct e1000_rx_sums sums;

    e1000_rx_sums(e, f->p, f->len, &sums);
    f->sum = sums.packet;
    f->errors = sums.errors;
    f->status |= (uint8_t)(sums.status | (pass == E1000_INEXACT ? RXD_PIF : 0));
}

static void stored(struct e1000 *e, const struct rx_ring *r, uint32_t had, uint32_t wire)
{
    uint32_t low = ring_low(e, r), small = e1000_get(e, RSRPD) & 0xfff;
    uint32_t causes = 0;

    *e1000_at(e, RDH) = r->head;
    e->rx_new = true;
    if (had > low && ring_free(r) <= low)
        causes |= INT_RXDMT0;
    if (small && wire <= small)
        causes |= INT_SRPD;
    if (causes)
        e1000_cause(e, causes);
}

static void received(struct e1000 *e, uint32_t len)
{
    e1000_stat(e, TPR);
    e1000_stat_add64(e, TORL, (len < ETH_MIN ? ETH_MIN : len) + ETH_FCS);
}

enum taken { STORED, DROPPED, NO_ROOM };

/* p may be e->rx. What was dropped is as if it had never come. */
static enum taken frame_take(struct e1000 *e, const uint8_t *p, uint32_t len)
{
    enum e1000_pass pass = e1000_filter(e, p, len);
    struct rx_frame f;
    struct rx_ring r;
    uint32_t had, want;

    if (pass == E1000_DROP) {
        received(e, len);
        return DROPPED;
    }
    if (!ring_get(e, &r))
        return NO_ROOM;
    frame_shape(e, p, len, &f);
    had = ring_free(&r);
    want = (f.total + r.bufsize - 1) / r.bufsize;
    if (want > had)
        return want < r.count ? NO_ROOM : DROPPED;
    frame_judge(e, pass, &f);
    if (!frame_store(e, &r, &f))
        return DROPPED;
    received(e, len);
    e1000_stat_received(e, p == e->rx ? f.p : p, len < ETH_MIN ? ETH_MIN : len);
    stored(e, &r, had, f.total);
    return STORED;
}

static bool listening(const struct e1000 *e)
{
    return e1000_awake(e) && e->pci.dma.enabled && (e1000_get(e, RCTL) & RCTL_EN);
}

/* One run of bytes: as it is, or copied together. NULL: no frame this card could hear. */
static const uint8_t *frame_flat(struct e1000 *e, const struct net_frame *f)
{
    size_t at = 0;

    if (f->len < ETH_HDR || f->len > E1000_WIRE - ETH_FCS)
        return NULL;
    if (f->iovs == 1)
        return f->iov[0].iov_base;
    for (int i = 0; i < f->iovs && f->iov[i].iov_len <= E1000_WIRE - at; i++) {
        memcpy(e->rx + at, f->iov[i].iov_base, f->iov[i].iov_len);
        at += f->iov[i].iov_len;
    }
    return at == f->len ? e->rx : NULL;
}

/* ---- from the backend ---- */

bool e1000_recv(void *front, const struct net_frame *f)
{
    struct e1000 *e = front;
    const uint8_t *p;

    if (!listening(e) || e1000_phy_loops(e) || (e1000_get(e, RCTL) & RCTL_LBM) ||
        !(e1000_get(e, STATUS) & STATUS_LU))
        return true; /* nobody hears it */
    p = frame_flat(e, f);
    if (!p) {
        e1000_stat(e, f->len < ETH_HDR ? RUC : ROC);
        return true;
    }
    if (frame_take(e, p, (uint32_t)f->len) != NO_ROOM)
        return true;
    if (!e->starved)
        e1000_stat(e, RNBC);
    e->starved = true;
    return false;
}

void e1000_recv_end(void *front)
{
    struct e1000 *e = front;

    if (!e->rx_new)
        return;
    e->rx_new = false;
    e1000_cause_rx(e);
}

/* Its own frame comes back. There is no FIFO to wait in: without a descriptor it is missed. */
void e1000_loop_back(struct e1000 *e, const struct net_frame *f)
{
    const uint8_t *p = listening(e) ? frame_flat(e, f) : NULL;

    if (!p || frame_take(e, p, (uint32_t)f->len) != NO_ROOM)
        return;
    e1000_stat(e, MPC);
    e1000_cause(e, INT_RXO);
}

/* ---- registers ---- */

static void hungry(struct e1000 *e)
{
    if (!e->starved || !listening(e))
        return;
    e->starved = false;
    if (e->net)
        net_ready(e->net);
}

void e1000_rdt_write(struct e1000 *e, unsigned off, uint32_t val)
{
    *e1000_at(e, off) = val & 0xffff;
    hungry(e);
}

void e1000_rctl_write(struct e1000 *e, unsigned off, uint32_t val)
{
    *e1000_at(e, off) = val & 0x06dfb3fe;
    hungry(e);
}
