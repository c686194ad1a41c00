/*
 * What a disk or a card is plugged into inside the lab: a network's switch, a domain's device. A
 * card about which the file says more than the network's name, how fast it may be, which VLAN it is
 * in, gets a port of its own on the switch, with those rules. A domain's own card may be on a
 * switch inside the domain, where each has a port of its own.
 */
#include "cli/lab_build.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PORT_NAME 23u /* characters of one: sw_policy.h */

/* ---- a network ---- */

static bool has_rules(const struct lab_key *keys, const struct toml *t)
{
    for (; keys->name; keys++)
        if (keys->does == KEY_PORT && toml_get(t, keys->name))
            return true;
    return false;
}

/* mac= of this very card. */
static int lock(struct lab_build *b, const struct toml *t, unsigned number, FILE *out)
{
    const struct toml *l = toml_get(t, "lock"), *mac = toml_get(t, "mac");
    char text[40] = ",mac=";

    if (!l || !l->flag)
        return 0;
    lab_mac(b, t, number, text + 5, sizeof(text) - 5);
    fputs(text, out);
    return lab_mark(b, NULL, mac ? mac : l, text);
}

/* A domain's card has no address: it is the machine's (lab_device.c), or said here. */
static int lock_alone(struct lab_build *b, const struct toml *t)
{
    const struct toml *l = toml_get(t, "lock");

    return l && l->flag && toml_get(t, "mac")
               ? toml_error(b->err, b->file, toml_key_at(l),
                            "found 'lock' besides 'mac', expected one of them")
               : 0;
}

/* The words of a port's rules. */
static int rules(struct lab_build *b, const struct lab_key *keys, const struct toml *t,
                 unsigned number, FILE *out)
{
    int code = b->unit->kind == LAB_VM ? lock(b, t, number, out) : lock_alone(b, t);

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
    b->into = b->port = net;
    code = lab_mark(b, NULL, t, "");
    if (!code)
        code = rules(b, keys, t, number, out);
    b->into = NULL;
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

/* ---- a switch inside the domain ---- */

static bool is_named(const struct toml *t, const char *name)
{
    const struct toml *n = t->kind == TOML_TABLE ? toml_get(t, "name") : t;

    return n && n->kind == TOML_STRING && strlen(name) == strcspn(n->text, ",") &&
           !strncmp(n->text, name, strlen(name));
}

/* switch = "lan", or {name = "lan", …}, or a list of either. */
static bool has_switch(const struct toml *domain, const char *name)
{
    const struct toml *all = toml_get(domain, "switch");

    if (!all || all->kind != TOML_ARRAY)
        return all && is_named(all, name);
    for (const struct toml *t = all->first; t; t = t->next)
        if (is_named(t, name))
            return true;
    return false;
}

/* A card's port = "lan", a port's switch = "lan". */
static int on_switch(struct lab_build *b, const struct toml *name, const char *before, FILE *out)
{
    char text[80];

    if (!has_switch(b->table, name->text))
        return toml_error(b->err, b->file, toml_at(name),
                          "found \"%.60s\", expected the name of a switch of this domain: it has "
                          "no switch = \"%.60s\"",
                          name->text, name->text);
    snprintf(text, sizeof(text), "%s%.60s", before, name->text);
    fputs(text, out);
    return lab_mark(b, NULL, name, text);
}

static int card(struct lab_build *b, const struct lab_key *key, const struct toml *t, FILE *out)
{
    const struct toml *name = toml_get(t, "name");
    int code = on_switch(b, toml_get(t, "port"), "port=", out);

    if (!code && name && strlen(name->text) <= PORT_NAME)
        fprintf(out, ",name=%s", name->text);
    if (!code)
        code = rules(b, key->sub, t, 0, out);
    return code ? code : 1;
}

/* What a domain's port is the end of: one thing. */
static int cable_check(struct lab_build *b, const struct toml *t)
{
    static const char *const all[] = {"tap", "user", "socket", "network"};
    unsigned found = 0;

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        const struct toml *v = toml_get(t, all[i]);

        if (v && !(v->kind == TOML_BOOL && !v->flag) && found++)
            return toml_error(b->err, b->file, toml_key_at(v),
                              "found '%s' besides another, expected one of tap, user, socket or "
                              "network",
                              all[i]);
    }
    return found ? 0
                 : toml_error(b->err, b->file, toml_at(t),
                              "found a port of a switch alone, expected tap, user, socket or "
                              "network too");
}

/* A domain's [[port]]: its switch, and perhaps a network of the lab's. */
static int port(struct lab_build *b, const struct lab_key *key, const struct toml *t, FILE *out)
{
    const struct toml *sw = toml_get(t, "switch"), *net = toml_get(t, "network");
    char *path;
    int code = sw ? on_switch(b, sw, "", out)
                  : toml_error(b->err, b->file, toml_at(t),
                               "found a %s of nothing, expected %s = \"…\"", key->name, key->help);

    if (!code)
        code = cable_check(b, t);
    if (!code && net) {
        path = lab_network_socket(b, net);
        if (!path)
            return -EINVAL;
        fprintf(out, ",switch=%s", path);
        free(path);
    }
    return code ? code : 1;
}

/* ---- any of them ---- */

static int one_of(struct lab_build *b, const struct lab_key *key, const struct toml *t)
{
    static const char *const all[] = {"network", "domain", "port"};
    unsigned found = 0;

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        const struct toml *v = toml_get(t, all[i]);

        if (v && found++)
            return toml_error(b->err, b->file, toml_key_at(v),
                              "found '%s' besides another, expected one of %s", all[i], key->help);
    }
    return 0;
}

int lab_plug(struct lab_build *b, const struct lab_key *key, const struct toml *t, unsigned number,
             FILE *out)
{
    const struct toml *net = toml_get(t, "network"), *on = toml_get(t, "port");
    int code = one_of(b, key, t);

    if (code)
        return code;
    if (b->unit->kind == LAB_DOMAIN && !strcmp(key->option, "--port"))
        return port(b, key, t, out);
    if (!net && !on && has_rules(key->sub, t))
        return toml_error(b->err, b->file, toml_at(t),
                          "found rules for a port, expected %s = \"…\" beside them",
                          b->unit->kind == LAB_DOMAIN ? "port" : "network");
    if (net)
        return network(b, key, t, number, out);
    if (on)
        return card(b, key, t, out);
    return toml_get(t, "domain") ? lab_device_use(b, key, t, number, out) : 0;
}
