/*
 * The guest's side of tests/boot/vsock; static. Port numbers are the host's.
 *     refused PORT      connects, and prints what connect said
 *     many PORT N       N connections at once: each says its number and half-closes, an echo is
 * read most PORT N       how many of N connections are there at a time, and why not more echo PORT
 * serves the guest's own PORT: what comes goes back, until end of file
 */
#define _GNU_SOURCE /* strerrorname_np */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

enum { MOST = 2048 };

static int dial(int port)
{
    struct sockaddr_vm a = {
        .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = (unsigned)port};
    int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

    if (fd >= 0 && !connect(fd, (struct sockaddr *)&a, sizeof(a)))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static int many(int port, int n)
{
    static int fd[MOST];
    char want[32], got[32];
    int same = 0;

    for (int i = 0; i < n; i++) {
        fd[i] = dial(port);
        snprintf(want, sizeof(want), "connection %d", i);
        if (fd[i] < 0 || write(fd[i], want, strlen(want)) < 0 || shutdown(fd[i], SHUT_WR))
            printf("BAD %d: %s\n", i, strerror(errno));
    }
    for (int i = n - 1; i >= 0; i--) {
        size_t at = 0;
        ssize_t k;

        snprintf(want, sizeof(want), "connection %d", i);
        while (at < sizeof(got) && (k = read(fd[i], got + at, sizeof(got) - at)) > 0)
            at += (size_t)k;
        same += at == strlen(want) && !memcmp(want, got, at);
        close(fd[i]);
    }
    printf("MANY %d\n", same);
    return same != n;
}

static int most(int port, int n)
{
    int have = 0;

    while (have < n && dial(port) >= 0)
        have++;
    printf("MOST %d %s\n", have, have < n ? strerrorname_np(errno) : "all");
    return 0;
}

static int echo(int port)
{
    struct sockaddr_vm a = {
        .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = (unsigned)port};
    int fd = socket(AF_VSOCK, SOCK_STREAM, 0), peer;
    static char buf[65536];
    ssize_t n;

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 256))
        return 1;
    printf("ECHO up\n");
    fflush(stdout);
    while ((peer = accept(fd, NULL, NULL)) >= 0) {
        if (!fork()) {
            while ((n = read(peer, buf, sizeof(buf))) > 0)
                if (write(peer, buf, (size_t)n) != n)
                    break;
            _exit(0);
        }
        close(peer);
    }
    return 1;
}

int main(int argc, char **argv)
{
    int port = argc > 2 ? atoi(argv[2]) : 0, n = argc > 3 ? atoi(argv[3]) : 0;

    if (argc > 2 && !strcmp(argv[1], "refused")) {
        printf("REFUSED %s\n", dial(port) < 0 ? strerrorname_np(errno) : "not");
        return 0;
    }
    if (argc > 3 && n <= MOST && !strcmp(argv[1], "many"))
        return many(port, n);
    if (argc > 3 && n <= MOST && !strcmp(argv[1], "most"))
        return most(port, n);
    return argc > 2 && !strcmp(argv[1], "echo") ? echo(port) : 2;
}
