/*
 * A network card's driver without a machine: a vhost-user front end with one pair of split rings
 * (VIRTIO 1.2, 2.7 and 5.1), for tests and benchmarks of the domain's switch.
 *
 *   net_load SOCKET N flood TO SIZE       sends to station TO as fast as the ring takes it
 *   net_load SOCKET N sink SECONDS        counts for so long what comes, and says by whose
 *   net_load SOCKET N echo                sends back what comes
 *   net_load SOCKET N ping TO COUNT US [PID…]
 *                                         round trips, so far apart: median, 99 %, most, in µs;
 * then the same without what these processes and itself waited for a CPU meanwhile (waits.h)
 *
 * Station N has the address 02:00:00:00:00:N.
 */
#include "vhost/msg.h"
#include "waits.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { DESC = 0, AVAIL = 0x1000, USED = 0x2000, RING = 0x10000, BUFS = 0x40000, MEM = 0x140000 };
enum { N = 256, BUF = 2048, HDR = 12, WRITE = 2, NO_NOTIFY = 1, PATIENCE_S = 20 };
#define GPA      0x10000ull
#define USER     0x7f0000000000ull
#define VERSION1 VU_BIT(32)
#define PROTOCOL VU_BIT(VHOST_USER_F_PROTOCOL_FEATURES)
#define NS       1000000000ull

struct card {
    int sock, call, kick[2];
    uint8_t *mem, mac[6];
    uint16_t avail[2], used[2]; /* free-running; 0 receives, 1 sends */
    struct vu_in in;
};

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "net_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static void put16(uint8_t *at, unsigned v)
{
    __atomic_store_n((uint16_t *)(void *)at, (uint16_t)v, __ATOMIC_RELEASE);
}

static uint16_t get16(const uint8_t *at)
{
    return __atomic_load_n((const uint16_t *)(const void *)at, __ATOMIC_ACQUIRE);
}

/* ---- messages ---- */

static void tell(struct card *c, uint32_t request, const void *payload, uint32_t len, int fd)
{
    struct vu_msg m = {.request = request, .flags = VU_VERSION, .size = len};

    if (len)
        memcpy(m.payload, payload, len);
    m.fds = fd >= 0;
    m.fd[0] = fd;
    if (vu_send(c->sock, &m))
        fail(vu_request_name(request));
}

static uint64_t ask(struct card *c, uint32_t request)
{
    tell(c, request, NULL, 0, -1);
    if (vu_recv(&c->in, c->sock) != 1 || c->in.msg.request != request)
        fail(vu_request_name(request));
    return le64_get(c->in.msg.payload);
}

static void tell_u64(struct card *c, uint32_t request, uint64_t val, int fd)
{
    tell(c, request, &val, sizeof(val), fd);
}

static void tell_state(struct card *c, uint32_t request, uint32_t queue, uint32_t num)
{
    const uint32_t state[2] = {queue, num};

    tell(c, request, state, sizeof(state), -1);
}

static void ring_tell(struct card *c, unsigned q)
{
    uint8_t p[VU_ADDR_LEN] = {0};
    uint64_t at = USER + q * RING;

    le32_put(p + VU_ADDR_QUEUE, q);
    le64_put(p + VU_ADDR_DESC, at + DESC);
    le64_put(p + VU_ADDR_USED, at + USED);
    le64_put(p + VU_ADDR_AVAIL, at + AVAIL);
    tell_state(c, VU_SET_VRING_NUM, q, N);
    tell_state(c, VU_SET_VRING_BASE, q, 0);
    tell(c, VU_SET_VRING_ADDR, p, sizeof(p), -1);
    tell_u64(c, VU_SET_VRING_CALL, q, c->call);
    tell_u64(c, VU_SET_VRING_KICK, q, c->kick[q]);
    tell_state(c, VU_SET_VRING_ENABLE, q, 1);
}

static void come(struct card *c, const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    uint64_t until = now() + PATIENCE_S * NS;
    const struct timespec pause = {.tv_nsec = 1000000};

    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    c->sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    while (connect(c->sock, (struct sockaddr *)&at, sizeof(at))) {
        if (now() > until)
            fail(path);
        nanosleep(&pause, NULL); /* nobody is there yet */
    }
}

/* ---- rings ---- */

static uint8_t *buffer(struct card *c, unsigned q, unsigned slot)
{
    return c->mem + BUFS + q * N * BUF + (size_t)slot * BUF;
}

/* The next descriptor: a buffer to be filled, or len bytes of one to be sent. */
static void give(struct card *c, unsigned q, size_t len)
{
    unsigned slot = c->avail[q] % N;
    uint8_t *ring = c->mem + q * RING, *d = ring + DESC + 16u * slot;

    le64_put(d, GPA + (uint64_t)(buffer(c, q, slot) - c->mem));
    le32_put(d + 8, (uint32_t)(q ? HDR + len : BUF));
    le16_put(d + 12, q ? 0 : WRITE);
    le16_put(ring + AVAIL + 4 + 2 * slot, (uint16_t)slot);
    put16(ring + AVAIL + 2, ++c->avail[q]);
}

