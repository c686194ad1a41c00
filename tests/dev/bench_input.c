/* Verbs of the bench for keyboard and mouse: what the user does and sees. */
#include "bench.h"
#include "dev/i8042.h"
#include "dev/ps2_keys.h"
#include "dev/ps2mouse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* key NAME down | up | tap */
static int verb_key(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    unsigned key = ps2_key_find(argv[1], strlen(argv[1]));
    bool tap = argc == 3 && !strcmp(argv[2], "tap");

    (void)s;
    if (key == PS2_KEY_NONE)
        return error_set(err, -EINVAL, "%s: no such key", argv[1]);
    if (argc != 3 || (!tap && strcmp(argv[2], "down") && strcmp(argv[2], "up")))
        return error_set(err, -EINVAL, "key NAME down | up | tap");
    i8042_key(b->kbd, key, tap || !strcmp(argv[2], "down"));
    if (tap)
        i8042_key(b->kbd, key, false);
    return 0;
}

static int signed_number(struct script *s, const char *word, int *v, struct error *err)
{
    uint64_t n;
    int e = script_number(s, word + (*word == '-'), &n, err);

    *v = *word == '-' ? -(int)n : (int)n;
    return e;
}

/* move DX DY [WHEEL]: to the right, down, away from the user */
static int verb_move(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    int v[3] = {0}, e = argc > 4 ? error_set(err, -EINVAL, "move DX DY [WHEEL]") : 0;

    for (int i = 1; i < argc && !e; i++)
        e = signed_number(s, argv[i], &v[i - 1], err);
    if (!e)
        i8042_move(b->kbd, v[0], v[1], v[2]);
    return e;
}

/* button MASK down | up */
static int verb_button(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    uint64_t mask = 0;
    int e = script_number(s, argv[1], &mask, err);

    if (!e && (argc != 3 || (strcmp(argv[2], "down") && strcmp(argv[2], "up"))))
        e = error_set(err, -EINVAL, "button MASK down | up");
    if (!e)
        i8042_button(b->kbd, (unsigned)mask, !strcmp(argv[2], "down"));
    return e;
}

static int verb_leds(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    (void)argc;
    return script_expect(s, argv[1], i8042_leds(b->kbd), err);
}

int bench_input_verb(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    static const struct {
        const char *name;
        int (*run)(struct bench *b, struct script *s, int argc, char **argv, struct error *err);
        int min;
    } verb[] = {{"key", verb_key, 3},
                {"move", verb_move, 3},
                {"button", verb_button, 3},
                {"leds", verb_leds, 2}};

    for (size_t i = 0; i < ARRAY_LEN(verb); i++) {
        int e;

        if (strcmp(argv[0], verb[i].name))
            continue;
        if (!b->kbd)
            return error_set(err, -EINVAL, "no keyboard");
        if (argc < verb[i].min)
            return error_set(err, -EINVAL, "%s: words are missing", argv[0]);
        pthread_mutex_lock(&b->lock);
        e = verb[i].run(b, s, argc, argv, err);
        pthread_mutex_unlock(&b->lock);
        return e;
    }
    return -ENOENT;
}
