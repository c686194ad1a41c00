/*
 * viaduct domain --rng, --console, --input: the same device files as inside a machine (vrng.c,
 * vcon*.c, vinput*.c) behind the same transport as the domain's disks and cards.
 */
#include "cli/domain_small.h"
#include "back/chr.h"
#include "bus/dev.h"
#include "core/error.h"
#include "core/log.h"
#include "vhost/back.h"
#include "virtio/vcon.h"
#include "virtio/vinput.h"
#include "virtio/virtio.h"
#include "virtio/vrng.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* As for disks; and VIRTIO 1.2, 5.3.3: SIZE and MULTIPORT, which go over the configuration. */
#define NOT_OURS (VIRTIO_BIT(VIRTIO_F_RING_RESET) | VIRTIO_BIT(VIRTIO_F_NOTIFICATION_DATA))
#define CON_REST 3ull

static const struct small_kind {
    const char *name, *value;
    unsigned queues;
    uint64_t withheld;
    bool config;
} kinds[DOMAIN_SMALL_KINDS] = {
    [DOMAIN_RNG] = {"rng", DOMAIN_RNG_VALUE, 1, NOT_OURS, false},
    [DOMAIN_CONSOLE] = {"console", DOMAIN_CONSOLE_VALUE, 2, NOT_OURS | CON_REST, false},
    [DOMAIN_INPUT] = {"input", DOMAIN_INPUT_VALUE, 2, NOT_OURS, true},
};

/* ---- words ---- */

static bool input_word(struct domain_small *s, const char *w)
{
    if (!strcmp(w, "keyboard"))
        s->input = &vinput_keyboard;
    else if (!strcmp(w, "tablet"))
        s->input = &vinput_tablet;
    else if (!strncmp(w, "from=", 5) && w[5])
        s->from = w + 5;
    else
        return false;
    return true;
}

static bool small_word(struct domain_small *s, const char *w)
{
    if (!strncmp(w, "socket=", 7) && w[7])
        s->socket = w + 7;
    else if (!strcmp(w, "packed"))
        s->packed = true;
    else if (s->kind == DOMAIN_INPUT)
        return input_word(s, w);
    else if (s->kind == DOMAIN_CONSOLE && !s->spec)
        s->spec = w; /* chr_open judges it */
    else
        return false;
    return true;
}

int domain_small_take(struct domain_smalls *all, enum domain_small_kind kind, const char *value,
                      struct error *err)
{
    const struct small_kind *k = &kinds[kind];
    struct domain_small *s = &all->small[all->smalls];
    char *save = NULL;

    if (all->smalls == DOMAIN_SMALLS_MAX)
        return error_set(err, -EINVAL, "a domain serves at most %d of these", DOMAIN_SMALLS_MAX);
    if (strlen(value) >= sizeof(s->text))
        return error_set(err, -EINVAL, "--%s: too long", k->name);
    all->smalls++;
    s->kind = kind;
    snprintf(s->name, sizeof(s->name), "%s%u", k->name, all->of_kind[kind]++);
    snprintf(s->text, sizeof(s->text), "%s", value);
    for (char *w = strtok_r(s->text, ",", &save); w; w = strtok_r(NULL, ",", &save))
        if (!small_word(s, w))
            return error_set(err, -EINVAL, "--%s: \"%s\" is none of %s", k->name, w, k->value);
    if (!s->socket || (kind == DOMAIN_CONSOLE && !s->spec) ||
        (kind == DOMAIN_INPUT && (!s->input || !s->from)))
        return error_set(err, -EINVAL, "--%s %s: something is missing: %s", k->name, value,
                         k->value);
    return 0;
}

/* ---- devices ---- */

/* The host's own generator; it gives all of 256 bytes or less at once. */
static int entropy(void *buf, size_t len)
{
    return getrandom(buf, len, 0) == (ssize_t)len ? 0 : -EIO;
}

static int console_create(struct domain_small *s, const struct dev_env *env, struct error *err)
{
    struct chr_open_opts chr = {.spec = s->spec, .option = "--console"};
    struct vcon_opts o = {.packed = s->packed};
    int code = chr_open(&s->chr, &chr, env->loop, err);

    o.console = s->chr;
    return code ? code : vcon_create(&s->vcon, env, &o);
}

static int input_create(struct domain_small *s, const struct dev_env *env, struct error *err)
{
    struct vinput_opts o = {.kind = s->input, .serial = s->name, .packed = s->packed};
    int code = vinput_create(&s->vinput, env, &o);

    return code ? code : domain_input_open(&s->events, s->from, s->vinput, env->loop, err);
}

static int device_create(struct domain_small *s, const struct dev_env *env, struct error *err)
{
    switch (s->kind) {
    case DOMAIN_RNG: return vrng_create(&s->vrng, env, entropy, 0, s->packed);
    case DOMAIN_CONSOLE: return console_create(s, env, err);
    default: return input_create(s, env, err);
    }
}

static int small_open(struct domain_small *s, struct loop *loop, struct ledger *ledger,
                      struct error *err)
{
    const struct small_kind *k = &kinds[s->kind];
    struct vhost_back_opts back = {.name = s->name,
                                   .path = s->socket,
                                   .queues = k->queues,
                                   .withheld = k->withheld,
                                   .config = k->config};
    struct dev_env env = {.name = s->name, .loop = loop, .ledger = ledger};
    int code = vhost_back_open(&s->back, &back, loop, ledger, err);

    if (code)
        return code;
    *err->text = 0;
    env.bearer = vhost_back_bearer(s->back);
    code = device_create(s, &env, err);
    if (!code)
        code = vhost_back_start(s->back);
    if (code && !*err->text)
        error_set(err, code, "%s: %s", s->name, strerror(-code));
    return code;
}

int domain_smalls_open(struct domain_smalls *all, struct loop *loop, struct ledger *ledger,
                       struct error *err)
{
    int code = 0;

    for (unsigned i = 0; i < all->smalls && !code; i++) {
        code = small_open(&all->small[i], loop, ledger, err);
        if (!code)
            log_info("domain: %s is at %s", all->small[i].name, all->small[i].socket);
    }
    return code;
}

static void small_close(struct domain_small *s)
{
    domain_input_close(s->events);
    if (s->back)
        vhost_back_stop(s->back);
    if (s->vrng)
        vrng_class.destroy(s->vrng);
    if (s->vcon)
        vcon_class.destroy(s->vcon);
    if (s->vinput)
        vinput_class.destroy(s->vinput);
    vhost_back_close(s->back);
    if (s->chr)
        chr_close(s->chr);
}

void domain_smalls_close(struct domain_smalls *all)
{
    for (unsigned i = 0; i < all->smalls; i++)
        small_close(&all->small[i]);
}
