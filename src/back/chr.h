/* Character backends: where a serial port's bytes go and come from. */
#ifndef BACK_CHR_H
#define BACK_CHR_H

#include "core/types.h"

struct chr;
struct loop;
struct error;

struct chr_ops {
    void (*send)(struct chr *c, const uint8_t *buf,
                 size_t len); /* never blocks the guest for long */
    void (*flush)(struct chr *c);
    void (*ready)(struct chr *c); /* the front end has room again; NULL: nothing is held back */
    void (*close)(struct chr *c);
};

struct chr {
    const struct chr_ops *ops;
    struct loop *loop;
    /* Set by the front end: room says how many bytes it can take now, recv hands them over. */
    size_t (*room)(void *front);
    void (*recv)(void *front, const uint8_t *buf, size_t len);
    void *front;
};

/* spec: stdio | pty | null | file=PATH. escape runs when the escape key (Ctrl-A x) is typed on
 * stdio; Ctrl-A Ctrl-A sends one Ctrl-A. The terminal is made raw, and put back by close. */
int chr_open(struct chr **out, const char *spec, struct loop *loop, void (*escape)(void *),
             void *arg, struct error *err);
void chr_send(struct chr *c, const uint8_t *buf, size_t len);
void chr_ready(struct chr *c); /* the front end has room again */
void chr_close(struct chr *c);

#endif
