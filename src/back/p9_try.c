/*
 * What a share's host can do without waiting, so that it need not be handed to another thread and
 * back: fids and attributes of what is in memory anyway, look-ups that the host's name cache
 * answers (RESOLVE_CACHED of openat2(2)), reads that its page cache does (RWF_NOWAIT of
 * preadv2(2)). Only on file systems of this machine's own, since others may ask a server for any of
 * these; on one in memory, more. Whoever would have to wait after all says -EAGAIN and has done
 * nothing.
 */
#include "back/p9_server.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    TLOPEN = 12,
    TGETATTR = 24,
    TXATTRWALK = 30,
    TREADDIR = 40,
    TATTACH = 104,
    TWALK = 110,
    TREAD = 116,
    TCLUNK = 120
};
enum { L_TRUNC = 01000 };

#define XFS_MAGIC 0x58465342 /* linux/magic.h has it not */

static bool is_local(uint32_t type)
{
    static const uint32_t known[] = {
        EXT4_SUPER_MAGIC,      XFS_MAGIC,   BTRFS_SUPER_MAGIC, F2FS_SUPER_MAGIC,
        OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC, RAMFS_MAGIC};

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (known[i] == type)
            return true;
    return false;
}

/* Is there RESOLVE_CACHED? Then a name that is not there is ENOENT, or EAGAIN. */
static bool cached_known(const struct p9_server *s)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_CACHED};
    int fd = (int)syscall(SYS_openat2, s->root, "viaduct.probe", &how, sizeof(how));

    if (fd >= 0)
        close(fd);
    return fd >= 0 || errno == ENOENT || errno == EAGAIN;
}

void p9_try_init(struct p9_server *s)
{
    struct rlimit l;
    struct statfs st;

    if (fstatfs(s->root, &st))
        return;
    s->local = is_local((uint32_t)st.f_type);
    s->in_memory = st.f_type == TMPFS_MAGIC || st.f_type == RAMFS_MAGIC;
    s->cached = s->openat2 && cached_known(s);
    s->confinable = p9_confinable();
    /* Else a write may be a signal that ends the process, but on the thread that blocks it. */
    s->unlimited = !getrlimit(RLIMIT_FSIZE, &l) && l.rlim_cur == RLIM_INFINITY;
}

/* The last use of a file that has no name any more frees its blocks, and of one that was written
 * may write it. */
static bool clunk_quick(struct p9_server *s, uint32_t id)
{
    struct p9_fid *f = p9_fid_find(s, id);
    struct stat st;

    if (!f)
        return true;
    if (f->open && f->access != O_RDONLY && !s->in_memory)
        return false;
    return f->lock_fd < 0 && !fstat(f->fd, &st) && st.st_nlink;
}

static bool quick(struct p9_server *s, const struct p9_req *r)
{
    const uint8_t *body = r->msg + P9_HEAD;
    uint32_t len = r->len < P9_HEAD ? 0 : r->len - P9_HEAD;

    switch (len ? r->msg[4] : 0) {
    case TATTACH:
    case TGETATTR:
    case TXATTRWALK:
    case TREAD: return true;
    case TWALK: return s->cached || s->in_memory;
    case TLOPEN: return !s->confinable && len >= 8 && !(le32_get(body + 4) & L_TRUNC);
    case TCLUNK: return len >= 4 && clunk_quick(s, le32_get(body));
    case TREADDIR: return s->in_memory;
    case P9_TWRITE: return s->in_memory && s->unlimited;
    default: return false;
    }
}

bool p9_try(struct p9_server *s, struct p9_req *r)
{
    if (!s->local || !quick(s, r))
        return false;
    s->nowait = true;
    p9_serve(s, r);
    s->nowait = false;
    return r->err != -EAGAIN;
}
