/*
 * A guest that wants all it can get, for bench/fair_vms: reads of 256 KiB at random places of
 * /dev/vda, DEPTH at once, past its page cache (native AIO by bare system calls); and frames of
 * 1500 bytes out of eth0 to 02:00:00:00:00:03, some hundred at a time. It never ends.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 262144, DEPTH = 32, FRAME = 1500, BURST = 128, PAUSE_NS = 2000000 };

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void ask(aio_context_t ctx, struct iocb *cb, uint64_t blocks)
{
    static uint64_t seed = 88172645463325252u;

    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    cb->aio_offset = (int64_t)((seed >> 20) % blocks * BLOCK);
    if (syscall(SYS_io_submit, ctx, 1, &cb) != 1)
        fail("io_submit");
}

static void disk(void)
{
    static struct iocb cb[DEPTH];
    struct io_event done;
    aio_context_t ctx = 0;
    int fd = open("/dev/vda", O_RDONLY | O_DIRECT);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);

    if (size < BLOCK || syscall(SYS_io_setup, DEPTH, &ctx))
        fail("/dev/vda");
    for (unsigned i = 0; i < DEPTH; i++) {
        cb[i] = (struct iocb){
            .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (uint32_t)fd, .aio_nbytes = BLOCK};
        cb[i].aio_buf = (uintptr_t)aligned_alloc(4096, BLOCK);
        ask(ctx, &cb[i], (uint64_t)size / BLOCK);
    }
    while (syscall(SYS_io_getevents, ctx, 1, 1, &done, NULL) == 1)
        ask(ctx, (struct iocb *)(uintptr_t)done.obj, (uint64_t)size / BLOCK);
    fail("io_getevents");
}

static void net(void)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET, .sll_halen = 6, .sll_addr = {2, 0, 0, 0, 0, 3}};
    unsigned char frame[FRAME] = {2, 0, 0, 0, 0, 3};
    struct ifreq eth = {.ifr_name = "eth0"};
    int s = socket(AF_PACKET, SOCK_RAW, htons(0x88b6));

    if (s < 0 || ioctl(s, SIOCGIFFLAGS, &eth))
        fail("eth0");
    eth.ifr_flags |= IFF_UP;
    if (ioctl(s, SIOCSIFFLAGS, &eth) || ioctl(s, SIOCGIFHWADDR, &eth))
        fail("eth0");
    memcpy(frame + 6, eth.ifr_hwaddr.sa_data, 6);
    frame[12] = 0x88;
    frame[13] = 0xb6;
    to.sll_ifindex = (int)if_nametoindex("eth0");
    for (;;) {
        for (unsigned i = 0; i < BURST; i++)
            sendto(s, frame, sizeof(frame), MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to));
        nanosleep(&pause, NULL);
    }
}

int main(void)
{
    mount("dev", "/dev", "devtmpfs", 0, NULL); /* it may be there */
    printf("FLOOD\n");
    fflush(stdout);
    if (fork())
        disk();
    net();
    return 0;
}
