/* The words of --disk that viaduct run and viaduct domain have in common: which part of the host
 * disk, by which way, and how much of its time. */
#ifndef CLI_DISK_OPTS_H
#define CLI_DISK_OPTS_H

#include "share/share_blk.h"

struct error;

struct disk_policy {
    const char *extent; /* NULL: all of the image */
    bool direct;        /* past the host's page cache */
    struct share_limits limits;
};

#define DISK_POLICY_VALUE "[,extent=NAME][,direct][,iops=N][,bps=SIZE][,burst=MS]"

/* 1: it was one of these; 0: it is none; -EINVAL with err filled. */
int disk_policy_word(struct disk_policy *p, const char *word, struct error *err);
/* weight=N, for whoever has several disks on one host disk: the same. */
int disk_weight_word(struct disk_policy *p, const char *word, struct error *err);

#endif
