/*
 * Shared by the files of viaduct seat: one user, many machines. seat.c has the verb, seat_vm.c one
 * machine's control socket, seat_console.c its serial console, seat_tty.c the user's terminal,
 * seat_view.c the side of VNC, which viaduct-vnc (seat_vnc.c) serves, seat_ctl.c the seat's own
 * control socket, seat_keys.c the names of keys.
 */
#ifndef CLI_SEAT_H
#define CLI_SEAT_H

#include "api/json_split.h"
#include "back/listen.h"
#include "core/loop.h"
#include "share/seat.h"

struct cJSON;
struct error;
struct seating;
struct seat_console;
struct seat_tty;
struct seat_view;

#define SEAT_NAME_MAX 32u

enum svm_state {
    SVM_AWAY,  /* it is not there; asked again and again */
    SVM_HELLO, /* connected: its greeting is waited for, then each answer in turn */
    SVM_AGREE,
    SVM_CLAIM,
    SVM_SCREEN,
    SVM_READY,
    SVM_TAKEN, /* another seat has it */
};

struct svm { /* a machine as the seat sees it */
    struct seating *s;
    unsigned n;
    char name[SEAT_NAME_MAX], ctl[108], console_path[108];
    enum svm_state state, told; /* told: of which the user knows */
    int fd;                     /* its control socket; -1 */
    struct json_split in;
    bool busy;        /* a command has no answer yet */
    bool no_tablet;   /* the last place was refused: motion is told instead … */
    uint64_t try_at;  /* … until then */
    uint64_t sent_at; /* the command's time */
    char out[1024];   /* what the socket did not take of it */
    size_t out_len, out_at;
    int passed;    /* the newest descriptor that came; -1 */
    int screen_fd; /* -1: it has no screen */
    uint32_t width, height, stride;
    struct loop_timer again;
    struct seat_console *console; /* or NULL */
};

struct seating {
    struct loop *loop;
    struct seat seat;
    struct svm vm[SEAT_VMS];
    unsigned vms;
    struct seat_tty *tty;   /* or NULL */
    struct seat_view *view; /* or NULL */
    struct listen_place ctl;
    unsigned ctl_clients;
    struct loop_timer ctl_again;
    struct loop_timer tick;
    int signals;
    bool quiet; /* the terminal is not for messages */
};

/* seat.c */
void seating_focus(struct seating *s, unsigned n);
void seating_step(struct seating *s, int by);
void seating_changed(struct seating *s,
                     unsigned n);          /* a machine came, went, or showed its screen */
const char *svm_word(const struct svm *v); /* how it is, in a word */

/* seat_vm.c */
void svm_init(struct svm *v, struct seating *s, unsigned n);
void svm_open(struct svm *v); /* and again, whenever it is not there */
void svm_pump(struct svm *v); /* there may be events for it */
void svm_close(struct svm *v);
bool svm_hangs(const struct svm *v);

/* seat_keys.c: keys are numbers of dev/ps2_keys.h. PS2_KEY_NONE: no key of a PC keyboard. */
unsigned seat_keysym(uint32_t keysym);
enum { SEAT_HELD_CTRL = 1, SEAT_HELD_ALT = 2 };
/* A key goes down or up: is it a hot key, Ctrl-Alt and a digit, PgUp or PgDn? held remembers. */
enum seat_hot seat_hot_key(unsigned *held, unsigned key, bool down, int *n);

/* seat_console.c */
int seat_console_open(struct seat_console **out, struct svm *v, unsigned rows, unsigned cols);
void seat_console_close(struct seat_console *c);
void seat_console_size(struct seat_console *c, unsigned rows, unsigned cols);
void seat_console_type(struct seat_console *c, const char *bytes,
                       size_t len); /* from the terminal */

/* seat_tty.c */
int seat_tty_open(struct seat_tty **out, struct seating *s, struct error *err);
void seat_tty_close(struct seat_tty *t);
void seat_tty_size(const struct seat_tty *t, unsigned *rows, unsigned *cols); /* of a console */
void seat_tty_resized(struct seat_tty *t);
void seat_tty_paint(struct seat_tty *t); /* soon: something to be seen has changed */
void seat_tty_bell(struct seat_tty *t);

/* seat_view.c */
int seat_view_open(struct seat_view **out, struct seating *s, const char *at, struct error *err);
void seat_view_close(struct seat_view *v);
void seat_view_show(
    struct seat_view *v); /* the machine that has the seat, or it has another screen */

/* seat_ctl.c */
int seat_ctl_open(struct seating *s, const char *path, struct error *err);
void seat_ctl_close(struct seating *s);

/* seat.c: letters, digits, dot, underscore, dash. */
bool seat_name_good(const char *name, size_t n);
/* seat_ask.c: the verbs that ask a seat; an exit status. */
int seat_ask(int argc, char **argv);

#endif
