/*
 * The way of a frame through the switch (IEEE 802.1Q, 8.6 and 8.7): learn where it came from, look
 * up where it goes, flood what is for all or for an address nobody has used yet. A frame is not
 * copied: outgoing bursts refer to the buffer it was read into, records of one burst for one port
 * that lie side by side are one piece. Only a record that its receiver does not take as it is
 * (unfinished checksums or segments, for a QEMU) is finished here.
 *
 * Fairness: a source may have as much of a slow port's queue as is still free, so there is room
 * for another one, however many flood.
 */
#include "back/net_offload.h"
#include "back/net_pcap.h"
#include "cli/switch_impl.h"
#include <sys/socket.h>

static void port_flush(struct sw_port *q)
{
    if (net_out_flush(&q->out, q->sw->source->index))
        shutdown(q->fd, SHUT_RDWR); /* the loop hears of it, and stops the port */
    q->touched = true;              /* so that what it waits for is looked at again */
}

static bool port_has_room(const struct sw_port *q, size_t len)
{
    size_t kept = net_out_kept(&q->out), mine = q->share[q->sw->source->index] + q->out.ref_bytes;

    return !kept || (kept < SWITCH_QUEUE && mine + len <= SWITCH_QUEUE - kept);
}

static bool emit_frame(void *ctx, const struct net_frame *f)
{
    struct sw_port *q = ctx;

    if (net_out_frame(&q->out, f))
        return true;
    port_flush(q);
    return net_out_frame(&q->out, f);
}

static bool emit_record(struct sw_port *q, const struct net_rec *r)
{
    if (r->f.todo & ~q->takes)
        return !net_finish(&r->f, q->takes, NULL, emit_frame, q);
    if (net_out_ref(&q->out, r->raw, r->raw_len))
        return true;
    port_flush(q);
    return net_out_ref(&q->out, r->raw, r->raw_len);
}

static void to_port(struct sw_port *q, const struct net_rec *r)
{
    if (q->fd < 0)
        return;
    if (!port_has_room(q, r->raw_len) || !emit_record(q, r)) {
        q->count.dropped++;
        return;
    }
    q->touched = true;
    q->count.out++;
    q->count.out_bytes += r->f.len;
    if (q->pcap)
        net_pcap_frame(q->pcap, &r->f);
}

static void flood(struct sw_port *p, const struct net_rec *r)
{
    for (unsigned i = 0; i < SWITCH_PORTS; i++)
        if (i != p->index)
            to_port(&p->sw->port[i], r);
}

/* The source address: true when the frame may go on. */
static bool source_ok(struct sw_port *p, uint64_t mac)
{
    if (!mac || l2_is_group(mac)) {
        p->count.bad++;
        return false;
    }
    switch (l2_learn(&p->sw->l2, mac, p->index, L2_QUOTA, p->sw->now)) {
    case L2_FOREIGN: p->count.spoofed++; return false;
    case L2_MANY: p->count.crowded++; return true;
    default: return true;
    }
}

static void forward(struct sw_port *p, const struct net_rec *r)
{
    const uint8_t *frame = r->iov.iov_base;
    uint64_t to = l2_mac(frame);
    int port;

    p->count.in++;
    p->count.in_bytes += r->iov.iov_len;
    if (!r->f.len) {
        p->count.bad++;
        return;
    }
    if (p->pcap)
        net_pcap_frame(p->pcap, &r->f);
    if (!source_ok(p, l2_mac(frame + 6)) || l2_is_reserved(to))
        return;
    port = l2_is_group(to) ? -1 : l2_find(&p->sw->l2, to, p->sw->now);
    if (port < 0)
        flood(p, r);
    else if ((unsigned)port != p->index)
        to_port(&p->sw->port[port], r);
}

/* The first record may be a hello, which is answered and goes no further. */
static bool hello_taken(struct sw_port *p, const struct net_rec *r)
{
    uint8_t answer[NET_HELLO_LEN];
    struct net_hello h;

    if (p->spoke)
        return false;
    p->spoke = true;
    if (!net_hello_get(&h, r))
        return false;
    p->takes = h.takes;
    p->in.extended = true;
    h.takes = NET_CSUM | NET_TSO4 | NET_TSO6;
    net_hello_put(answer, &h);
    if (!net_out_ref(&p->out, answer, sizeof(answer)))
        port_flush(p);
    port_flush(p); /* before answer goes out of scope */
    return true;
}

bool sw_forward_burst(struct sw_port *p)
{
    struct net_rec r;
    int got;

    p->sw->source = p;
    p->sw->now = loop_now(p->sw->loop);
    while ((got = net_in_next(&p->in, &r)) == 1) /* ends: each takes bytes of in */
        if (!hello_taken(p, &r))
            forward(p, &r);
    for (unsigned i = 0; i < SWITCH_PORTS; i++)
        if (p->sw->port[i].touched)
            port_flush(&p->sw->port[i]);
    return !got;
}
