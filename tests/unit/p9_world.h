/* A shared directory and a client that speaks raw 9P2000.L to its server, with no VM between. */
#ifndef TESTS_P9_WORLD_H
#define TESTS_P9_WORLD_H

#include "unit.h"
#include "back/p9_server.h"
#include "core/error.h"

enum { /* messages */
       STATFS = 8,
       LOPEN = 12,
       LCREATE = 14,
       SYMLINK = 16,
       MKNOD = 18,
       RENAME = 20,
       READLINK = 22,
       GETATTR = 24,
       SETATTR = 26,
       XATTRWALK = 30,
       XATTRCREATE = 32,
       READDIR = 40,
       FSYNC = 50,
       LOCK = 52,
       GETLOCK = 54,
       LINK = 70,
       MKDIR = 72,
       RENAMEAT = 74,
       UNLINKAT = 76,
       VERSION = 100,
       AUTH = 102,
       ATTACH = 104,
       FLUSH = 108,
       WALK = 110,
       READ = 116,
       WRITE = 118,
       CLUNK = 120,
       REMOVE = 122,
};
enum { ROOT = 0, ROOM = 65536 };

struct world {
    struct p9_server *s;
    struct p9_req req;
    char base[32]; /* holds "share", which is shared, and "beside", which is not */
    char share[48];
    int at;     /* base */
    bool quick; /* what can be is served by p9_try */
    unsigned tried;
    uint8_t room[ROOM];
    struct iovec iov[2];
    uint8_t *body; /* of the last reply, after its head */
    uint32_t len;  /* of it */
};

/* Sends a message of type: d, q, w, b: a field of 4, 8, 2, 1 bytes; s: a string; t: a string's
 * length and its bytes. 0, or what the server said. */
int ask(struct world *w, uint8_t type, const char *fields, ...);
int ask_data(struct world *w, uint32_t fid, uint64_t off, const void *data, size_t len);
int walk(struct world *w, uint32_t from, uint32_t to, const char *name); /* NULL: no name */
int walk_open(struct world *w, uint32_t fid, const char *name, uint32_t flags);
int serve(struct world *w, uint32_t size); /* w->req.msg as it stands */

void file_put(struct world *w, const char *path, const char *text); /* below base */
bool file_is(struct world *w, const char *path, const char *text);
bool there(struct world *w, const char *path);
int lowest_fd(void);
void begin(struct world *w); /* version and attach of ROOT */

int setup(void **state);
int setup_plain(void **state);  /* on a host without openat2 */
int setup_quick(void **state);  /* by p9_try, where it may */
int setup_memory(void **state); /* the same, in tmpfs */
int setup_readonly(void **state);
int teardown(void **state);

#define SHARE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define PLAIN(f)                                                                                   \
    {                                                                                              \
#f " without openat2", f, setup_plain, teardown, NULL                                      \
    }
#define QUICK(f)                                                                                   \
    {                                                                                              \
#f " without waiting", f, setup_quick, teardown, NULL                                      \
    }
#define MEMORY(f)                                                                                  \
    {                                                                                              \
#f " in memory", f, setup_memory, teardown, NULL                                           \
    }
#define RO(f) cmocka_unit_test_setup_teardown(f, setup_readonly, teardown)

#endif
