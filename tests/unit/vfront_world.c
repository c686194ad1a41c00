/* The back end that is a script: vfront_world.h tells. */
#include "vfront_world.h"
#include "bus/bus.h"
#include "bus/dev.h"
#include "core/error.h"
#include "core/ledger.h"
#include "mem/ram.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DESC = 0x1000, AVAIL = 0x2000, USED = 0x3000, HDR = 0x4000, DATA = 0x8000, SIZE = 8 };
#define MMIO 0xfe800000

static void answer(struct world *w, struct vu_msg *m)
{
    m->flags = VU_VERSION | VU_REPLY;
    if (!w->twist || (w->at && w->at != m->request) || w->twist(w, m))
        vu_send(w->sock, m);
    m->fds = 0; /* what a lie sent along is the liar's */
}

static void answer_u64(struct world *w, struct vu_msg *m, uint64_t val)
{
    vu_msg_drop(m);
    le64_put(m->payload, val);
    m->size = VU_U64_LEN;
    answer(w, m);
}

static void region(struct world *w, const uint8_t *at, int fd)
{
    if (le64_get(at + VU_REGION_GPA) != front_mem_gpa()) {
        if (w->ram_fd >= 0)
            close(w->ram_fd);
        w->ram_fd = fd;
        return;
    }
    w->ring_fd = fd;
    w->rings_len = le64_get(at + VU_REGION_SIZE);
    w->rings = mmap(NULL, w->rings_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (w->rings == MAP_FAILED)
        abort();
}

/* Those of the first ring. */
static void take_fd(struct vu_msg *m, int *to)
{
    if (m->request != VU_SET_BACKEND_REQ_FD && le64_get(m->payload))
        return;
    if (*to >= 0)
        close(*to);
    *to = vu_fd_take(m, 0);
}

/* True: it has an answer of its own, which went. */
static bool obey(struct world *w, struct vu_msg *m)
{
    switch (m->request) {
    case VU_GET_FEATURES: answer_u64(w, m, w->features); return true;
    case VU_GET_PROTOCOL_FEATURES: answer_u64(w, m, w->protocol); return true;
    case VU_GET_QUEUE_NUM: answer_u64(w, m, 4); return true;
    case VU_GET_MAX_MEM_SLOTS: answer_u64(w, m, 8); return true;
    case VU_GET_CONFIG:
        memcpy(m->payload + VU_CONFIG_DATA, w->cfg, sizeof(w->cfg));
        answer(w, m);
        return true;
    case VU_SET_CONFIG:
        memcpy(w->cfg + le32_get(m->payload + VU_CONFIG_OFFSET) % sizeof(w->cfg),
               m->payload + VU_CONFIG_DATA, 1);
        return false;
    case VU_GET_VRING_BASE: answer(w, m); return true;
    case VU_SET_BACKEND_REQ_FD: take_fd(m, &w->back); return false;
    case VU_SET_VRING_KICK: take_fd(m, &w->kick); return false;
    case VU_SET_VRING_CALL: take_fd(m, &w->call); return false;
    case VU_ADD_MEM_REG: region(w, m->payload + VU_REG_REGION, vu_fd_take(m, 0)); return false;
    case VU_SET_MEM_TABLE:
        for (unsigned i = 0; i < m->fds; i++)
            region(w, m->payload + VU_TABLE_REGIONS + i * VU_REGION_LEN, vu_fd_take(m, i));
        return false;
    default: return false;
    }
}

void world_serve(void *world)
{
    struct world *w = world;

    if (w->limit && w->sock >= 0 && ++w->served > w->limit)
        shutdown(w->sock, SHUT_RDWR);
    while (w->sock >= 0 && vu_recv(&w->in, w->sock) == 1) {
        struct vu_msg *m = &w->in.msg;
        bool wanted = m->flags & VU_NEED_REPLY;

        if (w->hears < HEARD_MAX)
            w->heard[w->hears++] = (uint16_t)m->request;
        if (!obey(w, m) && wanted)
            answer_u64(w, m, 0);
        vu_in_drop(&w->in);
    }
}

void world_go(struct world *w)
{
    for (unsigned i = 0; i < 64; i++) {
        world_serve(w);
        loop_step(w->loop, 0);
    }
}

static void end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* All that came from the front end, and the socket. */
static void let_go(struct world *w)
{
    vu_in_drop(&w->in);
    end(&w->sock);
    end(&w->back);
    end(&w->kick);
    end(&w->call);
    end(&w->ring_fd);
    end(&w->ram_fd);
    if (w->rings)
        munmap(w->rings, w->rings_len);
    w->rings = NULL;
}

void world_hang_up(struct world *w)
{
    let_go(w);
    world_go(w);
}

void world_connect(struct world *w)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair))
        abort();
    w->sock = pair[0];
    w->hears = w->served = 0;
    if (vfront_adopt(w->f, pair[1]))
        abort();
    world_go(w);
}

