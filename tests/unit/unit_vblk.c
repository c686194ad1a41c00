/* virtio-blk behind PCI, driven through the bus as a guest does: data, errors, interrupts, counts.
 */
#include "unit.h"
#include "back/blk.h"
#include "bus/bus.h"
#include "bus/pci.h"
#include "core/bell.h"
#include "core/ledger.h"
#include "core/state.h"
#include "mem/ram.h"
#include "virtio/vblk.h"

#include <errno.h>

enum { DEVFN = 0x18, CFG = 0xe0000000, BELL = 0xe0010000, MSIX = 0xe0020000 };
enum { STATUS = CFG + 0x14, ISR = CFG + 0x1000, DEVCFG = CFG + 0x2000 };
enum { SIZE = 16, DESC = 0x1000, AVAIL = 0x2000, USED = 0x3000, HDR = 0x4000, DATA = 0x10000 };
enum { NEXT = 1, WRITE = 2 };
enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, ZEROES = 13 };

/* A backend that finishes when told to. */
struct slow {
    struct blk blk;
    struct blk_req *list;
    unsigned seen[BLK_OPS];
};

struct world {
    struct ram ram;
    struct ledger *ledger;
    struct bus *bus;
    struct pci_bus *pci;
    pthread_mutex_t lock;
    struct loop *loop;
    struct blk *blk;
    struct slow slow;
    struct vblk *d;
    struct dev_env env;
    unsigned msis;
    uint32_t msi_data;
    bool level;
    uint16_t avail;
    struct bell_sink bells;
    struct bell *bell; /* the one that hangs */
    unsigned hangs, drops;
};

static void slow_submit(struct blk *b, struct blk_req *req)
{
    struct slow *s = container_of(b, struct slow, blk);

    s->seen[req->op]++;
    req->next = s->list;
    s->list = req;
}

static void slow_finish(struct slow *s, int err)
{
    struct blk_req *req = s->list;

    s->list = req->next;
    if (req->op == BLK_READ && !err)
        for (int i = 0; i < req->iovs; i++)
            memset(req->iov[i].iov_base, 0xab, req->iov[i].iov_len);
    blk_finish(req, err);
}

static void slow_drain(struct blk *b)
{
    struct slow *s = container_of(b, struct slow, blk);

    while (s->list)
        slow_finish(s, 0);
}

static void slow_close(struct blk *b)
{
    (void)b;
}

static const struct blk_ops slow_ops = {"slow", slow_submit, slow_drain, slow_close};

static void msi_send(void *chip, uint64_t addr, uint32_t data)
{
    struct world *w = chip;

    assert_int_equal(addr, 0xfee00000);
    w->msis++;
    w->msi_data = data;
}

static void line_set(void *chip, unsigned pin, bool level)
{
    struct world *w = chip;

    (void)pin;
    w->level = level;
}

static void wr(struct world *w, uint64_t at, unsigned size, uint64_t val)
{
    bus_write(w->bus, BUS_MMIO, at, size, val);
}

static uint64_t rd(struct world *w, uint64_t at, unsigned size)
{
    return bus_read(w->bus, BUS_MMIO, at, size);
}

static void settle(struct world *w)
{
    for (unsigned i = 0; i < 100 && loop_deferred_pending(w->loop); i++)
        loop_deferred_run(w->loop);
    assert_false(loop_deferred_pending(w->loop));
}

static void place(struct world *w)
{
    pci_cfg_write(w->pci, DEVFN, 0x10, 4, CFG);
    pci_cfg_write(w->pci, DEVFN, 0x18, 4, BELL);
    pci_cfg_write(w->pci, DEVFN, 0x20, 4, MSIX);
    pci_cfg_write(w->pci, DEVFN, 0x04, 2, 6);
}

static unsigned cap_find(struct world *w, uint8_t id, uint8_t type)
{
    unsigned at = pci_cfg_read(w->pci, DEVFN, 0x34, 1);

    for (unsigned n = 0; at && n < 48; n++) {
        if (pci_cfg_read(w->pci, DEVFN, at, 1) == id &&
            (id != 9 || pci_cfg_read(w->pci, DEVFN, at + 3, 1) == type))
            return at;
        at = pci_cfg_read(w->pci, DEVFN, at + 1, 1);
    }
    fail();
    return 0;
}

