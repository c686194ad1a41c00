/*
 * device virtio-9p tag=NAME [readonly=1] [packed=1] mmio=ADDR|devfn=N: a directory of its own,
 * which holds the file "f" ("from the host\n"), the directory "d" and the symbolic link "out" to
 * /etc. It is removed with the device.
 */
#include "back/p9.h"
#include "bench.h"
#include "core/state.h"
#include "virtio/v9p.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct shared {
    struct v9p *v9p;
    struct p9 *p9;
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
    tree_remove(s->dir);
    free(s);
}

static const struct dev_class shared_class = {
    .name = "virtio-9p",
    .reset = shared_reset,
    .state = shared_state,
    .destroy = shared_destroy,
};

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    struct v9p_opts o = {.tag = bench_arg_text(a, "tag", "host"),
                         .packed = bench_arg(a, "packed", 0),
                         .mmio = bench_arg(a, "mmio", 0)};
    struct shared *s = calloc(1, sizeof(*s));
    struct p9_opts p = {.dir = s->dir,
                        .name = env->name,
                        .readonly = bench_arg(a, "readonly", 0),
                        .threadless = true};
    int code = tree_make(s->dir);

    if (!code)
        code = p9_open(&s->p9, &p, b->loop, b->ledger, err);
    if (!code)
        code = v9p_create(&s->v9p, env, s->p9, &o);
    if (code) {
        shared_destroy(s);
        return code;
    }
    out->cls = &shared_class;
    out->dev = s;
    return 0;
}

const struct fixture fix_v9p = {.name = "virtio-9p", .make = make};
