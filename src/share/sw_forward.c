/*
 * The way of a frame through the switch (IEEE 802.1Q, 8.6 to 8.8): which VLAN it is in, whether its
 * sender may send it, what its address teaches, where it goes.
 *
 * The sender may be writing to the frame while we look, so what is judged is a copy of its head,
 * and that copy is what leaves; the rest is referred to where it lies.
 *
 * VLANs are kept apart once any port's policy speaks of them. A port without such words is then in
 * VLAN 1. What comes in with a stack of tags is refused: the inner one would be another switch's
 * outer one. Without any such words tags are bytes like others.
 */
#include "back/net_offload.h"
#include "core/ledger.h"
#include "share/sw_impl.h"
#include <string.h>

#define VLAN_PLAIN 1u /* of ports without words */

/* As l2_mac(head + at), in one load: a head has eight bytes from both places. */
static uint64_t mac_at(const uint8_t *head, size_t at)
{
    uint64_t raw;

    memcpy(&raw, head + at, sizeof(raw));
    return __builtin_bswap64(raw) >> 16;
}

/* ---- the VLAN ---- */

/* Of a frame that came untagged (vid 0) or tagged; 0: it may not come in there. */
static unsigned vlan_in(const struct sw_policy *o, unsigned vid)
{
    if (o->trunk)
        return vid ? (l2_vlans_has(&o->vlans, vid) || vid == o->native ? vid : 0) : o->native;
    return vid ? 0 : o->vlan ? o->vlan : VLAN_PLAIN;
}

static bool classify(struct sw_port *p)
{
    struct sw *s = p->s;
    unsigned type = (unsigned)s->head[12] << 8 | s->head[13];

    s->vid = 0;
    if (!l2_is_tag(type)) /* most are bare, and then there is no more to be found */
        s->tag = (struct l2_tag){.l3 = L2_HEAD, .type = (uint16_t)type};
    else if (!l2_tag_get(&s->tag, s->head, s->have))
        return false;
    if (!s->vlans)
        return true;
    if (s->tag.tags > 1 || (s->tag.tags && (s->head[12] != 0x81 || s->head[13] != 0)))
        return false;
    s->vid = vlan_in(&p->policy, s->tag.vid);
    return s->vid;
}

/* How it leaves there; SHAPES: not at all. */
static enum sw_shape shape_for(const struct sw *s, const struct sw_policy *o)
{
    bool tagged;

    if (!s->vlans)
        return SHAPE_SAME;
    tagged = o->trunk && s->vid != o->native;
    if (o->trunk ? tagged && !l2_vlans_has(&o->vlans, s->vid)
                 : s->vid != (o->vlan ? o->vlan : VLAN_PLAIN))
        return SHAPES;
    if (tagged)
        return s->tag.tags && s->tag.vid ? SHAPE_SAME : SHAPE_TAGGED;
    return s->tag.tags ? SHAPE_BARE : SHAPE_SAME;
}

/* ---- the frame as it leaves ---- */

/* The judged head, then the frame from byte `from` on. */
static bool made_join(struct sw_made *m, const struct net_frame *f, size_t head, size_t from)
{
    int n = net_slice(m->iov + 1, NET_IOVS_MAX - 1, f, from, f->len - from);

    if (n < 0)
        return false;
    m->iov[0] = (struct iovec){m->head, head};
    m->f = *f;
    m->f.iov = m->iov;
    m->f.iovs = n + 1;
    m->f.len = head + f->len - from;
    return true;
}

static void offsets_move(struct net_frame *f, int by)
{
    if (!f->todo)
        return;
    f->csum_start = (uint16_t)(f->csum_start + by);
    f->hdr_len = (uint16_t)(f->hdr_len + (f->hdr_len ? by : 0));
}

static bool make_tagged(const struct sw *s, const struct net_frame *f, struct sw_made *m)
{
    size_t from = s->tag.tags ? L2_HEAD - 2 + L2_TAG : L2_HEAD - 2;

    memcpy(m->head, s->head, L2_HEAD - 2);
    m->head[12] = 0x81;
    m->head[13] = 0;
    m->head[14] = (uint8_t)(s->tag.prio | s->vid >> 8);
    m->head[15] = (uint8_t)s->vid;
    if (!made_join(m, f, L2_HEAD + 2, from))
        return false;
    if (!s->tag.tags)
        offsets_move(&m->f, L2_TAG);
    return true;
}

