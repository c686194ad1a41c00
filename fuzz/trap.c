/*
 * The trap path of one device, with everything a guest, a backend and time can do to it. The input
 * is a list of events; each is played through the dispatch that the engines use. Linked once with
 * each world.c, which names the world.
 */
#include "bench.h"
#include "bench_net.h"
#include "bench_vsk.h"
#include "bus/pci.h"
#include "core/ledger.h"
#include "core/state.h"
#include "dev/i8042.h"
#include "input.h"
#include "slow_blk.h"
#include "virtio/vcon.h"
#include "virtio/vinput.h"
#include "worlds.h"

#include <stdio.h>
#include <stdlib.h>

enum { RAM_SIZE = 1 << 20, EVENTS_MAX = 512, DISK_SECTORS = 128, BYTES_MAX = 256, WALKS_MAX = 4 };

enum event {
    EV_WRITE,
    EV_WRITE_SMALL, /* a value of one byte */
    EV_READ,
    EV_STRING,
    EV_MEMORY,
    EV_TIME,
    EV_DISK,
    EV_CFG,
    EV_PIN,
    EV_INTR,
    EV_CABLE,
    EV_USER,
    EV_RESET,
    EV_STATE,
    EV_NOISE,
    EVENTS
};

struct play {
    struct bench *b;
    const struct world *w;
    unsigned windows;
    unsigned walks; /* state walks so far: they are slow, and a few tell all */
    struct input in;
};

static const struct world *world_find(void)
{
    const struct world *w = worlds;

    while (w->name && strcmp(w->name, fuzz_world))
        w++;
    PROMISE(w->name);
    return w;
}

/* Where this event is aimed. */
static uint64_t aim(struct play *p, const struct window **w)
{
    *w = &p->w->window[take_u8(&p->in) % p->windows];
    return (*w)->base + take_u16(&p->in) % (*w)->len;
}

static void trap(struct play *p, const struct window *w, struct trap *t)
{
    uint8_t vcpu = t->size >> 7;

    t->kind = w->space == BUS_PIO ? TRAP_PIO : TRAP_MMIO;
    t->size = (uint8_t)(1u << (t->size & 3));
    if (t->kind == TRAP_PIO && t->size == 8)
        t->size = 4;
    dispatch_trap(&p->b->dispatch, vcpu, t);
}

static void memory(struct play *p, uint64_t at, size_t n)
{
    uint8_t buf[BYTES_MAX];
    uint8_t *host;

    n = take(&p->in, buf, n);
    host = ram_ptr(&p->b->ram, at, n);
    if (host)
        memcpy(host, buf, n);
}

static void ev_access(struct play *p, bool write, unsigned bytes)
{
    const struct window *w;
    struct trap t = {.write = write, .count = 1};

    t.addr = aim(p, &w);
    t.size = take_u8(&p->in);
    if (write)
        t.value = take_int(&p->in, bytes ? bytes : 1u << (t.size & 3));
    if (w->space < BUS_SPACES)
        trap(p, w, &t);
    else if (write)
        memcpy(ram_ptr(&p->b->ram, t.addr, 8), &t.value, 1u << (t.size & 3));
}

static void ev_string(struct play *p)
{
    uint8_t data[BYTES_MAX];
    const struct window *w;
    struct trap t = {.data = data};

    t.addr = aim(p, &w);
    t.size = take_u8(&p->in);
    t.count = 1 + take_u8(&p->in) % (BYTES_MAX / 8);
    t.write = t.count & 1;
    if (w->space == BUS_PIO) {
        take(&p->in, data, t.write ? t.count : 0);
        trap(p, w, &t);
    } else if (w->space == BUS_SPACES) {
        memory(p, t.addr, t.count);
    }
}

static void ev_time(struct play *p)
{
    uint64_t ns = (uint64_t)take_u8(&p->in) << take_u8(&p->in) % 24; /* up to 4 s */

    loop_advance(p->b->loop, ns);
}

/* The backend finishes something, well or badly. */
static void ev_disk(struct play *p)
{
    uint8_t how = take_u8(&p->in);

    pthread_mutex_lock(&p->b->lock);
    slow_blk_finish(p->b->disk[0].blk, how & 15, how & 0x80 ? -5 : 0);
    if (!(how & 0x40))
        loop_deferred_run(p->b->loop);
    pthread_mutex_unlock(&p->b->lock);
}

static void ev_cfg(struct play *p)
{
    unsigned devfn = take_u8(&p->in), off = take_u8(&p->in), how = take_u8(&p->in);

    pthread_mutex_lock(&p->b->lock);
    devfn = devfn < 250 ? devfn % 16 : devfn;
    if (how & 0x80)
        pci_cfg_read(p->b->pci, devfn, off, how & 7);
    else
        pci_cfg_write(p->b->pci, devfn, off, how & 7, (uint32_t)take_int(&p->in, how & 7));
    pthread_mutex_unlock(&p->b->lock);
}

