/* The client's side of a control socket: one command, one answer. */
#ifndef CLI_CTL_CALL_H
#define CLI_CTL_CALL_H

#include "core/types.h"
#include <cJSON.h>
#include <stdio.h>

struct error;

struct ctl_call {
    int fd;
    int passed; /* the newest descriptor that came with an answer, the caller's; -1: none */
    char *line; /* the newest, without its end */
    size_t room;
    char buf[4096]; /* what came and was not looked at yet */
    size_t at, len;
    char said[256]; /* what the machine said of the newest failure */
    FILE *file;     /* where a picture goes, open since before it was called; or NULL */
};

#define CTL_LINE   (64u << 20) /* bytes: a ledger of thousands of rows has less than one of it */
#define CTL_EVENTS 65536u      /* before an answer comes: more is no machine of ours */

/* Connected, and nothing was read: a descriptor, or -errno with err filled. patience: seconds that
 * the other end may take to say or hear anything, 0 for ever. */
int ctl_dial(const char *path, unsigned patience, struct error *err);

/* Each: 0 or -errno with err filled. */
int ctl_greet(struct ctl_call *c, int fd, struct error *err); /* reads who is there; takes fd */
void ctl_hang_up(struct ctl_call *c);
/* args (may be NULL) is taken; *got, if asked for, is what came back. -EPROTO: it was refused. */
int ctl_call(struct ctl_call *c, const char *name, cJSON *args, cJSON **got, struct error *err);
int ctl_raw(struct ctl_call *c, const char *json, struct error *err); /* the answer is in line */
int ctl_event(struct ctl_call *c, struct error *err);                 /* the next one is in line */

#endif
