/* viaduct domain --net SPEC,socket=PATH[,…]: one network card from its words. What is none of the
 * card's is the other end's, which judges it (back/net.h). */
#include "cli/domain.h"
#include "core/error.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void net_word(struct domain_net *n, const char *w)
{
    size_t len = strlen(n->spec);

    if (!strncmp(w, "socket=", 7) && w[7])
        n->socket = w + 7;
    else if (!strncmp(w, "pcap=", 5) && w[5])
        n->pcap = w + 5;
    else if (!strcmp(w, "packed"))
        n->packed = true;
    else if (!strcmp(w, "in-order"))
        n->in_order = true;
    else /* fits: it is shorter than text, where it comes from */
        snprintf(n->spec + len, sizeof(n->spec) - len, "%s%s", len ? "," : "", w);
}

int domain_net_take(struct domain_net *n, const char *value, struct error *err)
{
    char *save = NULL;

    if (strlen(value) >= sizeof(n->text))
        return error_set(err, -EINVAL, "--net: too long");
    snprintf(n->text, sizeof(n->text), "%s", value);
    for (char *w = strtok_r(n->text, ",", &save); w; w = strtok_r(NULL, ",", &save))
        net_word(n, w);
    if (!*n->spec)
        return error_set(err, -EINVAL, "--net: what is at the other end? switch=PATH, for one");
    if (!n->socket)
        return error_set(err, -EINVAL, "--net %s: at which socket? %s,socket=PATH", n->spec,
                         n->spec);
    return 0;
}
