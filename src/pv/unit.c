/*
 * Units of I/O: from the guest's words to a request, and from its end to the answer, in each of
 * the three forms of pv/abi.h. A unit is copied once and judged by its device from the copy; its
 * request holds the copy until the end.
 */
#include "core/ledger.h"
#include "pv/impl.h"
#include <errno.h>
#include <string.h>

/* ---- requests ---- */

struct pv_req *pv_req_get(struct pv *p, unsigned devid, int32_t *why)
{
    struct pv_dev *d = devid < p->devs ? p->dev[devid] : NULL;
    struct pv_req *r = p->spare;

    *why = d ? PV_E_ROOM : PV_E_DEVICE;
    if (!d || !r || d->in_flight == PV_DEPTH)
        return NULL;
    p->spare = r->next;
    d->in_flight++;
    r->dev = d;
    r->next = NULL;
    r->ended = r->held = r->inside = false;
    return r;
}

void pv_req_put(struct pv_req *r)
{
    struct pv *p = r->dev->pv;

    r->dev->in_flight--;
    r->next = p->spare;
    p->spare = r;
}

void pv_wait(struct pv_queue *q, struct pv_req *r)
{
    r->next = NULL;
    *q->end = r;
    q->end = &r->next;
}

struct pv_req *pv_next(struct pv_queue *q)
{
    struct pv_req *r = q->first;

    if (r) {
        q->first = r->next;
        if (!q->first)
            q->end = &q->first;
    }
    return r;
}

/* ---- ends ---- */

/* An edge: down first, so that the line stays up until an 8259 has taken it. */
void pv_irq(struct pv *p)
{
    irq_set(&p->env.irq, false);
    irq_set(&p->env.irq, true);
    p->line = true;
}

/* moved before status, which the guest looks at. */
static void table_put(struct pv_req *r)
{
    struct pv *p = r->dev->pv;
    gpa_t at = p->table + (gpa_t)r->slot * PV_END_LEN;
    uint8_t word[4];

    if (r->slot >= p->tags)
        return; /* the table was changed meanwhile */
    le32_put(word, r->moved);
    dma_write(&p->dma, at, word, sizeof(word));
    le32_put(word, (uint32_t)-r->status);
    dma_write(&p->dma, at + 4, word, sizeof(word));
}

static void unit_put(struct pv *p, gpa_t unit, int32_t status, uint32_t moved)
{
    uint8_t word[4];

    le32_put(word, moved);
    dma_write(&p->dma, unit + PV_UNIT_STATUS + 4, word, sizeof(word));
    le32_put(word, (uint32_t)-status);
    dma_write(&p->dma, unit + PV_UNIT_STATUS, word, sizeof(word));
}

/* The unit ended after its call. */
static void answer(struct pv_req *r)
{
    struct pv *p = r->dev->pv;

    if (r->form == PV_FORM_RING)
        pv_ring_end(p, r);
    else if (r->form == PV_FORM_BATCH)
        unit_put(p, r->at, r->status, r->moved);
    else
        table_put(r);
    if (r->form != PV_FORM_RING && r->cmd & PV_CMD_INTR)
        pv_irq(p);
    pv_req_put(r);
}

void pv_end(struct pv_req *r, int32_t status, uint32_t moved)
{
    struct ledger_row *row = r->dev->row[r->form];

    if (r->held)
        dma_drop(&r->dev->dma, r->z, r->len, true);
    ledger_add(row, r->y == PV_WRITE || (r->cmd & PV_CMD_WHAT) != PV_CMD_START, moved);
    if (status)
        ledger_refuse(row);
    r->status = status;
    r->moved = moved;
    r->ended = true;
    if (!r->inside)
        answer(r);
}

void pv_end_now(struct pv_req *r, int32_t status)
{
    pv_end(r, status, 0);
}

void pv_drain(struct pv *p)
{
    for (unsigned i = 0; i < p->devs; i++)
        if (p->dev[i]->ops->drain)
            p->dev[i]->ops->drain(p->dev[i]);
}

void pv_after(struct pv *p)
{
    for (unsigned i = 0; i < p->devs && p->sent; i++)
        if (p->dev[i]->ops->after)
            p->dev[i]->ops->after(p->dev[i]);
    p->sent = p->serving = false;
    pv_ring_show(p);
}

