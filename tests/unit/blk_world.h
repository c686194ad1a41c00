/* What the tests of block backends share: a file in the current directory (a disk) or in /dev/shm
 * (tmpfs), and requests. */
#ifndef TESTS_BLK_WORLD_H
#define TESTS_BLK_WORLD_H

#include "unit.h"
#include "back/blk_fault.h"
#include "back/blk_raw.h"
#include "core/error.h"
#include "core/ledger.h"
#include "core/loop.h"

#define SECTORS 2048u
#define HOPS    4096 /* enough for any pattern test, and an end to a lost completion */

struct world {
    struct ledger *ledger;
    struct loop *loop;
    char file[64];
};

struct result {
    struct blk_req req;
    unsigned calls;
    int err;
    bool in_submit, was_in_submit;
};

void done(struct blk_req *req, int err);
int setup(void **state);
int setup_shm(void **state);
int teardown(void **state);
struct blk *open_raw(struct world *w, bool readonly);
struct blk *open_direct(struct world *w); /* past the page cache; NULL: this file system can't */
struct blk *open_mem(struct world *w);
void submit(struct blk *b, struct result *r, enum blk_op op, uint64_t sector, uint64_t sectors,
            struct iovec *iov, int iovs);
int run(struct blk *b, enum blk_op op, uint64_t sector, uint64_t sectors, void *buf);
void fill(uint8_t *p, size_t n, unsigned seed);

#define ON_DISK(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define ON_SHM(f)                                                                                  \
    {                                                                                              \
#f "_shm", f, setup_shm, teardown, NULL                                                    \
    }

#endif