static void kick(struct card *c, unsigned q)
{
    uint64_t one = 1;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!(get16(c->mem + q * RING + USED) & NO_NOTIFY) && write(c->kick[q], &one, sizeof(one)) < 0)
        fail("kick");
}

/* The next finished one, or NULL; *len: of a frame that came. */
static uint8_t *take(struct card *c, unsigned q, size_t *len)
{
    uint8_t *ring = c->mem + q * RING;
    unsigned slot = c->used[q] % N;

    if (get16(ring + USED + 2) == c->used[q])
        return NULL;
    if (le32_get(ring + USED + 4 + 8 * slot) != slot) {
        errno = EPROTO;
        fail("out of order");
    }
    *len = le32_get(ring + USED + 8 + 8 * slot) - (q ? 0 : HDR);
    c->used[q]++;
    return buffer(c, q, slot) + HDR;
}

/* Until something may have come; false: ms went by. */
static bool nap(struct card *c, int ms)
{
    struct pollfd p[2] = {{.fd = c->call, .events = POLLIN}, {.fd = c->sock, .events = POLLIN}};
    uint64_t count;

    if (poll(p, 2, ms) <= 0)
        return false;
    if (p[1].revents) {
        errno = ECONNRESET;
        fail("the domain");
    }
    return read(c->call, &count, sizeof(count)) == (ssize_t)sizeof(count);
}

