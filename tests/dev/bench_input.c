/* Verbs of the bench for keyboard and mouse: what the user does and sees. */
#include "bench.h"
#include "dev/i8042.h"
#include "dev/ps2_keys.h"
#include "dev/ps2mouse.h"
#include "virtio/vinput.h"

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
    return script_expect(s, argv[1], b->input ? vinput_leds(b->input) : i8042_leds(b->kbd), err);
}

/* frame [lost] TYPE CODE VALUE …: events of a virtio keyboard or tablet; lost: it has no room */
static int verb_frame(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    struct vinput_event e[VINPUT_FRAME];
    bool lost = !strcmp(argv[1], "lost"), sent;
    unsigned n = 0;

    for (int i = 1 + lost; i < argc; i += 3) {
        uint64_t v[3];

        if (n == VINPUT_FRAME || argc - i < 3)
            return error_set(err, -EINVAL, "frame [lost] TYPE CODE VALUE …");
        for (int k = 0; k < 3; k++) {
            int code = script_number(s, argv[i + k], &v[k], err);

            if (code)
                return code;
        }
        e[n++] = (struct vinput_event){(uint16_t)v[0], (uint16_t)v[1], (uint32_t)v[2]};
    }
    sent = vinput_send(b->input, e, n);
    loop_deferred_run(b->loop);
    return sent != lost ? 0 : error_set(err, -EPROTO, "the frame was %s", sent ? "sent" : "lost");
}

/* room EXPECT; idle 0 | 1 */
static int verb_room(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    (void)argc;
    return script_expect(s, argv[1],
                         *argv[0] == 'i' ? vinput_idle(b->input) : vinput_room(b->input), err);
}

int bench_input_verb(struct bench *b, struct script *s, int argc, char **argv, struct error *err)
{
    const struct {
        const char *name;
        int (*run)(struct bench *b, struct script *s, int argc, char **argv, struct error *err);
        int min;
        bool virtio;
    } verb[] = {{"key", verb_key, 3, false},       {"move", verb_move, 3, false},
                {"button", verb_button, 3, false}, {"leds", verb_leds, 2, b->input},
                {"frame", verb_frame, 4, true},    {"room", verb_room, 2, true},
                {"idle", verb_room, 2, true}};

    for (size_t i = 0; i < ARRAY_LEN(verb); i++) {
        int e;

        if (strcmp(argv[0], verb[i].name))
            continue;
        if (verb[i].virtio ? !b->input : !b->kbd)
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
