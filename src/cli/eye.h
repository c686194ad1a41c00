/*
 * A process that looks whether one of a lab lives, for one in a jail that may open no file: it is
 * made first, and reads the lab's state only.
 */
#ifndef CLI_EYE_H
#define CLI_EYE_H

#include "cli/client_box.h"

/* The end of a stream that ends when it has ended for good; closing it ends the other process. Or
 * -errno. unit: LAB/NAME, which stays where it is. */
int eye_open(const struct client *client, const char *unit);

#endif
