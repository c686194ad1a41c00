/* Jails from command lines: what an option's value needs of the system calls. */
#ifndef CLI_RUN_BOX_H
#define CLI_RUN_BOX_H

#include "cli/run.h"
#include "sandbox/box.h"

struct service;
struct switch_place;

int run_box_enter(const struct run *r, struct error *err);
int switch_box_enter(const struct switch_place *place, unsigned places,
                     const struct service *service, enum box_mode mode, struct error *err);

/* vnc, ctl: its options' values, or NULL; run: the lab's run directory. lab_box.c */
int seat_box_enter(const char *vnc, const char *ctl, enum box_mode mode, struct error *err);
int boss_box_enter(const char *run, struct error *err);

/* For any role: what a back end of that name needs. */
void box_needs_chr(struct box *b, const char *spec);
void box_needs_disk(struct box *b, const char *path);
void box_needs_net(struct box *b, const char *spec);
void box_needs_place(struct box *b, const struct switch_place *p);
void box_gone(struct box *b, const char *path); /* a socket that goes at the end; or NULL */

/* --sandbox auto|require */
#define BOX_VALUE "auto|require"
#define BOX_HELP                                                                                   \
    "the jail (docs/containment.md): require: refuse to run where part of it can't be had (auto)"
#define BOX_NO_HELP "no jail: no filter of system calls, no Landlock, all capabilities"
int box_take_mode(enum box_mode *mode, const char *value, struct error *err);

#endif