static void msix_on(struct world *w)
{
    for (unsigned i = 0; i < 2; i++) {
        wr(w, MSIX + 16 * i, 4, 0xfee00000);
        wr(w, MSIX + 16 * i + 4, 4, 0);
        wr(w, MSIX + 16 * i + 8, 4, 0x40 + i);
        wr(w, MSIX + 16 * i + 12, 4, 0);
    }
    pci_cfg_write(w->pci, DEVFN, cap_find(w, 0x11, 0) + 2, 2, 0x8000);
    wr(w, CFG + 0x10, 2, 0);
    wr(w, CFG + 0x16, 2, 0);
    wr(w, CFG + 0x1a, 2, 1);
    assert_int_equal(rd(w, CFG + 0x1a, 2), 1);
}

static void negotiate(struct world *w, uint32_t low)
{
    wr(w, STATUS, 1, 0);
    assert_int_equal(rd(w, STATUS, 1), 0);
    wr(w, STATUS, 1, 1);
    wr(w, STATUS, 1, 3);
    wr(w, CFG + 8, 4, 0);
    wr(w, CFG + 0xc, 4, low);
    wr(w, CFG + 8, 4, 1);
    wr(w, CFG + 0xc, 4, 1);
    wr(w, STATUS, 1, 0xb);
}

static void queue(struct world *w, uint16_t size, uint64_t desc)
{
    wr(w, CFG + 0x16, 2, 0);
    wr(w, CFG + 0x18, 2, size);
    wr(w, CFG + 0x20, 4, desc & UINT32_MAX);
    wr(w, CFG + 0x24, 4, desc >> 32);
    wr(w, CFG + 0x28, 4, AVAIL);
    wr(w, CFG + 0x2c, 4, 0);
    wr(w, CFG + 0x30, 8, USED); /* 8 bytes are cut into two */
    wr(w, CFG + 0x1c, 2, 1);
}

static void drive(struct world *w, uint32_t features)
{
    memset(ram_ptr(&w->ram, 0, 0x8000), 0, 0x8000);
    w->avail = 0;
    negotiate(w, features);
    assert_int_equal(rd(w, STATUS, 1), 0xb);
    msix_on(w);
    queue(w, SIZE, DESC);
    wr(w, STATUS, 1, 0xf);
    assert_int_equal(rd(w, STATUS, 1), 0xf);
}

static void desc(struct world *w, unsigned i, uint64_t addr, uint32_t len, uint16_t flags)
{
    uint8_t *d = ram_ptr(&w->ram, DESC + 16 * i, 16);

    le64_put(d, addr);
    le32_put(d + 8, len);
    le16_put(d + 12, flags);
    le16_put(d + 14, (uint16_t)(i + 1));
}

/* Header at HDR + 32 i, status after it; len bytes at DATA + 64 KiB i in two pieces. */
static void request(struct world *w, unsigned slot, uint32_t type, uint64_t sector, uint32_t len)
{
    unsigned i = slot * 4;
    gpa_t hdr = HDR + 32 * slot, data = DATA + 0x10000 * slot;
    uint16_t dir = type == IN || type == GET_ID ? WRITE : 0;
    uint8_t *h = ram_ptr(&w->ram, hdr, 32);

    le32_put(h, type);
    le64_put(h + 8, sector);
    h[16] = 0xee;
    desc(w, i, hdr, 16, NEXT);
    if (len) {
        desc(w, i + 1, data, len / 2, NEXT | dir);
        desc(w, i + 2, data + len / 2, len - len / 2, NEXT | dir);
    } else {
        le16_put(ram_ptr(&w->ram, DESC + 16 * i + 14, 2), (uint16_t)(i + 3));
    }
    desc(w, i + 3, hdr + 16, 1, WRITE);
    le16_put(ram_ptr(&w->ram, AVAIL + 4 + 2ull * (w->avail % SIZE), 2), (uint16_t)i);
    le16_put(ram_ptr(&w->ram, AVAIL + 2, 2), ++w->avail);
}

