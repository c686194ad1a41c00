/*
 * The server of a shared directory, message by message: what a hostile client may send, on a tree
 * with links that point out of it. Every request gets one well-formed answer of its own tag, no
 * descriptor is left behind, and what stands beside the share is as it was.
 *
 * An input is messages: type, kind of frame, length of the body, body. The session has begun and
 * fids 0 (the root), 1 (a file), 2 (a directory), 3 (a link) are there.
 */
#include "back/p9_server.h"
#include "input.h"
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MESSAGES = 200, ROOM = 9000, BODY = 255 };
enum { TVERSION = 100, TATTACH = 104, TWALK = 110, RLERROR = 7 };

struct play {
    struct p9_server *s;
    struct p9_req *r;
    uint8_t room[ROOM];
    uint8_t data[BODY];
};

int LLVMFuzzerInitialize(int *argc, char ***argv);

static char base[] = "/dev/shm/viaduct-fuzz-p9-XXXXXX";

static void file_put(int at, const char *name, const char *text)
{
    int fd = openat(at, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    PROMISE(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void tree_remove(const char *name)
{
    char dir[64];
    char *const roots[] = {dir, NULL};
    FTSENT *e;
    FTS *fts;

    snprintf(dir, sizeof(dir), "%s/%s", base, name);
    fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    while ((e = fts_read(fts))) {
        if (e->fts_info == FTS_D)
            chmod(e->fts_accpath, 0700);
        else if (e->fts_info == FTS_DP)
            rmdir(e->fts_accpath);
        else
            unlink(e->fts_accpath);
    }
    fts_close(fts);
}

static void tree_make(void)
{
    int at = open(base, O_DIRECTORY | O_CLOEXEC), share;

    PROMISE(!mkdirat(at, "share", 0755));
    share = openat(at, "share", O_DIRECTORY | O_CLOEXEC);
    file_put(share, "f", "in the share");
    mkdirat(share, "d", 0755);
    PROMISE(!symlinkat("../canary", share, "l") && !symlinkat("..", share, "up"));
    close(share);
    close(at);
}

/* Beside the share stands what stood there. */
static void outside_check(void)
{
    int at = open(base, O_DIRECTORY | O_CLOEXEC), fd = openat(at, "canary", O_RDONLY | O_CLOEXEC);
    char text[16] = {0};
    struct stat st;

    PROMISE(read(fd, text, sizeof(text)) == 6 && !memcmp(text, "canary", 6));
    PROMISE(!fstat(fd, &st) && st.st_nlink == 1 && (st.st_mode & 07777) == 0644);
    PROMISE(!fstat(at, &st) && st.st_nlink == 3); /* itself, its "." and the share */
    PROMISE((st.st_mode & 07777) == 0700);
    close(fd);
    close(at);
}

static void cleanup(void)
{
    tree_remove("share");
    tree_remove("canary");
    rmdir(base);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    int at;

    (void)argc;
    (void)argv;
    PROMISE(mkdtemp(base));
    at = open(base, O_DIRECTORY | O_CLOEXEC);
    file_put(at, "canary", "canary");
    PROMISE(!fchmodat(at, "canary", 0644, 0));
    close(at);
    atexit(cleanup);
    return 0;
}

/* ---- messages ---- */

static void answer_check(const struct play *p)
{
    const struct p9_req *r = p->r;

    if (r->room_len < P9_ERROR_LEN)
        return;
    PROMISE(r->replied >= P9_HEAD && r->replied <= r->room_len);
    PROMISE(le32_get(p->room) == r->replied);
    PROMISE(p->room[4] == RLERROR || p->room[4] == (uint8_t)(r->msg[4] + 1));
    PROMISE((p->room[4] == RLERROR) == (r->err != 0));
    PROMISE(!memcmp(p->room + 5, r->msg + 5, 2));
    PROMISE(p->s->fids <= p->s->fids_max);
}

/* frame: 1: a size that is wrong; 2: little room; 4: the room in pieces. */
static void send(struct play *p, uint8_t type, unsigned frame, size_t len)
{
    struct p9_req *r = p->r;
    struct iovec room[2] = {{p->room, ROOM}}, data = {p->data, 0};

    r->len = (uint32_t)(P9_HEAD + len);
    r->data = &data;
    r->datas = 0;
    r->data_len = 0;
    if (type == P9_TWRITE && r->len > P9_WRITE_HEAD) {
        data.iov_len = r->len - P9_WRITE_HEAD;
        memcpy(p->data, r->msg + P9_WRITE_HEAD, data.iov_len);
        r->datas = 1;
        r->data_len = data.iov_len;
        r->len = P9_WRITE_HEAD;
    }
    le32_put(r->msg, (uint32_t)(r->len + r->data_len + (frame & 1)));
    r->msg[4] = type;
    le16_put(r->msg + 5, (uint16_t)(type * 3));
    r->room = room;
    r->rooms = 1;
    r->room_len = room[0].iov_len = frame & 2 ? 11 + frame : ROOM;
    if (frame & 4) {
        room[0].iov_len = 9;
        room[1] = (struct iovec){p->room + 9, (size_t)r->room_len - 9};
        r->rooms = 2;
    }
    p9_serve(p->s, r);
    answer_check(p);
}

static void walk(struct play *p, uint32_t fid, const char *name)
{
    uint8_t *b = p->r->msg + P9_HEAD;

    le32_put(b, 0);
    le32_put(b + 4, fid);
    le16_put(b + 8, 1);
    le16_put(b + 10, (uint16_t)strlen(name));
    memcpy(b + 12, name, strlen(name));
    send(p, TWALK, 0, 12 + strlen(name));
}

static void begin(struct play *p)
{
    uint8_t *b = p->r->msg + P9_HEAD;

    le32_put(b, 8192);
    le16_put(b + 4, 8);
    memcpy(b + 6, "9P2000.L", 8);
    send(p, TVERSION, 0, 14);
    memset(b, 0, 16);
    le32_put(b + 4, UINT32_MAX);
    send(p, TATTACH, 0, 16);
    walk(p, 1, "f");
    walk(p, 2, "d");
    walk(p, 3, "l");
    PROMISE(p->s->fids == 4);
}

static int lowest_fd(void)
{
    int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

    close(fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct input in = {data, len};
    struct play *p = calloc(1, sizeof(*p));
    int lowest = lowest_fd();
    uint8_t how = take_u8(&in);
    char dir[64];

    PROMISE(p && (p->r = calloc(1, sizeof(*p->r))));
    tree_make();
    snprintf(dir, sizeof(dir), "%s/share", base);
    PROMISE(!p9_server_open(&p->s, open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), how & 1));
    if (how & 2)
        p->s->openat2 = false;
    if (how & 4)
        p->s->fids_max = 5;
    begin(p);
    for (unsigned n = 0; n < MESSAGES && in.len; n++) {
        uint8_t type = take_u8(&in), frame = take_u8(&in), body = take_u8(&in);

        take(&in, p->r->msg + P9_HEAD, body);
        send(p, type & 127, frame, body);
    }
    p9_server_close(p->s);
    PROMISE(lowest_fd() == lowest);
    outside_check();
    tree_remove("share");
    free(p->r);
    free(p);
    return 0;
}
