/* A vhost-user front end without a machine: vu_front.h tells. VIRTIO 1.2, 2.7, 2.8 and 5.2. */
#include "vu_front.h"
#include "virtio/vq.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { DESC = 0, AVAIL = 0x1000, USED = 0x2000, SLOTS = 0x4000, MEM = 1 << 20 };
enum { HDR = 0, STATUS = 16, DATA = 0x1000, SLOT_LEN = 0x2000 };
enum { NEXT = 1, WRITE = 2, F_AVAIL = 1 << 7, F_USED = 1 << 15, BASE_WRAP = 1 << 15 };
enum { EVENT_ENABLE = 0, EVENT_DISABLE = 1 };
#define GPA       0x10000ull
#define USER      0x7f0000000000ull
#define EVENT_IDX VU_BIT(29)
#define VERSION_1 VU_BIT(32)
#define PACKED    VU_BIT(34)
#define PROTOCOL  VU_BIT(VHOST_USER_F_PROTOCOL_FEATURES)
#define PAUSE_NS  100000

_Static_assert(SLOTS + FRONT_SLOTS * SLOT_LEN <= MEM, "it has room");

int front_open(struct front *f, bool packed)
{
    *f = (struct front){.sock = -1, .record = -1, .packed = packed};
    f->avail_wrap = f->used_wrap = true;
    f->fd = memfd_create("guest", MFD_CLOEXEC);
    f->kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    f->call = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (f->fd < 0 || f->kick < 0 || f->call < 0 || ftruncate(f->fd, MEM))
        return -errno;
    f->mem = mmap(NULL, MEM, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
    if (f->mem == MAP_FAILED)
        return -errno;
    for (unsigned i = 0; i < FRONT_SLOTS; i++) {
        uint8_t *at = f->mem + SLOTS + (size_t)i * SLOT_LEN;

        f->slot[i] = (struct front_slot){.data = at + DATA, .status = at + STATUS, .hdr = at + HDR};
    }
    return 0;
}

void front_disconnect(struct front *f)
{
    vu_in_drop(&f->in);
    if (f->sock >= 0)
        close(f->sock);
    f->sock = -1;
}

void front_close(struct front *f)
{
    front_disconnect(f);
    close(f->fd);
    close(f->kick);
    close(f->call);
    if (f->record >= 0)
        close(f->record);
    munmap(f->mem, MEM);
}

/* ---- messages ---- */

static int tell(struct front *f, uint32_t request, const void *payload, uint32_t len, int fd)
{
    struct vu_msg m = {.request = request, .flags = VU_VERSION, .size = len};

    if (len)
        memcpy(m.payload, payload, len);
    m.fds = fd >= 0;
    m.fd[0] = fd;
    return vu_send(f->sock, &m);
}

/* The reply is in f->in.msg. */
static int ask(struct front *f, uint32_t request, const void *payload, uint32_t len)
{
    int err = tell(f, request, payload, len, -1);

    if (err)
        return err;
    err = vu_recv(&f->in, f->sock);
    if (err != 1)
        return err ? err : -EPROTO;
    return f->in.msg.request == request && f->in.msg.flags & VU_REPLY ? 0 : -EPROTO;
}

static int ask_u64(struct front *f, uint32_t request, uint64_t *val)
{
    int err = ask(f, request, NULL, 0);

    if (!err)
        *val = le64_get(f->in.msg.payload);
    return err;
}

static int tell_u64(struct front *f, uint32_t request, uint64_t val, int fd)
{
    return tell(f, request, &val, sizeof(val), fd);
}

static int tell_state(struct front *f, uint32_t request, uint32_t num)
{
    const uint32_t state[2] = {0, num};

    return tell(f, request, state, sizeof(state), -1);
}

static int features(struct front *f)
{
    uint64_t has, protocol, want = VU_BIT(VU_F_MQ) | VU_BIT(VU_F_CONFIG);
    int err = ask_u64(f, VU_GET_FEATURES, &has);

    if (!err && (!(has & VERSION_1) || !(has & PROTOCOL) || (f->packed && !(has & PACKED))))
        err = -EOPNOTSUPP;
    if (!err)
        err = ask_u64(f, VU_GET_PROTOCOL_FEATURES, &protocol);
    if (err)
        return err;
    f->tracked = protocol >> VU_F_INFLIGHT_SHMFD & 1;
    want |= VU_BIT(VU_F_INFLIGHT_SHMFD);
    err = tell_u64(f, VU_SET_PROTOCOL_FEATURES, want & protocol, -1);
    if (!err)
        err = tell(f, VU_SET_OWNER, NULL, 0, -1);
    f->event_idx = has & EVENT_IDX && !f->packed;
    has &= VERSION_1 | PROTOCOL | (f->packed ? PACKED : 0) | (f->event_idx ? EVENT_IDX : 0);
    return err ? err : tell_u64(f, VU_SET_FEATURES, has, -1);
}

static int record_get(struct front *f)
{
    uint8_t p[VU_INFLIGHT_LEN_PADDED] = {0};
    int err;

    le16_put(p + VU_INFLIGHT_QUEUES, 1);
    le16_put(p + VU_INFLIGHT_QUEUE_SIZE, FRONT_RING);
    err = ask(f, VU_GET_INFLIGHT_FD, p, sizeof(p));
    if (err)
        return err;
    f->record = vu_fd_take(&f->in.msg, 0);
    f->record_len = le64_get(f->in.msg.payload + VU_INFLIGHT_SIZE);
    return f->record >= 0 && f->record_len ? 0 : -EPROTO;
}

static int record_set(struct front *f)
{
    uint8_t p[VU_INFLIGHT_LEN_PADDED] = {0};
    int err = f->record < 0 ? record_get(f) : 0;

    if (err)
        return err;
    le64_put(p + VU_INFLIGHT_SIZE, f->record_len);
    le16_put(p + VU_INFLIGHT_QUEUES, 1);
    le16_put(p + VU_INFLIGHT_QUEUE_SIZE, FRONT_RING);
    return tell(f, VU_SET_INFLIGHT_FD, p, sizeof(p), f->record);
}

static int memory(struct front *f)
{
    uint8_t p[VU_TABLE_REGIONS + VU_REGION_LEN] = {0};

    le32_put(p + VU_TABLE_COUNT, 1);
    le64_put(p + VU_TABLE_REGIONS + VU_REGION_GPA, GPA);
    le64_put(p + VU_TABLE_REGIONS + VU_REGION_SIZE, MEM);
    le64_put(p + VU_TABLE_REGIONS + VU_REGION_USER, USER);
    return tell(f, VU_SET_MEM_TABLE, p, sizeof(p), f->fd);
}

/* The base of a ring that is not fresh is a guess, as any front end's after a kill. */
static int ring(struct front *f)
{
    uint8_t p[VU_ADDR_LEN] = {0};
    int err = tell_state(f, VU_SET_VRING_NUM, FRONT_RING);

    le64_put(p + VU_ADDR_DESC, USER + DESC);
    le64_put(p + VU_ADDR_USED, USER + USED);
    le64_put(p + VU_ADDR_AVAIL, USER + AVAIL);
    if (!err)
        err = tell_state(f, VU_SET_VRING_BASE, f->packed ? BASE_WRAP : f->used);
    if (!err)
        err = tell(f, VU_SET_VRING_ADDR, p, sizeof(p), -1);
    if (!err)
        err = tell_u64(f, VU_SET_VRING_CALL, 0, f->call);
    if (!err)
        err = tell_u64(f, VU_SET_VRING_KICK, 0, f->kick);
    return err ? err : tell_state(f, VU_SET_VRING_ENABLE, 1);
}

static int sock_connect(struct front *f, const char *path, unsigned seconds)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    struct timespec begin, now;

    strncpy(at.sun_path, path, sizeof(at.sun_path) - 1);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (;;) {
        f->sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (f->sock < 0)
            return -errno;
        if (!connect(f->sock, (struct sockaddr *)&at, sizeof(at)))
            return 0;
        close(f->sock);
        f->sock = -1;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec - begin.tv_sec > (time_t)seconds)
            return -ETIMEDOUT;
        nanosleep(&pause, NULL); /* nobody is there yet */
    }
}

