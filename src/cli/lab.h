/*
 * A lab: many machines as one (docs/lab.md). A file describes networks, domains and machines; each
 * is a process of this very binary. This header has the plan, what the file says; lab_boss.h has
 * who runs it.
 */
#ifndef CLI_LAB_H
#define CLI_LAB_H

#include "core/types.h"
#include <limits.h>
#include <stdio.h>

struct error;
struct toml;

#define LAB_NAME  32u  /* characters of a name */
#define LAB_UNITS 256u /* processes of a lab */
#define LAB_RUN   128u /* room for a run directory's path */
#define LAB_ARGS  256u /* words of a command */

/* In the order of starting. */
enum lab_kind { LAB_NETWORK, LAB_DOMAIN, LAB_VM, LAB_SEAT, LAB_KINDS };

struct lab_mark { /* a text in a word of a command, and where the file says it */
    unsigned word, line, column;
    char *text; /* ",iops=5" of a list of words, else the value; "": the word as a whole */
    bool there; /* a path at which something is to be */
};

struct lab_unit { /* one process */
    enum lab_kind kind;
    char name[LAB_NAME + 1];
    char **argv; /* "viaduct", "run", …; ends with NULL */
    unsigned argc;
    struct lab_mark *mark; /* of argv; of who was there before the supervisor: none */
    unsigned marks;
    unsigned line, column; /* of its table in the file */
    char **socket;         /* which listen when it is up; ends with NULL */
    char *ready;           /* what a machine's console says when it is of use; NULL: not known */
    bool restart;          /* when it fails */
    bool button;           /* stop: the power button first */
    unsigned stop_s;       /* how long it may take over that */
};

struct lab_image { /* a disk that is made if it isn't there */
    char *path;
    uint64_t bytes;
};

struct lab {
    char name[LAB_NAME + 1];
    char *file;                      /* the absolute path */
    char *dir;                       /* its directory: what relative paths start from */
    char *run;                       /* the run directory */
    struct lab_unit unit[LAB_UNITS]; /* in the order of starting */
    unsigned units;
    struct lab_image *image;
    unsigned images;
};

/* ---- lab_file.c ---- */

/* Reads the file; 0, or -errno with err filled: "FILE:LINE:COLUMN: …". */
int lab_open(struct lab **out, const char *path, struct error *err);
/* The same of a text; fuzzers and tests. file: its path, which need not be there. */
int lab_read(struct lab **out, const char *file, const char *text, size_t len, struct error *err);
void lab_close(struct lab *l);          /* NULL is fine */
void lab_unit_free(struct lab_unit *u); /* what it points to */

/* ---- lab_mark.c ---- */

/* What a message about a command is about; NULL: nothing that the file says. */
const struct lab_mark *lab_mark_meant(const struct lab_unit *u, const char *message);
const char *lab_mark_text(const struct lab_mark *m); /* as the message has it: without the comma */

/* ---- lab_dir.c ---- */

/* 1 to LAB_NAME letters, digits, - and _. */
bool lab_name_good(const char *name);
const char *lab_kind_name(enum lab_kind kind); /* "vm" */
/* Where the run directories of all labs are; 0 or -errno with err filled. */
int lab_base(char *buf, size_t room, struct error *err);
int lab_run_dir(char *buf, size_t room, const char *name, struct error *err);
/* Made for this user alone (0700), or it is so already. */
int lab_dir_make(const char *path, struct error *err);
/* RUN/NAME.WHAT in memory of its own; NULL: none left. */
char *lab_path(const char *run, const char *name, const char *what);

#define LAB_CTL     "ctl"     /* control socket of a machine, domain, network */
#define LAB_CONSOLE "console" /* socket of its console */
#define LAB_SIT     "seat"    /* of a seat: viaduct seat switch, list */
#define LAB_METRICS "metrics" /* socket for scrapers */
#define LAB_LOG     "log"     /* what its console said */
#define LAB_ERR     "err"     /* what viaduct says of it */
#define LAB_SOCKET  "sock"    /* of a network; a domain's are NAME.DEVICE.sock */

#endif
