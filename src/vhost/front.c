/*
 * The back end of a front end goes and comes back: connecting, listening to it, leaving it, and
 * trying again. A back end that hangs up, or whose answers are not so, is left; the machine goes
 * on, and the driver sees requests that take long. Its requests are posted again to the next one.
 */
#include "core/error.h"
#include "core/ledger.h"
#include "mem/ram.h"
#include "vhost/front_impl.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MS_NS       1000000ull
#define BACKOFF_MIN (5 * MS_NS)
#define BACKOFF_MAX (500 * MS_NS)
#define MEM_GPA     (1ull << 41) /* above all that a guest can have: --memory ends at 1T */
enum { LOG_LINES = 4096 };       /* a back end may go and come for as long as it likes */
enum { MESSAGES = 16 };          /* a turn: others get theirs */
enum { DRAIN_MS = 10000, WAIT_MS = 100 };

gpa_t front_mem_gpa(void)
{
    return MEM_GPA;
}

static void fd_close(struct vfront *f, int *fd)
{
    if (*fd < 0)
        return;
    loop_fd_drop(f->loop, *fd);
    close(*fd);
    *fd = -1;
}

/* ---- memory ---- */

static void mem_drop(struct vfront *f)
{
    if (f->mem)
        munmap(f->mem, f->mem_len);
    if (f->mem_fd >= 0)
        close(f->mem_fd);
    f->mem = NULL;
    f->mem_fd = -1;
}

/* Another one for each back end: who has gone may still write in the old one. Its length is sealed:
 * a peer that cuts it short would end this process. */
