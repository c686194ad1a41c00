/*
 * Fids: the numbers by which a client names what it has walked to, and the descriptors behind them.
 * A hash table of bounded size; a client picks the numbers, and one that picks them all alike slows
 * down itself, by as many steps as it may have fids. All the fids there may be are made at the
 * start, so that a server in its jail (p9_jail.c) asks the kernel for no memory.
 */
#include "back/p9_server.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static struct p9_fid **place(struct p9_server *s, uint32_t id)
{
    struct p9_fid **at = &s->set[id % P9_FID_SETS];

    while (*at && (*at)->id != id) /* bound: fids_max */
        at = &(*at)->next;
    return at;
}

int p9_fids_make(struct p9_server *s)
{
    s->pool = calloc(s->fids_max, sizeof(*s->pool));
    if (!s->pool)
        return -ENOMEM;
    for (unsigned i = s->fids_max; i; i--) {
        s->pool[i - 1].next = s->spare;
        s->spare = &s->pool[i - 1];
    }
    return 0;
}

struct p9_fid *p9_fid_find(struct p9_server *s, uint32_t id)
{
    return *place(s, id);
}

int p9_fid_add(struct p9_server *s, uint32_t id, int fd, mode_t type)
{
    struct p9_fid **at = place(s, id), *f = s->spare;
    int err = *at ? -EINVAL : s->fids >= s->fids_max || !f ? -EMFILE : 0;

    if (err) {
        close(fd);
        return err;
    }
    s->spare = f->next;
    *f = (struct p9_fid){.id = id, .fd = fd, .lock_fd = -1, .type = type & S_IFMT};
    *at = f;
    s->fids++;
    return 0;
}

int p9_fid_drop(struct p9_server *s, uint32_t id)
{
    struct p9_fid **at = place(s, id), *f = *at;

    if (!f)
        return -EBADF;
    *at = f->next;
    s->fids--;
    close(f->fd);
    if (f->lock_fd >= 0) {
        close(f->lock_fd);
        s->fids--;
    }
    f->next = s->spare;
    s->spare = f;
    return 0;
}

void p9_server_forget(struct p9_server *s)
{
    for (unsigned i = 0; i < P9_FID_SETS; i++)
        while (s->set[i])
            p9_fid_drop(s, s->set[i]->id);
    s->versioned = false;
    s->msize = P9_MSIZE_MAX;
}
