/* viaduct run --record. */
#ifndef CLI_RECORD_H
#define CLI_RECORD_H

#include "record/record.h"

struct record_opt {
    struct rec_opts opts;
    const char *devs;
    char spec[1024];
};

/* FILE[,dev=NAME+NAME…][,limit=SIZE]: 0, or -EINVAL with err filled. */
int record_parse(struct record_opt *r, const char *value, struct error *err);

#endif
