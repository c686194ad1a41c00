/* What viaduct domain serves beside disks and cards: entropy, consoles, keyboards and tablets, each
 * at a socket of its own. */
#ifndef CLI_DOMAIN_SMALL_H
#define CLI_DOMAIN_SMALL_H

#include "core/types.h"

#define DOMAIN_SMALLS_MAX 64

struct chr;
struct error;
struct ledger;
struct loop;
struct vcon;
struct vhost_back;
struct vinput;
struct vinput_kind;
struct vrng;

enum domain_small_kind { DOMAIN_RNG, DOMAIN_CONSOLE, DOMAIN_INPUT, DOMAIN_SMALL_KINDS };

struct domain_input; /* domain_input.c: where events come from */

struct domain_small {
    enum domain_small_kind kind;
    char name[16]; /* "rng0", "console0", "input0" */
    char text[1024];
    const char *socket, *spec, *from;
    bool packed;
    const struct vinput_kind *input;
    struct chr *chr;
    struct vrng *vrng;
    struct vcon *vcon;
    struct vinput *vinput;
    struct domain_input *events;
    struct vhost_back *back;
};

struct domain_smalls {
    struct domain_small small[DOMAIN_SMALLS_MAX];
    unsigned smalls, of_kind[DOMAIN_SMALL_KINDS];
};

/* One from its words. 0 or -EINVAL with err filled. */
int domain_small_take(struct domain_smalls *s, enum domain_small_kind kind, const char *value,
                      struct error *err);
/* All of them, listening. 0 or -errno with err filled. */
int domain_smalls_open(struct domain_smalls *s, struct loop *loop, struct ledger *ledger,
                       struct error *err);
void domain_smalls_close(struct domain_smalls *s);

/* Events of an input device at `from`, as Linux tells them, go to d. 0 or -errno with err filled.
 */
int domain_input_open(struct domain_input **out, const char *from, struct vinput *d,
                      struct loop *loop, struct error *err);
void domain_input_close(struct domain_input *in); /* NULL is fine */

#define DOMAIN_RNG_VALUE     "socket=PATH[,packed]"
#define DOMAIN_CONSOLE_VALUE "pty|file=PATH|null,socket=PATH[,packed]"
#define DOMAIN_INPUT_VALUE   "keyboard|tablet,from=DEVICE,socket=PATH[,packed]"

#endif
