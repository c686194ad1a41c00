/* Shared by engine/script*.c: the player's state. */
#ifndef ENGINE_SCRIPT_IMPL_H
#define ENGINE_SCRIPT_IMPL_H

#include "core/ledger.h"
#include "core/state.h"
#include "engine/script.h"

#define SCRIPT_WORDS_MAX 600 /* words of a line: a sector of hex bytes fits */
#define SCRIPT_VARS_MAX  64
#define SCRIPT_NAME_MAX  32

struct script_var {
    char name[SCRIPT_NAME_MAX];
    uint64_t value;
};

struct script_mark { /* a row's counters when `ledger mark` was said */
    const struct ledger_row *row;
    struct ledger_row was;
};

struct script {
    struct script_world *world;
    const char *name;
    char **line; /* the text, cut at line ends */
    unsigned lines, at;
    unsigned depth; /* of repeat */
    unsigned vcpu;
    struct script_var var[SCRIPT_VARS_MAX];
    unsigned vars;
    struct script_mark *mark;
    unsigned marks;
    uint8_t *saved; /* by `state save` */
    size_t saved_len;
};

/* engine/script_words.c */
int script_split(char *line, char **word, int max, struct error *err); /* words, or -EINVAL */
int script_let(struct script *s, const char *name, uint64_t value, struct error *err);

/* engine/script_verbs.c: -ENOENT if no such verb */
int script_verb(struct script *s, int argc, char **argv, struct error *err);
/* engine/script_state.c: the verbs state, reset, ledger */
int script_state(struct script *s, int argc, char **argv, struct error *err);
int script_reset(struct script *s, int argc, char **argv, struct error *err);
int script_ledger(struct script *s, int argc, char **argv, struct error *err);

#endif
