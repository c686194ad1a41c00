/* A GPT on a host disk: a raw image or a block device, by descriptor. */
#ifndef BACK_GPT_FILE_H
#define BACK_GPT_FILE_H

#include "back/gpt.h"

struct gpt_file {
    struct gpt_io io;
    int fd;
};

/* The descriptor stays the caller's. 0 or -errno. */
int gpt_file_init(struct gpt_file *f, int fd);
/* The bytes of a partition; *at + *len lie on the disk, as gpt_read has judged. */
static inline void gpt_bytes(const struct gpt *g, const struct gpt_part *p, uint64_t *at,
                             uint64_t *len)
{
    *at = p->first * g->block;
    *len = (p->last - p->first + 1) * g->block;
}

struct gpt_claim {
    const char *path, *name;
    bool writes;
    /* results */
    uint64_t at, len; /* bytes */
    const char *hint; /* what the user should know of the table, or NULL */
};

/* Finds the extent of that name and locks its bytes, exclusively for a writer; the table is locked
 * while it is looked at. The lock is fd's. 0, or -errno with err filled. */
int gpt_claim(int fd, struct gpt_claim *c, struct error *err);

#endif
