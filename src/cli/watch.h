/* viaduct run --check and --evil: what is asked of virtio devices beyond their work. */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include "virtio/vwatch.h"

struct error;

/* --check virtio: 0, or -EINVAL with err filled. */
int watch_check_parse(struct vwatch *w, const char *value, struct error *err);
/* The run is over with this status: says what was seen, and what the status is now. */
int watch_status(const struct vwatch *w, int status);

#endif