static void ev_pin(struct play *p)
{
    unsigned pin = take_u8(&p->in);
    struct bench *b = p->b;

    if (!b->pin_sets)
        return;
    pthread_mutex_lock(&b->lock);
    b->pins[0].set(b->pins[0].chip, pin & 31, pin & 0x80);
    pthread_mutex_unlock(&b->lock);
}

static void ev_intr(struct play *p)
{
    unsigned how = take_u8(&p->in), vcpu = how >> 7;
    struct bench *b = p->b;
    uint64_t val;
    int vec;

    if (!b->intr)
        return;
    switch (how % 4) {
    case 0:
        vec = b->intr->ack(b->intr_ctl, vcpu);
        PROMISE(vec >= -1 && vec < 256);
        break;
    case 1:
        if (b->intr->set_tpr)
            b->intr->set_tpr(b->intr_ctl, vcpu, take_u8(&p->in) & 15);
        else if (b->intr->eoi)
            b->intr->eoi(b->intr_ctl, vcpu, take_u8(&p->in));
        break;
    case 2:
        if (b->intr->msr_write)
            b->intr->msr_write(b->intr_ctl, vcpu, how & 4 ? 0x6e0 : 0x1b, take_int(&p->in, 8));
        break;
    default:
        if (b->intr->msr_read)
            b->intr->msr_read(b->intr_ctl, vcpu, how & 4 ? 0x6e0 : 0x1b, &val);
    }
    vec = b->intr->pending(b->intr_ctl, vcpu);
    PROMISE(vec >= -1 && vec < 256);
}

/* At the NIC's cable: a frame that may be anything, or the backend's moods. */
static void ev_net(struct play *p)
{
    struct bench_net *n = p->b->net[0];
    uint8_t how = take_u8(&p->in), buf[2048] = {0};
    size_t len = NET_FRAME_MIN + take_u16(&p->in) % (sizeof(buf) - NET_FRAME_MIN);

    if (how & 0x80) {
        take(&p->in, buf, how & 0x7f);
        bench_net_recv(p->b, n, buf, len, 1 + how % 3);
        return;
    }
    pthread_mutex_lock(&p->b->lock);
    n->net.takes = how & (NET_CSUM | NET_TSO4 | NET_TSO6);
    n->full = how & 8;
    if (how & 0x40)
        net_link(&n->net, how & 0x20);
    else if (!n->full)
        net_room(&n->net);
    pthread_mutex_unlock(&p->b->lock);
}

/* Programs of the host: they come, say something, read or don't, and go. */
static void ev_vsk(struct play *p)
{
    uint8_t how = take_u8(&p->in), stream = take_u8(&p->in), buf[BYTES_MAX] = {0};
    struct bench *b = p->b;

    switch (how % 6) {
    case 0:
        if (b->vsk->vsk.front.incoming && b->vsk->streams < BENCH_STREAMS)
            bench_vsk_dial(b, stream);
        break;
    case 1: bench_vsk_say(b, stream, buf, how); break;
    case 2:
        for (int i = 0; i < 64; i++) /* more than the guest may have room for */
            bench_vsk_say(b, stream, buf, sizeof(buf));
        break;
    case 3: bench_vsk_end(b, stream, how & 0x80); break;
    case 4: bench_vsk_room(b, stream, how & 0x80 ? BENCH_STREAM : how); break;
    default: bench_vsk_answer(b, stream, how & 0x80); break;
    }
}

static void arrive(struct chr *c, const uint8_t *buf, size_t n)
{
    size_t room = c->room(c->front);

    n = n < room ? n : room;
    if (n)
        c->recv(c->front, buf, n);
}

/* At a port of the console: bytes that arrive, and the backend's moods. What it has no space for it
 * is not sent. */
static void ev_port(struct play *p)
{
    uint8_t how = take_u8(&p->in), buf[64];
    struct bench_cable *k = &p->b->cable[how % p->b->cables];
    size_t n = take(&p->in, buf, how >> 3 & 31);

    PROMISE(k->chr.recv);
    k->len = 0;
    switch (how >> 6) {
    case 0:
        k->limited = true;
        k->takes = n ? buf[0] : 0;
        k->chr.drained(k->chr.front);
        break;
    case 1:
        k->chr.away = !k->chr.away;
        k->chr.link(k->chr.front);
        break;
    case 2:
        vcon_plug(p->b->vcon, n & 1 ? "one" : "two", n & 2);
        k->cols++;
        chr_resized(&k->chr);
        break;
    default: arrive(&k->chr, buf, n); break;
    }
    PROMISE(!k->limited || k->len <= BENCH_CABLE);
}

static void ev_cable(struct play *p)
{
    struct chr *c = &p->b->cable[0].chr;
    uint8_t buf[64];
    size_t n;

    if (p->b->vcon) {
        pthread_mutex_lock(&p->b->lock);
        ev_port(p);
        pthread_mutex_unlock(&p->b->lock);
        return;
    }
    n = take(&p->in, buf, take_u8(&p->in) % sizeof(buf));
    if (p->b->nets)
        ev_net(p);
    if (p->b->vsk)
        ev_vsk(p);
    if (!p->b->cables || !c->recv)
        return;
    pthread_mutex_lock(&p->b->lock);
    arrive(c, buf, n);
    pthread_mutex_unlock(&p->b->lock);
}

