/*
 * The server of 9P2000.L itself: one session on one directory. It runs in a process of its own
 * (p9_main.c) and knows no loop and no VM: a message goes in, its reply stands in the room given.
 *
 * What keeps a guest inside the directory:
 * - A fid holds a descriptor, never a path. Nothing is opened by more than one name component, and
 *   a component is never "", ".", "..", nor has it a '/' or a NUL (p9_path.c).
 * - Symbolic links are never followed: a name is looked up with O_PATH and O_NOFOLLOW, by openat2
 *   with RESOLVE_BENEATH where there is one; what is then opened is that descriptor.
 * - Only regular files and directories are opened for I/O.
 * - The kernel confines the process to the share and to the calls it needs (p9_jail.c).
 * - Before a name is used in a directory, the way up from it must lead to the root of the share, so
 *   that a directory which the host moves away takes nothing with it (p9_inside).
 */
#ifndef BACK_P9_SERVER_H
#define BACK_P9_SERVER_H

#include "back/p9.h"
#include <sys/stat.h>

#define P9_NAME_MAX  255u
#define P9_PATH_MAX  4096u
#define P9_WALK_MAX  16u   /* names in one Twalk: MAXWELEM of the protocol */
#define P9_DEPTH_MAX 256u  /* directories between a name and the root */
#define P9_FIDS_MAX  8192u /* and never more than half the descriptors its process may have */
#define P9_FID_SETS  1024u
#define P9_DIR_BUF   32768u
#define P9_OUT_MAX   4608u /* a reply without Rread's and Rreaddir's data: a link's text fits */
#define P9_QID_LEN   13u

struct p9_fid {
    uint32_t id;
    int fd;      /* O_PATH, or open for I/O */
    int lock_fd; /* for locks that fd can't take, or -1 */
    int access;  /* open: O_RDONLY, O_WRONLY, O_RDWR */
    bool open;
    mode_t type; /* S_IFMT bits: those of an inode never change */
    struct p9_fid *next;
};

struct p9_server {
    int root, proc; /* the share; /proc/self/fd, to open what a descriptor names */
    int pipe;       /* where the data of long reads goes, or -1: into the room like all else */
    uint32_t pipe_room;
    dev_t root_dev;
    ino_t root_ino;
    bool readonly;
    bool openat2;   /* there is one; tests take it away */
    bool versioned; /* Tversion went well */
    uint32_t msize;
    unsigned fids, fids_max;
    struct p9_fid *set[P9_FID_SETS], *pool, *spare;
    _Alignas(8) uint8_t dents[P9_DIR_BUF]; /* as getdents64 wrote them */
    uint8_t dir[P9_DIR_BUF];               /* as Rreaddir has them */
};

/* dir is a descriptor, the server's from now on. 0, or -errno, and dir is closed. */
int p9_server_open(struct p9_server **out, int dir, bool readonly);
void p9_server_close(struct p9_server *s); /* NULL is fine */
void p9_server_forget(struct p9_server *s);
/* Serves one request: r->replied bytes of its room are the reply. */
void p9_serve(struct p9_server *s, struct p9_req *r);

/* What kind of request it is, for the ledger. */
enum p9_kind {
    P9_OTHER,   /* refused all the same */
    P9_SESSION, /* version, attach, flush */
    P9_NAMES,   /* walk, readdir, readlink */
    P9_ATTRS,   /* getattr, setattr, statfs */
    P9_FILES,   /* open, create, clunk, fsync, locks */
    P9_TREE,    /* mkdir, symlink, link, rename, unlink … */
    P9_READ,
    P9_WRITE,
    P9_KINDS
};
enum p9_kind p9_kind_of(uint8_t type);
bool p9_changes(uint8_t type); /* is it one that a read-only share refuses? */

/* ---- between the files of the server ---- */

struct p9_in { /* the request being read; reading past its end makes it bad and gives zeros */
    const uint8_t *at, *end;
    bool bad;
    const struct p9_req *req;
};

