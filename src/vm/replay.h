/* Playing a recording (docs/record.md): the machine is made as for a run, but nothing runs in it.
 */
#ifndef VM_REPLAY_H
#define VM_REPLAY_H

#include "core/error.h"
#include "core/types.h"

struct replay {
    const char *path;
    bool edited;      /* the checksum may be wrong or missing */
    uint64_t memory;  /* the most guest memory that a recording may ask for; 0: any */
    const char *text; /* instead of the file at path */
    size_t len;
    uint64_t events; /* out: how many were played */
    /* Tests: called with each device once it is made; may be NULL. */
    void (*made)(void *ctx, const char *name, void *dev);
    void *ctx;
};

/* 0: every line as it should be; -EPROTO: err tells the first difference; -EINVAL: no recording, a
 * damaged one, or one that this viaduct can't play; other -errno: it could not be tried. */
int replay_run(struct replay *p, struct error *err);

#endif
