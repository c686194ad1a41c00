/*
 * A guest that asks for little, for bench/fair_vms: for half a second reads of 4 KiB at random
 * places of /dev/vda, one at a time, past its page cache; for another half second frames of 60
 * bytes out of eth0 to 02:00:00:00:00:04, which sends them back, one at a time. After each half a
 * line says what, the median, the 99th percentile in nanoseconds, and of how many. It never ends.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, FRAME = 60, MOST = 1 << 16, HALF_NS = 500000000, TYPE = 0x88b5 };

static uint64_t took[MOST];

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* For half a second: how long each takes. */
static void half(const char *what, void (*one)(int fd), int fd)
{
    uint64_t end = now() + HALF_NS;
    size_t n = 0;

    for (uint64_t t = now(); t < end && n < MOST; n++) {
        uint64_t then;

        one(fd);
        then = now();
        took[n] = then - t;
        t = then;
    }
    qsort(took, n, sizeof(took[0]), by_size);
    printf("%s %llu %llu %zu\n", what, (unsigned long long)took[n / 2],
           (unsigned long long)took[n - 1 - n / 100], n);
    fflush(stdout);
}

static void block(int fd)
{
    static uint64_t seed = 88172645463325252u, blocks;
    static void *buf;

    if (!buf) {
        buf = aligned_alloc(BLOCK, BLOCK);
        blocks = (uint64_t)lseek(fd, 0, SEEK_END) / BLOCK;
    }
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    if (pread(fd, buf, BLOCK, (off_t)((seed >> 20) % blocks * BLOCK)) != BLOCK)
        fail("pread");
}

static void frame(int s)
{
    static unsigned char f[FRAME] = {2, 0, 0, 0, 0, 4}, got[FRAME];
    static struct sockaddr_ll to = {
        .sll_family = AF_PACKET, .sll_halen = 6, .sll_addr = {2, 0, 0, 0, 0, 4}};
    static uint64_t number;
    struct ifreq eth = {.ifr_name = "eth0"};

    if (!number++) {
        if (ioctl(s, SIOCGIFHWADDR, &eth))
            fail("eth0");
        memcpy(f + 6, eth.ifr_hwaddr.sa_data, 6);
        f[12] = TYPE >> 8;
        f[13] = TYPE & 0xff;
        to.sll_ifindex = (int)if_nametoindex("eth0");
    }
    memcpy(f + 14, &number, sizeof(number));
    if (sendto(s, f, FRAME, 0, (struct sockaddr *)&to, sizeof(to)) != FRAME)
        fail("sendto");
    do /* what came late is of an earlier one */
        if (recv(s, got, FRAME, 0) < 0)
            return; /* lost, and the wait was the time it took */
    while (memcmp(got + 14, &number, sizeof(number)));
}

static int card(void)
{
    const struct timeval patience = {.tv_sec = 1};
    struct ifreq eth = {.ifr_name = "eth0"};
    int s = socket(AF_PACKET, SOCK_RAW, htons(TYPE));

    if (s < 0 || ioctl(s, SIOCGIFFLAGS, &eth))
        fail("eth0");
    eth.ifr_flags |= IFF_UP;
    if (ioctl(s, SIOCSIFFLAGS, &eth) ||
        setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
        fail("eth0");
    return s;
}

int main(void)
{
    int fd, s;

    mount("dev", "/dev", "devtmpfs", 0, NULL); /* it may be there */
    fd = open("/dev/vda", O_RDONLY | O_DIRECT);
    if (fd < 0)
        fail("/dev/vda");
    s = card();
    for (;;) {
        half("disk", block, fd);
        half("net", frame, s);
    }
}
