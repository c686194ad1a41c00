/* sw_world.h: plugs, ports and frames. */
#include "sw_world.h"
#include "core/error.h"

static bool give(void *ctx, const struct net_frame *f)
{
    struct end *e = ctx;
    size_t at = 0;

    if (!e->room)
        return false;
    e->room--;
    e->got++;
    e->frame = *f;
    for (int i = 0; i < f->iovs && at < KEEP; i++) {
        size_t n = f->iov[i].iov_len < KEEP - at ? f->iov[i].iov_len : KEEP - at;

        memcpy(e->last + at, f->iov[i].iov_base, n);
        at += n;
    }
    e->bytes[e->last[11] % (PORTS + 1)] += f->len;
    if (e->spoil)
        *e->spoil ^= 0xff;
    return true;
}

static void end(void *ctx)
{
    ((struct end *)ctx)->ends++;
}

static unsigned takes(const void *ctx)
{
    (void)ctx;
    return NET_CSUM | NET_TSO4;
}

static void go(void *ctx)
{
    ((struct end *)ctx)->went++;
}

int sw_setup(void **state)
{
    struct sw_opts o = {.name = "lan", .age_ns = AGE, .seed = 0x1234567};
    struct world *w = calloc(1, sizeof(*w));

    w->loop = loop_open(NULL, true);
    w->ledger = ledger_open();
    *state = w;
    return sw_open(&w->sw, &o, w->loop, w->ledger);
}

int sw_teardown(void **state)
{
    struct world *w = *state;

    for (unsigned i = 0; i < PORTS; i++)
        sw_port_close(w->end[i].port);
    sw_close(w->sw);
    ledger_close(w->ledger);
    loop_close(w->loop);
    free(w);
    return 0;
}

struct end *plug(struct world *w, unsigned i, const char *words)
{
    static const struct sw_plug ends = {
        .give = give, .end = end, .takes = takes, .go = go, .copies_to = 1};
    struct sw_policy o = {0};
    struct error err = {0};
    char text[256], *save = NULL;

    snprintf(text, sizeof(text), "%s", words);
    for (char *t = strtok_r(text, ",", &save); t; t = strtok_r(NULL, ",", &save))
        assert_int_equal(sw_policy_word(&o, t, &err), 1);
    assert_int_equal(sw_policy_check(&o, &err), 0);
    w->end[i].w = w;
    w->end[i].room = UINT32_MAX;
    assert_int_equal(sw_port_open(&w->end[i].port, w->sw, &o, &ends, &w->end[i], &err), 0);
    return &w->end[i];
}

static void mac_put(uint8_t *p, uint64_t mac)
{
    for (unsigned i = 0; i < 6; i++)
        p[i] = (uint8_t)(mac >> (40 - 8 * i));
}

uint8_t buf[70000];

struct net_frame frame(struct iovec *iov, uint64_t to, uint64_t from, size_t len)
{
    memset(buf, 0, len);
    mac_put(buf, to);
    mac_put(buf + 6, from);
    buf[12] = 0x88;
    buf[13] = 0xb6;
    *iov = (struct iovec){buf, len};
    return (struct net_frame){.iov = iov, .iovs = 1, .len = len};
}

void send(struct end *e, uint64_t to, uint64_t from, size_t len)
{
    struct iovec iov;
    struct net_frame f = frame(&iov, to, from, len);

    sw_port_from(e->port, &f);
    sw_port_from_end(e->port);
}

void send_hex(struct end *e, const char *hex)
{
    struct iovec iov = {buf, 0};
    struct net_frame f = {.iov = &iov, .iovs = 1};
    size_t n = 0;

    memset(buf, 0, 128);
    for (const char *c = hex; *c; c++) {
        if (*c == ' ')
            continue;
        buf[n++] = (uint8_t)strtoul((char[]){c[0], c[1], 0}, NULL, 16);
        c++;
    }
    f.len = iov.iov_len = n < 60 ? 60 : n;
    sw_port_from(e->port, &f);
    sw_port_from_end(e->port);
}
