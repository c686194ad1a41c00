/* viaduct run --check and --evil: what is asked of virtio devices beyond their work. */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include "virtio/vevil.h"
#include "virtio/vwatch.h"

struct error;

struct watch_evil {
    struct vevil_opts opts;
    char spec[256];
};

/* --check virtio: 0, or -EINVAL with err filled. */
int watch_check_parse(struct vwatch *w, const char *value, struct error *err);
/* --offer in-order+notification-data */
int watch_offer_parse(struct vwatch *w, const char *value, struct error *err);
/* --evil seed=N[,rate=N][,device=NAME][,kind=NAME+NAME…] */
int watch_evil_parse(struct watch_evil *w, const char *value, struct error *err);
/* The machine is made; -EINVAL with err filled if what is named is not there, or not recorded. */
int watch_fits(const struct vwatch *w, bool recorded, struct error *err);
/* The run is over with this status: says what was seen, and what the status is now. */
int watch_status(const struct vwatch *w, int status);

#endif
