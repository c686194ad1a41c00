/* A character backend that whoever connects to a Unix socket is the other end of. */
#ifndef BACK_CHR_SOCK_H
#define BACK_CHR_SOCK_H

#include "back/chr.h"

/* 0 or -errno with err filled. The socket is there until close. */
int chr_sock_open(struct chr **out, const char *option, const char *path, struct loop *loop,
                  struct error *err);

#endif
