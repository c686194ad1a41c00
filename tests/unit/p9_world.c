/* See p9_world.h. */
#include "p9_world.h"
#include "core/ledger.h"
#include "core/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdarg.h>
#include <unistd.h>

/* ---- messages ---- */

static uint32_t field(uint8_t *to, char kind, va_list *ap)
{
    const char *s;
    size_t len;

    switch (kind) {
    case 'b': *to = (uint8_t)va_arg(*ap, int); return 1;
    case 'w': le16_put(to, (uint16_t)va_arg(*ap, int)); return 2;
    case 'd': le32_put(to, (uint32_t)va_arg(*ap, int)); return 4;
    case 'q': le64_put(to, (uint64_t)va_arg(*ap, long long)); return 8;
    default: break;
    }
    s = kind == 's' ? va_arg(*ap, const char *) : NULL;
    len = s ? strlen(s) : (size_t)va_arg(*ap, int);
    s = s ? s : va_arg(*ap, const char *);
    le16_put(to, (uint16_t)len);
    memcpy(to + 2, s, len);
    return 2 + (uint32_t)len;
}

static void done(struct p9_req *r)
{
    r->owner = r;
}

int serve(struct world *w, uint32_t size)
{
    struct p9_req *r = &w->req;

    le32_put(r->msg, size);
    le16_put(r->msg + 5, 0x1234);
    r->room = w->iov;
    r->done = done;
    r->owner = NULL;
    if (w->s) {
        p9_serve(w->s, r);
    } else {
        p9_submit(w->p, r);
        assert_null(r->owner); /* not told within submit */
        p9_drain(w->p);
        assert_ptr_equal(r->owner, r);
    }
    if (r->room_len < P9_ERROR_LEN) {
        assert_int_equal(r->replied, 0);
        return -EMSGSIZE;
    }
    assert_in_range(r->replied, P9_HEAD, r->room_len);
    assert_int_equal(le32_get(w->room), r->replied);
    assert_int_equal(le16_get(w->room + 5), 0x1234);
    w->body = w->room + P9_HEAD;
    w->len = r->replied - P9_HEAD;
    if (w->room[4] != 7) {
        assert_int_equal(w->room[4], r->msg[4] + 1);
        return 0;
    }
    assert_int_equal(r->replied, P9_ERROR_LEN);
    assert_int_equal(r->err, -(int)le32_get(w->body));
    return r->err;
}

int ask(struct world *w, uint8_t type, const char *fields, ...)
{
    struct p9_req *r = &w->req;
    va_list ap;

    r->len = P9_HEAD;
    r->msg[4] = type;
    r->datas = 0;
    r->data_len = 0;
    va_start(ap, fields);
    for (; *fields; fields++)
        r->len += field(r->msg + r->len, *fields, &ap);
    va_end(ap);
    return serve(w, r->len);
}

int ask_data(struct world *w, uint32_t fid, uint64_t off, const void *data, size_t len)
{
    struct iovec iov[2] = {{(void *)(uintptr_t)data, len / 2},
                           {(uint8_t *)(uintptr_t)data + len / 2, len - len / 2}};
    struct p9_req *r = &w->req;

    r->msg[4] = WRITE;
    r->len = P9_WRITE_HEAD;
    le32_put(r->msg + 7, fid);
    le64_put(r->msg + 11, off);
    le32_put(r->msg + 19, (uint32_t)len);
    r->data = iov;
    r->datas = 2;
    r->data_len = len;
    return serve(w, (uint32_t)(P9_WRITE_HEAD + len));
}

int walk(struct world *w, uint32_t from, uint32_t to, const char *name)
{
    return name ? ask(w, WALK, "ddws", from, to, 1, name) : ask(w, WALK, "ddw", from, to, 0);
}

int walk_open(struct world *w, uint32_t fid, const char *name, uint32_t flags)
{
    int err = walk(w, ROOT, fid, name);

    return err ? err : ask(w, LOPEN, "dd", fid, flags);
}

