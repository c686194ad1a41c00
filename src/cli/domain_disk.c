/* viaduct domain --disk FILE,socket=PATH[,…]: one disk from its words. */
#include "cli/domain.h"
#include "core/error.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SERIAL_MAX = 20 };

static int disk_word(struct domain_disk *d, const char *w, struct error *err)
{
    int code = disk_policy_word(&d->policy, w, err);

    if (!code)
        code = disk_weight_word(&d->policy, w, err);
    if (code)
        return code < 0 ? code : 0;
    if (!strncmp(w, "socket=", 7) && w[7])
        d->socket = w + 7;
    else if (!strncmp(w, "serial=", 7) && w[7] && strlen(w + 7) <= SERIAL_MAX)
        d->serial = w + 7;
    else if (!strncmp(w, "queues=", 7) && w[7] >= '1' && w[7] <= '8' && !w[8])
        d->queues = (unsigned)(w[7] - '0');
    else if (!strcmp(w, "readonly"))
        d->readonly = true;
    else if (!strcmp(w, "packed"))
        d->packed = true;
    else if (!strcmp(w, "in-order"))
        d->in_order = true;
    else
        return error_set(
            err, -EINVAL,
            "--disk: \"%s\" is none of socket=PATH, readonly, direct, extent=…, iops=…, bps=…, "
            "burst=…, weight=…, queues=1…8, packed, in-order, serial=… (up to %d "
            "characters)",
            w, SERIAL_MAX);
    return 0;
}

int domain_disk_take(struct domain_disk *d, const char *value, struct error *err)
{
    char *save = NULL;
    int code = 0;

    if (strlen(value) >= sizeof(d->text))
        return error_set(err, -EINVAL, "--disk: the name is too long");
    snprintf(d->text, sizeof(d->text), "%s", value);
    d->queues = 1;
    d->file = *value == ',' ? NULL : strtok_r(d->text, ",", &save);
    if (!d->file)
        return error_set(err, -EINVAL, "--disk: names no file");
    for (char *w = strtok_r(NULL, ",", &save); w && !code; w = strtok_r(NULL, ",", &save))
        code = disk_word(d, w, err);
    if (!code && !d->socket)
        return error_set(err, -EINVAL, "--disk %s: at which socket? %s,socket=PATH", d->file,
                         d->file);
    return code;
}