static void kick(struct world *w)
{
    wr(w, BELL, 2, 0);
}

static unsigned status(struct world *w, unsigned slot)
{
    return *ram_ptr(&w->ram, HDR + 32 * slot + 16, 1);
}

static unsigned used(struct world *w)
{
    return le16_get(ram_ptr(&w->ram, USED + 2, 2));
}

static unsigned one(struct world *w, uint32_t type, uint64_t sector, uint32_t len)
{
    unsigned before = used(w);

    request(w, 0, type, sector, len);
    kick(w);
    settle(w);
    assert_int_equal(used(w), before + 1);
    return status(w, 0);
}

static const struct vblk_opts plain, serial = {.serial = "serial-0123456789abcdef"};

static void make(struct world *w, struct blk *blk)
{
    w->blk = blk;
    assert_int_equal(vblk_create(&w->d, &w->env, blk, &serial), 0);
    place(w);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_int_equal(ram_open(&w->ram, 2 << 20), 0);
    pthread_mutex_init(&w->lock, NULL);
    w->ledger = ledger_open();
    w->bus = bus_open(w->ledger);
    w->pci = pci_bus_open(w->bus);
    w->loop = loop_open(&w->lock, true);
    w->env = (struct dev_env){.name = "vd0",
                              .bus = w->bus,
                              .ram = &w->ram,
                              .loop = w->loop,
                              .lock = &w->lock,
                              .ledger = w->ledger,
                              .irq = {line_set, w, 5},
                              .msi = {.send = msi_send, .chip = w},
                              .pci = w->pci,
                              .devfn = DEVFN};
    *state = w;
    return 0;
}

static int setup_mem(void **state)
{
    struct world *w;
    struct blk *blk;

    setup(state);
    w = *state;
    assert_int_equal(blk_mem_open(&blk, 1 << 20, "disk0", w->loop, w->ledger, NULL), 0);
    make(w, blk);
    return 0;
}

static void bell_hang(void *ctx, struct bell *b)
{
    struct world *w = ctx;

    assert_null(w->bell);
    w->bell = b;
    w->hangs++;
    b->hung = true;
}

static void bell_drop(void *ctx, struct bell *b)
{
    struct world *w = ctx;

    assert_ptr_equal(w->bell, b);
    w->bell = NULL;
    w->drops++;
    b->hung = false;
}

static int setup_bells(void **state)
{
    struct world *w;
    struct blk *blk;

    setup(state);
    w = *state;
    w->bells = (struct bell_sink){bell_hang, bell_drop, w};
    w->env.bells = &w->bells;
    assert_int_equal(blk_mem_open(&blk, 1 << 20, "disk0", w->loop, w->ledger, NULL), 0);
    make(w, blk);
    return 0;
}

static int setup_slow(void **state)
{
    struct world *w;

    setup(state);
    w = *state;
    w->slow.blk.ops = &slow_ops;
    w->slow.blk.sectors = 2048;
    w->slow.blk.volatile_cache = true;
    assert_int_equal(blk_init(&w->slow.blk, "disk0", w->loop, w->ledger), 0);
    make(w, &w->slow.blk);
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    vblk_class.destroy(w->d);
    assert_null(w->bell);
    blk_close(w->blk);
    loop_close(w->loop);
    pci_bus_close(w->pci);
    bus_close(w->bus);
    ledger_close(w->ledger);
    ram_close(&w->ram);
    free(w);
    return 0;
}