int front_mem_make(struct vfront *f)
{
    uint8_t *mem;

    mem_drop(f);
    f->mem_len = (size_t)f->rings * SHADOW_STRIDE;
    f->mem_fd = memfd_create("vhost-user-rings", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (f->mem_fd < 0 || ftruncate(f->mem_fd, (off_t)f->mem_len) ||
        fcntl(f->mem_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        return -errno;
    mem = mmap(NULL, f->mem_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, f->mem_fd, 0);
    if (mem == MAP_FAILED)
        return -errno;
    f->mem = mem;
    return 0;
}

/* ---- it goes ---- */

static void rings_leave(struct vfront *f)
{
    for (unsigned i = 0; i < f->rings; i++)
        front_ring_keep(&f->ring[i]);
    for (unsigned i = 0; i < f->rings; i++) {
        front_ring_gone(&f->ring[i]);
        if (!f->wanted) /* none waits, or a ring has lied */
            front_ring_forget(&f->ring[i]);
    }
}

static void gone_tell(struct vfront *f, const char *why)
{
    bool first = !f->gone_told;

    if (first)
        f->gone_at = loop_now(f->loop);
    if (f->attached && (first || why != f->gone_why))
        log_peer(&f->log, "%s: the back end at %s is gone: %s; %u requests wait for it to return",
                 f->name, f->path, why, front_in_flight(f));
    f->gone_told = true;
    f->gone_why = why;
}

static void backoff_more(struct vfront *f)
{
    f->backoff = f->backoff < BACKOFF_MAX / 2 ? f->backoff * 2 : BACKOFF_MAX;
}

void front_leave(struct vfront *f, const char *why)
{
    if (f->sock < 0)
        return;
    f->bad = why;
    fd_close(f, &f->sock); /* before the pipes: who sees one hang up wonders why */
    rings_leave(f);
    fd_close(f, &f->back_sock);
    if (f->back_lent >= 0)
        close(f->back_lent);
    f->back_lent = -1;
    vu_in_drop(&f->in);
    vu_in_drop(&f->back_in);
    front_asks_drop(f);
    mem_drop(f);
    loop_work_cancel(f->loop, &f->hang_up);
    if (!f->probed)
        backoff_more(f); /* it comes and goes, and is never of use */
    f->probed = f->started = f->mem_told = false;
    f->bad = NULL;
    gone_tell(f, why);
    if (f->attached && *f->path)
        loop_timer_set(&f->again, loop_now(f->loop) + f->backoff);
}

static void on_hang_up(void *arg)
{
    struct vfront *f = arg;

    if (f->bad)
        front_leave(f, f->bad);
}

void front_lied(struct vfront *f, const char *why)
{
    if (!f->bad)
        f->bad = why;
    f->backoff = BACKOFF_MAX; /* it would lie again at once */
    loop_defer(f->loop, &f->hang_up);
}

/* Most back ends serve one at a time: who comes second is let in, and not heard. */
static const char *silence(const struct vfront *f)
{
    return f->ask[f->ask_first].request == VU_GET_FEATURES
               ? "it does not answer; perhaps another machine has it"
               : "it does not answer";
}

static void on_impatient(void *arg)
{
    struct vfront *f = arg;

    if (f->waiting)
        front_lied(f, silence(f));
}

void front_back(struct vfront *f)
{
    uint64_t ms = (loop_now(f->loop) - f->gone_at) / MS_NS;

    f->backoff = BACKOFF_MIN;
    if (!f->gone_told)
        return;
    f->gone_told = false;
    log_peer(&f->log, "%s: the back end at %s is back after %llu ms; requests sent again: %u",
             f->name, f->path, (unsigned long long)ms, f->moved);
    f->moved = 0;
}

/* ---- it speaks ---- */

static void answer(struct vfront *f)
{
    struct front_ask a = f->ask[f->ask_first];
    struct vu_msg *m = &f->in.msg;
    const char *why = "it speaks without being asked";

    ledger_add(f->msgs[m->request < VU_REQUESTS ? m->request : 0], false, VU_HDR_LEN + m->size);
    if (f->waiting) {
        loop_timer_stop(&f->patience);
        f->waiting = false;
        f->ask_first = (f->ask_first + 1) % FRONT_ASKS;
        f->asks--;
        why = front_take(f, &a, m);
    }
    vu_in_drop(&f->in);
    if (why) {
        ledger_refuse(f->msgs[m->request < VU_REQUESTS ? m->request : 0]);
        front_lied(f, why);
    }
}

static const char *hang_up_reason(const struct vu_in *in, int err)
{
    if (err == -EPROTO)
        return "what it sends is no message";
    return err != -ECONNRESET ? "its socket fails"
           : in->got          ? "it left in the middle of a message"
                              : "it hung up";
}

static void on_sock(void *arg, uint32_t events)
{
    struct vfront *f = arg;

    (void)events;
    for (unsigned i = 0; i < MESSAGES && f->sock >= 0 && !f->bad; i++) {
        int got = vu_recv(&f->in, f->sock);

        if (got < 0) {
            if (got != -ECONNRESET || f->in.got)
                f->backoff = BACKOFF_MAX;
            front_leave(f, hang_up_reason(&f->in, got));
        }
        if (got <= 0)
            return;
        answer(f);
        front_asks_go(f);
    }
}

/* Its own requests: of a configuration that is another now. Others are answered with a no. */
static void back_message(struct vfront *f)
{
    struct vu_msg *m = &f->back_in.msg;
    bool known = m->request == VU_BACKEND_CONFIG_CHANGE && f->kind->config;

    if (known)
        front_config_ask(f);
    if (m->flags & VU_NEED_REPLY) {
        struct vu_msg reply = {.request = m->request, .flags = VU_VERSION | VU_REPLY};

        le64_put(reply.payload, !known);
        reply.size = VU_U64_LEN;
        if (vu_send(f->back_sock, &reply))
            front_lied(f, "it does not read the answers to its requests");
    }
    vu_in_drop(&f->back_in);
}

static void on_back(void *arg, uint32_t events)
{
    struct vfront *f = arg;

    (void)events;
    for (unsigned i = 0; i < MESSAGES && f->back_sock >= 0 && !f->bad; i++) {
        int got = vu_recv(&f->back_in, f->back_sock);

        if (got == -EPROTO)
            front_lied(f, "what it asks is no message");
        if (got < 0)
            loop_fd_drop(f->loop, f->back_sock);
        if (got <= 0)
            return;
        back_message(f);
    }
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / MS_NS;
}

/* Bound: DRAIN_MS, which is long for a disk and short for whoever waits. */
void front_drain(struct vfront *f)
{
    uint64_t end = now_ms() + DRAIN_MS, now = now_ms();

    front_asks_go(f);
    while (f->sock >= 0 && !f->bad && f->asks && now < end) {
        struct pollfd p = {.fd = f->sock, .events = POLLIN};

        if (f->o.meanwhile)
            f->o.meanwhile(f->o.arg);
        if (poll(&p, 1, f->o.meanwhile ? 0 : (int)(end - now)) > 0)
            on_sock(f, POLLIN);
        now = now_ms();
    }
    if (f->bad || f->asks)
        front_leave(f, f->bad ? f->bad : silence(f));
}

void vfront_settle(struct vfront *f)
{
    front_drain(f);
}

/* ---- it comes ---- */

int front_back_channel(struct vfront *f)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
        return -errno;
    f->back_sock = pair[0];
    f->back_lent = pair[1];
    return loop_fd(f->loop, pair[0], EPOLLIN, on_back, f);
}

int vfront_adopt(struct vfront *f, int sock)
{
    int err;

    if (f->sock >= 0)
        return -EBUSY;
    err = loop_fd(f->loop, sock, EPOLLIN, on_sock, f);
    if (err)
        return err;
    f->sock = sock;
    f->features = f->protocol = f->slots = 0;
    f->cfg_stale = false;
    f->rings_max = f->kind->config ? VFRONT_QUEUES_MAX : 1; /* without MQ a card has one pair */
    err = front_mem_make(f);
    for (unsigned i = 0; !err && i < f->rings; i++)
        err = front_ring_make(&f->ring[i]);
    if (err) {
        f->sock = -1; /* the caller's again */
        loop_fd_drop(f->loop, sock);
        for (unsigned i = 0; i < f->rings; i++)
            front_ring_gone(&f->ring[i]);
        mem_drop(f);
        return err;
    }
    front_ask_probe(f);
    front_asks_go(f);
    return 0;
}

static int connect_now(struct vfront *f)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err = 0;

    memcpy(at.sun_path, f->path, strlen(f->path) + 1);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&at, sizeof(at)))
        err = -errno;
    if (!err)
        err = vfront_adopt(f, fd);
    if (err && fd >= 0)
        close(fd);
    return err;
}

