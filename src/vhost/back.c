/*
 * The peer of a vhost-user back end comes, speaks and goes. Of what it says, whatever is not so
 * ends the connection with a line that tells why; nothing it says ends anything else. The rings it
 * lends are served by the device, through struct virtio; this file and its neighbours only carry.
 */
#include "vhost/back.h"
#include "bus/dev.h"
#include "core/error.h"
#include "core/ledger.h"
#include "vhost/back_impl.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LOG_LINES = 200 }; /* peers may come and lie for as long as they like */
enum { MESSAGES = 16 };   /* a turn: other peers get theirs */
#define RETRY_NS 100000000ull

enum vhost_answer vhost_lied(struct vhost_back *b, const char *why)
{
    if (!b->bad)
        b->bad = why;
    return VHOST_LIED;
}

/* ---- the peer goes ---- */

static void on_connect(void *arg, uint32_t events);

static void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* What is in flight reads and writes memory that is about to go: it ends first. */
static void peer_drop(struct vhost_back *b)
{
    if (b->sock < 0)
        return;
    loop_fd_drop(b->loop, b->sock);
    vhost_rings_drop(b);
    virtio_reset(b->v);
    lent_clear(&b->lent);
    vu_in_drop(&b->in);
    fd_close(&b->sock);
    fd_close(&b->back_sock);
    b->regions = 0;
    b->record.at = NULL;
    b->features = b->protocol = 0;
    b->featured = false;
    b->bad = NULL;
    b->dma.enabled = false;
    if (b->place.fd >= 0)
        loop_fd(b->loop, b->place.fd, EPOLLIN, on_connect, b);
}

static void look(void *arg)
{
    struct vhost_back *b = arg;

    if (b->lent.lost && !b->bad)
        b->bad = "its memory is gone";
    if (b->sock < 0 || !b->bad)
        return;
    log_peer(&b->log, "%s: the vhost-user peer is dropped: %s", b->o.name, b->bad);
    peer_drop(b);
}

void vhost_look(struct vhost_back *b)
{
    if (__builtin_expect(b->lent.lost || b->bad, 0))
        loop_defer(b->loop, &b->look);
}

/* ---- the peer speaks ---- */

static int reply(struct vhost_back *b, struct vu_msg *m)
{
    m->flags = VU_VERSION | VU_REPLY;
    if (m->request < VU_REQUESTS)
        ledger_add(b->msgs[m->request], false, VU_HDR_LEN + m->size);
    return vu_send(b->sock, m);
}

static void answer(struct vhost_back *b, struct vu_msg *m, enum vhost_answer a)
{
    bool asked = m->flags & VU_NEED_REPLY && vhost_agreed(b, VU_F_REPLY_ACK);

    if (a == VHOST_FAILED || a == VHOST_LIED)
        ledger_refuse(b->msgs[m->request < VU_REQUESTS ? m->request : 0]);
    if (a == VHOST_FAILED && !asked)
        vhost_lied(b, "what it asked for could not be had");
    if (a == VHOST_LIED || (a == VHOST_OK && !asked) || b->bad)
        return;
    if (a != VHOST_REPLY) {
        vu_msg_drop(m);
        le64_put(m->payload, a != VHOST_OK);
        m->size = VU_U64_LEN;
    }
    if (reply(b, m))
        vhost_lied(b, "it does not read replies");
}

/* False: the peer is gone. */
static bool message(struct vhost_back *b)
{
    struct vu_msg *m = &b->in.msg;
    uint32_t request = m->request;

    ledger_add(b->msgs[request < VU_REQUESTS ? request : 0], true, VU_HDR_LEN + m->size);
    answer(b, m, vhost_obey(b, m));
    vu_in_drop(&b->in);
    if (!b->bad && b->lent.lost)
        b->bad = "its memory is gone";
    if (!b->bad)
        return true;
    log_peer(&b->log, "%s: the vhost-user peer is dropped: %s (at %s, request %u)", b->o.name,
             b->bad, vu_request_name(request), request);
    peer_drop(b);
    return false;
}

static void on_peer(void *arg, uint32_t events)
{
    struct vhost_back *b = arg;

    (void)events;
    for (unsigned i = 0; i < MESSAGES; i++) {
        int got = vu_recv(&b->in, b->sock);

        if (!got)
            return;
        if (got < 0) {
            if (got != -ECONNRESET || b->in.got)
                log_peer(&b->log, "%s: the vhost-user peer is dropped: %s", b->o.name,
                         got == -ECONNRESET ? "it left in the middle of a message"
                         : got == -EPROTO   ? "what it sends is no message"
                                            : strerror(-got));
            peer_drop(b);
            return;
        }
        if (!message(b))
            return;
    }
}

/* ---- the peer comes ---- */

int vhost_back_adopt(struct vhost_back *b, int sock)
{
    int err;

    if (b->sock >= 0)
        return -EBUSY;
    vhost_rings_make(b);
    err = loop_fd(b->loop, sock, EPOLLIN, on_peer, b);
    if (err)
        return err;
    b->sock = sock;
    ledger_add(b->peers, true, 0);
    b->dma.enabled = true;
    if (b->place.fd >= 0)
        loop_fd_drop(b->loop, b->place.fd); /* others wait their turn in the backlog */
    return 0;
}

static void on_connect(void *arg, uint32_t events)
{
    struct vhost_back *b = arg;
    int fd = accept4(b->place.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd >= 0 && vhost_back_adopt(b, fd))
        close(fd);
    if (fd >= 0 || (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS))
        return;
    log_peer(&b->log, "%s: a vhost-user peer must wait: %s", b->o.name, strerror(errno));
    loop_fd_drop(b->loop, b->place.fd);
    loop_timer_set(&b->retry, loop_now(b->loop) + RETRY_NS);
}

