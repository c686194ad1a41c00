/* A shared directory and a client that speaks raw 9P2000.L to its server, with no VM between: the
 * server is called here, or is the process that a machine has for it. */
#ifndef TESTS_P9_WORLD_H
#define TESTS_P9_WORLD_H

#include "unit.h"
#include "back/p9_main.h"
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
    struct p9_server *s; /* called here, or */
    struct p9 *p;        /* a process of its own */
    struct loop *loop;
    struct ledger *ledger;
    struct p9_req req;
    ino_t root_ino;
    char base[32]; /* holds "share", which is shared, and "beside", which is not */
    char share[48];
    int at; /* base */
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
int setup_plain(void **state); /* on a host without openat2 */
int setup_jail(void **state);  /* the server is a process of its own */
int setup_readonly(void **state);
int setup_readonly_jail(void **state);
int teardown(void **state);

#define SHARE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define PLAIN(f)                                                                                   \
    {                                                                                              \
#f " without openat2", f, setup_plain, teardown, NULL                                      \
    }
#define JAIL(f)                                                                                    \
    {                                                                                              \
#f " in jail", f, setup_jail, teardown, NULL                                               \
    }
#define RO(f) cmocka_unit_test_setup_teardown(f, setup_readonly, teardown)
#define RO_JAIL(f)                                                                                 \
    {                                                                                              \
#f " in jail", f, setup_readonly_jail, teardown, NULL                                      \
    }

/* main of a test: the process of a share is this program once more. */
#define P9_TESTS(tests)                                                                            \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        if (argc > 1 && !strcmp(argv[1], P9_VERB))                                                 \
            return p9_main(argc, argv);                                                            \
        if (argc > 1)                                                                              \
            cmocka_set_test_filter(argv[1]);                                                       \
        return cmocka_run_group_tests(tests, NULL, NULL);                                          \
    }

#endif
