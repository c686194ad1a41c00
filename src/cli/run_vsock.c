/* --vsock: the guest's number, where its sockets are, which other machines it can reach. */
#include "cli/run_vsock.h"
#include "board/board.h"
#include "core/error.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define DESCRIPTORS 4096

/* 5.10.4: 0 to 2 and 2^32-1 are nobody's or the host's. */
static int cid_parse(uint32_t *cid, const char *s, char **end)
{
    unsigned long long n = strtoull(s, end, 10);

    *cid = (uint32_t)n;
    return *s >= '0' && *s <= '9' && n >= VSK_CID_FIRST && n < UINT32_MAX ? 0 : -EINVAL;
}

static int path_parse(char *out, const char *s, struct error *err)
{
    if (!*s || strlen(s) >= VSK_PATH)
        return error_set(err, -EINVAL,
                         "--vsock: a path has 1 to %d characters, so that a port "
                         "fits behind it: %s",
                         VSK_PATH - 1, s);
    memcpy(out, s, strlen(s) + 1);
    return 0;
}

static int peer_take(struct vsk_opts *o, const char *s, struct error *err)
{
    char *end;

    if (o->peers == VSK_PEERS)
        return error_set(err, -EINVAL, "--vsock peer=: at most %d", VSK_PEERS);
    if (cid_parse(&o->peer[o->peers].cid, s, &end) || *end != ':')
        return error_set(err, -EINVAL, "--vsock peer=%s: must be CID:PATH, as in 4:/run/other", s);
    return path_parse(o->peer[o->peers++].path, end + 1, err);
}

static int word_take(struct vm_vsock *v, const char *word, struct error *err)
{
    char *end;

    if (!strncmp(word, "cid=", 4)) {
        if (!cid_parse(&v->cid, word + 4, &end) && !*end)
            return 0;
        return error_set(err, -EINVAL, "--vsock cid=%s: must be 3 to 4294967294", word + 4);
    }
    if (!strncmp(word, "path=", 5))
        return path_parse(v->host.path, word + 5, err);
    if (!strncmp(word, "peer=", 5))
        return peer_take(&v->host, word + 5, err);
    if (!strcmp(word, "via=virtio") || !strcmp(word, "via=virtio-mmio")) {
        v->mmio = word[10];
        return 0;
    }
    if (!strcmp(word, "packed")) {
        v->packed = true;
        return 0;
    }
    return error_set(err, -EINVAL, "--vsock %s: no such word; there are %s", word, RUN_VSOCK_VALUE);
}

/* A connection is a descriptor, and there may be more than a login's soft limit of 1,024. */
void run_vsock_room(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) || r.rlim_cur >= DESCRIPTORS)
        return;
    r.rlim_cur = r.rlim_max < DESCRIPTORS ? r.rlim_max : DESCRIPTORS;
    setrlimit(RLIMIT_NOFILE, &r);
}

int run_vsock_take(struct vm_vsock *v, const char *value, struct error *err)
{
    char copy[1024], *save = NULL;
    int code = 0;

    if (v->cid)
        return error_set(err, -EINVAL, "--vsock: one is enough, a machine has one number");
    if (strlen(value) >= sizeof(copy))
        return error_set(err, -EINVAL, "--vsock: is too long");
    memcpy(copy, value, strlen(value) + 1);
    for (char *s = strtok_r(copy, ",", &save); s && !code; s = strtok_r(NULL, ",", &save))
        code = word_take(v, s, err);
    if (!code && (!v->cid || !*v->host.path))
        code = error_set(err, -EINVAL, "--vsock %s: needs cid= and path=", value);
    return code;
}
