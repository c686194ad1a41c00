/* The server's end of the wire: what it starts with, one request at a time, and its jail. */
#ifndef BACK_P9_MAIN_H
#define BACK_P9_MAIN_H

#include "back/p9_server.h"
#include "back/p9_wire.h"

/* Descriptors it starts with; 0 to 2 are /dev/null. */
enum { P9_FD_SOCK = 3, P9_FD_MEM = 4, P9_FD_DIR = 5, P9_FD_PIPE = 6, P9_FD_END = 7 };
#define P9_WORD_READONLY "readonly"

struct p9_far {
    struct p9_server *server;
    struct p9_shared *shared;
    int sock;
    struct p9_spin spin;
    struct p9_ask ask;
    struct p9_req req;
};

/* Long reads by this pipe from now on: the server's. */
void p9_pipe_use(struct p9_server *s, int pipe);

/* Waits for a request, serves it and answers. False: there will be no more, or it is none. */
bool p9_far_serve(struct p9_far *f);

/* p9_jail.c: the calling process, for good. What of it this host has not: P9_NO_*. */
unsigned p9_jail(const struct p9_server *s);
bool p9_jail_caps(bool readonly); /* its parts: the last of them leaves only the listed calls */
int p9_confine(const struct p9_server *s);
int p9_jail_calls(bool readonly); /* 0 or -errno */

struct p9_call { /* a system call that a server may make */
    const char *name, *why;
    bool changes; /* not for a read-only share */
};
const struct p9_call *p9_calls(unsigned *n);

#endif