/* Frames of any events; what the device says of its room must hold. */
static void ev_frame(struct play *p)
{
    struct vinput_event e[VINPUT_FRAME] = {0};
    struct vinput *v = p->b->input;
    unsigned n = take_u8(&p->in) % (VINPUT_FRAME + 1), room;

    for (unsigned i = 0; i < n; i++)
        e[i] = (struct vinput_event){take_u8(&p->in), take_u16(&p->in), take_u8(&p->in)};
    pthread_mutex_lock(&p->b->lock);
    room = vinput_room(v);
    PROMISE(vinput_send(v, e, n) == (room > n && vinput_listens(v)));
    PROMISE(room <= n || vinput_room(v) <= room);
    vinput_idle(v);
    pthread_mutex_unlock(&p->b->lock);
}

static void ev_user(struct play *p)
{
    uint8_t how = take_u8(&p->in), what = take_u8(&p->in);
    struct i8042 *kbd = p->b->kbd;

    if (p->b->input)
        ev_frame(p);
    if (!kbd)
        return;
    pthread_mutex_lock(&p->b->lock);
    switch (how & 3) {
    case 0: i8042_move(kbd, (int16_t)take_u16(&p->in), (int8_t)what, how >> 2); break;
    case 1: i8042_button(kbd, what, how & 4); break;
    default: i8042_key(kbd, what, how & 4); break;
    }
    pthread_mutex_unlock(&p->b->lock);
}

/* What is saved loads, and saves again as the same bytes. */
static void ev_state(struct play *p)
{
    struct state one, two, load;

    if (p->walks++ >= WALKS_MAX)
        return;
    state_save_begin(&one);
    bench_state(p->b, &one);
    PROMISE(!one.err);
    state_load_begin(&load, one.buf, one.at);
    bench_state(p->b, &load);
    PROMISE(!state_end(&load));
    state_save_begin(&two);
    bench_state(p->b, &two);
    PROMISE(one.at == two.at && (!one.at || !memcmp(one.buf, two.buf, one.at)));
    state_end(&one);
    state_end(&two);
}

/* A hostile stream: our own with some bytes changed. Devices may refuse it, and must live on. */
static void ev_noise(struct play *p)
{
    struct state save, load;
    unsigned n = 1 + take_u8(&p->in) % 8;

    if (p->walks++ >= WALKS_MAX)
        return;
    state_save_begin(&save);
    bench_state(p->b, &save);
    for (; n && save.at; n--) {
        size_t at = take_u16(&p->in) % save.at;

        save.buf[at] = take_u8(&p->in);
    }
    state_load_begin(&load, save.buf, save.at);
    bench_state(p->b, &load);
    if (state_end(&load))
        bench_reset(p->b);
    state_end(&save);
}

static void play(struct play *p, unsigned event)
{
    switch (event) {
    case EV_WRITE: ev_access(p, true, 0); break;
    case EV_WRITE_SMALL: ev_access(p, true, 1); break;
    case EV_READ: ev_access(p, false, 0); break;
    case EV_STRING: ev_string(p); break;
    case EV_MEMORY: memory(p, take_u16(&p->in), take_u8(&p->in)); break;
    case EV_TIME: ev_time(p); break;
    case EV_DISK: ev_disk(p); break;
    case EV_CFG: ev_cfg(p); break;
    case EV_PIN: ev_pin(p); break;
    case EV_INTR: ev_intr(p); break;
    case EV_CABLE: ev_cable(p); break;
    case EV_USER: ev_user(p); break;
    case EV_RESET: bench_reset(p->b); break;
    case EV_STATE: ev_state(p); break;
    case EV_NOISE: ev_noise(p); break;
    default: break;
    }
}

static void world_make(struct play *p)
{
    struct error err = {{0}};
    struct bench *b = bench_open(RAM_SIZE);

    PROMISE(b);
    p->b = b;
    b->watch.check = b->watch.quiet = true; /* never crash on a ring, whatever it is */
    snprintf(b->disk[0].name, sizeof(b->disk[0].name), "d");
    b->disk[0].blk = slow_blk_open(DISK_SECTORS, "d", b->loop, b->ledger);
    b->disks = 1;
    if (script_play_text(p->w->name, p->w->script, &b->world, &err)) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    while (p->windows < ARRAY_LEN(p->w->window) && p->w->window[p->windows].len)
        p->windows++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct play p = {.w = world_find(), .in = {data, len}};

    world_make(&p);
    for (unsigned n = 0; n < EVENTS_MAX && p.in.len; n++)
        play(&p, take_u8(&p.in) % EVENTS);
    bench_close(p.b);
    return 0;
}