/* A doorbell hangs where BAR 2 decodes, moves with it, and does what the register does. */
static void doorbell(void **state)
{
    struct world *w = *state;
    const struct ledger_row *row = ledger_find(w->ledger, LEDGER_BELL, "vd0", "notify");
    unsigned drops;

    assert_non_null(row);
    assert_non_null(w->bell);
    assert_int_equal(w->bell->addr, BELL);
    assert_int_equal(w->bell->size, 2);
    drive(w, 0);
    request(w, 0, IN, 0, 512);
    w->bell->rung(w->bell->arg, 3);
    settle(w);
    assert_int_equal(used(w), 1);
    assert_int_equal(status(w, 0), 0);
    assert_int_equal(row->writes, 3);
    assert_int_equal(ledger_find(w->ledger, LEDGER_MMIO, "vd0", "notify")->writes, 0);

    drops = w->drops;
    pci_cfg_write(w->pci, DEVFN, 0x18, 4, BELL + 0x100000);
    assert_int_equal(w->drops, drops + 1);
    assert_int_equal(w->bell->addr, BELL + 0x100000);
    pci_cfg_write(w->pci, DEVFN, 0x3c, 1, 9); /* nothing to do with it */
    assert_int_equal(w->drops, drops + 1);
    pci_cfg_write(w->pci, DEVFN, 0x04, 2, 4);
    assert_null(w->bell);
    pci_cfg_write(w->pci, DEVFN, 0x04, 2, 6);
    assert_int_equal(w->bell->addr, BELL + 0x100000);

    wr(w, STATUS, 1, 0); /* a kick that comes after the reset finds no queue running */
    w->bell->rung(w->bell->arg, 1);
    settle(w);
    assert_int_equal(used(w), 1);
    vblk_class.reset(w->d);
    assert_null(w->bell);
}

static void identity(void **state)
{
    struct world *w = *state;
    unsigned cap;

    assert_int_equal(pci_cfg_read(w->pci, DEVFN, 0, 4), 0x10421af4);
    assert_true(pci_cfg_read(w->pci, DEVFN, 8, 1) >= 1);
    for (uint8_t type = 1; type <= 5; type++)
        cap_find(w, 9, type);
    cap = cap_find(w, 9, 2);
    assert_int_equal(pci_cfg_read(w->pci, DEVFN, cap + 4, 1), 2);
    assert_int_equal(pci_cfg_read(w->pci, DEVFN, cap + 16, 4), 4);
    assert_int_equal(rd(w, DEVCFG, 4), 2048);
    assert_int_equal(rd(w, DEVCFG + 20, 4), 512);
    assert_int_equal(rd(w, DEVCFG + 0x100, 4), UINT32_MAX);
    assert_int_equal(rd(w, CFG + 0x18, 2), 256);
    wr(w, CFG + 0x16, 2, 1); /* no such queue */
    assert_int_equal(rd(w, CFG + 0x18, 2), 0);
}

static void data_goes_both_ways(void **state)
{
    struct world *w = *state;
    uint8_t *data = ram_ptr(&w->ram, DATA, 4096), want[4096];

    drive(w, 0);
    for (size_t i = 0; i < sizeof(want); i++)
        data[i] = want[i] = (uint8_t)(i * 13 + i / 256);
    assert_int_equal(one(w, OUT, 7, 4096), 0);
    assert_int_equal(le32_get(ram_ptr(&w->ram, USED + 8, 4)), 1);
    memset(data, 0, 4096);
    assert_int_equal(one(w, IN, 7, 4096), 0);
    assert_memory_equal(data, want, sizeof(want));
    assert_int_equal(le32_get(ram_ptr(&w->ram, USED + 16, 4)), 4097);
    assert_int_equal(one(w, GET_ID, 0, 20), 0);
    assert_memory_equal(data, "serial-0123456789abc", 20);
    assert_int_equal(w->msis, 3);
    assert_int_equal(w->msi_data, 0x41);
}

