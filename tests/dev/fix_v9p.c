/*
 * device virtio-9p tag=NAME [readonly=1] [packed=1] mmio=ADDR|devfn=N: a directory of its own,
 * which holds the file "f" ("from the host\n"), the directory "d" and the symbolic link "out" to
 * /etc. It is removed with the device. Its server is in this process: a request is answered as soon
 * as it is in the wire.
 */
#include "back/p9_main.h"
#include "bench.h"
#include "core/error.h"
#include "core/state.h"
#include "virtio/v9p.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct shared {
    struct v9p *v9p;
    struct p9 *p9;
    struct p9_far far;
    char dir[32];
};

static void tree_remove(char *dir)
{
    char *const roots[] = {dir, NULL};
    FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *e;

    while (fts && (e = fts_read(fts))) {
        if (e->fts_info == FTS_D)
            chmod(e->fts_accpath, 0700);
        else if (e->fts_info == FTS_DP)
            rmdir(e->fts_accpath);
        else
            unlink(e->fts_accpath);
    }
    if (fts)
        fts_close(fts);
}

static int tree_make(char *dir)
{
    static const char text[] = "from the host\n";
    int at, fd, err = 0;

    snprintf(dir, 32, "/dev/shm/viaduct-9p-XXXXXX"); /* in memory, for fuzzers */
    if (!mkdtemp(dir)) {
        snprintf(dir, 32, "/tmp/viaduct-9p-XXXXXX");
        if (!mkdtemp(dir))
            return -errno;
    }
    at = open(dir, O_DIRECTORY | O_CLOEXEC);
    fd = openat(at, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (write(fd, text, strlen(text)) < 0 || mkdirat(at, "d", 0755) || symlinkat("/etc", at, "out"))
        err = -errno;
    close(fd);
    close(at);
    return err;
}

static void shared_reset(void *dev)
{
    v9p_class.reset(((struct shared *)dev)->v9p);
}

static void shared_state(void *dev, struct state *st)
{
    v9p_class.state(((struct shared *)dev)->v9p, st);
}

static void shared_destroy(void *dev)
{
    struct shared *s = dev;

    if (s->v9p)
        v9p_class.destroy(s->v9p);
    p9_close(s->p9);
    if (s->far.server) {
        close(s->far.sock);
        munmap(s->far.shared, sizeof(*s->far.shared));
        p9_server_close(s->far.server);
    }
    tree_remove(s->dir);
    free(s);
}

static const struct dev_class shared_class = {
    .name = "virtio-9p",
    .reset = shared_reset,
    .state = shared_state,
    .destroy = shared_destroy,
};

static void pump(void *ctx)
{
    p9_far_serve(ctx);
}

static int serve(struct shared *s, struct bench *b, const char *name, bool readonly)
{
    struct p9_wire w = {0};
    struct p9_ends far;
    int code = p9_wire_open(&w, &far);

    if (code)
        return code;
    w.pump = pump;
    w.pump_ctx = &s->far;
    s->far.sock = far.sock;
    s->far.shared = p9_shared_map(far.mem);
    close(far.mem);
    close(far.pipe);
    code = p9_server_open(&s->far.server, open(s->dir, O_PATH | O_DIRECTORY | O_CLOEXEC), readonly);
    return code ? code : p9_attach(&s->p9, &w, name, b->loop, b->ledger);
}

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    struct v9p_opts o = {.tag = bench_arg_text(a, "tag", "host"),
                         .packed = bench_arg(a, "packed", 0),
                         .mmio = bench_arg(a, "mmio", 0)};
    struct shared *s = calloc(1, sizeof(*s));
    int code = tree_make(s->dir);

    if (!code)
        code = serve(s, b, env->name, bench_arg(a, "readonly", 0));
    if (!code)
        code = v9p_create(&s->v9p, env, s->p9, &o);
    if (code) {
        shared_destroy(s);
        return error_set(err, code, "virtio-9p: %s", strerror(-code));
    }
    out->cls = &shared_class;
    out->dev = s;
    return 0;
}

const struct fixture fix_v9p = {.name = "virtio-9p", .make = make};
