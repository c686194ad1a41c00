/* viaduct run --check virtio (docs/virtio-check.md), --evil (docs/virtio-evil.md) and --offer
 * (docs/virtio.md). */
#include "cli/watch.h"
#include "cli/cli.h"
#include "core/error.h"
#include "core/log.h"
#include "virtio/virtio.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int watch_check_parse(struct vwatch *w, const char *value, struct error *err)
{
    if (strcmp(value, "virtio"))
        return error_set(err, -EINVAL, "--check %s: must be virtio", value);
    w->check = true;
    return 0;
}

int watch_offer_parse(struct vwatch *w, const char *value, struct error *err)
{
    char list[64], *save = NULL;

    snprintf(list, sizeof(list), "%s", value);
    for (char *s = strtok_r(list, "+", &save); s; s = strtok_r(NULL, "+", &save)) {
        if (!strcmp(s, "in-order"))
            w->offer |= VIRTIO_BIT(VIRTIO_F_IN_ORDER);
        else if (!strcmp(s, "notification-data"))
            w->offer |= VIRTIO_BIT(VIRTIO_F_NOTIFICATION_DATA);
        else
            return error_set(err, -EINVAL,
                             "--offer %s: must be in-order, notification-data, or "
                             "both joined by +",
                             s);
    }
    return w->offer ? 0 : error_set(err, -EINVAL, "--offer: names no feature");
}

static int kinds_parse(char *list, uint32_t *kinds, struct error *err)
{
    char *save = NULL;

    for (char *w = strtok_r(list, "+", &save); w; w = strtok_r(NULL, "+", &save)) {
        unsigned k = 0;

        while (vevil_name(k) && strcmp(vevil_name(k), w))
            k++;
        if (!vevil_name(k))
            return error_set(err, -EINVAL,
                             "--evil: kind=%s is none of those in docs/virtio-evil.md", w);
        *kinds |= 1u << k;
    }
    return 0;
}

static int number(const char *s, uint64_t most, uint64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoull(s, &end, 0);
    return *s < '0' || *s > '9' || *end || errno || *out > most ? -EINVAL : 0;
}

static int evil_word(struct watch_evil *e, char *w, bool *seeded, struct error *err)
{
    uint64_t n;

    if (!strncmp(w, "seed=", 5) && !number(w + 5, UINT64_MAX, &e->opts.seed)) {
        *seeded = true;
        return 0;
    }
    if (!strncmp(w, "rate=", 5) && !number(w + 5, 1000000000, &n) && n) {
        e->opts.rate = (uint32_t)n;
        return 0;
    }
    if (!strncmp(w, "device=", 7) && w[7]) {
        e->opts.device = w + 7;
        return 0;
    }
    if (!strncmp(w, "kind=", 5) && w[5])
        return kinds_parse(w + 5, &e->opts.kinds, err);
    return error_set(err, -EINVAL,
                     "--evil: \"%s\" is none of seed=N, rate=N (one chance in N), device=NAME, "
                     "kind=NAME+NAME…",
                     w);
}

int watch_evil_parse(struct watch_evil *e, const char *value, struct error *err)
{
    char *save = NULL;
    bool seeded = false;

    if (strlen(value) >= sizeof(e->spec))
        return error_set(err, -EINVAL, "--evil: too long");
    snprintf(e->spec, sizeof(e->spec), "%s", value);
    for (char *w = strtok_r(e->spec, ",", &save); w; w = strtok_r(NULL, ",", &save))
        if (evil_word(e, w, &seeded, err))
            return -EINVAL;
    return seeded ? 0 : error_set(err, -EINVAL, "--evil: name a seed, as in --evil seed=1");
}

int watch_fits(const struct vwatch *w, bool recorded, struct error *err)
{
    const char *name = w->evil ? w->evil->device : NULL;

    if (recorded && (w->evil || w->offer))
        return error_set(err, -EINVAL, "--record: not together with --evil or --offer");
    if (!w->evil || w->evils)
        return 0;
    return error_set(err, -EINVAL, "--evil: there is no virtio device%s%s", name ? " " : "",
                     name ? name : "");
}

/* What viaduct could not do, and how a guest used the exit port, stay what they were. */
int watch_status(const struct vwatch *w, int status)
{
    if (!w->broken)
        return status;
    log_info("check: rules of VIRTIO 1.2 were broken %llu times", (unsigned long long)w->broken);
    return status == EXIT_VMM || status & 1 ? status : EXIT_BROKEN;
}
