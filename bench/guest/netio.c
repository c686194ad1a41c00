/*
 * The network between guests: netio server [CLIENTS [WHERE]], which ends after so many (1), and in
 * another guest netio client WHERE WORK…; WHERE is an IP address, vsock:CID, or on the host
 * unix:PATH, the sockets of a machine's --vsock path=PATH. WORK is
 *     rtt:COUNT     round trips of one byte over a stream
 *     tcp:MBYTES    one stream, until the server has said that all of it came, and its checksum
 *     udp:SECONDS   UDP datagrams of 18 bytes, frames of the least length, as fast as send() takes
 *                   them; the server says how many came
 * Prints lines "RTT µs", "TCP MB/s", "UDP sent/s received/s". netio echo PORT answers UDP
 * datagrams.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/select.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

enum { RTT = 5001, TCP = 5002, UDP = 5003, COUNT = 5004, END = 5005 };

static char buf[128 << 10];

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
    printf("netio: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct sockaddr_in addr(const char *ip, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    if (ip && !inet_aton(ip, &a.sin_addr))
        die(ip);
    return a;
}

/* vsock:CID or unix:PATH; false: an IP address, or NULL */
static int other(const char *where, const char *kind, const char **rest)
{
    size_t n = strlen(kind);

    if (!where || strncmp(where, kind, n))
        return 0;
    *rest = where + n;
    return 1;
}

static struct sockaddr_vm vaddr(unsigned cid, int port)
{
    return (struct sockaddr_vm){.svm_family = AF_VSOCK, .svm_port = (unsigned)port, .svm_cid = cid};
}

static int listens(int fd, const void *a, socklen_t len)
{
    if (fd < 0 || bind(fd, a, len) || listen(fd, 64))
        die("listen");
    return fd;
}

static int unix_bound(const char *path, int port)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    snprintf(a.sun_path, sizeof(a.sun_path), "%.90s_%d", path, port);
    unlink(a.sun_path);
    return listens(socket(AF_UNIX, SOCK_STREAM, 0), &a, sizeof(a));
}

static int vsock_bound(int port)
{
    struct sockaddr_vm a = vaddr(VMADDR_CID_ANY, port);

    return listens(socket(AF_VSOCK, SOCK_STREAM, 0), &a, sizeof(a));
}

static int bound(int type, int port);

static int stream_bound(const char *where, int port)
{
    const char *rest;

    if (other(where, "unix:", &rest))
        return unix_bound(rest, port);
    return other(where, "vsock:", &rest) ? vsock_bound(port) : bound(SOCK_STREAM, port);
}

static int bound(int type, int port)
{
    struct sockaddr_in a = addr(NULL, port);
    int fd = socket(AF_INET, type, 0), one = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)))
        die("bind");
    if (type == SOCK_STREAM && listen(fd, 4))
        die("listen");
    return fd;
}

static int connect_or_close(int fd, const void *a, socklen_t len)
{
    if (!connect(fd, a, len))
        return fd;
    close(fd);
    return -1;
}

static int ip_connect(const char *ip, int port)
{
    struct sockaddr_in a = addr(ip, port);
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return connect_or_close(fd, &a, sizeof(a));
}

/* As a program of the host reaches a guest: docs/vsock.md. */
static int unix_connect(const char *path, int port)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    char c = 0;

    snprintf(a.sun_path, sizeof(a.sun_path), "%.90s", path);
    fd = connect_or_close(fd, &a, sizeof(a));
    if (fd < 0 || dprintf(fd, "CONNECT %d\n", port) < 0)
        return -1;
    while (read(fd, &c, 1) == 1 && c != '\n')
        ;
    if (c == '\n')
        return fd;
    close(fd);
    return -1;
}

static int any_connect(const char *where, int port)
{
    struct sockaddr_vm a;
    const char *rest;

    if (other(where, "unix:", &rest))
        return unix_connect(rest, port);
    if (!other(where, "vsock:", &rest))
        return ip_connect(where, port);
    a = vaddr((unsigned)atoi(rest), port);
    return connect_or_close(socket(AF_VSOCK, SOCK_STREAM, 0), &a, sizeof(a));
}

