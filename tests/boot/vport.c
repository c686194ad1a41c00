/*
 * In the guest: the other end of a named port of virtio-console, for tests/boot/vconsole.
 *   vport NAME echo N       sends back N bytes that it reads, and says their sum
 *   vport NAME read N       reads N bytes, and says their sum
 *   vport NAME send N       sends N bytes that count up, 8 at a time
 *   vport NAME poll         waits until the host's side has gone, then until it is there
 *   vport NAME lines TEXT   sends "TEXT 0\n", "TEXT 1\n", … until it can't: says how many went
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int port_open(const char *name)
{
    char path[300], have[80];
    DIR *d = opendir("/sys/class/virtio-ports");
    struct dirent *e;
    int fd = -1;

    while (d && fd < 0 && (e = readdir(d))) {
        FILE *f;

        snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", e->d_name);
        f = fopen(path, "r");
        if (f && fgets(have, sizeof(have), f) && !strncmp(have, name, strlen(name)) &&
            have[strlen(name)] == '\n') {
            snprintf(path, sizeof(path), "/dev/%s", e->d_name);
            fd = open(path, O_RDWR);
        }
        if (f)
            fclose(f);
    }
    if (d)
        closedir(d);
    return fd;
}

/* FNV-1a */
static uint64_t sum_add(uint64_t sum, const uint8_t *p, size_t n)
{
    while (n--)
        sum = (sum ^ *p++) * 0x100000001b3;
    return sum;
}

static int write_all(int fd, const uint8_t *p, size_t n)
{
    while (n) {
        ssize_t k = write(fd, p, n);

        if (k <= 0)
            return -1;
        p += k;
        n -= (size_t)k;
    }
    return 0;
}

static int take(int fd, size_t n, int echo)
{
    uint64_t sum = 0xcbf29ce484222325;
    static uint8_t buf[32768];

    while (n) {
        ssize_t k = read(fd, buf, n < sizeof(buf) ? n : sizeof(buf));

        if (k <= 0)
            return perror("read"), 1;
        sum = sum_add(sum, buf, (size_t)k);
        if (echo && write_all(fd, buf, (size_t)k))
            return perror("write"), 1;
        n -= (size_t)k;
    }
    printf("sum %016llx\n", (unsigned long long)sum);
    return 0;
}

static int give(int fd, size_t n)
{
    static uint64_t buf[4096];
    uint64_t next = 0;

    for (; n; n -= n < sizeof(buf) ? n : sizeof(buf)) {
        for (size_t i = 0; i < 4096; i++)
            buf[i] = next++;
        if (write_all(fd, (uint8_t *)buf, n < sizeof(buf) ? n : sizeof(buf)))
            return perror("write"), 1;
    }
    return 0;
}

static int until(int fd, int gone)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};

    for (int i = 0; i < 6000; i++) {
        if (poll(&p, 1, 10) < 0)
            return 1;
        if (!(p.revents & POLLHUP) == !gone)
            return 0;
        usleep(5000);
    }
    return 1;
}

static int lines(int fd, const char *text)
{
    char line[1024];
    long n = 0;

    memset(line, '.', sizeof(line));
    for (;; n++) {
        int k = snprintf(line, sizeof(line), "%s %ld ", text, n);

        line[k] = '.';
        line[sizeof(line) - 1] = '\n';
        if (write(fd, line, sizeof(line)) != (ssize_t)sizeof(line))
            break;
    }
    printf("%s: %ld lines, then %s\n", text, n, strerror(errno));
    return 0;
}

int main(int argc, char **argv)
{
    int fd = argc > 2 ? port_open(argv[1]) : -1;
    size_t n = argc > 3 ? strtoul(argv[3], NULL, 0) : 0;

    setlinebuf(stdout);
    if (fd < 0)
        return printf("no port %s\n", argv[1]), 2;
    if (!strcmp(argv[2], "echo") || !strcmp(argv[2], "read"))
        return take(fd, n, *argv[2] == 'e');
    if (!strcmp(argv[2], "send"))
        return give(fd, n);
    if (!strcmp(argv[2], "lines"))
        return lines(fd, argv[3]);
    if (until(fd, 1) || printf("gone\n") < 0 || until(fd, 0))
        return 1;
    printf("back\n");
    return 0;
}
