/*
 * The record of requests in flight, which the peer keeps for us in memory that both share:
 * GET_INFLIGHT_FD makes it, SET_INFLIGHT_FD hands it to whoever serves the rings next, this process
 * or, when this one was killed, its successor. What is in it: virtio/vq_flight.h.
 */
#include "core/ledger.h"
#include "vhost/back_impl.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ALIGN = 8 }; /* of the record's words */

/* What both messages say. */
static bool sizes_judge(const struct vhost_back *b, const struct vu_msg *m, uint16_t *queues,
                        uint16_t *size)
{
    if (m->size < VU_INFLIGHT_LEN)
        return false;
    *queues = le16_get(m->payload + VU_INFLIGHT_QUEUES);
    *size = le16_get(m->payload + VU_INFLIGHT_QUEUE_SIZE);
    return *queues && *queues <= b->v->queues && *size && *size <= b->v->cls->queue_max;
}

static int record_make(size_t len)
{
    int fd = memfd_create("inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd >= 0 && !ftruncate(fd, (off_t)len) &&
        !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Some ask before they have set features: there is room for the larger layout. */
enum vhost_answer vhost_flight_get(struct vhost_back *b, struct vu_msg *m)
{
    uint16_t queues, size;
    size_t len;
    int fd;

    if (!sizes_judge(b, m, &queues, &size))
        return vhost_lied(b, "a record of requests in flight for queues that there are not");
    len = queues * vq_flight_len(true, size);
    fd = record_make(len);
    if (fd < 0)
        return VHOST_FAILED;
    vu_msg_drop(m);
    le64_put(m->payload + VU_INFLIGHT_SIZE, len);
    le64_put(m->payload + VU_INFLIGHT_OFFSET, 0);
    m->fd[0] = fd; /* closed with the message */
    m->fds = 1;
    return VHOST_REPLY; /* as long as the request was: peers differ in the padding */
}

enum vhost_answer vhost_flight_set(struct vhost_back *b, struct vu_msg *m)
{
    uint64_t len, offset;
    uint16_t queues, size;
    uint8_t *at;
    int fd = vu_fd_take(m, 0), err;

    if (fd < 0 || !sizes_judge(b, m, &queues, &size)) {
        if (fd >= 0)
            close(fd);
        return vhost_lied(b, "a record of requests in flight whose parts don't fit each other");
    }
    len = le64_get(m->payload + VU_INFLIGHT_SIZE);
    offset = le64_get(m->payload + VU_INFLIGHT_OFFSET);
    vhost_rings_rest(b);
    b->record.at = NULL;
    err = offset % ALIGN ? -1 : lent_record(&b->lent, &at, fd, offset, len);
    close(fd);
    if (err)
        return vhost_lied(b, "a record of requests in flight that its file does not have");
    b->record.at = at;
    b->record.len = len;
    b->record.queues = queues;
    b->record.size = size;
    vhost_rings_go(b);
    return b->bad ? VHOST_LIED : VHOST_OK;
}

bool vhost_flight_start(struct vhost_back *b, struct vhost_ring *r)
{
    struct vq *q = &b->v->queue[r->index].vq;
    size_t each = vq_flight_len(q->conf.packed, b->record.size);

    if (r->index >= b->record.queues || !range_in(r->index * each, each, 0, b->record.len)) {
        vhost_lied(b, "a ring that its record of requests in flight has no place for");
        return false;
    }
    if (vq_flight_start(q, &r->flight, b->record.at + r->index * each, b->record.size, &r->at)) {
        vhost_lied(b, r->flight.why);
        return false;
    }
    for (unsigned i = 0; i < r->flight.agains; i++) /* at most a ring */
        ledger_add(b->again, true, 0);
    return true;
}