/* ---- in registers ---- */

static int64_t result(struct pv_req *r)
{
    int64_t v = r->status ? -(int64_t)r->status : r->moved;

    pv_req_put(r);
    return v;
}

int64_t pv_io(struct pv *p, const uint64_t *a)
{
    uint64_t len = a[2] >> PV_Y_LEN, tag = a[4] >> PV_CMD_TAG;
    int32_t why;
    struct pv_req *r;

    if (tag > UINT16_MAX || len > UINT32_MAX)
        return len > UINT32_MAX ? -PV_E_LENGTH : -PV_E_ARGUMENT;
    if (a[4] & 0xff00)
        return -PV_E_COMMAND;
    r = pv_req_get(p, a[5] < PV_DEVS_MAX ? (unsigned)a[5] : PV_DEVS_MAX, &why);
    if (!r)
        return -why;
    r->form = PV_FORM_CALL;
    r->x = a[1];
    r->y = (uint8_t)a[2];
    r->len = (uint32_t)len;
    r->z = a[3];
    r->cmd = (uint8_t)a[4];
    r->slot = (uint16_t)tag;
    r->inside = true;
    r->dev->ops->start(r->dev, r);
    if (!r->ended && r->dev->ops->drain && (r->cmd & PV_CMD_WAIT || tag >= p->tags))
        r->dev->ops->drain(r->dev);
    if (r->ended)
        return result(r);
    r->inside = false;
    return -PV_E_PENDING;
}

/* ---- in an array ---- */

static void unit_start(struct pv *p, gpa_t at, const uint8_t *u, bool wait)
{
    int32_t why;
    struct pv_req *r = pv_req_get(p, le16_get(u + 22), &why);

    if (!r) {
        unit_put(p, at, why, 0);
        return;
    }
    r->form = PV_FORM_BATCH;
    r->at = at;
    r->x = le64_get(u);
    r->z = le64_get(u + 8);
    r->len = le32_get(u + 16);
    r->cmd = u[20] & (wait ? (uint8_t)~PV_CMD_INTR : 0xff);
    r->y = u[21];
    r->inside = true;
    r->dev->ops->start(r->dev, r);
    if (r->ended) {
        unit_put(p, at, r->status, r->moved);
        pv_req_put(r);
        return;
    }
    unit_put(p, at, PV_E_PENDING, 0);
    r->inside = false;
}

int64_t pv_batch(struct pv *p, uint64_t gpa, uint64_t n, uint64_t flags)
{
    if (n > PV_BATCH_MAX || flags & ~(uint64_t)PV_BATCH_WAIT)
        return -PV_E_ARGUMENT;
    if (gpa % 8)
        return -PV_E_ALIGN;
    if (n && dma_read(&p->dma, gpa, p->batch, n * PV_UNIT_LEN))
        return -PV_E_ADDRESS;
    /* Bound: PV_BATCH_MAX units, of which each moves what its device takes at most. */
    for (uint64_t i = 0; i < n; i++)
        unit_start(p, gpa + i * PV_UNIT_LEN, p->batch + i * PV_UNIT_LEN, flags & PV_BATCH_WAIT);
    if (flags & PV_BATCH_WAIT)
        pv_drain(p);
    return (int64_t)n;
}

/* ---- devices ---- */

int pv_dev_init(struct pv *p, struct pv_dev *d, const struct pv_dev_ops *ops, const char *name)
{
    static const char *const form[PV_FORMS] = {"call", "batch", "ring"};

    if (p->devs == PV_DEVS_MAX)
        return -ENOSPC;
    d->ops = ops;
    d->pv = p;
    d->name = name;
    d->reads.end = &d->reads.first;
    d->writes.end = &d->writes.first;
    d->dma = (struct dma){.ram = p->env.ram,
                          .enabled = true,
                          .row = ledger_row(p->env.ledger, LEDGER_DMA, name, "dma")};
    for (unsigned i = 0; i < PV_FORMS; i++) {
        d->row[i] = ledger_row(p->env.ledger, LEDGER_WAY, name, form[i]);
        if (!d->row[i] || !d->dma.row)
            return -ENOMEM;
    }
    p->dev[p->devs++] = d;
    return 0;
}