/* The other guest may still be starting. */
static int connected(const char *ip, int port)
{
    double limit = now() + 60;

    for (;;) {
        int fd = any_connect(ip, port);

        if (fd >= 0)
            return fd;
        if (now() > limit)
            die("connect");
        usleep(20000);
    }
}

static void all_read(int fd, void *to, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t got = read(fd, (char *)to + at, n - at);

        if (got <= 0)
            die("read");
        at += (size_t)got;
    }
}

static void all_write(int fd, const void *from, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t put = write(fd, (const char *)from + at, n - at);

        if (put <= 0)
            die("write");
        at += (size_t)put;
    }
}

/* A sum that depends on order and place, and costs little. */
static uint64_t sum_add(uint64_t sum, const char *p, size_t n)
{
    uint64_t v;

    for (; n >= sizeof(v); p += sizeof(v), n -= sizeof(v)) {
        memcpy(&v, p, sizeof(v));
        sum = (sum << 7 | sum >> 57) + v;
    }
    for (; n; n--)
        sum = (sum << 7 | sum >> 57) + (unsigned char)*p++;
    return sum;
}

/* ---- the server ---- */

static void serve_rtt(int fd)
{
    char c;

    while (read(fd, &c, 1) == 1)
        all_write(fd, &c, 1);
}

/* Pieces of what comes are filled to whole words, so that the sum does not depend on them. */
static void serve_tcp(int fd)
{
    uint64_t answer[2] = {0};
    size_t have = 0;
    ssize_t n;

    while ((n = read(fd, buf + have, sizeof(buf) - have)) > 0) {
        size_t whole = (have + (size_t)n) & ~(size_t)7;

        answer[0] += (uint64_t)n;
        answer[1] = sum_add(answer[1], buf, whole);
        have = have + (size_t)n - whole;
        memmove(buf, buf + whole, have);
    }
    answer[1] = sum_add(answer[1], buf, have);
    if (write(fd, answer, sizeof(answer)) != sizeof(answer))
        printf("netio: a client has gone\n"); /* the next one is welcome */
}

static void serve(const char *where, int port, void (*one)(int fd))
{
    int fd = stream_bound(where, port);

    if (fork())
        return;
    for (;;) {
        int peer = accept(fd, NULL, NULL), on = 1;

        setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        one(peer);
        close(peer);
    }
}

/* Counts datagrams; a connection to COUNT takes the number and starts anew. */
static void serve_udp(void)
{
    int udp = bound(SOCK_DGRAM, UDP), tcp = bound(SOCK_STREAM, COUNT), size = 4 << 20;
    uint64_t count = 0;

    setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    if (fork())
        return;
    for (;;) {
        fd_set set;

        FD_ZERO(&set);
        FD_SET(udp, &set);
        FD_SET(tcp, &set);
        select((udp > tcp ? udp : tcp) + 1, &set, NULL, NULL, NULL);
        if (FD_ISSET(udp, &set)) {
            for (int i = 0; i < 256 && recv(udp, buf, sizeof(buf), MSG_DONTWAIT) >= 0; i++)
                count++;
            continue;
        }
        int peer = accept(tcp, NULL, NULL);

        all_write(peer, &count, sizeof(count));
        close(peer);
        count = 0;
    }
}

static int server(int clients, const char *where)
{
    int end = stream_bound(where, END), peer;
    const char *rest;
    char c;

    setpgid(0, 0); /* what ends the servers below leaves a shell around us alone */
    serve(where, RTT, serve_rtt);
    serve(where, TCP, serve_tcp);
    if (!other(where, "vsock:", &rest) && !other(where, "unix:", &rest))
        serve_udp();
    printf("SERVER up\n");
    while (clients--) {
        peer = accept(end, NULL, NULL);
        while (read(peer, &c, 1) > 0)
            ;
        close(peer);
    }
    printf("SERVER end\n");
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    while (wait(NULL) > 0) /* their CPU time counts as ours */
        ;
    return 0;
}

