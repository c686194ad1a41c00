/* Writing cpio archives as Linux reads its initramfs: "newc" without checksums. */
#ifndef CLI_CPIO_H
#define CLI_CPIO_H

#include "core/types.h"
#include <stdio.h>

struct cpio {
    FILE *out;
    unsigned ino;
    int err; /* 0 or -errno of the first write that failed */
};

void cpio_dir(struct cpio *c, const char *name);
void cpio_file(struct cpio *c, const char *name, unsigned mode, const void *data, size_t len);
void cpio_node(struct cpio *c, const char *name, unsigned mode, unsigned major, unsigned minor);
/* Creates the archive as path + ".new"; cpio_close puts it in place, or removes it on error. */
int cpio_open(struct cpio *c, const char *path);
int cpio_close(struct cpio *c, const char *path);
/* Adds a file of the host. */
int cpio_host_file(struct cpio *c, const char *path, const char *name, unsigned mode);

#endif
