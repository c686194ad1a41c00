/* Character backends over file descriptors: what stdio, pty and file share. */
#ifndef BACK_CHR_FD_H
#define BACK_CHR_FD_H

#include "back/chr.h"
#include "core/loop.h"
#include <termios.h>

#define CHR_OUT 65536u
#define CHR_IN  256u

struct chr_fd {
    struct chr chr;
    int in, out;  /* -1: none */
    int slave;    /* pty: its other side, held so that it never hangs up; else -1 */
    bool own;     /* close them */
    bool polled;  /* in is registered with the loop */
    bool file_in; /* in can't be polled (regular file, /dev/null): read by deferred work */
    bool in_end;  /* end of input was seen */
    struct loop_work read_more;
    /* output: gathered for a moment, so that a line costs one system call, not eighty */
    uint8_t buf[CHR_OUT];
    size_t len;
    bool lost; /* output was dropped, and said so */
    struct loop_timer flush;
    /* stdio only: escape key */
    void (*escape)(void *arg);
    void *arg;
    bool prefix; /* Ctrl-A was typed */
    bool raw;    /* the terminal must be put back to was */
    struct termios was;
};

/* Takes the descriptors; on failure they are closed if own. */
int chr_fd_open(struct chr **out, struct loop *loop, int in, int out_fd, bool own);
struct chr_fd *chr_fd_of(struct chr *c);

int chr_stdio_open(struct chr **out, struct loop *loop, void (*escape)(void *), void *arg);
/* The escape filter: takes n typed bytes, leaves in buf what is for the guest, returns how many. */
size_t chr_stdio_filter(struct chr_fd *f, uint8_t *buf, size_t n);
void chr_stdio_restore(struct chr_fd *f);
bool chr_stdio_size(struct chr *c, uint16_t *cols, uint16_t *rows);

#endif