struct p9_out {
    uint8_t buf[P9_OUT_MAX];
    uint32_t len;     /* of buf */
    uint32_t payload; /* bytes that stand in the room already, right after P9_ERROR_LEN */
    bool piped;       /* or in the pipe */
    bool full;
};

uint8_t p9_u8(struct p9_in *in);
uint16_t p9_u16(struct p9_in *in);
uint32_t p9_u32(struct p9_in *in);
uint64_t p9_u64(struct p9_in *in);
/* A string of at most max bytes and a NUL into buf. 0; -EINVAL: a NUL in it, or the message ends;
 * -ENAMETOOLONG. */
int p9_text(struct p9_in *in, char *buf, size_t max);
int p9_end(const struct p9_in *in); /* 0, or -EINVAL: it was short, or something is left */
void p9_put8(struct p9_out *out, uint8_t v);
void p9_put16(struct p9_out *out, uint16_t v);
void p9_put32(struct p9_out *out, uint32_t v);
void p9_put64(struct p9_out *out, uint64_t v);
void p9_put_text(struct p9_out *out, const char *s, size_t len);
void p9_put_qid(struct p9_out *out, const struct p9_server *s, const struct stat *st);
/* The part [off, off + len) of iov as iovecs of its own: how many. */
int p9_slice(const struct iovec *iov, int n, uint64_t off, uint64_t len, struct iovec *part);
void p9_copy(const struct iovec *iov, int n, uint64_t off, const void *buf, size_t len);
uint64_t p9_qid_path(const struct p9_server *s, const struct stat *st);

/* p9_fid.c */
int p9_fids_make(struct p9_server *s); /* s->fids_max of them: 0 or -ENOMEM */
struct p9_fid *p9_fid_find(struct p9_server *s, uint32_t id);
/* A new fid, which owns fd from then on. 0; -EINVAL: id is in use; -EMFILE: fd is closed then,
 * too. */
int p9_fid_add(struct p9_server *s, uint32_t id, int fd, mode_t type);
int p9_fid_drop(struct p9_server *s, uint32_t id); /* 0, or -EBADF */

/* p9_path.c */
int p9_name(struct p9_in *in, char name[P9_NAME_MAX + 1]); /* one that may be used in a directory */
int p9_inside(const struct p9_server *s, int dir);         /* 0, -ESTALE, -ENAMETOOLONG … */
/* What name is in dir: an O_PATH descriptor and what it is. -errno */
int p9_look(const struct p9_server *s, int dir, const char *name, struct stat *st);
int p9_up(const struct p9_server *s, int dir, struct stat *st); /* the same for "..", at the root */
/* Opens what fd names anew: a regular file or directory. The descriptor, or -errno. */
int p9_reopen(const struct p9_server *s, int fd, int flags);
void p9_fd_name(char name[16], int fd); /* its name in s->proc */
/* The directory of fid and its name there, as far as the host can tell: a descriptor, or -errno. */
int p9_parent(const struct p9_server *s, const struct p9_fid *f, char name[P9_NAME_MAX + 1]);
/* The directory that the next fid of the message names, judged. 0 or -errno. */
int p9_dir(struct p9_server *s, struct p9_in *in, struct p9_fid **dir);

/* Requests: 0 with the reply's body in out, or -errno. */
typedef int p9_handler(struct p9_server *s, struct p9_in *in, struct p9_out *out);
p9_handler p9_tversion, p9_tattach, p9_tflush, p9_twalk, p9_tclunk;
p9_handler p9_tlopen, p9_tlcreate, p9_tread, p9_twrite, p9_tfsync, p9_treaddir;
p9_handler p9_tstatfs, p9_tgetattr, p9_tsetattr, p9_treadlink;
p9_handler p9_tmkdir, p9_tsymlink, p9_tmknod, p9_tlink;
p9_handler p9_trename, p9_trenameat, p9_tunlinkat, p9_tremove;
p9_handler p9_tlock, p9_tgetlock;

#endif
