/*
 * The pcap file format as draft-ietf-opsawg-pcap says, version 2.4: magic 0xa1b23c4d (nanoseconds)
 * in the host's byte order, link type 1 (Ethernet); then records. Records are gathered and written
 * at the end of a burst, so that a file is whole between bursts even when the process is killed. A
 * full disk is told once, and ends the recording, not the machine.
 */
#include "back/net_pcap.h"
#include "back/net.h"
#include "core/error.h"
#include "core/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAGIC_NS 0xa1b23c4du
#define HEAD     24u
#define RECORD   16u
#define LINK_ETH 1u
#define BUF      (256u << 10)
#define NS       1000000000ull

struct net_pcap {
    int fd; /* -1: given up */
    uint32_t snaplen;
    size_t used;
    char path[256];
    uint8_t buf[BUF];
};

void net_pcap_flush(struct net_pcap *p)
{
    size_t at = 0;

    while (p->fd >= 0 && at < p->used) { /* ends: each write takes at least a byte */
        ssize_t n = write(p->fd, p->buf + at, p->used - at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            log_warn("pcap=%s: %s; no more frames are written to it", p->path, strerror(errno));
            close(p->fd);
            p->fd = -1;
        } else {
            at += (size_t)n;
        }
    }
    p->used = 0;
}

static void bytes_add(struct net_pcap *p, const void *bytes, size_t n)
{
    const uint8_t *b = bytes;

    while (n && p->fd >= 0) {
        size_t part = n < BUF - p->used ? n : BUF - p->used;

        memcpy(p->buf + p->used, b, part);
        p->used += part;
        b += part;
        n -= part;
        if (p->used == BUF)
            net_pcap_flush(p);
    }
}

/* In the host's byte order, which the magic number tells: the host is little-endian. */
static void words_add(struct net_pcap *p, const uint32_t *word, unsigned n)
{
    bytes_add(p, word, n * sizeof(*word));
}

void net_pcap_frame_at(struct net_pcap *p, const struct net_frame *f, uint64_t ns)
{
    size_t left = f->len < p->snaplen ? f->len : p->snaplen;
    uint32_t head[] = {(uint32_t)(ns / NS), (uint32_t)(ns % NS), (uint32_t)left, (uint32_t)f->len};

    if (p->fd < 0)
        return;
    words_add(p, head, ARRAY_LEN(head));
    for (int i = 0; i < f->iovs && left; i++) {
        size_t n = f->iov[i].iov_len < left ? f->iov[i].iov_len : left;

        bytes_add(p, f->iov[i].iov_base, n);
        left -= n;
    }
}

void net_pcap_frame(struct net_pcap *p, const struct net_frame *f)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    net_pcap_frame_at(p, f, (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec);
}

int net_pcap_open(struct net_pcap **out, const char *path, uint32_t snaplen, struct error *err)
{
    struct net_pcap *p = calloc(1, sizeof(*p));
    uint32_t head[HEAD / 4] = {MAGIC_NS, 2 | 4 << 16, 0, 0, NET_PCAP_SNAP, LINK_ETH};

    if (!p)
        return error_set(err, -ENOMEM, "pcap=%s: not enough memory", path);
    p->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
    if (p->fd < 0) {
        int code = -errno;

        free(p);
        return error_set(err, code, "pcap=%s: %s", path, strerror(-code));
    }
    p->snaplen = snaplen && snaplen < NET_PCAP_SNAP ? snaplen : NET_PCAP_SNAP;
    head[4] = p->snaplen;
    snprintf(p->path, sizeof(p->path), "%s", path);
    words_add(p, head, ARRAY_LEN(head));
    net_pcap_flush(p);
    *out = p;
    return 0;
}

void net_pcap_close(struct net_pcap *p)
{
    if (!p)
        return;
    net_pcap_flush(p);
    if (p->fd >= 0)
        close(p->fd);
    free(p);
}