static void a_bad_request_fails_alone(void **state)
{
    struct world *w = *state;

    drive(w, 0);
    assert_int_equal(one(w, IN, 2048, 512), 1);       /* past the end */
    assert_int_equal(one(w, IN, UINT64_MAX, 512), 1); /* wraps */
    assert_int_equal(one(w, OUT, 0, 511), 1);         /* not whole sectors */
    assert_int_equal(one(w, IN, 0, 0), 1);
    assert_int_equal(one(w, 99, 0, 0), 2);
    assert_int_equal(one(w, DISCARD, 0, 16), 2); /* not negotiated */
    assert_int_equal(one(w, GET_ID, 0, 64), 1);
    request(w, 0, IN, 0, 512);
    desc(w, 1, 0xfee00000, 256, NEXT | WRITE); /* not RAM */
    kick(w);
    settle(w);
    assert_int_equal(status(w, 0), 1);
    assert_int_equal(rd(w, STATUS, 1), 0xf);
    assert_int_equal(one(w, IN, 0, 512), 0);
}

static void ranges(void **state)
{
    struct world *w = *state;
    uint8_t *data = ram_ptr(&w->ram, DATA, 512);

    drive(w, 1 << 13 | 1 << 14);
    memset(data, 0x77, 512);
    assert_int_equal(one(w, OUT, 9, 512), 0);
    for (unsigned type = DISCARD; type <= ZEROES; type += 2) {
        memset(data, 0, 16);
        le64_put(data, 9);
        le32_put(data + 8, 1);
        le32_put(data + 12, type == ZEROES ? 2 : 1); /* a flag it may not have */
        assert_int_equal(one(w, type, 0, 16), 2);
        le32_put(data + 12, 0);
        le32_put(data + 8, 4096);
        assert_int_equal(one(w, type, 0, 16), 1); /* past the end */
        assert_int_equal(one(w, type, 0, 32), 1); /* two ranges */
    }
    le32_put(data + 8, 1);
    assert_int_equal(one(w, ZEROES, 0, 16), 0);
    assert_int_equal(one(w, IN, 9, 512), 0);
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(data[i], 0);
}

static void a_batch_costs_one_kick_and_one_interrupt(void **state)
{
    struct world *w = *state;
    const struct ledger_row *bell = ledger_row(w->ledger, LEDGER_MMIO, "vd0", "notify");
    const struct ledger_row *cfg = ledger_row(w->ledger, LEDGER_MMIO, "vd0", "cfg");
    uint64_t others;

    drive(w, 1 << 29); /* EVENT_IDX */
    others = cfg->reads + cfg->writes;
    for (unsigned i = 0; i < 4; i++)
        request(w, i, IN, i, 512);
    kick(w);
    settle(w);
    assert_int_equal(used(w), 4);
    assert_int_equal(w->msis, 1);
    assert_int_equal(bell->writes, 1);
    assert_int_equal(cfg->reads + cfg->writes, others);
    assert_int_equal(le16_get(ram_ptr(&w->ram, USED + 4 + 8 * SIZE, 2)), 4); /* avail_event */
}

static void intx_follows_isr(void **state)
{
    struct world *w = *state;

    drive(w, 0);
    pci_cfg_write(w->pci, DEVFN, cap_find(w, 0x11, 0) + 2, 2, 0);
    assert_int_equal(one(w, IN, 0, 512), 0);
    assert_true(w->level);
    assert_int_equal(w->msis, 0);
    assert_int_equal(rd(w, ISR, 1), 1);
    assert_false(w->level);
    assert_int_equal(rd(w, ISR, 1), 0);
}

static void negotiation_is_strict(void **state)
{
    struct world *w = *state;

    wr(w, STATUS, 1, 0xf); /* no VERSION_1 yet */
    assert_int_equal(rd(w, STATUS, 1), 3);
    wr(w, STATUS, 1, 0);
    negotiate(w, 1u << 5); /* RO was not offered */
    assert_int_equal(rd(w, STATUS, 1), 3);
    negotiate(w, 0);
    wr(w, CFG + 8, 4, 0);
    wr(w, CFG + 0xc, 4, UINT32_MAX); /* frozen */
    assert_int_equal(rd(w, CFG + 0xc, 4), 0);
    wr(w, STATUS, 1, 1); /* bits are never taken back but by 0 */
    assert_int_equal(rd(w, STATUS, 1), 0xb);
    wr(w, CFG + 0x14, 4, 0); /* wrong width */
    assert_int_equal(rd(w, STATUS, 1), 0xb);
}