void world_open(struct world *w, unsigned queues, bool packed)
{
    struct vfront_opts o = {
        .name = "disk0", .queues = queues, .packed = packed, .meanwhile = world_serve, .arg = w};
    struct error err;

    memset(w, 0, sizeof(*w));
    w->sock = w->back = w->ring_fd = w->ram_fd = w->kick = w->call = -1;
    w->features = VU_BIT(32) | VU_BIT(30) | VU_BIT(29) | VU_BIT(28) | VU_BIT(13) | VU_BIT(12) |
                  VU_BIT(10) | VU_BIT(9) | VU_BIT(6) | VU_BIT(2) | VU_BIT(1) |
                  (packed ? VU_BIT(34) : 0);
    w->protocol = VU_BIT(VU_F_MQ) | VU_BIT(VU_F_REPLY_ACK) | VU_BIT(VU_F_CONFIG) |
                  VU_BIT(VU_F_BACKEND_REQ) | VU_BIT(VU_F_CONFIGURE_MEM_SLOTS);
    le64_put(w->cfg, 2048);
    le32_put(w->cfg + 8, 1 << 20);
    le32_put(w->cfg + 12, 126);
    le32_put(w->cfg + 20, 512);
    w->cfg[24] = 3;
    w->cfg[32] = 1;
    le16_put(w->cfg + 34, 4);
    le32_put(w->cfg + 44, 8);
    w->loop = loop_open(NULL, true);
    w->ledger = ledger_open();
    w->bus = bus_open(w->ledger);
    if (!w->loop || !w->bus || ram_open(&w->ram, 2 << 20) ||
        vfront_open(&w->f, &o, &w->ram, w->loop, w->ledger, &err))
        abort();
}

void world_create(struct world *w)
{
    struct dev_env env = {
        .name = "vd0", .bus = w->bus, .ram = &w->ram, .loop = w->loop, .ledger = w->ledger};

    if (vfront_create(w->f, &env, MMIO))
        abort();
    w->created = true;
}

void world_driver(struct world *w)
{
    struct virtio *v = &w->f->v;

    memset(w->ram.slot[0].host, 0, 0x10000);
    virtio_set_status(v, 0);
    virtio_set_status(v, 3);
    virtio_take(v, 0, (uint32_t)v->offered & ~(1u << VIRTIO_F_EVENT_IDX));
    virtio_take(v, 1, 1);
    virtio_set_status(v, 11);
    v->queue[0].conf = (struct vq_conf){.size = SIZE, .desc = DESC, .avail = AVAIL, .used = USED};
    virtio_enable(v, 0);
    virtio_set_status(v, 15);
    world_go(w);
}

void world_request(struct world *w, unsigned n)
{
    uint8_t *ram = w->ram.slot[0].host, *d = ram + DESC + (size_t)n * 2 % SIZE * 16;
    uint16_t head = (uint16_t)(n * 2 % SIZE), idx = le16_get(ram + AVAIL + 2);

    le64_put(d, HDR + 16 * n);
    le32_put(d + 8, 16);
    le16_put(d + 12, 1);
    le16_put(d + 14, (uint16_t)(head + 1));
    le64_put(d + 16, DATA + 0x400 * n);
    le32_put(d + 24, 513);
    le16_put(d + 28, 2);
    le16_put(ram + AVAIL + 4 + 2u * (idx % SIZE), head);
    le16_put(ram + AVAIL + 2, (uint16_t)(idx + 1));
    virtio_notify(&w->f->v, 0);
    world_go(w);
}

uint16_t world_used(struct world *w)
{
    return le16_get(w->ram.slot[0].host + USED + 2);
}

uint16_t world_posted(struct world *w)
{
    return le16_get(w->rings + SHADOW_DRIVER + 2);
}

uint16_t world_head(struct world *w, uint16_t at)
{
    return le16_get(w->rings + SHADOW_DRIVER + 4 + 2u * (at % SHADOW_SIZE));
}

void world_give(struct world *w, uint32_t id, uint32_t len)
{
    const uint64_t one = 1;
    uint8_t *used = w->rings + SHADOW_DEVICE;
    uint16_t idx = le16_get(used + 2);

    le32_put(used + 4 + 8u * (idx % SHADOW_SIZE), id);
    le32_put(used + 8 + 8u * (idx % SHADOW_SIZE), len);
    le16_put(used + 2, (uint16_t)(idx + 1));
    if (write(w->call, &one, sizeof(one)) < 0)
        abort();
    world_go(w);
}

void world_close(struct world *w)
{
    if (w->created)
        vfront_class.destroy(w->f);
    vfront_close(w->f);
    w->f = NULL;
    let_go(w);
    bus_close(w->bus);
    loop_close(w->loop);
    ram_close(&w->ram);
    ledger_close(w->ledger);
}
