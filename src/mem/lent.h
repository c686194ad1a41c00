/*
 * Guest memory that a peer lent: a struct ram whose slots come and go, each a piece of a file whose
 * descriptor the peer sent. Nothing is believed: a slot is mapped only if the file has all of it.
 * The peer can still cut the file short later; touching what is gone would end the process, so
 * whoever serves peers calls lent_guard first, and asks lent_lost afterwards.
 */
#ifndef MEM_LENT_H
#define MEM_LENT_H

#include "mem/ram.h"

struct lent_region {
    gpa_t gpa;
    uint64_t len, offset; /* offset: in the file */
};

struct lent_map { /* one mapping of a file, whole pages */
    uint8_t *host;
    size_t len, unit; /* unit: the file's page size */
};

struct lent {
    struct ram ram;
    struct lent_map slot[RAM_SLOTS_MAX], log, record; /* slot[i] is ram.slot[i]'s */
    uint8_t *log_at;
    bool lost;         /* some of it went away under us */
    struct lent *next; /* among those that are guarded */
};

void lent_init(struct lent *m);
/* 0; -EINVAL: not a range, or not a file; -ERANGE: the file is shorter; -EEXIST: overlaps a slot;
 * -ENOSPC: no slot left; or -errno. fd stays the caller's, and is not needed any more. */
int lent_add(struct lent *m, const struct lent_region *r, int fd);
int lent_remove(struct lent *m, gpa_t gpa, uint64_t len); /* 0, or -ENOENT */
void lent_clear(struct lent *m);                          /* slots and log */
/* The dirty log from now on: len bytes of a file. fd < 0: none. As lent_add. It is written while it
 * is on. */
int lent_log(struct lent *m, int fd, uint64_t offset, uint64_t len);
void lent_log_on(struct lent *m, bool on);
/* Memory beside the guest's that is shared with the peer, of which there is one piece: *at is where
 * it lies. fd < 0: none from now on. As lent_add. */
int lent_record(struct lent *m, uint8_t **at, int fd, uint64_t offset, uint64_t len);

/* This thread's SIGBUS in memory of m, from now on: zeroes take the place of what is gone, and
 * lost is set. 0 or -errno. */
int lent_guard(struct lent *m);
void lent_unguard(struct lent *m);

/* Any piece of a file that a peer sent, mapped the same way: of *map, *at is where offset lies. */
int lent_map(struct lent_map *map, uint8_t **at, int fd, uint64_t offset, uint64_t len);
void lent_unmap(struct lent_map *map);

#endif
