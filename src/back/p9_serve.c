/*
 * The server's front: which handler, and the frame around its reply. The table is the protocol as
 * far as it is served; Tauth, Txattrwalk and Txattrcreate are known and refused, since there is
 * nobody to authenticate and no attribute that a share keeps.
 */
#include "back/p9_server.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { CHANGES = 1, EARLY = 2 }; /* not on a read-only share; before Tversion, too */

struct op {
    p9_handler *serve; /* NULL: EOPNOTSUPP */
    enum p9_kind kind;
    unsigned flags;
    uint16_t room; /* bytes of the reply at least: judged before anything is done */
};

enum { QID = P9_HEAD + P9_QID_LEN, OPENED = QID + 4, GETATTR = 160, STATFS = 67 };
enum { TVERSION = 100 };

static const struct op *op_of(uint8_t type)
{
    static const struct op ops[128] = {
        [8] = {p9_tstatfs, P9_ATTRS, 0, STATFS},
        [12] = {p9_tlopen, P9_FILES, 0, OPENED},
        [14] = {p9_tlcreate, P9_FILES, CHANGES, OPENED},
        [16] = {p9_tsymlink, P9_TREE, CHANGES, QID},
        [18] = {p9_tmknod, P9_TREE, CHANGES, QID},
        [20] = {p9_trename, P9_TREE, CHANGES, 0},
        [22] = {p9_treadlink, P9_NAMES, 0, 0},
        [24] = {p9_tgetattr, P9_ATTRS, 0, GETATTR},
        [26] = {p9_tsetattr, P9_ATTRS, CHANGES, 0},
        [40] = {p9_treaddir, P9_NAMES, 0, 0},
        [50] = {p9_tfsync, P9_FILES, 0, 0},
        [52] = {p9_tlock, P9_FILES, 0, 0},
        [54] = {p9_tgetlock, P9_FILES, 0, 0},
        [70] = {p9_tlink, P9_TREE, CHANGES, 0},
        [72] = {p9_tmkdir, P9_TREE, CHANGES, QID},
        [74] = {p9_trenameat, P9_TREE, CHANGES, 0},
        [76] = {p9_tunlinkat, P9_TREE, CHANGES, 0},
        [TVERSION] = {p9_tversion, P9_SESSION, EARLY, P9_HEAD + 4 + 2 + 8},
        [102] = {.kind = P9_SESSION}, /* auth */
        [104] = {p9_tattach, P9_SESSION, 0, QID},
        [108] = {p9_tflush, P9_SESSION, EARLY, 0},
        [110] = {p9_twalk, P9_NAMES, 0, 0},
        [116] = {p9_tread, P9_READ, 0, 0},
        [P9_TWRITE] = {p9_twrite, P9_WRITE, CHANGES, 0},
        [120] = {p9_tclunk, P9_FILES, 0, 0},
        [122] = {p9_tremove, P9_TREE, 0, 0}, /* it judges that itself: its fid goes in any case */
    };
    static const struct op none = {.kind = P9_OTHER};

    return type < ARRAY_LEN(ops) ? &ops[type] : &none;
}

enum p9_kind p9_kind_of(uint8_t type)
{
    return op_of(type)->kind;
}

bool p9_changes(uint8_t type)
{
    return op_of(type)->flags & CHANGES;
}

static int serve(struct p9_server *s, struct p9_req *r, struct p9_out *out)
{
    struct p9_in in = {.at = r->msg + P9_HEAD, .end = r->msg + r->len, .req = r};
    const struct op *op;
    uint64_t whole = r->len + r->data_len;

    if (r->len < P9_HEAD || r->len > sizeof(r->msg) || le32_get(r->msg) != whole)
        return -EINVAL;
    op = op_of(r->msg[4]);
    if (!op->serve)
        return -EOPNOTSUPP;
    if (whole > s->msize)
        return -EMSGSIZE;
    if (!s->versioned && !(op->flags & EARLY))
        return -EPROTO;
    if ((op->flags & CHANGES) && s->readonly)
        return -EROFS;
    if (op->room > r->room_len)
        return -EMSGSIZE;
    return op->serve(s, &in, out);
}

void p9_serve(struct p9_server *s, struct p9_req *r)
{
    struct p9_out out = {.len = P9_HEAD};
    uint64_t len;

    r->replied = 0;
    r->piped = false;
    r->err = r->room_len < P9_ERROR_LEN ? -EMSGSIZE : 0;
    if (r->err)
        return;
    r->err = r->cancelled ? -EINTR : serve(s, r, &out);
    len = (uint64_t)out.len + out.payload;
    if (!r->err && (out.full || len > r->room_len || len > s->msize))
        r->err = -EMSGSIZE;
    if (r->err) {
        p9_error(out.buf, r->msg, r->err);
        len = out.len = P9_ERROR_LEN;
    } else {
        le32_put(out.buf, (uint32_t)len);
        out.buf[4] = (uint8_t)(r->msg[4] + 1); /* an R-message's number is its T-message's, and 1 */
        memcpy(out.buf + 5, r->msg + 5, 2);
    }
    p9_copy(r->room, r->rooms, 0, out.buf, out.len);
    r->replied = (uint32_t)len;
    r->piped = !r->err && out.piped;
}

/* ---- life ---- */

/* At most half of what this process may have open: each request needs some for itself, too. */
static unsigned fids_may(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) || l.rlim_cur / 2 > P9_FIDS_MAX)
        return P9_FIDS_MAX;
    return (unsigned)(l.rlim_cur / 2);
}

static int dirs_open(struct p9_server *s)
{
    struct stat st;
    int fd;

    if (fstat(s->root, &st))
        return -errno;
    s->proc = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (s->proc < 0)
        return -errno;
    s->root_dev = st.st_dev;
    s->root_ino = st.st_ino;
    s->openat2 = true;
    fd = p9_look(s, s->root, "viaduct.probe", &st);
    s->openat2 = fd != -ENOSYS && fd != -EPERM && fd != -E2BIG;
    if (fd >= 0)
        close(fd);
    return 0;
}

int p9_server_open(struct p9_server **out, int dir, bool readonly)
{
    struct p9_server *s = calloc(1, sizeof(*s));
    int code;

    if (!s) {
        close(dir);
        return -ENOMEM;
    }
    s->root = dir;
    s->proc = s->pipe = -1;
    s->readonly = readonly;
    s->msize = P9_MSIZE_MAX;
    s->fids_max = fids_may();
    code = p9_fids_make(s);
    if (!code)
        code = dirs_open(s);
    if (code)
        p9_server_close(s);
    else
        *out = s;
    return code;
}

void p9_server_close(struct p9_server *s)
{
    if (!s)
        return;
    p9_server_forget(s);
    close(s->root);
    if (s->proc >= 0)
        close(s->proc);
    free(s->pool);
    free(s);
}
