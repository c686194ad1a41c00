/* Options as tables: --name VALUE, --name=VALUE, --flag, --flag[=VALUE], --help. */
#include "cli/cli.h"
#include "core/error.h"
#include <ctype.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct opt *opt_find(const struct opt *opts, const char *arg, size_t len)
{
    for (; opts->name; opts++)
        if (strlen(opts->name) == len && !memcmp(opts->name, arg, len))
            return opts;
    return NULL;
}

/* What is said of a word of its value does not always name it. */
static int opt_blame(const struct opt *o, int code, struct error *err)
{
    char lead[40];

    if (!code || !strncmp(err->text, "--", 2))
        return code;
    snprintf(lead, sizeof(lead), "--%s%s", o->name, *err->text ? ": " : "");
    return error_lead(err, code, lead);
}

/* Takes the option at argv[*at], and moves *at over a value that stands in a word of its own. */
static int opt_take(const struct opt *opts, int argc, char **argv, int *at, void *ctx,
                    struct error *err)
{
    const char *arg = argv[*at] + 2, *eq = strchr(arg, '='), *value = eq ? eq + 1 : NULL;
    const struct opt *o = opt_find(opts, arg, eq ? (size_t)(eq - arg) : strlen(arg));

    if (!o)
        return error_set(err, -EINVAL, "%s: no such option; viaduct %s --help lists them",
                         argv[*at], argv[0]);
    if (!o->value && value)
        return error_set(err, -EINVAL, "--%s takes no value", o->name);
    if (o->value && *o->value != '[' && !value) {
        if (*at + 1 >= argc)
            return error_set(err, -EINVAL, "--%s needs a value: --%s %s", o->name, o->name,
                             o->value);
        value = argv[++*at];
    }
    return opt_blame(o, o->take(ctx, value, err), err);
}

int opt_parse(const struct opt *opts, int argc, char **argv, void *ctx,
              int (*word)(void *ctx, const char *word, struct error *err), bool *help,
              struct error *err)
{
    int code = 0;

    *help = false;
    for (int i = 1; i < argc && !code; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            *help = true;
            return 0;
        }
        if (!strncmp(argv[i], "--", 2))
            code = opt_take(opts, argc, argv, &i, ctx, err);
        else if (word && argv[i][0] != '-')
            code = word(ctx, argv[i], err);
        else
            code = error_set(err, -EINVAL, "%s: not an option; viaduct %s --help lists them",
                             argv[i], argv[0]);
    }
    return code;
}

void opt_help(const struct verb *verb, const struct opt *opts)
{
    printf("viaduct %s %s\n    %s\n\n", verb->name, verb->args, verb->summary);
    for (; opts->name; opts++)
        printf("  --%s%s%s\n      %s\n", opts->name, opts->value && *opts->value != '[' ? " " : "",
               opts->value ? opts->value : "", opts->help);
}

int opt_size(const char *s, uint64_t *bytes)
{
    char *end;
    uint64_t n;
    unsigned shift = 20;

    if (!isdigit((unsigned char)*s))
        return -EINVAL;
    errno = 0;
    n = strtoull(s, &end, 10);
    switch (*end) {
    case 'k':
    case 'K': shift = 10; break;
    case 'm':
    case 'M': shift = 20; break;
    case 'g':
    case 'G': shift = 30; break;
    case 't':
    case 'T': shift = 40; break;
    default: break;
    }
    if (errno || (*end && end[1]) || (*end && !strchr("kKmMgGtT", *end)) || n >> (63 - shift))
        return -EINVAL;
    *bytes = n << shift;
    return 0;
}

int opt_output(const char *name, const char *path, struct error *err)
{
    char dir[PATH_MAX];
    const char *why = NULL;
    struct stat st;

    if (snprintf(dir, sizeof(dir), "%s", path) >= (int)sizeof(dir))
        why = strerror(ENAMETOOLONG);
    else if (!stat(path, &st))
        why = S_ISDIR(st.st_mode) ? strerror(EISDIR) : access(path, W_OK) ? strerror(errno) : NULL;
    else if (access(dirname(dir), W_OK | X_OK))
        why = strerror(errno);
    if (why)
        return error_set(err, -EINVAL, "--%s %s: %s; name a file that can be written", name, path,
                         why);
    return 0;
}