static bool make_bare(const struct sw *s, const struct net_frame *f, struct sw_made *m)
{
    memcpy(m->head, s->head, L2_HEAD - 2);
    if (!made_join(m, f, L2_HEAD - 2, L2_HEAD - 2 + L2_TAG))
        return false;
    offsets_move(&m->f, -(int)L2_TAG);
    return true;
}

/* All that was judged of it is our copy: of a port that is guarded a lot. */
static bool make_same(struct sw *s, struct sw_made *m, bool still)
{
    int n;

    if (still) {
        m->f = *s->f;
        return true;
    }
    n = net_slice(m->iov + 1, NET_IOVS_MAX - 1, s->f, s->have, s->f->len - s->have);
    if (n < 0)
        return false;
    m->iov[0] = (struct iovec){s->head, s->have};
    m->f = *s->f;
    m->f.iov = m->iov;
    m->f.iovs = n + 1;
    return true;
}

static const struct net_frame *made(struct sw *s, enum sw_shape shape, bool still)
{
    struct sw_made *m = &s->made[shape];
    const struct net_frame *same;
    bool done;

    if (s->done >> shape & 1)
        return &m->f;
    if (shape == SHAPE_SAME) {
        done = make_same(s, m, still);
    } else {
        same = made(s, SHAPE_SAME, still); /* with the head that was judged */
        done = same && (shape == SHAPE_TAGGED ? make_tagged(s, same, m) : make_bare(s, same, m));
    }
    s->done |= (unsigned)done << shape;
    return done ? &m->f : NULL;
}

/* ---- where it goes ---- */

static bool may_reach(const struct sw_port *p, const struct sw_port *q)
{
    return (!p->policy.isolate && !q->policy.isolate) || p->policy.uplink || q->policy.uplink;
}

static void to_port(struct sw_port *p, struct sw_port *q)
{
    struct sw *s = p->s;
    enum sw_shape shape = shape_for(s, &q->policy);
    const struct net_frame *f;

    if (shape == SHAPES)
        return;
    f = made(s, shape, p->plug.still);
    if (f)
        sw_to(q, p, f);
}

static void flood(struct sw_port *p)
{
    if (!bucket_take(&p->storm, p->s->now, 1)) {
        sw_refuse(p, SW_STORM, &p->count.storm);
        return;
    }
    ledger_add(p->row[SW_FLOOD], true, p->s->f->len);
    for (unsigned i = 0; i < SW_PORTS; i++)
        if (p->s->port[i] && i != p->index && may_reach(p, p->s->port[i]))
            to_port(p, p->s->port[i]);
}

/* The port with a fixed address, or -1. */
static int pinned_at(const struct sw *s, uint64_t mac)
{
    for (unsigned i = 0; i < SW_PORTS; i++)
        if (s->port[i] && s->port[i]->pin == mac)
            return (int)i;
    return -1;
}

static uint64_t key(const struct sw *s, uint64_t mac)
{
    return (uint64_t)s->vid << 48 | mac;
}

/* True: the frame may go on. */
static bool learn(struct sw_port *p, uint64_t mac)
{
    struct sw *s = p->s;
    unsigned most = p->policy.macs ? p->policy.macs : L2_QUOTA;
    int at = s->pins ? l2_find(&s->l2, key(s, mac), s->now) : (int)p->index;

    s->memo = (struct sw_memo){0};
    if (at != (int)p->index && !p->pin && pinned_at(s, mac) >= 0) {
        sw_refuse(p, SW_SPOOFED, &p->count.spoofed);
        return false;
    }
    switch (l2_learn(&s->l2, key(s, mac), p->index, most, s->now)) {
    case L2_FOREIGN: sw_refuse(p, SW_SPOOFED, &p->count.spoofed); return false;
    case L2_MANY: sw_refuse(p, SW_CROWDED, &p->count.crowded); return true;
    default: s->memo.from = key(s, mac); return true;
    }
}

/* The port where it goes; -1: all. */
static int find(struct sw *s, uint64_t to)
{
    int port;

    if (s->memo.found && s->memo.to == key(s, to))
        return s->memo.port;
    port = l2_is_group(to) ? -1 : l2_find(&s->l2, key(s, to), s->now);
    if (port < 0 && !l2_is_group(to))
        port = pinned_at(s, to);
    if (s->memo.from) { /* else each learns anew, and may drive somebody out */
        s->memo.to = key(s, to);
        s->memo.port = port;
        s->memo.found = true;
    }
    return port;
}

/* ---- frames of a burst that go to one port, as they came ---- */

