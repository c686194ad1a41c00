/* viaduct run --record FILE[,dev=NAME+NAME…][,limit=SIZE]: docs/record.md. */
#include "cli/record.h"
#include "cli/cli.h"
#include "core/error.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

int record_parse(struct record_opt *r, const char *value, struct error *err)
{
    char *save = NULL;

    if (strlen(value) >= sizeof(r->spec))
        return error_set(err, -EINVAL, "--record: the name is too long");
    snprintf(r->spec, sizeof(r->spec), "%s", value);
    r->opts.path = *value == ',' ? NULL : strtok_r(r->spec, ",", &save);
    if (!r->opts.path)
        return error_set(err, -EINVAL, "--record: names no file");
    for (char *w = strtok_r(NULL, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
        if (!strncmp(w, "dev=", 4) && w[4])
            r->devs = w + 4;
        else if (strncmp(w, "limit=", 6) || opt_size(w + 6, &r->opts.limit) ||
                 r->opts.limit > REC_LIMIT)
            return error_set(err, -EINVAL,
                             "--record: \"%s\" is none of dev=NAME+NAME…, limit=SIZE (up to 1G)",
                             w);
    }
    return 0;
}
