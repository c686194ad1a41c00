/*
 * What the tests of a shared directory's queue share (back/p9.c): requests, and a server that is a
 * thread of the test, held up at a gate (__wrap_p9_serve): requests of type fsync wait there until
 * it opens. Or there is none, and the test answers.
 */
#ifndef TESTS_P9_QUEUE_WORLD_H
#define TESTS_P9_QUEUE_WORLD_H

#include "unit.h"
#include "back/p9_main.h"
#include "core/loop.h"

#include <pthread.h>
#include <semaphore.h>

enum {
    FSYNC = 50,
    MKDIR = 72,
    GETATTR = 24,
    VERSION = 100,
    ATTACH = 104,
    FLUSH = 108,
    CLUNK = 120
};
enum { REQS = 64, ROOM = 1024 };

struct asked {
    struct p9_req req;
    struct world *w;
    uint8_t room[ROOM];
    struct iovec iov;
    unsigned ended; /* as the so-manieth; 0: not yet */
};

struct world {
    struct p9 *p;
    struct p9_far far; /* the server's end */
    pthread_t server;
    int pipe;
    bool alone; /* there is no server: the test answers */
    struct loop *loop;
    struct ledger *ledger;
    char dir[32];
    struct asked *a[REQS];
    unsigned asked, ended;
    bool inside; /* p9_submit is running: no done may be */
};

extern sem_t at_gate; /* posted when a request waits at it */
void gate_shut(void);
void gate_open(void);

struct asked *ask_fid(struct world *w, uint8_t type, uint32_t fid, size_t len);
struct asked *ask_mkdir(struct world *w, char name);
struct asked *ask_flush(struct world *w, const struct asked *a);
/* Until n have ended; a minute at most. */
void settle(struct world *w, unsigned n);
bool there(struct world *w, char name); /* a directory of that name */
void begin(struct world *w);            /* a session */
int p9q_setup(void **state);
int p9q_setup_alone(void **state);
int p9q_teardown(void **state);
#endif
