/*
 * Engine `script`: plays a text file of accesses against a world of devices, through the very trap
 * function that the other engines call, and checks what comes back. The language: docs/script.md.
 */
#ifndef ENGINE_SCRIPT_H
#define ENGINE_SCRIPT_H

#include "core/trap.h"

struct script;
struct ram;
struct loop;
struct ledger;
struct state;
struct error;

struct script_world { /* what a script acts on; members it doesn't need may be NULL */
    void (*trap)(void *trap_ctx, unsigned vcpu, struct trap *t);
    void *trap_ctx;
    struct ram *ram;
    struct loop *loop; /* opened with manual=true */
    const struct ledger *ledger;
    void *ctx;                                  /* of what follows */
    void (*state)(void *ctx, struct state *st); /* walks all devices */
    void (*reset)(void *ctx);                   /* all devices */
    /* Verbs of the world's own (devices, lines, disks …): 0, or -ENOENT for a word it doesn't know,
     * or another -errno with err filled. argv[0] is the verb; argv[argc] is NULL. */
    int (*verb)(void *ctx, struct script *s, int argc, char **argv, struct error *err);
};

/* 0, or -errno and err says file:line, what was expected and what came. */
int script_play(const char *path, struct script_world *w, struct error *err);
/* The same for a text in memory; name stands for the file in messages. */
int script_play_text(const char *name, const char *text, struct script_world *w, struct error *err);

/* For verbs of the world: what scripts write, the same everywhere. -EINVAL fills err. */
int script_number(struct script *s, const char *word, uint64_t *v, struct error *err);
/* VALUE or VALUE/MASK; in a failed comparison err says what was expected and what came. */
int script_expect(struct script *s, const char *word, uint64_t got, struct error *err);
/* Byte words (docs/script.md) into memory to be freed by the caller. */
int script_bytes(struct script *s, int argc, char **argv, uint8_t **buf, size_t *len,
                 struct error *err);
int script_same(const uint8_t *got, const uint8_t *want, size_t len, struct error *err);

#endif