/* ---- the client ---- */

static void do_rtt(const char *ip, long n)
{
    int fd = connected(ip, RTT);
    double begin = 0;
    char c = 0;

    for (long i = -n / 10; i < n; i++) { /* the first are not counted */
        if (!i)
            begin = now();
        all_write(fd, &c, 1);
        all_read(fd, &c, 1);
    }
    printf("RTT %.1f\n", (now() - begin) / (double)n * 1e6);
    close(fd);
}

static void do_tcp(const char *ip, long megabytes)
{
    int fd = connected(ip, TCP);
    uint64_t answer[2], bytes = (uint64_t)megabytes * 1000000, sum = 0;
    double begin = now();

    for (size_t i = 0; i < sizeof(buf); i++)
        buf[i] = (char)(i * 131 >> 3);
    for (uint64_t at = 0; at < bytes;) {
        size_t n = bytes - at < sizeof(buf) ? (size_t)(bytes - at) : sizeof(buf);

        memcpy(buf, &at, sizeof(at)); /* no two pieces are the same */
        sum = sum_add(sum, buf, n);
        all_write(fd, buf, n);
        at += n;
    }
    shutdown(fd, SHUT_WR);
    all_read(fd, answer, sizeof(answer));
    if (answer[0] != bytes || answer[1] != sum) {
        printf("netio: %llu of %llu bytes came, sum %llx, not %llx\n",
               (unsigned long long)answer[0], (unsigned long long)bytes,
               (unsigned long long)answer[1], (unsigned long long)sum);
        exit(1);
    }
    printf("TCP %.1f\n", (double)bytes / (now() - begin) / 1e6);
    close(fd);
}

static void do_udp(const char *ip, double seconds)
{
    struct sockaddr_in a = addr(ip, UDP);
    int fd = socket(AF_INET, SOCK_DGRAM, 0), ask;
    uint64_t sent = 0, came;
    double begin, end;

    if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
        die("connect");
    begin = now();
    do {
        for (int i = 0; i < 64; i++)
            sent += send(fd, buf, 18, 0) == 18;
        end = now();
    } while (end - begin < seconds);
    usleep(300000); /* what is on its way */
    ask = connected(ip, COUNT);
    all_read(ask, &came, sizeof(came));
    close(ask);
    printf("UDP %.0f %.0f\n", (double)sent / (end - begin), (double)came / (end - begin));
}

static int client(const char *ip, int n, char **work)
{
    int end = connected(ip, END);

    for (int i = 0; i < n; i++) {
        char *arg = strchr(work[i], ':');

        if (!arg)
            return 1;
        if (!strncmp(work[i], "rtt", 3))
            do_rtt(ip, atol(arg + 1));
        else if (!strncmp(work[i], "tcp", 3))
            do_tcp(ip, atol(arg + 1));
        else
            do_udp(ip, atof(arg + 1));
        fflush(stdout);
    }
    close(end);
    return 0;
}

static void echo(int port)
{
    int fd = bound(SOCK_DGRAM, port);

    for (;;) {
        struct sockaddr_in from;
        socklen_t len = sizeof(from);
        ssize_t n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);

        if (n >= 0)
            sendto(fd, buf, (size_t)n, 0, (struct sockaddr *)&from, len);
    }
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1 && !strcmp(argv[1], "server"))
        return server(argc > 2 ? atoi(argv[2]) : 1, argc > 3 ? argv[3] : NULL);
    if (argc > 2 && !strcmp(argv[1], "client"))
        return client(argv[2], argc - 3, argv + 3);
    if (argc > 2 && !strcmp(argv[1], "echo"))
        echo(atoi(argv[2]));
    printf("usage: netio server [CLIENTS [WHERE]]|client WHERE WORK...|echo PORT\n");
    return 2;
}
