/*
 * A vhost-user peer that says anything in any order: messages with fields near to what is right or
 * far from it, whole or cut, with descriptors of every kind; guest memory written meanwhile, rings
 * kicked, the file that holds the memory cut short and made long again. After each step what
 * back.h promises must hold; and who leaves is forgotten. The device is a disk with two queues, or
 * a card with two pairs (FUZZ_NET).
 */
#include "back/blk.h"
#include "bus/dev.h"
#include "core/error.h"
#include "core/ledger.h"
#include "input.h"
#include "vhost/back.h"
#include "vhost/msg.h"
#include "vhost_echo.h"
#include "virtio/vblk.h"
#include "virtio/vnet.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STEPS = 128, MEM = 64 << 10, PAGE = 4096, GPA = 0x10000 };
#ifdef FUZZ_NET
enum { CARD = 1, QUEUES = 4 };
#else
enum { CARD = 0, QUEUES = 2 };
#endif
#define USER 0x7f0000000000ull

struct play {
    struct input in;
    struct loop *loop;
    struct ledger *ledger;
    struct blk *blk;
    struct vblk *vblk;
    struct vhost_echo echo; /* a card's other end */
    struct vnet *vnet;
    struct vhost_back *back;
    int sock, mem, event, null;
    uint8_t *host;
};

/* Most of the time a number that makes sense, sometimes any. */
static uint64_t near(struct play *p, uint64_t unit, unsigned below)
{
    uint8_t how = take_u8(&p->in);

    return how >= 0xf8 ? take_int(&p->in, 8) : unit * (how % below);
}

static void region(struct play *p, uint8_t *at)
{
    le64_put(at + VU_REGION_GPA, GPA + near(p, PAGE, 4));
    le64_put(at + VU_REGION_SIZE, MEM - near(p, PAGE, 8));
    le64_put(at + VU_REGION_USER, USER + near(p, PAGE, 4));
    le64_put(at + VU_REGION_OFFSET, near(p, PAGE, 4));
}

static void payload(struct play *p, struct vu_msg *m)
{
    uint8_t *at = m->payload;

    switch (m->request) {
    case VU_SET_FEATURES:
        le64_put(at, VU_BIT(32) | near(p, VU_BIT(26), 32) | near(p, VU_BIT(34), 4));
        m->size = 8;
        break;
    case VU_SET_MEM_TABLE:
        le32_put(at, (uint32_t)near(p, 1, 4));
        for (unsigned i = 0; i < 3; i++)
            region(p, at + VU_TABLE_REGIONS + i * VU_REGION_LEN);
        m->size = VU_TABLE_REGIONS + 3 * VU_REGION_LEN;
        break;
    case VU_ADD_MEM_REG:
    case VU_REM_MEM_REG:
        region(p, at + VU_REG_REGION);
        m->size = VU_REG_LEN;
        break;
    case VU_SET_VRING_ADDR:
        le32_put(at, (uint32_t)near(p, 1, QUEUES));
        for (unsigned i = VU_ADDR_DESC; i < VU_ADDR_LOG; i += 8)
            le64_put(at + i, USER + near(p, PAGE / 2, 16));
        m->size = VU_ADDR_LEN;
        break;
    case VU_GET_INFLIGHT_FD:
    case VU_SET_INFLIGHT_FD: /* the record lies in guest memory, which is written at will */
        le64_put(at + VU_INFLIGHT_SIZE, MEM / 2 - near(p, 64, 8));
        le64_put(at + VU_INFLIGHT_OFFSET, MEM / 2 - near(p, PAGE, 8));
        le16_put(at + VU_INFLIGHT_QUEUES, (uint16_t)(QUEUES - near(p, 1, 3)));
        le16_put(at + VU_INFLIGHT_QUEUE_SIZE, (uint16_t)near(p, 1, 17));
        m->size = VU_INFLIGHT_LEN + 4 * (take_u8(&p->in) & 1u);
        break;
    case VU_GET_CONFIG:
    case VU_SET_CONFIG:
        le32_put(at, (uint32_t)near(p, 4, 32));
        le32_put(at + 4, (uint32_t)near(p, 4, 32));
        m->size = VU_CONFIG_DATA + 64;
        break;
    default: /* a queue and a number; descriptors' bits are in the first */
        le32_put(at, (uint32_t)near(p, 1, QUEUES));
        le32_put(at + 4, (uint32_t)near(p, 1, 17));
        m->size = take_u8(&p->in) & 0xc0 ? 8 : 16;
        break;
    }
}