static void on_again(void *arg)
{
    struct vfront *f = arg;

    if (f->sock >= 0 || !connect_now(f))
        return;
    loop_timer_set(&f->again, loop_now(f->loop) + f->backoff);
    backoff_more(f);
}

/* ---- life ---- */

bool vfront_up(const struct vfront *f)
{
    return f->sock >= 0 && f->probed;
}

bool vfront_sane(const struct vfront *f)
{
    for (unsigned i = 0; i < f->rings; i++) {
        const struct front_ring *r = &f->ring[i];
        const struct vq *q = &f->v.queue[i].vq;

        if (!shadow_sane(&r->shadow) || !shadow_sane(&r->kept) || !vq_sane(q))
            return false;
        if (r->live && (f->sock < 0 || r->kept.slot))
            return false;
        if (q->desc && f->wanted && q->in_flight != r->shadow.in_flight + r->kept.in_flight)
            return false;
    }
    return f->asks <= FRONT_ASKS;
}

static bool rows_make(struct vfront *f, struct ledger *ledger)
{
    f->kicks = ledger_row(ledger, LEDGER_BELL, f->name, "kick");
    f->calls = ledger_row(ledger, LEDGER_IRQ, f->name, "call");
    f->again_row = ledger_row(ledger, LEDGER_VHOST, f->name, "sent again");
    f->msgs[0] = ledger_row(ledger, LEDGER_VHOST, f->name, "unknown");
    for (uint32_t i = 0; i < VU_REQUESTS; i++) {
        const char *request = vu_request_name(i);

        f->msgs[i] =
            *request == '?' ? f->msgs[0] : ledger_row(ledger, LEDGER_VHOST, f->name, request);
        if (!f->msgs[i])
            return false;
    }
    return f->kicks && f->calls && f->again_row;
}

