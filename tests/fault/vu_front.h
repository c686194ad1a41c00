/*
 * A vhost-user front end without a machine, for tests and benchmarks: one block device, one queue,
 * split or packed, in memory of its own. It keeps the record of what is in flight if the back end
 * has one, and can come back to another back end with rings as they are.
 */
#ifndef VU_FRONT_H
#define VU_FRONT_H

#include "core/types.h"
#include "vhost/msg.h"

#define FRONT_SLOTS 40  /* requests at once */
#define FRONT_RING  128 /* three descriptors a request */
#define FRONT_BLOCK 4096u

enum { FRONT_READ = 0, FRONT_WRITE = 1 };

struct front_slot {
    bool flying;
    uint8_t *data, *status;
    uint8_t *hdr;
};

struct front {
    int sock, fd, kick, call;
    bool packed, event_idx, tracked; /* tracked: there is a record */
    uint8_t *mem;
    struct front_slot slot[FRONT_SLOTS];
    unsigned flying;
    int record;
    uint64_t record_len;
    /* split: free-running; packed: places */
    uint16_t avail, used, kicked;
    bool avail_wrap, used_wrap;
    struct vu_in in;
};

/* All that stays when a back end goes. 0 or -errno. */
int front_open(struct front *f, bool packed);
void front_close(struct front *f);

/* To whoever listens at path; waits up to `seconds` for somebody to. The rings go on. 0 or -errno.
 */
int front_connect(struct front *f, const char *path, unsigned seconds);
void front_disconnect(struct front *f);
bool front_alone(const struct front *f); /* the other side has hung up */

/* A request of one block at that sector, from or to slot's data. Not yet kicked. */
void front_send(struct front *f, unsigned slot, unsigned kind, uint64_t sector);
void front_kick(struct front *f);
/* The slot of a finished request; -1: none has; -2: what came back was not in flight. */
int front_take(struct front *f);
/* Until something may have finished or the other side has hung up; false: ms went by. */
bool front_wait(struct front *f, int ms);

#endif
