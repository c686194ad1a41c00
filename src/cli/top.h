/* viaduct top and viaduct metrics: which machines are meant, and what they have counted. */
#ifndef CLI_TOP_H
#define CLI_TOP_H

#include "cli/ctl_call.h"
#include "cli/dial.h"
#include "core/times.h"

#define TOP_DEVICES 128u /* of a machine */
#define TOP_NAME    80u

struct top_device { /* sums since the machine's start, or what came in between */
    char name[TOP_NAME];
    double traps, bells, irqs, requests, in, out, refused;
    struct times times;
};

struct top_sample {
    double ns; /* the machine's own clock */
    struct top_device *device;
    unsigned devices;
};

struct top_machine {     /* or a domain, or a network */
    char name[TOP_NAME]; /* LAB/VM, or the socket's path */
    char path[128];
    char kind[16];     /* in a lab: "vm"; else "" */
    unsigned restarts; /* there, so far */
    int fd;            /* connected, nothing read yet; -1: not */
    struct ctl_call call;
    bool there; /* the call is open */
    struct top_sample was, is;
};

struct top_set {
    struct top_machine *machine;
    unsigned machines;
    struct dial dial; /* of those that were lost */
};

/* ---- top_set.c ---- */

/* Words: LAB, [LAB/]NAME, or the path of a control socket; none: all of all labs but seats.
 * Connects to each, and reads nothing. 0, or -errno with err filled. */
int top_set_open(struct top_set *s, const char *const *word, unsigned words, struct error *err);
/* Then, before the jail: who is lost, now or later, is looked for again. 0 or -errno, err filled.
 */
int top_set_again(struct top_set *s, const struct client *client, struct error *err);
void top_set_close(struct top_set *s);
/* A machine that has gone, or does not answer in time, is not there. */
bool top_reach(struct top_set *s, struct top_machine *m);
void top_lose(struct top_machine *m);

/* ---- top_sample.c ---- */

/* Asks anew: what was asked before is what was. False: it is not there. */
bool top_ask(struct top_set *s, struct top_machine *m);
/* Per second since the time before; to->device is as many as is.devices, in order of traps and
 * bytes. 0 or -ENOMEM. */
int top_rates(const struct top_machine *m, struct top_sample *to);
void top_sample_free(struct top_sample *s);

#endif