int front_connect(struct front *f, const char *path, unsigned seconds)
{
    int err = sock_connect(f, path, seconds);

    if (!err)
        err = features(f);
    if (!err)
        err = memory(f);
    if (!err && f->tracked)
        err = record_set(f);
    return err ? err : ring(f);
}

bool front_alone(const struct front *f)
{
    struct pollfd p = {.fd = f->sock, .events = POLLRDHUP};

    return poll(&p, 1, 0) > 0;
}

/* ---- rings ---- */

static void put16(uint8_t *at, uint16_t v)
{
    __atomic_store_n((uint16_t *)(void *)at, v, __ATOMIC_RELEASE);
}

static uint16_t get16(const uint8_t *at)
{
    return __atomic_load_n((const uint16_t *)(const void *)at, __ATOMIC_ACQUIRE);
}

static uint64_t gpa(const struct front *f, const uint8_t *at)
{
    return GPA + (uint64_t)(at - f->mem);
}

static void split_send(struct front *f, unsigned slot, const uint64_t addr[3],
                       const uint32_t len[3], const uint16_t flags[3])
{
    for (unsigned i = 0; i < 3; i++) {
        uint8_t *d = f->mem + DESC + 16ull * (3 * slot + i);

        le64_put(d, addr[i]);
        le32_put(d + 8, len[i]);
        le16_put(d + 12, flags[i]);
        le16_put(d + 14, (uint16_t)(3 * slot + i + 1));
    }
    le16_put(f->mem + AVAIL + 4 + 2u * (f->avail % FRONT_RING), (uint16_t)(3 * slot));
    put16(f->mem + AVAIL + 2, ++f->avail);
}

