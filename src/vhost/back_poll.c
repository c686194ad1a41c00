/*
 * The rings of a peer, looked at while the loop is awake (core/loop.h): as long as that is so, the
 * peer is asked for no kicks, which spares it a system call a request and us the way from epoll to
 * the ring. Before the loop sleeps kicks are wanted again.
 */
#include "core/ledger.h"
#include "vhost/back_impl.h"

/* Bound: the device's rings. */
static bool look(void *arg)
{
    struct vhost_back *b = arg;
    bool found = false;

    if (b->sock < 0 || b->bad || !virtio_running(b->v))
        return false;
    for (unsigned i = 0; i < b->v->queues; i++) {
        struct vq *q = &b->v->queue[i].vq;

        if (!b->ring[i].runs)
            continue;
        q->polled = true;
        if (!q->wants || !vq_waiting(q))
            continue;
        virtio_notify(b->v, i);
        found = true;
    }
    vhost_look(b);
    return found;
}

static bool rest(void *arg)
{
    struct vhost_back *b = arg;
    bool found = false;

    for (unsigned i = 0; b->v && i < b->v->queues; i++)
        if (b->ring[i].runs && vq_rest(&b->v->queue[i].vq)) {
            virtio_again(b->v, i);
            found = true;
        }
    return found;
}

void vhost_poll_init(struct vhost_back *b)
{
    b->poll = (struct loop_poll){.look = look, .rest = rest, .arg = b};
}
