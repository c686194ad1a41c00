/*
 * What a disk or a card is plugged into inside the lab: a network's switch, a domain's device. A
 * card about which the file says more than the network's name, how fast it may be, which VLAN it is
 * in, gets a port of its own on the switch, with those rules.
 */
#include "cli/lab_build.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- a network ---- */

static bool has_rules(const struct lab_key *keys, const struct toml *t)
{
    for (; keys->name; keys++)
        if (keys->does == KEY_PORT && toml_get(t, keys->name))
            return true;
    return false;
}

/* The words of a port's rules. */
static int rules(struct lab_build *b, const struct lab_key *keys, const struct toml *t,
                 unsigned number, FILE *out)
{
    const struct toml *lock = toml_get(t, "lock");
    char mac[32];
    int code = 0;

    lab_mac(b, t, number, mac, sizeof(mac));
    if (lock && lock->flag)
        fprintf(out, ",mac=%s", mac);
    for (const struct lab_key *k = keys; k->name && !code; k++) {
        const struct toml *v = k->does == KEY_PORT && k->option ? toml_get(t, k->name) : NULL;

        if (v)
            code = lab_words_of(b, k, v, out);
    }
    return code;
}

/* "--port=socket=PATH,RULES" for the switch. */
static int port_add(struct lab_build *b, struct lab_unit *net, char *word, char *path)
{
    struct lab_unit *vm = b->unit;
    int code;

    b->unit = net;
    code = lab_arg(b, word);
    if (!code)
        code = lab_socket_add(b, net, path);
    else
        free(path);
    b->unit = vm;
    return code;
}

/* A port of its own: RUN/NETWORK.MACHINE-NUMBER.sock. *at: where that is. */
static int port_make(struct lab_build *b, const struct lab_key *keys, const struct toml *t,
                     unsigned number, char **at)
{
    const char *name = toml_get(t, "network")->text;
    struct lab_unit *net = lab_unit_find(b, LAB_NETWORK, name);
    char *word = NULL, what[LAB_NAME + 32];
    size_t size = 0;
    FILE *out = net ? open_memstream(&word, &size) : NULL;
    int code;

    snprintf(what, sizeof(what), "%s-%u." LAB_SOCKET, b->unit->name, number);
    *at = lab_path(b->lab->run, name, what);
    if (!out || !*at) {
        if (out)
            fclose(out);
        free(word);
        free(*at);
        return lab_nomem(b);
    }
    fprintf(out, "--port=socket=%s,name=%s-%u", *at, b->unit->name, number);
    code = rules(b, keys, t, number, out);
    if (fclose(out) || code) {
        free(word);
        free(*at);
        return code ? code : lab_nomem(b);
    }
    return port_add(b, net, word, *at);
}

static int network(struct lab_build *b, const struct lab_key *key, const struct toml *t,
                   unsigned number, FILE *out)
{
    char *path = lab_network_socket(b, toml_get(t, "network")), *own;
    int code;

    if (!path)
        return -EINVAL;
    if (!has_rules(key->sub, t)) {
        fprintf(out, "switch=%s", path);
        free(path);
        return 1;
    }
    free(path);
    code = port_make(b, key->sub, t, number, &own);
    if (!code)
        fprintf(out, "switch=%s", own); /* the network's unit has it */
    return code ? code : 1;
}

/* ---- a domain ---- */

/* "DOMAIN/DEVICE": one of the sockets that the domain will listen at. */
static int device(struct lab_build *b, const struct toml *v, FILE *out)
{
    char name[LAB_NAME + 1], what[LAB_NAME + 16], *path = NULL;
    const char *slash = strchr(v->text, '/');
    struct lab_unit *u = NULL;
    char **s;

    if (slash && slash - v->text <= (ptrdiff_t)LAB_NAME && lab_name_good(slash + 1)) {
        snprintf(name, sizeof(name), "%.*s", (int)(slash - v->text), v->text);
        snprintf(what, sizeof(what), "%.32s." LAB_SOCKET, slash + 1);
        u = lab_unit_find(b, LAB_DOMAIN, name);
        path = u ? lab_path(b->lab->run, name, what) : NULL;
    }
    for (s = u ? u->socket : NULL; s && path && *s && strcmp(*s, path);)
        s++;
    if (!s || !path || !*s) {
        free(path);
        return toml_error(b->err, b->file, toml_at(v),
                          "found \"%.70s\", expected \"DOMAIN/DEVICE\" of a [domain.DOMAIN] with "
                          "a disk or net of name = \"DEVICE\"",
                          v->text);
    }
    fprintf(out, "vhost-user=%s", path);
    free(path);
    return 1;
}

int lab_plug(struct lab_build *b, const struct lab_key *key, const struct toml *t, unsigned number,
             FILE *out)
{
    const struct toml *net = toml_get(t, "network"), *domain = toml_get(t, "domain");

    if (net && domain)
        return toml_error(b->err, b->file, toml_key_at(domain),
                          "found 'domain' besides another, expected one of %s", key->help);
    if (!net && has_rules(key->sub, t))
        return toml_error(b->err, b->file, toml_at(t),
                          "found rules for a port, expected network = \"…\" beside them");
    if (net)
        return network(b, key, t, number, out);
    return domain ? device(b, domain, out) : 0;
}
