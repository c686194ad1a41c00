/* See vblk_world.h. */
#include "vblk_world.h"

static void slow_submit(struct blk *b, struct blk_req *req)
{
    struct slow *s = container_of(b, struct slow, blk);

    s->seen[req->op]++;
    req->next = s->list;
    s->list = req;
}

void slow_finish(struct slow *s, int err)
{
    struct blk_req *req = s->list;

    s->list = req->next;
    if (req->op == BLK_READ && !err)
        for (int i = 0; i < req->iovs; i++)
            memset(req->iov[i].iov_base, 0xab, req->iov[i].iov_len);
    blk_finish(req, err);
}

void slow_drain(struct blk *b)
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

void wr(struct world *w, uint64_t at, unsigned size, uint64_t val)
{
    bus_write(w->bus, BUS_MMIO, at, size, val);
}

uint64_t rd(struct world *w, uint64_t at, unsigned size)
{
    return bus_read(w->bus, BUS_MMIO, at, size);
}

void settle(struct world *w)
{
    for (unsigned i = 0; i < 100 && loop_deferred_pending(w->loop); i++)
        loop_deferred_run(w->loop);
    assert_false(loop_deferred_pending(w->loop));
}

void place(struct world *w)
{
    pci_cfg_write(w->pci, DEVFN, 0x10, 4, CFG);
    pci_cfg_write(w->pci, DEVFN, 0x18, 4, BELL);
    pci_cfg_write(w->pci, DEVFN, 0x20, 4, MSIX);
    pci_cfg_write(w->pci, DEVFN, 0x04, 2, 6);
}

unsigned cap_find(struct world *w, uint8_t id, uint8_t type)
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

void negotiate(struct world *w, uint32_t low)
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

void queue(struct world *w, uint16_t size, uint64_t desc)
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

void drive(struct world *w, uint32_t features)
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

void desc(struct world *w, unsigned i, uint64_t addr, uint32_t len, uint16_t flags)
{
    uint8_t *d = ram_ptr(&w->ram, DESC + 16 * i, 16);

    le64_put(d, addr);
    le32_put(d + 8, len);
    le16_put(d + 12, flags);
    le16_put(d + 14, (uint16_t)(i + 1));
}

void request(struct world *w, unsigned slot, uint32_t type, uint64_t sector, uint32_t len)
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

void kick(struct world *w)
{
    wr(w, BELL, 2, 0);
}

unsigned status(struct world *w, unsigned slot)
{
    return *ram_ptr(&w->ram, HDR + 32 * slot + 16, 1);
}

unsigned used(struct world *w)
{
    return le16_get(ram_ptr(&w->ram, USED + 2, 2));
}

unsigned one(struct world *w, uint32_t type, uint64_t sector, uint32_t len)
{
    unsigned before = used(w);

    request(w, 0, type, sector, len);
    kick(w);
    settle(w);
    assert_int_equal(used(w), before + 1);
    return status(w, 0);
}

static const struct vblk_opts serial = {.serial = "serial-0123456789abcdef"};

static void make(struct world *w, struct blk *blk)
{
    w->blk = blk;
    assert_int_equal(vblk_create(&w->d, &w->env, blk, &serial), 0);
    place(w);
}

static int setup_ram(void **state, uint64_t mib)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_int_equal(ram_open(&w->ram, mib << 20), 0);
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
                              .irq = {.set = line_set, .chip = w, .pin = 5},
                              .msi = {.send = msi_send, .chip = w},
                              .pci = w->pci,
                              .devfn = DEVFN};
    *state = w;
    return 0;
}

static int setup(void **state)
{
    return setup_ram(state, 2);
}

int setup_mem(void **state)
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

int setup_bells(void **state)
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

static void slow_make(struct world *w)
{
    w->slow.blk.ops = &slow_ops;
    w->slow.blk.sectors = 2048;
    w->slow.blk.volatile_cache = true;
    assert_int_equal(blk_init(&w->slow.blk, "disk0", w->loop, w->ledger), 0);
}

int setup_slow(void **state)
{
    struct world *w;

    setup(state);
    w = *state;
    slow_make(w);
    make(w, &w->slow.blk);
    return 0;
}

struct world *watched(uint64_t mib, uint64_t mmio, uint64_t offer)
{
    struct vblk_opts o = {.mmio = mmio, .packed = true};
    struct world *w;

    setup_ram((void **)&w, mib);
    slow_make(w);
    w->blk = &w->slow.blk;
    w->watch.check = true;
    w->watch.offer = offer;
    w->env.vwatch = &w->watch;
    assert_int_equal(vblk_create(&w->d, &w->env, w->blk, &o), 0);
    if (!mmio)
        place(w);
    return w;
}

struct world *evil(const struct vevil_opts *how)
{
    struct vblk_opts o = {.packed = true};
    struct world *w;

    setup((void **)&w);
    assert_int_equal(blk_mem_open(&w->blk, 1 << 20, "disk0", w->loop, w->ledger, NULL), 0);
    w->watch.evil = how;
    w->env.vwatch = &w->watch;
    assert_int_equal(vblk_create(&w->d, &w->env, w->blk, &o), 0);
    place(w);
    return w;
}

int teardown(void **state)
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