void begin(struct world *w)
{
    assert_int_equal(ask(w, VERSION, "ds", 65536, "9P2000.L"), 0);
    assert_int_equal(le32_get(w->body), 65536);
    assert_memory_equal(w->body + 4,
                        "\x08\0"
                        "9P2000.L",
                        10);
    assert_int_equal(ask(w, ATTACH, "ddssd", ROOT, -1, "root", "", 0), 0);
    assert_int_equal(w->body[0], 0x80);
}

/* ---- the host's side ---- */

void file_put(struct world *w, const char *path, const char *text)
{
    int fd = openat(w->at, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

bool file_is(struct world *w, const char *path, const char *text)
{
    int fd = openat(w->at, path, O_RDONLY | O_CLOEXEC);
    char buf[256] = {0};
    ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

    close(fd);
    return n >= 0 && !strcmp(buf, text);
}

bool there(struct world *w, const char *path)
{
    struct stat st;

    return !fstatat(w->at, path, &st, AT_SYMLINK_NOFOLLOW);
}

int lowest_fd(void)
{
    int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

    close(fd);
    return fd;
}

static void jail(struct world *w, bool readonly)
{
    struct p9_opts o = {.dir = w->share, .name = "share0", .readonly = readonly};
    struct error err;

    w->loop = loop_open(NULL, true);
    w->ledger = ledger_open();
    if (p9_open(&w->p, &o, w->loop, w->ledger, &err))
        fail_msg("%s", err.text);
}

static struct world *world_make(void **state, bool readonly, bool jailed)
{
    struct world *w = calloc(1, sizeof(*w));
    struct stat st;

    snprintf(w->base, sizeof(w->base), "/tmp/viaduct-p9-XXXXXX");
    assert_non_null(mkdtemp(w->base));
    snprintf(w->share, sizeof(w->share), "%s/share", w->base);
    w->at = open(w->base, O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(w->at, "share", 0755), 0);
    assert_int_equal(mkdirat(w->at, "share/d", 0755), 0);
    assert_int_equal(mkdirat(w->at, "beside", 0755), 0);
    file_put(w, "share/f", "a file\n");
    file_put(w, "beside/secret", "secret\n");
    assert_int_equal(stat(w->share, &st), 0);
    w->root_ino = st.st_ino;
    if (jailed)
        jail(w, readonly);
    else
        assert_int_equal(p9_server_open(&w->s, open(w->share, O_PATH | O_CLOEXEC), readonly), 0);
    w->iov[0] = (struct iovec){w->room, ROOM};
    w->req.rooms = 1;
    w->req.room_len = ROOM;
    *state = w;
    return w;
}

int setup(void **state)
{
    begin(world_make(state, false, false));
    return 0;
}

int setup_plain(void **state)
{
    struct world *w = world_make(state, false, false);

    w->s->openat2 = false;
    begin(w);
    return 0;
}

int setup_jail(void **state)
{
    begin(world_make(state, false, true));
    return 0;
}

int setup_readonly(void **state)
{
    begin(world_make(state, true, false));
    return 0;
}

int setup_readonly_jail(void **state)
{
    begin(world_make(state, true, true));
    return 0;
}

static void tree_remove(char *dir)
{
    char *const roots[] = {dir, NULL};
    FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *e;

    while ((e = fts_read(fts))) {
        if (e->fts_info == FTS_DP)
            rmdir(e->fts_accpath);
        else if (e->fts_info != FTS_D)
            unlink(e->fts_accpath);
    }
    fts_close(fts);
}

int teardown(void **state)
{
    struct world *w = *state;

    p9_server_close(w->s);
    p9_close(w->p);
    if (w->loop)
        loop_close(w->loop);
    if (w->ledger)
        ledger_close(w->ledger);
    close(w->at);
    tree_remove(w->base);
    free(w);
    return 0;
}