static void on_retry(void *arg)
{
    struct vhost_back *b = arg;

    if (b->sock < 0)
        loop_fd(b->loop, b->place.fd, EPOLLIN, on_connect, b);
}

/* ---- what the device sees ---- */

static void queue_irq(void *transport, unsigned queue)
{
    vhost_ring_call(transport, queue);
}

static void config_irq(void *transport)
{
    struct vhost_back *b = transport;
    uint8_t hdr[VU_HDR_LEN] = {0};

    le32_put(hdr + VU_HDR_REQUEST, VU_BACKEND_CONFIG_CHANGE);
    le32_put(hdr + VU_HDR_FLAGS, VU_VERSION);
    if (b->v->status & VIRTIO_NEEDS_RESET)
        vhost_rings_err(b);
    else if (b->back_sock >= 0 && vhost_agreed(b, VU_F_CONFIG) &&
             send(b->back_sock, hdr, sizeof(hdr), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return; /* a peer that does not read them misses them */
}

static int back_attach(struct bearer *bearer, struct virtio *v, const struct dev_env *env)
{
    struct vhost_back *b = container_of(bearer, struct vhost_back, bearer);

    b->dma = (struct dma){.ram = &b->lent.ram, .tap = env->tap};
    b->dma.row = ledger_row(env->ledger, LEDGER_DMA, env->name, "dma");
    if (!b->dma.row)
        return -ENOMEM;
    b->v = v;
    v->dma = &b->dma;
    v->loop = env->loop;
    v->name = env->name;
    v->offered |= b->o.offered;
    v->out = (struct virtio_transport){queue_irq, config_irq, b};
    return 0;
}

static void back_detach(struct bearer *bearer)
{
    struct vhost_back *b = container_of(bearer, struct vhost_back, bearer);

    virtio_stop(b->v);
    b->v = NULL;
}

/* ---- life ---- */

struct bearer *vhost_back_bearer(struct vhost_back *b)
{
    return &b->bearer;
}

bool vhost_back_busy(const struct vhost_back *b)
{
    return b->sock >= 0;
}

bool vhost_back_sane(const struct vhost_back *b)
{
    if (b->sock < 0 && (b->lent.ram.slots || b->regions || vhost_rings_run(b)))
        return false;
    for (unsigned i = 0; i < b->v->queues; i++)
        if (b->ring[i].runs != b->v->queue[i].enabled || !vq_sane(&b->v->queue[i].vq))
            return false;
    return b->regions == b->lent.ram.slots;
}

static bool rows_make(struct vhost_back *b, struct ledger *ledger)
{
    const char *name = b->o.name;

    b->kicks = ledger_row(ledger, LEDGER_BELL, name, "kick");
    b->calls = ledger_row(ledger, LEDGER_IRQ, name, "call");
    b->again = ledger_row(ledger, LEDGER_VHOST, name, "served again");
    b->peers = ledger_row(ledger, LEDGER_VHOST, name, "peer");
    b->msgs[0] = ledger_row(ledger, LEDGER_VHOST, name, "unknown");
    for (uint32_t i = 0; i < VU_REQUESTS; i++) {
        const char *request = vu_request_name(i);

        b->msgs[i] = *request == '?' ? b->msgs[0] : ledger_row(ledger, LEDGER_VHOST, name, request);
        if (!b->msgs[i])
            return false;
    }
    return b->kicks && b->calls && b->again && b->peers;
}

int vhost_back_open(struct vhost_back **out, const struct vhost_back_opts *o, struct loop *loop,
                    struct ledger *ledger, struct error *err)
{
    struct vhost_back *b = calloc(1, sizeof(*b));
    int code;

    if (!b)
        return error_set(err, -ENOMEM, "%s: not enough memory", o->name);
    b->o = *o;
    b->bearer = (struct bearer){back_attach, back_detach};
    b->loop = loop;
    b->sock = b->back_sock = b->place.fd = -1;
    b->log.left = LOG_LINES;
    lent_init(&b->lent);
    b->look = (struct loop_work){.run = look, .arg = b};
    loop_timer_init(&b->retry, loop, on_retry, b);
    vhost_poll_init(b);
    loop_poll_add(loop, &b->poll);
    vhost_call_init(&b->tell);
    for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++) {
        vhost_call_init(&b->ring[i].call);
        vhost_ring_clear(b, i);
    }
    code = rows_make(b, ledger) ? lent_guard(&b->lent) : -ENOMEM;
    if (code)
        error_set(err, code, "%s: %s", o->name, strerror(-code));
    else if (o->path)
        code = listen_open(&b->place, "socket", o->path, 4, err);
    if (code) {
        vhost_back_close(b);
        return code;
    }
    *out = b;
    return 0;
}

int vhost_back_start(struct vhost_back *b)
{
    vhost_rings_make(b);
    return loop_fd(b->loop, b->place.fd, EPOLLIN, on_connect, b);
}

void vhost_back_stop(struct vhost_back *b)
{
    if (b->place.fd >= 0)
        loop_fd_drop(b->loop, b->place.fd);
    listen_close(&b->place);
    loop_timer_stop(&b->retry);
    loop_work_cancel(b->loop, &b->look);
    if (b->v)
        peer_drop(b);
}

void vhost_back_close(struct vhost_back *b)
{
    if (!b)
        return;
    loop_poll_drop(b->loop, &b->poll);
    lent_unguard(&b->lent);
    vhost_rings_unmake(b);
    listen_close(&b->place);
    free(b);
}
