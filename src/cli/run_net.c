/*
 * --net: the first word says what is at the other end of the cable, and may have words of its own;
 * via=, mac=, pcap= and snaplen= are the card's. Without mac= the card gets a random, locally
 * administered address, another one each run.
 */
#include "cli/run_net.h"
#include "board/board.h"
#include "virtio/vnet.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static int mac_parse(uint8_t *mac, const char *s, struct error *err)
{
    const char *p = s;

    for (unsigned i = 0; i < 6; i++, p += 2) {
        char pair[3] = {p[0], p[0] ? p[1] : 0, 0};

        if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1]))
            return error_set(err, -EINVAL, "--net mac=%s: must be as 02:00:00:00:00:01", s);
        mac[i] = (uint8_t)strtoul(pair, NULL, 16);
        if (i < 5 && *(p++ + 2) != ':')
            return error_set(err, -EINVAL, "--net mac=%s: must be as 02:00:00:00:00:01", s);
    }
    if (*p)
        return error_set(err, -EINVAL, "--net mac=%s: is too long", s);
    if (mac[0] & 1)
        return error_set(err, -EINVAL, "--net mac=%s: is a group's address, not a card's", s);
    if (!memcmp(mac, "\0\0\0\0\0\0", 6))
        return error_set(err, -EINVAL, "--net mac=%s: is no address", s);
    return 0;
}

static bool mac_taken(const struct vm_setup *vm, const uint8_t *mac)
{
    for (unsigned i = 0; i < vm->nets; i++)
        if (!memcmp(vm->net[i].mac, mac, 6))
            return true;
    return false;
}

/* Locally administered (IEEE 802, 8.2.2): the second bit of the first byte. */
static int mac_make(struct vm_net *n, struct error *err)
{
    if (getrandom(n->mac + 1, 5, 0) != 5)
        return error_set(err, -EIO, "--net: no random numbers for an address; give mac=");
    n->mac[0] = 2;
    return 0;
}

static int snaplen_parse(struct vm_net *n, const char *s, struct error *err)
{
    char *end;
    unsigned long v = strtoul(s, &end, 10);

    if (!isdigit((unsigned char)*s) || *end || v < 1 || v > 262144)
        return error_set(err, -EINVAL, "--net snaplen=%s: must be bytes, 1 to 262144", s);
    n->snaplen = (uint32_t)v;
    return 0;
}

struct words {
    struct vm_net *n;
    char *spec, *pcap;
    size_t spec_room, pcap_room;
    bool mac;
    bool via;
};

/* A word that is none of the card's is the backend's, which judges it. */
static int word_take(struct words *w, const char *word, struct error *err)
{
    size_t len = strlen(w->spec);

    if (!strncmp(word, "via=", 4)) {
        w->via = true;
        w->n->via = !strcmp(word + 4, "e1000")         ? BOARD_E1000
                    : !strcmp(word + 4, "virtio")      ? BOARD_VIRTIO_NET
                    : !strcmp(word + 4, "virtio-mmio") ? BOARD_VIRTIO_NET_MMIO
                    : !strcmp(word + 4, "hypercall")   ? BOARD_HYPERCALL_NET
                                                       : 0;
        return w->n->via
                   ? 0
                   : error_set(err, -EINVAL,
                               "--net via=%s: must be e1000, virtio, virtio-mmio or hypercall",
                               word + 4);
    }
    if (!strncmp(word, "offload=", 8)) {
        w->n->less = !strcmp(word + 8, "none")   ? VNET_LESS_CSUM
                     : !strcmp(word + 8, "csum") ? VNET_LESS_TSO
                                                 : VNET_LESS_NOTHING;
        return w->n->less || !strcmp(word + 8, "all")
                   ? 0
                   : error_set(err, -EINVAL, "--net offload=%s: must be all, csum or none",
                               word + 8);
    }
    if (!strcmp(word, "packed")) {
        w->n->packed = true;
        return 0;
    }
    if (!strncmp(word, "queues=", 7) && word[7] >= '1' && word[7] <= '8' && !word[8]) {
        w->n->queues = (unsigned)(word[7] - '0');
        return 0;
    }
    if (!strncmp(word, "mac=", 4)) {
        w->mac = true;
        return mac_parse(w->n->mac, word + 4, err);
    }
    if (!strncmp(word, "snaplen=", 8))
        return snaplen_parse(w->n, word + 8, err);
    if (!strncmp(word, "pcap=", 5)) {
        if (!word[5] || strlen(word + 5) >= w->pcap_room)
            return error_set(err, -EINVAL, "--net pcap=: names no file, or one that is too long");
        snprintf(w->pcap, w->pcap_room, "%s", word + 5);
        w->n->pcap = w->pcap;
        return 0;
    }
    snprintf(w->spec + len, w->spec_room - len, "%s%s", len ? "," : "", word);
    return 0;
}

/* vhost-user=SOCKET[,wait]: another process serves the card's queues, which are virtio's. */
static int vhost_judge(struct words *w, struct error *err)
{
    struct vm_net *n = w->n;
    size_t len = strlen(w->spec);

    if (strncmp(w->spec, "vhost-user=", 11))
        return 0;
    n->wait = len > 16 && !strcmp(w->spec + len - 5, ",wait");
    if (n->wait)
        w->spec[len - 5] = 0;
    n->vhost = w->spec + 11;
    if (!w->via)
        n->via = BOARD_VIRTIO_NET;
    if (!*n->vhost || strchr(n->vhost, ','))
        return error_set(err, -EINVAL,
                         "--net %s: must be vhost-user=SOCKET[,wait][,via=virtio|virtio-mmio]"
                         "[,queues=N][,packed][,mac=M]",
                         w->spec);
    if (n->via != BOARD_VIRTIO_NET && n->via != BOARD_VIRTIO_NET_MMIO)
        return error_set(err, -EINVAL, "--net %s: via= must be virtio or virtio-mmio", w->spec);
    if (n->pcap || n->snaplen || n->less)
        return error_set(err, -EINVAL,
                         "--net %s: its frames don't pass here, so there is no pcap= and no "
                         "offload=; viaduct domain has pcap=",
                         w->spec);
    return 0;
}

int run_net_take(struct vm_setup *vm, struct run_net_text *text, const char *value,
                 struct error *err)
{
    struct vm_net *n = &vm->net[vm->nets];
    struct words w = {.n = n};
    char copy[sizeof(text->spec[0])], *save = NULL;
    int code = 0;

    if (vm->nets == VM_NETS_MAX)
        return error_set(err, -EINVAL, "--net: at most %d", VM_NETS_MAX);
    if (!*value || *value == ',' || strlen(value) >= sizeof(copy))
        return error_set(err, -EINVAL, "--net: names nothing to connect to, or is too long");
    w.spec = text->spec[vm->nets];
    w.pcap = text->pcap[vm->nets];
    w.spec_room = sizeof(text->spec[0]);
    w.pcap_room = sizeof(text->pcap[0]);
    n->via = BOARD_E1000;
    n->spec = w.spec;
    snprintf(copy, sizeof(copy), "%s", value);
    for (char *s = strtok_r(copy, ",", &save); s && !code; s = strtok_r(NULL, ",", &save))
        code = word_take(&w, s, err);
    if (!code)
        code = vhost_judge(&w, err);
    if (!code && !w.mac)
        code = mac_make(n, err);
    if (!code && mac_taken(vm, n->mac))
        code =
            error_set(err, -EINVAL, "--net %s: another card of this machine has that mac=", value);
    vm->nets++;
    return code;
}
