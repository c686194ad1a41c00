/* viaduct replay: the device models alone against a recording (docs/record.md). */
#include "vm/replay.h"
#include "cli/cli.h"
#include "core/log.h"
#include <errno.h>
#include <stdio.h>

static int take_edited(void *ctx, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    ((struct replay *)ctx)->edited = true;
    return 0;
}

static int take_file(void *ctx, const char *word, struct error *err)
{
    struct replay *p = ctx;

    if (p->path)
        return error_set(err, -EINVAL, "replay: one file at a time");
    p->path = word;
    return 0;
}

static const struct opt options[] = {
    {"edited", NULL, "play it although its checksum is wrong or missing", take_edited},
    {0},
};

static int replay_verb(int argc, char **argv)
{
    struct replay p = {0};
    struct error err = {0};
    bool help = false;
    int code = opt_parse(options, argc, argv, &p, take_file, &help, &err);

    if (help) {
        opt_help(&verb_replay, options);
        return EXIT_OFF;
    }
    if (!code && !p.path)
        code = error_set(&err, -EINVAL, "replay: names no file; see viaduct run --record");
    if (!code)
        code = replay_run(&p, &err);
    if (code)
        log_error("%s", err.text);
    else
        printf("%s: %llu events, no difference\n", p.path, (unsigned long long)p.events);
    return !code ? EXIT_OFF : code == -EPROTO ? EXIT_DIFFERS : EXIT_USAGE;
}

const struct verb verb_replay = {"replay", "FILE", "play a recording against the devices alone",
                                 replay_verb};
