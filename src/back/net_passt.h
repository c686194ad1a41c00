/* The passt process: its command line, its start, its messages, its end. */
#ifndef BACK_NET_PASST_H
#define BACK_NET_PASST_H

#include "core/types.h"
#include <sys/types.h>

struct error;

#define PASST_FORWARDS 64
/* On a host without a default route. */
#define PASST_GUEST   "10.0.2.15"
#define PASST_GATEWAY "10.0.2.2"

struct passt_args {
    char forward[PASST_FORWARDS][64]; /* as passt's -t and -u want it */
    bool udp[PASST_FORWARDS];
    unsigned forwards;
    bool no_host; /* the gateway's address does not lead to the host's loopback */
    bool island;  /* the host has no default route to take addresses from: made-up ones */
};

struct passt {
    pid_t pid; /* -1: none */
    int pidfd; /* -1: none, or this kernel has no such thing */
    int log;   /* its stderr; -1: none */
    char text[512];
    size_t used;
    bool log_end;
};

/* "forward=tcp:8080:80,forward=udp:…,host=no" */
int passt_args_parse(struct passt_args *a, const char *args, struct error *err);
int passt_start(struct passt *p, const struct passt_args *a, int sock); /* 0 or -errno */
/* The next line of its messages, without noise; false: none now (or log_end: none any more). */
bool passt_line(struct passt *p, char *line, size_t room);
void passt_log_close(struct passt *p);
/* Ends it if it runs; how (may be NULL): "exit status 1". */
void passt_stop(struct passt *p, char *how, size_t room);

#endif