static void waits(void)
{
    const struct timespec t = {.tv_nsec = WAIT_MS * (long)MS_NS};

    nanosleep(&t, NULL);
}

/* Before the machine is there: nobody else's time is taken. */
static int first_time(struct vfront *f, struct error *err)
{
    const char *option = f->o.kind == VFRONT_BLK ? "--disk" : "--net";
    int code = connect_now(f);

    if (code && f->o.wait)
        log_info("%s vhost-user=%s: waiting for its back end", option, f->path);
    while (code && f->o.wait) { /* the user's to end: ^C */
        waits();
        code = connect_now(f);
    }
    if (code)
        return error_set(err, code,
                         "%s vhost-user=%s: nobody serves there (%s); start the back end first, "
                         "like viaduct domain %s …,socket=%s, or add ,wait",
                         option, f->path, strerror(-code), option, f->path);
    front_drain(f);
    if (vfront_up(f))
        return 0;
    return error_set(err, -EPROTO, "%s vhost-user=%s: the back end is of no use: %s", option,
                     f->path, f->gone_why ? f->gone_why : "it hung up");
}

static void make(struct vfront *f, const struct vfront_opts *o, struct ram *ram, struct loop *loop)
{
    f->o = *o;
    f->o.queues = o->queues ? o->queues : 1;
    f->kind = o->kind == VFRONT_BLK ? &front_blk : &front_net;
    f->rings = o->kind == VFRONT_BLK ? f->o.queues : 2 * f->o.queues;
    f->ram = ram;
    f->loop = loop;
    f->sock = f->back_sock = f->back_lent = f->mem_fd = -1;
    f->backoff = BACKOFF_MIN;
    f->pairs_used = 1;
    f->log.left = LOG_LINES;
    f->hang_up = (struct loop_work){.run = on_hang_up, .arg = f};
    loop_timer_init(&f->again, loop, on_again, f);
    loop_timer_init(&f->patience, loop, on_impatient, f);
    for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++)
        f->ring[i] = (struct front_ring){.f = f, .index = i, .kick = {-1, -1}, .call = -1};
}

int vfront_open(struct vfront **out, const struct vfront_opts *o, struct ram *ram,
                struct loop *loop, struct ledger *ledger, struct error *err)
{
    struct vfront *f;
    int code = 0;

    if (o->queues > VFRONT_QUEUES_MAX || (o->path && strlen(o->path) >= sizeof(f->path)))
        return error_set(err, -EINVAL, "vhost-user=%s: the path is too long for a socket",
                         o->path ? o->path : "");
    f = calloc(1, sizeof(*f));
    if (!f)
        return error_set(err, -ENOMEM, "%s: not enough memory", o->name);
    make(f, o, ram, loop);
    snprintf(f->name, sizeof(f->name), "%s", o->name);
    snprintf(f->path, sizeof(f->path), "%s", o->path ? o->path : "");
    if (!rows_make(f, ledger))
        code = error_set(err, -ENOMEM, "%s: not enough memory", o->name);
    if (!code && o->path)
        code = first_time(f, err);
    if (code)
        vfront_close(f);
    else
        *out = f;
    return code;
}

void vfront_close(struct vfront *f)
{
    if (!f)
        return;
    f->attached = f->wanted = false;
    front_leave(f, "the machine ends");
    for (unsigned i = 0; i < f->rings; i++)
        front_ring_forget(&f->ring[i]);
    mem_drop(f);
    loop_timer_stop(&f->again);
    loop_timer_stop(&f->patience);
    loop_work_cancel(f->loop, &f->hang_up);
    free(f);
}
