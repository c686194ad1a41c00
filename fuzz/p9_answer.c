/*
 * The machine's side of a share's wire, against a server that says anything: packets near to what
 * is right or far from it, at any time, then silence or the end. Every request is told of once,
 * with a reply within its room; and from the first lie on all are I/O errors.
 *
 * An input is steps: ask, answer, answer nonsense, let the loop run, drain, reset, hang up.
 */
#include "back/p9_wire.h"
#include "core/ledger.h"
#include "core/loop.h"
#include "input.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STEPS = 200, REQS = 24, ROOM = 600, FENCE = 16, TYPES = 128 };

struct asked {
    struct p9_req req;
    struct iovec room[2];
    uint8_t bytes[ROOM + FENCE];
    bool out;
};

struct play {
    struct p9 *p;
    struct asked *a;
    struct p9_shared *shared;
    struct loop *loop;
    int sock, pipe;
    unsigned next;
};

static void done(struct p9_req *r)
{
    struct asked *a = r->owner;

    PROMISE(a->out && r->replied <= r->room_len);
    PROMISE(r->room_len < P9_ERROR_LEN ? !r->replied : r->replied >= P9_HEAD);
    PROMISE(!r->replied || le32_get(a->bytes) == r->replied);
    PROMISE((r->err != 0) == (!r->replied || a->bytes[4] == 7));
    PROMISE(!r->replied || !memcmp(a->bytes + 5, r->msg + 5, 2));
    for (unsigned i = (unsigned)r->room_len; i < sizeof(a->bytes); i++)
        PROMISE(a->bytes[i] == 0xee);
    a->out = false;
}

static void ask(struct play *p, struct input *in)
{
    struct asked *a = &p->a[p->next++ % REQS];
    uint8_t cut = take_u8(in);

    if (a->out)
        return;
    memset(a->bytes, 0xee, sizeof(a->bytes));
    a->req.len = P9_HEAD + take_u8(in) % 32;
    le32_put(a->req.msg, a->req.len);
    a->req.msg[4] = take_u8(in) % TYPES;
    le16_put(a->req.msg + 5, take_u8(in));
    take(in, a->req.msg + P9_HEAD, 2); /* of a flush: whom */
    a->req.room_len = take_u16(in) % (ROOM + 1);
    cut = cut < a->req.room_len ? cut : (uint8_t)0;
    a->room[0] = (struct iovec){a->bytes, cut};
    a->room[1] = (struct iovec){a->bytes + cut, (size_t)a->req.room_len - cut};
    a->req.room = a->room;
    a->req.rooms = 2;
    a->req.data = a->room; /* what a guest writes from, it may be answered to */
    a->req.datas = a->req.msg[4] == P9_TWRITE ? 1 : 0;
    a->req.data_len = a->req.datas ? cut : 0;
    a->req.owner = a;
    a->req.done = done;
    a->out = true;
    p9_submit(p->p, &a->req);
    PROMISE(a->out); /* not within p9_submit */
}

/* As a server would answer that has read the request, but for what the input changes. */
static void answer(struct play *p, struct input *in)
{
    struct p9_answer a = {0};
    struct p9_ask got;
    uint8_t how = take_u8(in);

    if (recv(p->sock, &got, sizeof(got), MSG_DONTWAIT) < (ssize_t)(P9_ASK_HEAD + P9_HEAD))
        memset(&got, 0, sizeof(got));
    PROMISE(got.len <= P9_MSG_MAX && got.slot < P9_SLOTS && got.room_len <= P9_BULK);
    a.slot = got.slot ^ (how & 1 ? take_u8(in) : 0);
    a.replied = P9_HEAD + take_u16(in) % (ROOM + 32);
    a.head[4] = (uint8_t)(got.msg[4] + 1);
    memcpy(a.head + 5, got.msg + 5, 2);
    if (how & 2) {
        a.head[4] = 7;
        a.replied = P9_ERROR_LEN;
        a.head[7] = (uint8_t)(how >> 3);
    }
    le32_put(a.head, a.replied);
    if (how & 64) {
        uint8_t data[64] = {0};

        a.piped = 1;
        PROMISE(write(p->pipe, data, take_u8(in) % sizeof(data)) >= 0);
    }
    if (how & 4)
        a.head[take_u8(in) % sizeof(a.head)] = take_u8(in);
    send(p->sock, &a, sizeof(a), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void nonsense(struct play *p, struct input *in)
{
    uint8_t buf[40];
    size_t len = take_u8(in) % sizeof(buf);

    take(in, buf, len);
    send(p->sock, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void step(struct play *p, struct input *in)
{
    switch (take_u8(in) % 16) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4: ask(p, in); break;
    case 5:
    case 6:
    case 7:
    case 8: answer(p, in); break;
    case 9: nonsense(p, in); break;
    case 10: p9_drain(p->p); break;
    case 11: p9_reset(p->p); break;
    case 12: shutdown(p->sock, take_u8(in) % 3); break;
    default: loop_step(p->loop, 0); break;
    }
}

/* Whoever has asked doesn't wait: it is the input that says when there is an answer. */
static void no_wait(void *ctx)
{
    (void)ctx;
}

static void begin(struct play *p, struct ledger *ledger)
{
    struct p9_wire w = {0};
    struct p9_ends far;

    PROMISE(!p9_wire_open(&w, &far));
    w.patience_ms = 1;
    w.pump = no_wait;
    p->sock = far.sock;
    p->pipe = far.pipe;
    p->shared = p9_shared_map(far.mem);
    close(far.mem);
    memset(p->shared->bulk[0], 0x5a, ROOM);
    PROMISE(!p9_attach(&p->p, &w, "share0", p->loop, ledger));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct input in = {data, len};
    struct play p = {.loop = loop_open(NULL, true), .a = calloc(REQS, sizeof(struct asked))};
    struct ledger *ledger = ledger_open();

    PROMISE(p.a && p.loop && ledger);
    begin(&p, ledger);
    for (unsigned n = 0; n < STEPS && in.len; n++)
        step(&p, &in);
    p9_drain(p.p);
    for (unsigned i = 0; i < REQS; i++)
        PROMISE(!p.a[i].out);
    p9_close(p.p);
    munmap(p.shared, sizeof(*p.shared));
    close(p.sock);
    close(p.pipe);
    loop_close(p.loop);
    ledger_close(ledger);
    free(p.a);
    return 0;
}
