/* viaduct domain --net SPEC,socket=PATH[,…]: one network card from its words. What is none of the
 * card's is the other end's, which judges it (back/net.h); of port=NAME, the port's policy. */
#include "cli/domain.h"
#include "core/error.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool card_word(struct domain_net *n, const char *w)
{
    if (!strncmp(w, "socket=", 7) && w[7])
        n->socket = w + 7;
    else if (!strncmp(w, "pcap=", 5) && w[5])
        n->pcap = w + 5;
    else if (!strncmp(w, "port=", 5) && w[5])
        n->on = w + 5; /* the last of several */
    else if (!strncmp(w, "queues=", 7) && w[7] >= '1' && w[7] <= '8' && !w[8])
        n->queues = (unsigned)(w[7] - '0');
    else if (!strcmp(w, "packed"))
        n->packed = true;
    else if (!strcmp(w, "in-order"))
        n->in_order = true;
    else
        return false;
    return true;
}

static int other_word(struct domain_net *n, const char *w, struct error *err)
{
    size_t len = strlen(n->spec);
    int code;

    if (!strncmp(w, "queues=", 7))
        return error_set(err, -EINVAL, "--net: \"%s\" is none of queues=1…8", w);
    if (!n->on) /* fits: it is shorter than text, where it comes from */
        snprintf(n->spec + len, sizeof(n->spec) - len, "%s%s", len ? "," : "", w);
    code = n->on ? sw_policy_word(&n->policy, w, err) : 1;
    if (!code)
        return error_set(err, -EINVAL, "--net port=%s: \"%s\" is none of its words: %s", n->on, w,
                         SW_POLICY_VALUE);
    return code < 0 ? code : 0;
}

/* Wherever it stands: it says whose the other words are. It ends where its word will. */
static const char *port_find(const char *text)
{
    const char *at = strncmp(text, "port=", 5) ? strstr(text, ",port=") : text;

    return at ? strchr(at, '=') + 1 : NULL;
}

int domain_net_take(struct domain_net *n, const char *value, struct error *err)
{
    char *save = NULL;
    int code = 0;

    if (strlen(value) >= sizeof(n->text))
        return error_set(err, -EINVAL, "--net: too long");
    snprintf(n->text, sizeof(n->text), "%s", value);
    n->on = port_find(n->text);
    n->queues = 1;
    for (char *w = strtok_r(n->text, ",", &save); w && !code; w = strtok_r(NULL, ",", &save))
        if (!card_word(n, w))
            code = other_word(n, w, err);
    if (!code)
        code = sw_policy_check(&n->policy, err);
    if (code)
        return code;
    if (!*n->spec == !n->on)
        return error_set(err, -EINVAL,
                         "--net: what is at the other end? port=NAME or switch=PATH, for one");
    if (!n->socket)
        return error_set(err, -EINVAL, "--net %s: at which socket? %s,socket=PATH", value, value);
    return 0;
}
