/* A character backend around another: what the guest says is also written to a file, and who was
 * not there can read it later. */
#ifndef BACK_CHR_LOG_H
#define BACK_CHR_LOG_H

#include "back/chr.h"

#define CHR_LOG_MAX (1u << 20) /* bytes; then the older half is thrown away */

/* inner is taken; on failure it is closed. 0 or -errno with err filled. */
int chr_log_open(struct chr **out, struct chr *inner, const char *option, const char *path,
                 struct loop *loop, struct error *err);

#endif
