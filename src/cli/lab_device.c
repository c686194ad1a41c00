/*
 * What the lab's domains serve, and which machine has it: a device is one machine's, and a second
 * that came to its socket would wait for ever. A card's port that is locked gets its address when
 * it is known which machine's card that is.
 */
#include "cli/lab_build.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int lab_device_add(struct lab_build *b, const struct lab_key *key, const struct toml *t,
                   const char *path)
{
    struct lab_device *d = reallocarray(b->device, b->devices + 1, sizeof(*d));
    const struct toml *lock = toml_get(t, "lock");

    if (!d)
        return lab_nomem(b);
    b->device = d;
    d += b->devices++;
    *d = (struct lab_device){.path = path, .is_net = !strcmp(key->option, "--net")};
    if (lock && lock->flag) {
        d->lock = lock;
        d->port = b->port ? b->port : b->unit; /* its own word is the next */
        d->word = b->port ? b->port->argc - 1 : b->unit->argc;
    }
    return 0;
}

static struct lab_device *find(struct lab_build *b, const char *path)
{
    for (unsigned i = 0; path && i < b->devices; i++)
        if (!strcmp(b->device[i].path, path))
            return &b->device[i];
    return NULL;
}

/* ",mac=" of the card behind the words of its port. */
static int lock_set(struct lab_build *b, const struct lab_device *d, const char *mac)
{
    char **word = &d->port->argv[d->word], *locked;

    if (asprintf(&locked, "%s,mac=%s", *word, mac) < 0)
        return lab_nomem(b);
    free(*word);
    *word = locked;
    return lab_mark_at(b, d->port, d->word, d->lock, strrchr(locked, ','));
}

static int take(struct lab_build *b, struct lab_device *d, const struct toml *v)
{
    if (d->user)
        return toml_error(b->err, b->file, toml_at(v),
                          "found \"%.70s\" again, expected a device of %s's own: %s has that one, "
                          "since line %u, column %u",
                          v->text, b->unit->name, d->user_name, toml_at(d->user).line,
                          toml_at(d->user).column);
    d->user = v;
    snprintf(d->user_name, sizeof(d->user_name), "%s", b->unit->name);
    return 0;
}

/* RUN/DOMAIN.DEVICE.sock of a domain that is there; NULL: it isn't. */
static char *socket_of(struct lab_build *b, const char *text)
{
    char name[LAB_NAME + 1], what[LAB_NAME + 16];
    const char *slash = strchr(text, '/');

    if (!slash || slash - text > (ptrdiff_t)LAB_NAME || !lab_name_good(slash + 1))
        return NULL;
    snprintf(name, sizeof(name), "%.*s", (int)(slash - text), text);
    snprintf(what, sizeof(what), "%.32s." LAB_SOCKET, slash + 1);
    return lab_unit_find(b, LAB_DOMAIN, name) ? lab_path(b->lab->run, name, what) : NULL;
}

int lab_device_use(struct lab_build *b, const struct lab_key *key, const struct toml *t,
                   unsigned number, FILE *out)
{
    const struct toml *v = toml_get(t, "domain");
    char *text = lab_text(b, v, false), *path = text ? socket_of(b, text) : NULL, mac[32];
    bool is_net = !strcmp(key->option, "--net");
    struct lab_device *d = find(b, path);
    int code;

    free(path);
    if (!d || d->is_net != is_net)
        code = toml_error(b->err, b->file, toml_at(v),
                          "found \"%.70s\", expected \"DOMAIN/DEVICE\" of a [domain.DOMAIN] with "
                          "a %s of name = \"DEVICE\"",
                          text ? text : "", is_net ? "net" : "disk");
    else
        code = take(b, d, v);
    free(text);
    if (!code && d->lock) {
        lab_mac(b, t, number, mac, sizeof(mac));
        code = lock_set(b, d, mac);
    }
    if (!code)
        fprintf(out, "vhost-user=%s", d->path);
    return code ? code : 1;
}

int lab_devices_check(struct lab_build *b)
{
    for (unsigned i = 0; i < b->devices; i++)
        if (b->device[i].lock && !b->device[i].user)
            return toml_error(b->err, b->file, toml_at(b->device[i].lock),
                              "found 'lock' of a card that no machine of the lab has, expected "
                              "mac = \"…\", or a machine with that card");
    return 0;
}
