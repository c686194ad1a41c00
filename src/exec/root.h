/*
 * The one directory a program may see. Every path is resolved by the kernel inside it
 * (openat2, RESOLVE_IN_ROOT and NO_MAGICLINKS): "..", absolute names and symbolic links stay there
 * whatever is renamed meanwhile. Other file systems mounted below it are not entered (/proc would
 * be viaduct's own). Only regular files, directories and FIFOs are opened.
 */
#ifndef EXEC_ROOT_H
#define EXEC_ROOT_H

#include "core/types.h"
#include <sys/types.h>

struct error;

/* Of the modes that a program gives: nothing it leaves behind runs as this user for others. */
#define ROOT_MODE 01777u

struct root {
    int fd;   /* O_PATH of the directory; -1: there is none */
    int self; /* /proc/self/fd, to open what an O_PATH descriptor stands for */
    bool readonly;
};

int root_open(struct root *r, const char *dir, bool readonly, struct error *err);
void root_close(struct root *r);

/* What a path names, as an O_PATH descriptor: >= 0 or -errno. */
int root_find(const struct root *r, const char *path, bool follow);
/* Opens it as open(2) does: a descriptor >= 0, or -errno; -ENXIO for what is no file, directory or
 * FIFO. */
int root_open_at(const struct root *r, const char *path, int flags, mode_t mode);
/* The directory that holds the last name of path (an O_PATH descriptor, >= 0, or -errno), and that
 * name, which is neither "." nor "..". Of a root that may be written. */
int root_parent(const struct root *r, const char *path, const char **name);
/* The name of an O_PATH or other descriptor below the root: 0 or -errno. */
int root_name(const struct root *r, int fd, char *buf, size_t room);

#endif
