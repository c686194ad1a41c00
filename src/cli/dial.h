/*
 * A process that connects to sockets anew, for one in a jail that may not: it is made first, knows
 * the paths, and is asked for one of them by its number. It reads nothing else, and nothing of who
 * is at the other end. It ends when its maker does.
 */
#ifndef CLI_DIAL_H
#define CLI_DIAL_H

#include "cli/client_box.h"

struct dial {
    int sock; /* -1: there is none */
};

/* In its own jail, as client->mode says. paths[i] are read there, later. 0 or -errno. */
int dial_open(struct dial *d, const struct client *client, const char *const *path, unsigned paths,
              unsigned patience);
/* Connected (ctl_dial), nothing read; or -errno. */
int dial_again(const struct dial *d, unsigned path);
void dial_close(struct dial *d);

#endif