static void card_open(struct card *c, const char *path, unsigned number)
{
    uint8_t p[VU_TABLE_REGIONS + VU_REGION_LEN] = {0};
    int fd = memfd_create("guest", MFD_CLOEXEC);

    memcpy(c->mac, (const uint8_t[]){2, 0, 0, 0, 0, (uint8_t)number}, 6);
    c->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->kick[0] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->kick[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0 || ftruncate(fd, MEM))
        fail("memory");
    c->mem = mmap(NULL, MEM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (c->mem == MAP_FAILED)
        fail("memory");
    come(c, path);
    if (!(ask(c, VU_GET_FEATURES) & VERSION1) || !ask(c, VU_GET_PROTOCOL_FEATURES))
        fail("features");
    tell_u64(c, VU_SET_PROTOCOL_FEATURES, VU_BIT(VU_F_MQ), -1);
    tell(c, VU_SET_OWNER, NULL, 0, -1);
    tell_u64(c, VU_SET_FEATURES, VERSION1 | PROTOCOL, -1);
    le32_put(p + VU_TABLE_COUNT, 1);
    le64_put(p + VU_TABLE_REGIONS + VU_REGION_GPA, GPA);
    le64_put(p + VU_TABLE_REGIONS + VU_REGION_SIZE, MEM);
    le64_put(p + VU_TABLE_REGIONS + VU_REGION_USER, USER);
    tell(c, VU_SET_MEM_TABLE, p, sizeof(p), fd);
    ring_tell(c, 0);
    ring_tell(c, 1);
    for (unsigned i = 0; i < N; i++)
        give(c, 0, 0);
    kick(c, 0);
}

/* ---- what it does ---- */

/* A slot to be filled and given, or NULL: all are on their way. */
static uint8_t *slot_free(struct card *c)
{
    size_t len;

    while (take(c, 1, &len))
        ;
    return (uint16_t)(c->avail[1] - c->used[1]) < N ? buffer(c, 1, c->avail[1] % N) : NULL;
}

static void frame_make(const struct card *c, uint8_t *at, unsigned to, uint64_t number)
{
    memset(at, 0, HDR + 60);
    at += HDR;
    memcpy(at, (const uint8_t[]){2, 0, 0, 0, 0, (uint8_t)to}, 6);
    memcpy(at + 6, c->mac, 6);
    at[12] = 0x88;
    at[13] = 0xb6;
    le64_put(at + 14, number);
}

static void flood(struct card *c, unsigned to, size_t size)
{
    for (;;) {
        unsigned n = 0;
        uint8_t *at;

        for (; n < 64 && (at = slot_free(c)); n++) {
            frame_make(c, at, to, 0);
            give(c, 1, size);
        }
        if (n)
            kick(c, 1);
        else
            nap(c, 1000);
    }
}

/* All that came, to be counted or answered, goes back to be filled again. */
static unsigned receive(struct card *c, void (*each)(struct card *, uint8_t *, size_t))
{
    unsigned n = 0;
    uint8_t *at;
    size_t len;

    for (; n < N && (at = take(c, 0, &len)); n++) {
        each(c, at, len);
        give(c, 0, 0);
    }
    if (n)
        kick(c, 0);
    return n;
}

static uint64_t bytes[256], answer;

static void count(struct card *c, uint8_t *at, size_t len)
{
    (void)c;
    bytes[at[11]] += len;
}

static void hello(struct card *c)
{
    uint8_t *at = slot_free(c);

    frame_make(c, at, 0, 0);
    memset(at + HDR, 0xff, 6);
    give(c, 1, 60);
    kick(c, 1);
}

static void sink(struct card *c, double seconds)
{
    uint64_t end;

    hello(c);
    while (!nap(c, 1000) || !receive(c, count)) /* from the first frame on */
        ;
    memset(bytes, 0, sizeof(bytes));
    end = now() + (uint64_t)(seconds * 1e9);
    while (now() < end)
        if (!receive(c, count))
            nap(c, 10);
    for (unsigned i = 0; i < 256; i++)
        if (bytes[i])
            printf("%u %llu\n", i, (unsigned long long)bytes[i]);
}

static void reply(struct card *c, uint8_t *at, size_t len)
{
    uint8_t *to;

    if (memcmp(at, c->mac, 6))
        return;
    while (!(to = slot_free(c)))
        nap(c, 1000);
    memset(to, 0, HDR);
    memcpy(to + HDR, at, len);
    memcpy(to + HDR, at + 6, 6);
    memcpy(to + HDR + 6, c->mac, 6);
    give(c, 1, len);
    kick(c, 1);
}

static void echo(struct card *c)
{
    hello(c);
    for (;;)
        if (!receive(c, reply))
            nap(c, 1000);
}

static void note(struct card *c, uint8_t *at, size_t len)
{
    if (len >= 22 && !memcmp(at, c->mac, 6))
        answer = le64_get(at + 14);
}

static int by_size(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* False: no answer within a second; the other may not be there yet. */
static bool ask_once(struct card *c, unsigned to, uint64_t number)
{
    uint64_t begin = now();

    frame_make(c, slot_free(c), to, number);
    give(c, 1, 60);
    kick(c, 1);
    while (answer != number) {
        receive(c, note);
        if (answer != number && now() - begin > NS)
            return false;
        if (answer != number)
            nap(c, 100);
    }
    return true;
}

/* How long one round trip took; *waited: of that, for CPUs. Until the first, the other may not be
 * there. */
static uint64_t round_trip(struct card *c, unsigned to, uint64_t number, const struct waits *w,
                           uint64_t *waited)
{
    uint64_t begin, end;

    for (unsigned k = 0; k < PATIENCE_S; k++) {
        *waited = waits_ns(w);
        begin = now();
        if (ask_once(c, to, number)) {
            end = now();
            *waited = waits_ns(w) - *waited;
            return end - begin;
        }
    }
    fail("no answer");
}

static void tell_times(uint64_t *took, unsigned times, const char *end)
{
    qsort(took, times, sizeof(*took), by_size);
    printf("%.1f %.1f %.1f%s", (double)took[times / 2] / 1e3,
           (double)took[times * 99ull / 100] / 1e3, (double)took[times - 1] / 1e3, end);
}

static void ping(struct card *c, unsigned to, unsigned times, unsigned gap_us,
                 const struct waits *w)
{
    const struct timespec gap = {.tv_sec = gap_us / 1000000, .tv_nsec = gap_us % 1000000 * 1000l};
    uint64_t *took = calloc(2ull * times, sizeof(*took)), *ours = took + times;

    if (!took)
        fail("memory");
    hello(c);
    for (unsigned i = 0; i < times; i++) {
        uint64_t waited;

        took[i] = round_trip(c, to, i + 1, w, &waited);
        ours[i] = took[i] > waited ? took[i] - waited : 0;
        nanosleep(&gap, NULL);
    }
    tell_times(took, times, " ");
    tell_times(ours, times, "\n");
    free(took);
}

int main(int argc, char **argv)
{
    struct card c = {.sock = -1};
    struct waits w = {.n = 0};

    if (argc < 4)
        return 2;
    card_open(&c, argv[1], (unsigned)atoi(argv[2]));
    if (!strcmp(argv[3], "flood") && argc == 6)
        flood(&c, (unsigned)atoi(argv[4]), (size_t)atoi(argv[5]));
    else if (!strcmp(argv[3], "sink") && argc == 5)
        sink(&c, atof(argv[4]));
    else if (!strcmp(argv[3], "echo") && argc == 4)
        echo(&c);
    else if (!strcmp(argv[3], "ping") && argc >= 7) {
        waits_add(&w, 0);
        for (int i = 7; i < argc; i++)
            waits_add(&w, atoi(argv[i]));
        ping(&c, (unsigned)atoi(argv[4]), (unsigned)atoi(argv[5]), (unsigned)atoi(argv[6]), &w);
    } else
        return 2;
    return 0;
}