static void message(struct play *p)
{
    struct vu_msg m = {.flags = VU_VERSION};
    uint8_t how;

    m.request = take_u8(&p->in) % (VU_REQUESTS + 1);
    how = take_u8(&p->in);
    payload(p, &m);
    if (how & 1)
        m.flags |= VU_NEED_REPLY;
    if ((how & 6) == 6)
        m.flags = take_u8(&p->in);
    if ((how & 0x18) == 0x18)
        m.size = take_u8(&p->in);
    m.fds = how >> 5;
    for (unsigned i = 0; i < m.fds; i++) {
        uint8_t kind = take_u8(&p->in);

        m.fd[i] = kind < 0xe0
                      ? (m.request >= VU_SET_VRING_KICK && m.request <= VU_SET_VRING_ERR ? p->event
                                                                                         : p->mem)
                      : p->null;
    }
    vu_send(p->sock, &m);
}

static void raw(struct play *p)
{
    uint8_t bytes[64];
    size_t n = take(&p->in, bytes, take_u8(&p->in) % sizeof(bytes));

    if (n && send(p->sock, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return;
}

static void memory(struct play *p)
{
    uint64_t at = take_u16(&p->in);
    uint8_t n = take_u8(&p->in) & 31;

    if (range_in(at, n, 0, MEM))
        take(&p->in, p->host + at, n);
}

static void connect_anew(struct play *p)
{
    int pair[2];

    if (p->sock >= 0)
        close(p->sock);
    p->sock = -1;
    for (unsigned i = 0; i < 4 && vhost_back_busy(p->back); i++)
        loop_step(p->loop, 0); /* it must see that we left: whatever else there is to do */
    PROMISE(!vhost_back_busy(p->back));
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair))
        abort();
    p->sock = pair[0];
    if (vhost_back_adopt(p->back, pair[1]))
        abort();
}

static void step(struct play *p)
{
    uint64_t one = 1;
    char drain[512];
    uint8_t what = take_u8(&p->in);

    if (what < 0xa0)
        message(p);
    else if (what < 0xc8)
        memory(p);
    else if (what < 0xe8 && write(p->event, &one, sizeof(one)) < 0)
        return;
    else if (what >= 0xe8 && what < 0xf0)
        raw(p);
    else if (what >= 0xf0 && what < 0xf4 && ftruncate(p->mem, what & 1 ? MEM : PAGE))
        abort();
    else if (what >= 0xfc)
        connect_anew(p);
    loop_step(p->loop, 0);
    if (CARD)
        vhost_echo_go(&p->echo);
    if (ftruncate(p->mem, MEM)) /* or the next access would be our own fault */
        abort();
    while (recv(p->sock, drain, sizeof(drain), MSG_DONTWAIT) > 0)
        ;
    PROMISE(vhost_back_sane(p->back));
}

static int device_create(struct play *p, struct dev_env *env)
{
    struct vblk_opts disk = {.queues = QUEUES, .packed = true};
    struct vnet_opts card = {.net = &p->echo.net, .pairs = QUEUES / 2, .packed = true, .all = true};

    env->bearer = vhost_back_bearer(p->back);
    return CARD ? vnet_create(&p->vnet, env, &card) : vblk_create(&p->vblk, env, p->blk, &disk);
}

static void play_open(struct play *p)
{
    struct vhost_back_opts o = {.name = "dev0", .queues = QUEUES, .config = true};
    struct dev_env env = {.name = "dev0"};
    struct error err;

    p->sock = -1;
    p->loop = env.loop = loop_open(NULL, true);
    p->ledger = env.ledger = ledger_open();
    p->mem = memfd_create("guest", MFD_CLOEXEC);
    p->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    p->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (CARD)
        o.queues = o.lends = QUEUES / 2;
    if (ftruncate(p->mem, MEM) || vhost_echo_open(&p->echo, p->loop, p->ledger) ||
        blk_mem_open(&p->blk, 1 << 20, "disk0", p->loop, p->ledger, &err))
        abort();
    p->host = mmap(NULL, MEM, PROT_READ | PROT_WRITE, MAP_SHARED, p->mem, 0);
    if (p->host == MAP_FAILED || vhost_back_open(&p->back, &o, p->loop, p->ledger, &err))
        abort();
    if (device_create(p, &env))
        abort();
    connect_anew(p);
}

static void play_close(struct play *p)
{
    vhost_back_stop(p->back);
    if (CARD)
        vnet_class.destroy(p->vnet);
    else
        vblk_class.destroy(p->vblk);
    vhost_back_close(p->back);
    blk_close(p->blk);
    ledger_close(p->ledger);
    loop_close(p->loop);
    munmap(p->host, MEM);
    close(p->sock);
    close(p->mem);
    close(p->event);
    close(p->null);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct play p = {.in = {data, len}};

    play_open(&p);
    for (unsigned i = 0; i < STEPS && p.in.len; i++)
        step(&p);
    play_close(&p);
    return 0;
}
