/* The words of a port; see sw_policy.h. Rates are bits a second with decimal units, as networks
 * have them; sizes are bytes with binary ones. */
#include "share/sw_policy.h"
#include "core/error.h"
#include "share/drr.h"
#include "share/l2.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE_MAX  (1ull << 43) /* bits a second */
#define BYTES_MAX (1ull << 30)

/* A number with at most one letter of units behind it; each is step times the one before. */
static bool number(uint64_t *out, const char *s, uint64_t step, uint64_t max)
{
    static const char units[] = "kmgt";
    const char *unit;
    uint64_t n;
    char *end;

    if (!isdigit((unsigned char)*s))
        return false;
    errno = 0;
    n = strtoull(s, &end, 10);
    if (errno)
        return false;
    if (*end) {
        unit = strchr(units, tolower((unsigned char)*end));
        if (!unit || end[1] || step == 1)
            return false;
        for (const char *u = units; u <= unit; u++) {
            if (n > max / step)
                return false;
            n *= step;
        }
    }
    *out = n;
    return n >= 1 && n <= max;
}

static bool mac_parse(uint8_t *mac, const char *s)
{
    for (unsigned i = 0; i < 6; i++) {
        if (!isxdigit((unsigned char)s[0]) || !isxdigit((unsigned char)s[1]))
            return false;
        mac[i] = (uint8_t)strtoul((char[]){s[0], s[1], 0}, NULL, 16);
        if (s[2] != (i < 5 ? ':' : 0))
            return false;
        s += 3;
    }
    return !(mac[0] & 1) && memcmp(mac, "\0\0\0\0\0\0", 6);
}

static bool ip_parse(struct sw_policy *p, const char *s)
{
    struct sw_ip *ip = &p->ip[p->ips];

    if (p->ips == SW_IPS)
        return false;
    ip->v6 = strchr(s, ':');
    if (inet_pton(ip->v6 ? AF_INET6 : AF_INET, s, ip->addr) != 1)
        return false;
    p->ips++;
    return true;
}

static bool name_parse(struct sw_policy *p, const char *s)
{
    size_t len = strlen(s);

    if (!len || len >= sizeof(p->name))
        return false;
    for (const char *c = s; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-_.", *c))
            return false;
    memcpy(p->name, s, len + 1);
    return true;
}

static bool small(unsigned *out, const char *s, uint64_t max)
{
    uint64_t n;
    bool ok = number(&n, s, 1, max);

    *out = ok ? (unsigned)n : 0;
    return ok;
}

static bool bits(uint64_t *bytes, const char *s)
{
    uint64_t n = 0;
    bool ok = number(&n, s, 1000, RATE_MAX);

    *bytes = (n + 7) / 8;
    return ok;
}

enum word { NAME, MAC, IP, VLAN, VLANS, NATIVE, RATE, FROM, TO, BURST, WEIGHT, STORM, MACS, QUEUE };

static const struct {
    const char *key, *must;
} words[] = {
    [NAME] = {"name", "up to 23 letters, digits, - _ ."},
    [MAC] = {"mac", "a card's address, as 02:00:00:00:00:01"},
    [IP] = {"ip", "an IPv4 or IPv6 address, up to 8 of them"},
    [VLAN] = {"vlan", "1 to 4094"},
    [VLANS] = {"vlans", "VLANs as 1,5-9, or all"},
    [NATIVE] = {"native", "1 to 4094"},
    [RATE] = {"rate", "bits a second, as 10M"},
    [FROM] = {"rate-from", "bits a second, as 10M"},
    [TO] = {"rate-to", "bits a second, as 10M"},
    [BURST] = {"burst", "bytes, as 64K"},
    [WEIGHT] = {"weight", "1 to 1000"},
    [STORM] = {"storm", "frames a second"},
    [MACS] = {"macs", "1 to 256"},
    [QUEUE] = {"queue", "bytes, as 256K"},
};

static bool word_take(struct sw_policy *p, enum word w, const char *v)
{
    switch (w) {
    case NAME: return name_parse(p, v);
    case MAC: p->has_mac = true; return mac_parse(p->mac, v);
    case IP: return ip_parse(p, v);
    case VLAN: return small(&p->vlan, v, L2_VLAN_TOP);
    case VLANS: p->trunk = p->listing = true; return !l2_vlans_parse(&p->vlans, v);
    case NATIVE: return small(&p->native, v, L2_VLAN_TOP);
    case RATE: return bits(&p->from_rate, v) && bits(&p->to_rate, v);
    case FROM: return bits(&p->from_rate, v);
    case TO: return bits(&p->to_rate, v);
    case BURST: return number(&p->burst, v, 1024, BYTES_MAX);
    case WEIGHT: return small(&p->weight, v, DRR_WEIGHT_MAX);
    case STORM: return number(&p->storm, v, 1000, 1u << 30);
    case MACS: return small(&p->macs, v, L2_QUOTA);
    case QUEUE: return number(&p->queue, v, 1024, BYTES_MAX);
    }
    return false;
}

/* vlans=1,5-9 came apart at its comma. */
static bool vlans_go_on(struct sw_policy *p, const char *word)
{
    struct l2_vlans more;

    if (!p->listing || !isdigit((unsigned char)*word) || l2_vlans_parse(&more, word))
        return false;
    for (unsigned i = 0; i < ARRAY_LEN(more.bit); i++)
        p->vlans.bit[i] |= more.bit[i];
    return true;
}

int sw_policy_word(struct sw_policy *p, const char *word, struct error *err)
{
    size_t len = strcspn(word, "=");

    if (vlans_go_on(p, word))
        return 1;
    p->listing = false;
    if (!strcmp(word, "isolate"))
        return p->isolate = true;
    if (!strcmp(word, "uplink"))
        return p->uplink = true;
    for (unsigned i = 0; i < ARRAY_LEN(words) && word[len]; i++) {
        if (strlen(words[i].key) != len || memcmp(word, words[i].key, len))
            continue;
        if (word_take(p, (enum word)i, word + len + 1))
            return 1;
        return error_set(err, -EINVAL, "%s: must be %s", word, words[i].must);
    }
    return 0;
}

int sw_policy_check(const struct sw_policy *p, struct error *err)
{
    if (p->vlan && p->trunk)
        return error_set(err, -EINVAL, "vlan= and vlans=: a port is in one VLAN, or a trunk");
    if (p->native && !p->trunk)
        return error_set(err, -EINVAL, "native=: is for a trunk, with vlans=");
    if (p->isolate && p->uplink)
        return error_set(err, -EINVAL, "isolate and uplink: a port is one of them");
    if (p->burst && !p->from_rate && !p->to_rate)
        return error_set(err, -EINVAL, "burst=: is for a port with a rate=");
    return 0;
}
