/* The kernel modules of the bundled guest, in the order they must be loaded. */
#ifndef CLI_MODULES_H
#define CLI_MODULES_H

#include "cli/cpio.h"

struct error;

/* Adds what the guest's disks, keyboard and mouse need from the tree at dir (…/lib/modules), and
 * the lists by which /init loads them. */
int modules_add(struct cpio *c, const char *dir, struct error *err);

#endif
