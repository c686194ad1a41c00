/* A listening Unix socket at a path: made so that nobody else can open it, removed at the end. */
#ifndef BACK_LISTEN_H
#define BACK_LISTEN_H

#include "core/types.h"

struct error;

struct listen_place {
    int fd;
    char path[108];    /* as in sockaddr_un */
    uint64_t dev, ino; /* of the socket that we made; 0: none */
};

/* One that nobody serves any more is replaced. option: for messages, "--ctl". 0 or -errno; the
 * descriptor does not block. */
int listen_open(struct listen_place *p, const char *option, const char *path, int backlog,
                struct error *err);
void listen_close(struct listen_place *p); /* removes it if it is still ours */

#endif