static void absurd_queues_need_a_reset(void **state)
{
    static const struct {
        uint16_t size;
        uint64_t desc;
    } bad[] = {{SIZE, 0xfee00000}, {SIZE, UINT64_MAX & ~15ull},
               {SIZE, DESC + 1},   {7, DESC},
               {0, DESC},          {512, DESC}};
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        negotiate(w, 0);
        queue(w, bad[i].size, bad[i].desc);
        assert_int_equal(rd(w, STATUS, 1), 0x4b);
        wr(w, STATUS, 1, 0xf);
        kick(w);
        settle(w);
        assert_int_equal(rd(w, STATUS, 1), 0x4f);
    }
    drive(w, 0);
    assert_int_equal(one(w, IN, 0, 512), 0);
}

static void latched_at_enable(void **state)
{
    struct world *w = *state;

    drive(w, 0);
    wr(w, CFG + 0x18, 2, 4);
    wr(w, CFG + 0x20, 4, 0xfee00000);
    wr(w, CFG + 0x1c, 2, 1);
    assert_int_equal(rd(w, CFG + 0x20, 4), 0xfee00000);
    assert_int_equal(one(w, IN, 0, 512), 0);
}

static void a_broken_ring_tells_the_driver(void **state)
{
    struct world *w = *state;

    drive(w, 0);
    request(w, 0, IN, 0, 512);
    desc(w, 3, HDR + 16, 1, WRITE | NEXT); /* runs on into nowhere */
    desc(w, 4, 0, 0, 0);
    kick(w);
    settle(w);
    assert_int_equal(rd(w, STATUS, 1), 0x4f);
    assert_int_equal(w->msi_data, 0x40); /* configuration change */
    request(w, 0, IN, 0, 512);
    kick(w);
    settle(w);
    assert_int_equal(used(w), 0);
    drive(w, 0);
    assert_int_equal(one(w, IN, 0, 512), 0);
}

static void reset_under_io(void **state)
{
    struct world *w = *state;

    drive(w, 0);
    for (unsigned i = 0; i < 3; i++)
        request(w, i, IN, i, 512);
    kick(w);
    settle(w);
    assert_int_equal(w->slow.seen[BLK_READ], 3);
    slow_finish(&w->slow, 0); /* done, but not yet delivered */
    wr(w, STATUS, 1, 0);
    assert_int_equal(rd(w, STATUS, 1), 0);
    assert_null(w->slow.list);
    settle(w);
    assert_int_equal(used(w), 0);
    assert_int_equal(status(w, 0), 0xee);
    assert_int_equal(w->msis, 0);
    drive(w, 0); /* all requests are there again */
    for (unsigned i = 0; i < 4; i++)
        request(w, i, IN, i, 512);
    kick(w);
    slow_drain(&w->slow.blk);
    settle(w);
    assert_int_equal(used(w), 4);
    assert_int_equal(w->msis, 1);
}

static void without_write_cache_success_is_durable(void **state)
{
    struct world *w = *state;

    drive(w, 1 << 9 | 1 << 11); /* FLUSH, CONFIG_WCE */
    assert_int_equal(rd(w, DEVCFG + 32, 1), 1);
    request(w, 0, OUT, 0, 512);
    kick(w);
    slow_finish(&w->slow, 0);
    settle(w);
    assert_int_equal(w->slow.seen[BLK_FLUSH], 0);
    assert_int_equal(used(w), 1);
    wr(w, DEVCFG + 32, 1, 0);
    request(w, 0, OUT, 0, 512);
    kick(w);
    slow_finish(&w->slow, 0);
    settle(w);
    assert_int_equal(w->slow.seen[BLK_FLUSH], 1);
    assert_int_equal(used(w), 1);
    slow_finish(&w->slow, -EIO);
    settle(w);
    assert_int_equal(used(w), 2);
    assert_int_equal(status(w, 0), 1);
}

