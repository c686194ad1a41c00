/* Character backends: where the bytes of a serial port, or of a virtio console's, go and come from.
 */
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
    /* How many bytes send takes now with no wait and no loss; drained comes when there are more
     * again. NULL: any number. */
    size_t (*space)(struct chr *c);
    /* The terminal's size; false, or NULL: it has none. */
    bool (*size)(struct chr *c, uint16_t *cols, uint16_t *rows);
};

struct chr {
    const struct chr_ops *ops;
    struct loop *loop;
    bool away; /* nobody is at the other end, and somebody may come */
    /* Set by the front end: room says how many bytes it can take now, recv hands them over. */
    size_t (*room)(void *front);
    void (*recv)(void *front, const uint8_t *buf, size_t len);
    /* Each may be NULL: there is space again; away has changed; the terminal's size has. */
    void (*drained)(void *front);
    void (*link)(void *front);
    void (*resized)(void *front);
    void *front;
};

struct chr_open_opts {
    const char *spec;   /* stdio | pty | null | file=PATH | socket=PATH[,log=FILE] */
    const char *option; /* for messages: "--console" */
    /* Runs when the escape key (Ctrl-A x) is typed on stdio; Ctrl-A Ctrl-A sends one Ctrl-A. */
    void (*escape)(void *arg);
    void *arg;
};

/* stdio makes the terminal raw, and close puts it back. */
int chr_open(struct chr **out, const struct chr_open_opts *o, struct loop *loop, struct error *err);
void chr_send(struct chr *c, const uint8_t *buf, size_t len);
void chr_ready(struct chr *c); /* the front end has room again */
size_t chr_space(struct chr *c);
bool chr_size(struct chr *c, uint16_t *cols, uint16_t *rows);
void chr_resized(struct chr *c); /* the terminal's size may have changed; NULL is fine */
void chr_close(struct chr *c);

#endif
