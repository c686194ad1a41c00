/* Asking a lab's supervisor, and starting one where there is none. */
#ifndef CLI_LAB_ASK_H
#define CLI_LAB_ASK_H

#include "core/types.h"

struct client;
struct error;

/* Says what it is told on the way on stderr; in client's jail, once the request is out. 0, or
 * -errno with err filled. */
int lab_ask(const struct client *client, const char *lab, const char *request, struct error *err);
/* The name of the lab that a word means: a name, or the file that describes it. */
int lab_meant(char *name, const char *word, struct error *err);
/* VM, or LAB/VM: finds the only lab that has it. 0 or -errno with err filled. */
struct lab_view;
struct lab_view_unit;
int lab_unit_meant(struct lab_view *v, struct lab_view_unit **u, const char *word,
                   struct error *err);
/* The control socket of a lab's process; false: there is a file of that name, or no such process,
 * or a seat. */
bool lab_ctl_path(char *buf, size_t room, const char *word);
/* All labs of this user: calls each with its view. */
int lab_each(int (*each)(struct lab_view *v, void *arg), void *arg, struct error *err);

#endif