static void a_failed_read_wrote_nothing(void **state)
{
    struct world *w = *state;

    drive(w, 0);
    request(w, 0, IN, 0, 512);
    kick(w);
    slow_finish(&w->slow, -EIO);
    settle(w);
    assert_int_equal(status(w, 0), 1);
    assert_int_equal(le32_get(ram_ptr(&w->ram, USED + 8, 4)), 0);
}

static void window(void **state)
{
    struct world *w = *state;
    unsigned cap = cap_find(w, 9, 5);

    pci_cfg_write(w->pci, DEVFN, 0x04, 2, 4); /* no BAR decodes */
    assert_int_equal(rd(w, STATUS, 1), 0xff);
    pci_cfg_write(w->pci, DEVFN, cap + 4, 1, 0);
    pci_cfg_write(w->pci, DEVFN, cap + 8, 4, 0x14);
    pci_cfg_write(w->pci, DEVFN, cap + 12, 4, 1);
    pci_cfg_write(w->pci, DEVFN, cap + 16, 1, 3);
    assert_int_equal(pci_cfg_read(w->pci, DEVFN, cap + 16, 1), 3);
    pci_cfg_write(w->pci, DEVFN, cap + 8, 4, 0x2000);
    pci_cfg_write(w->pci, DEVFN, cap + 12, 4, 4);
    assert_int_equal(pci_cfg_read(w->pci, DEVFN, cap + 16, 4), 2048);
    pci_cfg_write(w->pci, DEVFN, cap + 8, 4, 0xfffffffc); /* nowhere: nothing happens */
    pci_cfg_write(w->pci, DEVFN, cap + 16, 4, 1);
    pci_cfg_write(w->pci, DEVFN, cap + 12, 4, 3);
    pci_cfg_write(w->pci, DEVFN, cap + 16, 4, 1);
}

static void state_goes_on_elsewhere(void **state)
{
    struct world *w = *state;
    struct state save, load;
    struct vblk *old = w->d;

    drive(w, 0);
    assert_int_equal(one(w, IN, 0, 512), 0);
    request(w, 0, IN, 3, 512);
    kick(w); /* in flight when it is saved */
    state_save_begin(&save);
    vblk_class.state(old, &save);
    assert_int_equal(save.err, 0);
    assert_int_equal(used(w), 2);
    assert_int_equal(w->msis, 2);
    vblk_class.destroy(old);

    assert_int_equal(vblk_create(&w->d, &w->env, w->blk, &plain), 0);
    state_load_begin(&load, save.buf, save.at);
    vblk_class.state(w->d, &load);
    assert_int_equal(state_end(&load), 0);
    settle(w);
    assert_int_equal(used(w), 2);
    assert_int_equal(one(w, IN, 1, 512), 0);
    assert_int_equal(w->msis, 3);

    for (size_t cut = 0; cut < save.at; cut++) { /* a short stream fails, and is survived */
        state_load_begin(&load, save.buf, cut);
        vblk_class.state(w->d, &load);
        assert_int_equal(state_end(&load), -EINVAL);
    }
    state_end(&save);
    vblk_class.reset(w->d);
    place(w);
    drive(w, 0);
    assert_int_equal(one(w, IN, 1, 512), 0);
}

#define BELLS(f) cmocka_unit_test_setup_teardown(f, setup_bells, teardown)
#define MEM(f)   cmocka_unit_test_setup_teardown(f, setup_mem, teardown)
#define SLOW(f)  cmocka_unit_test_setup_teardown(f, setup_slow, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MEM(identity),
        BELLS(doorbell),
        MEM(data_goes_both_ways),
        MEM(a_bad_request_fails_alone),
        MEM(ranges),
        MEM(a_batch_costs_one_kick_and_one_interrupt),
        MEM(intx_follows_isr),
        MEM(negotiation_is_strict),
        MEM(absurd_queues_need_a_reset),
        MEM(latched_at_enable),
        MEM(a_broken_ring_tells_the_driver),
        SLOW(reset_under_io),
        SLOW(without_write_cache_success_is_durable),
        SLOW(a_failed_read_wrote_nothing),
        MEM(window),
        MEM(state_goes_on_elsewhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
