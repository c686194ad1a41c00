/* Shared by the files that make a plan out of a lab file. */
#ifndef CLI_LAB_BUILD_H
#define CLI_LAB_BUILD_H

#include "api/toml.h"
#include "cli/lab.h"
#include "cli/lab_keys.h"
#include "core/error.h"

struct lab_device {   /* of a domain */
    const char *path; /* its socket */
    bool is_net;
    const struct toml *lock; /* the machine's address shall be the port's; or NULL */
    struct lab_unit *port;   /* whose command has that port, */
    unsigned word;           /* and which word it is */
    const struct toml *user; /* the key that plugged a machine in; NULL: none yet */
    char user_name[LAB_NAME + 1];
};

struct lab_build {
    struct lab *lab;
    const char *file; /* for messages, as the user named it */
    const struct toml *top;
    const struct toml *table; /* what the file says of the unit */
    struct lab_unit *unit;    /* that is being made */
    struct lab_unit *into;    /* whose next word it is that is being made; NULL: the unit's */
    struct lab_unit *port;    /* a network on which this device got a port just now; or NULL */
    struct lab_device *device;
    unsigned devices;
    unsigned number; /* of those that one table makes, from 1; stands for {n} */
    struct error *err;
};

/* ---- lab_file.c ---- */

/* Where that network listens; NULL with err filled: there is none of that name. */
char *lab_network_socket(struct lab_build *b, const struct toml *name);
/* The unit of that kind and name, which is made already; NULL: there is none. */
struct lab_unit *lab_unit_find(struct lab_build *b, enum lab_kind kind, const char *name);
/* One more place where a unit listens: takes path. */
int lab_socket_add(struct lab_build *b, struct lab_unit *u, char *path);

/* ---- lab_args.c: the words of a unit's command ---- */

int lab_nomem(struct lab_build *b);
/* A text with {n} and {name} filled in; a path made absolute. NULL: told. */
char *lab_text(struct lab_build *b, const struct toml *v, bool file);
int lab_arg(struct lab_build *b, char *word); /* takes word; NULL: there was no memory */
int lab_arg_copy(struct lab_build *b, const char *word);
/* All keys of a table that are options, in the order of keys; and those that are not known. */
int lab_options(struct lab_build *b, const struct lab_key *keys, const struct toml *table);
/* Is every member of the table a key, of the right kind? */
int lab_keys_check(struct lab_build *b, const struct lab_key *keys, const struct toml *table,
                   const char *what);

/* ---- lab_words.c: disks, cards, shares ---- */

int lab_tables(struct lab_build *b, const struct lab_key *key, const struct toml *v);
/* "2:…" of a card: as the file says, or made of names. */
void lab_mac(struct lab_build *b, const struct toml *card, unsigned number, char *buf, size_t room);
int lab_words_of(struct lab_build *b, const struct lab_key *k, const struct toml *v, FILE *out);

/* ---- lab_mark.c: where words are from ---- */

/* That text of the next word (b->into) is said at v; k: by that key, or NULL. */
int lab_mark(struct lab_build *b, const struct lab_key *k, const struct toml *v, const char *text);
/* The same of a word that is there already. */
int lab_mark_at(struct lab_build *b, struct lab_unit *u, unsigned word, const struct toml *v,
                const char *text);

/* ---- lab_device.c: what domains serve ---- */

/* The domain's next word makes one. path is kept, and somebody else's. */
int lab_device_add(struct lab_build *b, const struct lab_key *key, const struct toml *t,
                   const char *path);
/* domain = "DOMAIN/DEVICE": the first word, 1; or an error. */
int lab_device_use(struct lab_build *b, const struct lab_key *key, const struct toml *t,
                   unsigned number, FILE *out);
int lab_devices_check(struct lab_build *b); /* all machines are made */

/* ---- lab_plug.c: where a disk's or card's other end is, in the lab ---- */

/* network = "…", domain = "…/…", a domain's own switch: the first word. 1: it was there; 0; or an
 * error. */
int lab_plug(struct lab_build *b, const struct lab_key *key, const struct toml *t, unsigned number,
             FILE *out);

/* "64M" or a number of MiB. */
int lab_size(struct lab_build *b, const struct toml *v, uint64_t *bytes);

#endif
