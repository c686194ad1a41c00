/* device vhost-user [queues=N] [packed=1] [mmio=ADDR] [devfn=N]: its back end is the domain's disk
 * of 1 MiB, served in this very process, on a loop of its own that hangs in
 * the bench's. */
#include "back/blk.h"
#include "bench.h"
#include "core/ledger.h"
#include "core/loop_impl.h"
#include "core/state.h"
#include "vhost/back.h"
#include "vhost/front.h"
#include "virtio/vblk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DISK = 1 << 20, ROUNDS = 16 };

struct vfront_world {
    struct bench *b;
    struct vfront *front;
    struct loop *loop; /* the back end's */
    struct vhost_back *back;
    struct blk *blk;
    struct vblk *vblk;
};

static void serve(void *world)
{
    struct vfront_world *w = world;
    unsigned n = 0;

    do /* what is deferred wakes nobody while its loop is awake */
        loop_step(w->loop, 0);
    while (loop_deferred_pending(w->loop) && ++n < ROUNDS);
}

static void on_back(void *world, uint32_t events)
{
    (void)events;
    serve(world);
}

static void world_reset(void *world)
{
    struct vfront_world *w = world;

    vfront_class.reset(w->front);
}

static void world_state(void *world, struct state *st)
{
    struct vfront_world *w = world;

    vfront_class.state(w->front, st);
}

static void world_destroy(void *world)
{
    struct vfront_world *w = world;

    if (w->front)
        vfront_class.destroy(w->front);
    vfront_close(w->front);
    loop_fd_drop(w->b->loop, w->loop->epoll);
    if (w->back)
        vhost_back_stop(w->back);
    if (w->vblk)
        vblk_class.destroy(w->vblk);
    vhost_back_close(w->back);
    blk_close(w->blk);
    loop_close(w->loop);
    free(w);
}

/* The class of the front end, with the back end's life in it. */
static const struct dev_class world_class = {
    .name = "vhost-user",
    .summary = "a front end and its back end",
    .reset = world_reset,
    .state = world_state,
    .destroy = world_destroy,
};

static int back_make(struct vfront_world *w, unsigned queues, struct error *err)
{
    struct vhost_back_opts o = {.name = "back", .queues = queues, .config = true};
    struct vblk_opts disk = {.queues = queues, .packed = true};
    struct dev_env env = {.name = "back", .loop = w->loop, .ledger = w->b->ledger};
    int e = blk_mem_open(&w->blk, DISK, "back", w->loop, w->b->ledger, err);

    if (!e)
        e = vhost_back_open(&w->back, &o, w->loop, w->b->ledger, err);
    if (e)
        return e;
    env.bearer = vhost_back_bearer(w->back);
    return vblk_create(&w->vblk, &env, w->blk, &disk);
}

static int meet(struct vfront_world *w)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) ||
        vhost_back_adopt(w->back, pair[1]) || vfront_adopt(w->front, pair[0]))
        return -EIO;
    vfront_settle(w->front);
    return vfront_up(w->front) ? 0 : -EIO;
}

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    struct vfront_world *w = calloc(1, sizeof(*w));
    struct vfront_opts o = {.name = env->name,
                            .queues = (unsigned)bench_arg(a, "queues", 1),
                            .packed = bench_arg(a, "packed", 0),
                            .meanwhile = serve,
                            .arg = w};
    uint64_t mmio = bench_arg(a, "mmio", 0);
    int e;

    w->b = b;
    w->loop = loop_open(NULL, true);
    e = back_make(w, o.queues, err);
    if (!e)
        e = vfront_open(&w->front, &o, &b->ram, b->loop, b->ledger, err);
    if (!e)
        e = loop_fd(b->loop, w->loop->epoll, EPOLLIN, on_back, w);
    if (!e)
        e = meet(w);
    if (!e)
        e = vfront_create(w->front, env, mmio);
    *out = (struct dev){&world_class, w, env->name};
    return e;
}

const struct fixture fix_vfront = {.name = "vhost-user", .make = make};
