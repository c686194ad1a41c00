/*
 * viaduct replay: the device models alone against a recording (docs/record.md). A recording may be
 * anybody's: it is read whole, and looked at in a jail (sandbox/rows_client.c) with nothing open
 * but the standard streams.
 */
#include "vm/replay.h"
#include "cli/client_box.h"
#include "core/log.h"
#include "record/record.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct options {
    struct client client;
    struct replay play;
};

static int take_edited(void *ctx, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    ((struct options *)ctx)->play.edited = true;
    return 0;
}

static int take_file(void *ctx, const char *word, struct error *err)
{
    struct replay *p = &((struct options *)ctx)->play;

    if (p->path)
        return error_set(err, -EINVAL, "replay: one file at a time");
    p->path = word;
    return 0;
}

static const struct opt options[] = {
    {"edited", NULL, "play it although its checksum is wrong or missing", take_edited},
    CLIENT_OPTIONS,
    {0},
};

/* All of it, whatever it is: a pipe too. NULL: err says why. */
static char *file_read(const char *path, size_t *len, struct error *err)
{
    FILE *f = fopen(path, "re");
    size_t room = 1u << 16, n = 1;
    char *text = f ? malloc(room) : NULL;

    for (*len = 0; text && n && *len <= REC_LIMIT; *len += n) {
        char *more = *len < room ? text : realloc(text, room *= 2);

        if (!more)
            free(text);
        text = more;
        n = !text ? 0 : fread(text + *len, 1, room - *len, f);
    }
    if (!text || n || ferror(f)) {
        error_set(err, -EIO, "%s: %s", path,
                  n && text ? "larger than a recording may be" : strerror(errno));
        free(text);
        text = NULL;
    }
    if (f)
        fclose(f);
    return text;
}

static int play(struct options *o, struct error *err)
{
    char *text = file_read(o->play.path, &o->play.len, err);
    int code;

    if (!text)
        return -EIO;
    tzset(); /* a clock's devices ask for the time zone, which is a file */
    o->play.text = text;
    code = client_box_enter(&o->client, err);
    if (!code)
        code = replay_run(&o->play, err);
    free(text);
    return code;
}

static int replay_verb(int argc, char **argv)
{
    struct options o = {
        .client = {.role = "replay",
                   .sets = BOX_BIT(BOX_FEW) | BOX_BIT(BOX_TELL) | BOX_BIT(BOX_MAKE)}};
    struct error err = {0};
    bool help = false;
    int code = opt_parse(options, argc, argv, &o, take_file, &help, &err);

    if (help) {
        opt_help(&verb_replay, options);
        return EXIT_OFF;
    }
    if (!code && !o.play.path)
        code = error_set(&err, -EINVAL, "replay: names no file; see viaduct run --record");
    if (!code)
        code = play(&o, &err);
    if (code)
        log_error("%s", err.text);
    else
        printf("%s: %llu events, no difference\n", o.play.path, (unsigned long long)o.play.events);
    return !code ? EXIT_OFF : code == -EPROTO ? EXIT_DIFFERS : EXIT_USAGE;
}

const struct verb verb_replay = {"replay", "FILE", "play a recording against the devices alone",
                                 replay_verb};