static void step(uint16_t *place, bool *wrap, unsigned by)
{
    *place = (uint16_t)(*place + by);
    if (*place < FRONT_RING)
        return;
    *place = (uint16_t)(*place - FRONT_RING);
    *wrap = !*wrap;
}

static void packed_send(struct front *f, unsigned slot, const uint64_t addr[3],
                        const uint32_t len[3], const uint16_t flags[3])
{
    uint8_t *first = f->mem + DESC + 16ull * f->avail;
    uint16_t first_flags = 0;

    for (unsigned i = 0; i < 3; i++) {
        uint8_t *d = f->mem + DESC + 16ull * f->avail;
        uint16_t turn = (uint16_t)(flags[i] | (f->avail_wrap ? F_AVAIL : F_USED));

        le64_put(d, addr[i]);
        le32_put(d + 8, len[i]);
        le16_put(d + 12, (uint16_t)slot);
        if (i)
            put16(d + 14, turn);
        else
            first_flags = turn;
        step(&f->avail, &f->avail_wrap, 1);
    }
    put16(first + 14, first_flags);
}

void front_send(struct front *f, unsigned slot, unsigned kind, uint64_t sector)
{
    struct front_slot *s = &f->slot[slot];
    const uint64_t addr[3] = {gpa(f, s->hdr), gpa(f, s->data), gpa(f, s->status)};
    const uint32_t len[3] = {16, FRONT_BLOCK, 1};
    const uint16_t flags[3] = {NEXT, kind == FRONT_READ ? NEXT | WRITE : NEXT, WRITE};

    le32_put(s->hdr, kind);
    le32_put(s->hdr + 4, 0);
    le64_put(s->hdr + 8, sector);
    *s->status = 0xff;
    s->flying = true;
    f->flying++;
    if (f->packed)
        packed_send(f, slot, addr, len, flags);
    else
        split_send(f, slot, addr, len, flags);
}

static bool kick_wanted(const struct front *f)
{
    if (f->packed)
        return get16(f->mem + USED + 2) != EVENT_DISABLE;
    if (f->event_idx)
        return vq_passed(get16(f->mem + USED + 4 + 8 * FRONT_RING), f->avail, f->kicked);
    return !(get16(f->mem + USED) & 1);
}

void front_kick(struct front *f)
{
    uint64_t one = 1;
    bool wanted;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    wanted = kick_wanted(f);
    f->kicked = f->avail;
    if (wanted && write(f->kick, &one, sizeof(one)) < 0)
        return; /* full: it will be seen */
}

static int slot_back(struct front *f, uint32_t slot)
{
    if (slot >= FRONT_SLOTS || !f->slot[slot].flying)
        return -2;
    f->slot[slot].flying = false;
    f->flying--;
    return (int)slot;
}

static int packed_take(struct front *f)
{
    const uint8_t *d = f->mem + DESC + 16ull * f->used;
    uint16_t flags = get16(d + 14);
    uint32_t slot = le16_get(d + 12);

    if (!(flags & F_AVAIL) != !(flags & F_USED) || !(flags & F_USED) == f->used_wrap)
        return -1;
    if (f->used == f->avail && f->used_wrap == f->avail_wrap && !f->flying)
        return -1; /* of the round before */
    step(&f->used, &f->used_wrap, 3);
    return slot_back(f, slot);
}

int front_take(struct front *f)
{
    uint32_t head;

    if (f->packed)
        return packed_take(f);
    if (get16(f->mem + USED + 2) == f->used)
        return -1;
    head = le32_get(f->mem + USED + 4 + 8u * (f->used % FRONT_RING));
    f->used++;
    if (f->event_idx) /* an interrupt for the next one, please */
        put16(f->mem + AVAIL + 4 + 2 * FRONT_RING, f->used);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* before the index is looked at again */
    return slot_back(f, head % 3 ? FRONT_SLOTS : head / 3);
}

bool front_wait(struct front *f, int ms)
{
    struct pollfd p[2] = {{.fd = f->call, .events = POLLIN}, {.fd = f->sock, .events = POLLRDHUP}};
    uint64_t count;

    if (poll(p, f->sock >= 0 ? 2 : 1, ms) <= 0)
        return false;
    if (p[0].revents & POLLIN && read(f->call, &count, sizeof(count)) < 0)
        return true; /* somebody else's turn */
    return true;
}