static void run_end(struct sw_port *p)
{
    struct sw_run *r = &p->s->run;
    unsigned frames = r->frames;

    r->frames = 0;
    if (frames)
        sw_to_all(r->to, p, r->f, frames);
}

/* The frame at hand is another run's first. */
static void run_begin(struct sw_port *p, struct sw_port *q)
{
    struct sw *s = p->s;
    struct sw_run *r = &s->run;

    if (r->frames) {
        run_end(p);
        memcpy(r->head[0], s->head, s->have);
        s->head = r->head[0];
    }
    r->to = q;
}

/* As net_slice, which a frame of one piece, as most are, does not need. */
static int rest_of(const struct net_frame *f, size_t from, struct iovec *out, int room)
{
    if (f->iovs != 1 || f->len <= from)
        return net_slice(out, room, f, from, f->len - from);
    *out = (struct iovec){(uint8_t *)f->iov->iov_base + from, f->len - from};
    return 1;
}

/* False: this frame is none for a run. */
static bool run_add(struct sw_port *p, struct sw_port *q)
{
    struct sw *s = p->s;
    struct sw_run *r = &s->run;
    unsigned i;
    int n;

    if (s->f->todo || p->plug.still || shape_for(s, &q->policy) != SHAPE_SAME)
        return false;
    if (!r->frames || r->to != q)
        run_begin(p, q);
    i = r->frames;
    n = rest_of(s->f, s->have, r->iov[i] + 1, SW_RUN_IOVS - 1);
    if (n < 0)
        return false;
    r->iov[i][0] = (struct iovec){r->head[i], s->have};
    r->f[i] = (struct net_frame){.iov = r->iov[i], .iovs = n + 1, .len = s->f->len};
    r->frames++;
    return true;
}

static void go(struct sw_port *p, struct sw_port *q)
{
    if (run_add(p, q))
        return;
    run_end(p);
    to_port(p, q);
}

static void forward(struct sw_port *p, uint64_t from)
{
    struct sw *s = p->s;
    uint64_t to = mac_at(s->head, 0);
    int port;

    if ((s->memo.from != key(s, from) && !learn(p, from)) || l2_is_reserved(to))
        return;
    port = find(s, to);
    if (port < 0) {
        run_end(p);
        flood(p);
    } else if ((unsigned)port == p->index || !s->port[port]) {
        return;
    } else if (may_reach(p, s->port[port])) {
        go(p, s->port[port]);
    } else {
        sw_refuse(p, SW_ISOLATED, &p->count.isolated);
    }
}

static size_t head_copy(const struct net_frame *f, uint8_t *head, bool guarded)
{
    enum { HEAD = L2_HEAD + L2_TAG * L2_TAGS_MAX };

    if (guarded || f->iov->iov_len < HEAD)
        return net_head(f, head, guarded ? SW_GUARD_HEAD : HEAD);
    memcpy(head, f->iov->iov_base, HEAD);
    return HEAD;
}

static void judge(struct sw_port *p, const struct net_frame *f)
{
    struct sw *s = p->s;
    uint64_t from;

    s->f = f;
    s->head = s->run.head[s->run.frames];
    s->have = head_copy(f, s->head, p->guarded);
    s->done = 0;
    from = s->have < L2_HEAD ? 0 : mac_at(s->head, 6);
    if (!from || l2_is_group(from))
        sw_refuse(p, SW_BAD, &p->count.bad);
    else if (!classify(p))
        sw_refuse(p, SW_VLAN, &p->count.vlan);
    else if (p->guarded && !sw_guard(&p->policy, s->head, s->have, &s->tag))
        sw_refuse(p, SW_SPOOFED, &p->count.spoofed);
    else
        forward(p, from);
}

void sw_port_from_all(struct sw_port *p, const struct net_frame *f, unsigned frames)
{
    struct sw *s = p->s;
    size_t bytes = 0;

    sw_now(s);
    s->busy = true;
    for (unsigned i = 0; i < frames; i++)
        bytes += f[i].len;
    sw_heard(p, frames, bytes);
    sw_count_from(p, frames, bytes);
    s->memo = (struct sw_memo){0};
    for (unsigned i = 0; i < frames; i++) {
        judge(p, &f[i]);
        if (s->run.frames == NET_BURST)
            run_end(p);
    }
    run_end(p);
}

void sw_port_from(struct sw_port *p, const struct net_frame *f)
{
    sw_port_from_all(p, f, 1);
}
