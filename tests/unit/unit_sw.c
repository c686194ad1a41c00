/*
 * The switch's core, with plugs that have as much room as a test says and a clock that it moves:
 * who gets what, in which VLAN, how fast, in which shares, and who is kept from what.
 */
#include "unit.h"
#include "core/error.h"
#include "core/ledger.h"
#include "share/sw.h"
#include <errno.h>

#define NS     1000000000ull
#define PORTS  6
#define AGE    (300 * NS)
#define KEEP   64
#define BROAD  0xffffffffffffull
#define MAC(n) (0x020000000000ull + (n))

struct end { /* what is plugged in */
    struct world *w;
    struct sw_port *port;
    unsigned room;             /* frames it takes before it says no; counts down */
    unsigned got, ends, went;  /* frames; bursts; times that go was called */
    uint64_t bytes[PORTS + 1]; /* by the last byte of the source address */
    uint8_t last[KEEP];        /* the last frame's beginning */
    struct net_frame frame;    /* the last one; iov is not to be looked at */
    uint8_t *spoil;            /* a byte that the sender changes once this one was given */
};

struct world {
    struct loop *loop;
    struct ledger *ledger;
    struct sw *sw;
    struct end end[PORTS];
};

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

static int setup(void **state)
{
    struct sw_opts o = {.name = "lan", .age_ns = AGE, .seed = 0x1234567};
    struct world *w = calloc(1, sizeof(*w));

    w->loop = loop_open(NULL, true);
    w->ledger = ledger_open();
    *state = w;
    return sw_open(&w->sw, &o, w->loop, w->ledger);
}

static int teardown(void **state)
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

/* A port with a policy in words. */
static struct end *plug(struct world *w, unsigned i, const char *words)
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

static uint8_t buf[70000];

static struct net_frame frame(struct iovec *iov, uint64_t to, uint64_t from, size_t len)
{
    memset(buf, 0, len);
    mac_put(buf, to);
    mac_put(buf + 6, from);
    buf[12] = 0x88;
    buf[13] = 0xb6;
    *iov = (struct iovec){buf, len};
    return (struct net_frame){.iov = iov, .iovs = 1, .len = len};
}

static void send(struct end *e, uint64_t to, uint64_t from, size_t len)
{
    struct iovec iov;
    struct net_frame f = frame(&iov, to, from, len);

    sw_port_from(e->port, &f);
    sw_port_from_end(e->port);
}

/* The bytes of hex digits, padded to 60, from that port. */
static void send_hex(struct end *e, const char *hex)
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

/* ---- who gets what ---- */

static void addresses_are_learnt_and_the_rest_is_flooded(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, ""), *b = plug(w, 1, ""), *c = plug(w, 2, "");

    send(a, MAC(2), MAC(1), 100);
    assert_true(b->got == 1 && c->got == 1 && a->got == 0);
    send(b, MAC(1), MAC(2), 100);
    assert_true(a->got == 1 && c->got == 1);
    send(c, MAC(1), MAC(2), 100); /* B's address */
    assert_int_equal(sw_port_count(c->port)->spoofed, 1);
    assert_int_equal(a->got, 1);
    sw_port_forget(b->port);
    send(a, MAC(2), MAC(1), 100);
    assert_true(b->got == 2 && c->got == 2);
    assert_int_equal(b->ends, 2); /* a burst's end for each that got something in it */
    send(a, 0x0180c200000e, MAC(1), 100);
    assert_int_equal(b->got, 2);
}

static void isolated_ports_see_the_uplink_alone(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, "isolate"), *b = plug(w, 1, "isolate"), *c = plug(w, 2, ""),
               *up = plug(w, 3, "uplink");

    send(a, BROAD, MAC(1), 60);
    assert_true(up->got == 1 && !b->got && !c->got);
    send(b, MAC(1), MAC(2), 60);
    assert_true(!a->got && sw_port_count(b->port)->isolated == 1);
    send(c, BROAD, MAC(3), 60);
    assert_true(!a->got && !b->got && up->got == 2);
    send(up, BROAD, MAC(4), 60);
    assert_true(a->got == 1 && b->got == 1 && c->got == 1);
    send(up, MAC(1), MAC(4), 60);
    assert_int_equal(a->got, 2);
}

static void a_port_has_so_many_addresses(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, "macs=2"), *b = plug(w, 1, "");

    for (unsigned i = 1; i <= 4; i++)
        send(a, MAC(9), MAC(i), 60);
    assert_int_equal(b->got, 4);
    assert_int_equal(sw_port_count(a->port)->crowded, 2);
}

/* A pinned address is its port's before it has said a word, and nobody else's after any silence. */
static void a_pinned_address_is_nobody_elses(void **state)
{
    struct world *w = *state;
    struct end *b = plug(w, 1, ""), *c = plug(w, 2, ""), *a;

    send(b, BROAD, MAC(1), 60); /* B had it first */
    a = plug(w, 0, "mac=02:00:00:00:00:01");
    send(c, MAC(1), MAC(3), 60);
    assert_true(a->got == 1 && !b->got);
    send(b, BROAD, MAC(1), 60);
    assert_int_equal(sw_port_count(b->port)->spoofed, 1);
    send(a, BROAD, MAC(7), 60);
    assert_int_equal(sw_port_count(a->port)->spoofed, 1);
    loop_advance(w->loop, 2 * AGE);
    b->got = 0;
    send(c, MAC(1), MAC(3), 60); /* not flooded, though forgotten */
    assert_true(a->got == 2 && !b->got);
    send(b, BROAD, MAC(1), 60);
    assert_int_equal(sw_port_count(b->port)->spoofed, 2);
}

/* ---- VLANs ---- */

static void vlans_are_kept_apart(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, "vlan=5"), *b = plug(w, 1, "vlan=5"), *c = plug(w, 2, "vlan=6"),
               *t = plug(w, 3, "vlans=5,7-9,native=6"), *plain = plug(w, 4, "");

    send(a, BROAD, MAC(1), 60);
    assert_true(b->got == 1 && !c->got && !plain->got && t->got == 1);
    assert_int_equal(t->frame.len, 64); /* with a tag there */
    assert_memory_equal(t->last + 12, "\x81\0\0\5\x88\xb6", 6);
    send(c, BROAD, MAC(3), 60);
    assert_true(t->got == 2 && t->frame.len == 60 && !plain->got); /* native: without */
    send_hex(t, "020000000001 020000000004 8100 a005 88b6 77");
    assert_true(a->got == 1 && a->frame.len == 56 && b->got == 1);
    assert_memory_equal(a->last + 12, "\x88\xb6\x77", 3);
    send_hex(t, "ffffffffffff 020000000004 88b6"); /* untagged: native */
    assert_true(c->got == 1 && a->got == 1);
    send_hex(t, "ffffffffffff 020000000004 8100 000a 88b6"); /* not one of its VLANs */
    send_hex(a, "ffffffffffff 020000000001 8100 0006 88b6"); /* a tag, from an access port */
    send_hex(t, "ffffffffffff 020000000004 8100 0005 8100 0006 88b6"); /* a stack */
    send_hex(a, "ffffffffffff 020000000001 88a8 0006 88b6");
    send_hex(a, "ffffffffffff 020000000001 8100 0000 8100 0006 88b6"); /* priority, then a tag */
    assert_true(a->got == 1 && b->got == 1 && c->got == 1);
    assert_int_equal(sw_port_count(t->port)->vlan, 2);
    assert_int_equal(sw_port_count(a->port)->vlan, 3);
    send_hex(a, "ffffffffffff 020000000001 8100 e000 88b6 55"); /* priority alone */
    assert_true(b->got == 2 && b->frame.len == 56 && b->last[14] == 0x55);
    assert_memory_equal(t->last + 12, "\x81\0\xe0\5\x88\xb6\x55", 7);
    send(plain, BROAD, MAC(6), 60); /* VLAN 1, where nobody is */
    assert_int_equal(b->got, 2);
}

/* The same address in two VLANs is two. */
static void vlans_learn_by_themselves(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, "vlan=5"), *b = plug(w, 1, "vlan=6"), *t = plug(w, 2, "vlans=all");

    send(a, BROAD, MAC(1), 60);
    send(b, BROAD, MAC(1), 60);
    assert_int_equal(sw_port_count(b->port)->spoofed, 0);
    send_hex(t, "020000000001 020000000004 8100 0006 88b6");
    assert_true(b->got == 1 && !a->got);
}

static void offsets_of_unfinished_work_follow_the_tag(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, "vlan=5"), *t = plug(w, 1, "vlans=5");
    struct iovec iov;
    struct net_frame f = frame(&iov, BROAD, MAC(1), 2000);

    f.todo = NET_CSUM;
    f.csum_start = 34;
    f.csum_offset = 16;
    f.hdr_len = 54;
    sw_port_from(a->port, &f);
    assert_true(t->frame.csum_start == 38 && t->frame.hdr_len == 58 && t->frame.len == 2004);
    buf[12] = 0x81;
    buf[13] = 0;
    buf[15] = 5;
    buf[11] = 9;
    f.csum_start = 38;
    sw_port_from(t->port, &f);
    assert_true(a->frame.csum_start == 34 && a->frame.len == 1996);
}

static void without_words_tags_are_bytes(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, ""), *b = plug(w, 1, "");

    send_hex(a, "ffffffffffff 020000000001 8100 0007 8100 0006 88b6");
    assert_true(b->got == 1 && b->last[15] == 7);
}

/* ---- claims ---- */

/* What is judged is what leaves, whatever the sender does to its memory meanwhile. */
static void a_frame_cannot_change_after_it_was_judged(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, "mac=02:00:00:00:00:01,ip=10.0.0.1"), *b = plug(w, 1, ""),
               *c = plug(w, 2, "");

    b->spoil = &buf[29]; /* the last byte of the source, while it is on its way to C */
    send_hex(a, "ffffffffffff 020000000001 0800 45000014 00000000 40010000 0a000001 0a000009");
    assert_true(b->got == 1 && c->got == 1);
    assert_int_equal(buf[29], 1 ^ 0xff);
    assert_int_equal(c->last[29], 1);
}

static void guarded_ports_speak_for_themselves(void **state)
{
    static const struct {
        bool ok;
        const char *what, *hex;
    } cases[] = {
#define A  "ffffffffffff 020000000001 "
#define IP "45000024 00000000 40110000 "
#define V6 "86dd 60000000 0018 3aff "
#define LL "fe80000000000000000000fffe000001 "
#define G1 "20010db8000000000000000000000001 "
#define G2 "20010db8000000000000000000000002 "
#define Z  "00000000000000000000000000000000 "
#define M  "ff020000000000000000000000000001 "
        {true, "its IPv4", A "0800" IP "0a000001 0a000009 00070007 0010 0000"},
        {false, "another's IPv4", A "0800" IP "0a000002 0a000009 00070007 0010 0000"},
        {false, "another's MAC", "ffffffffffff 020000000002 0800" IP "0a000001 0a000009"},
        {true, "a DHCP question", A "0800" IP "00000000 ffffffff 00440043 0010 0000"},
        {false, "no address, and no DHCP", A "0800" IP "00000000 ffffffff 00450043 0010 0000"},
        {false, "a DHCP answer", A "0800" IP "0a000001 ffffffff 00430044 0010 0000"},
        {false, "IPv4 of version 5", A "0800 55000024 00000000 40110000 0a000001 0a000009"},
        {false, "a header longer than its frame", A "0800 4f000024 00000000 40110000 0a000002"},
        {true, "its ARP", A "0806 0001080006040001 020000000001 0a000001 000000000000 0a000009"},
        {true, "an ARP probe",
         A "0806 0001080006040001 020000000001 00000000 000000000000 0a000001"},
        {false, "ARP for another's IP",
         A "0806 0001080006040002 020000000001 0a000009 000000000000 0a000009"},
        {false, "ARP with another's MAC",
         A "0806 0001080006040002 020000000009 0a000001 000000000000 0a000009"},
        {true, "its link-local address", A V6 LL M "80000000 00000000"},
        {true, "its IPv6", A V6 G1 M "80000000 00000000"},
        {false, "another's IPv6", A V6 G2 M "80000000 00000000"},
        {true, "a solicitation before it has an address", A V6 Z M "87000000 00000000" G1},
        {false, "an echo from nowhere", A V6 Z M "80000000 00000000"},
        {true, "its advertisement",
         A "86dd 60000000 0020 3aff " G1 M "88000000 20000000" G1 "0201020000000001"},
        {false, "an advertisement of another's address",
         A "86dd 60000000 0020 3aff " G1 M "88000000 20000000" G2 "0201020000000001"},
        {false, "an advertisement with another's MAC",
         A "86dd 60000000 0020 3aff " G1 M "88000000 20000000" G1 "0201020000000009"},
        {false, "an option of no length",
         A "86dd 60000000 0020 3aff " G1 M "88000000 20000000" G1 "0200020000000001"},
        {false, "a router advertisement", A V6 LL M "86000000 00000000 0000000000000000"},
        {false, "one behind an extension",
         A "86dd 60000000 0020 00ff " LL M "3a00000000000000 86000000 00000000 0000000000000000"},
        {false, "one in a fragment",
         A "86dd 60000000 0020 2cff " LL M "3a00000100000000 86000000 00000000 0000000000000000"},
        {true, "multicast reports behind a router alert",
         A "86dd 60000000 0020 00ff " LL M "3a00050200000000 8f000000 00000000 0000000000000000"},
        {false, "a DHCPv6 answer", A "86dd 60000000 0018 11ff " G1 M "02230222 0018 0000"},
        {false, "another protocol", A "88b6 00"},
        {false, "a tag, and another's IPv4 behind it",
         A "8100 0005 0800" IP "0a000002 0a000009 00070007 0010 0000"},
        {true, "a tag, and its own", A "8100 0005 0800" IP "0a000001 0a000009 00070007 0010 0000"},
        {false, "three tags", A "8100 0005 8100 0005 8100 0005 0800" IP "0a000001 0a000009"},
    };
    struct world *w = *state;
    struct end *a = plug(w, 0, "mac=02:00:00:00:00:01,ip=10.0.0.1,ip=2001:db8::1"),
               *b = plug(w, 1, "");

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        b->got = 0;
        send_hex(a, cases[i].hex);
        if (b->got != cases[i].ok)
            fail_msg("%s: %s", cases[i].what, b->got ? "passed" : "did not pass");
    }
}

/* ---- how fast ---- */

static void storms_are_damped(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, "storm=100"), *b = plug(w, 1, "");

    send(b, MAC(1), MAC(2), 60);
    for (unsigned i = 0; i < 1000; i++)
        send(a, i & 1 ? BROAD : MAC(9), MAC(1), 60);
    assert_int_equal(b->got, 100);
    assert_int_equal(sw_port_count(a->port)->storm, 900);
    for (unsigned i = 0; i < 1000; i++)
        send(a, MAC(2), MAC(1), 60); /* what has a goal is no storm */
    assert_int_equal(b->got, 1100);
    loop_advance(w->loop, NS / 2);
    for (unsigned i = 0; i < 1000; i++)
        send(a, BROAD, MAC(1), 60);
    assert_int_equal(b->got, 1150);
}

/* 8 Mbit/s is a million bytes a second; nothing is lost of what waits to be asked for. */
static void a_port_gets_in_as_fast_as_its_rate(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, "rate-from=8M,burst=10K"), *b = plug(w, 1, "");
    uint64_t sum = 0;

    for (unsigned ms = 0; ms < 10000; ms++) {
        while (sw_port_may(a->port)) {
            send(a, MAC(2), MAC(1), 1000);
            sum += 1000;
        }
        loop_advance(w->loop, NS / 1000);
    }
    assert_in_range(sum, 10000000 - 2000, 10000000 + 10240 + 2000);
    assert_int_equal(b->bytes[1], sum);
    assert_true(a->went > 100 && a->went < 10000);
}

/* After so many bytes others have their turn, rate or not. */
static void a_turn_ends(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, "");
    struct iovec iov;
    struct net_frame f = frame(&iov, MAC(2), MAC(1), 1500);
    unsigned n = 0;

    plug(w, 1, "");
    while (sw_port_may(a->port) && n < 10000) {
        sw_port_from(a->port, &f);
        n++;
    }
    sw_port_from_end(a->port);
    assert_int_equal(n, (64 << 10) / (1500 + 256) + 1);
    assert_false(sw_port_may(a->port));
    loop_advance(w->loop, 20000000); /* nobody else has spoken meanwhile: a longer one */
    for (n = 0; sw_port_may(a->port) && n < 10000; n++)
        sw_port_from(a->port, &f);
    sw_port_from_end(a->port);
    assert_int_equal(n, (256 << 10) / (1500 + 256) + 1);
    assert_int_equal(a->went, 1);
}

/* Both send more than the link takes, all the time: the link is full, and shared by weight. */
static void share(struct world *w, const char *one, const char *two, size_t len1, size_t len2,
                  uint64_t got[2])
{
    struct end *a = plug(w, 0, one), *b = plug(w, 1, two),
               *up = plug(w, 2, "rate-to=80M,burst=10K");

    send(up, BROAD, MAC(3), 60);
    for (unsigned ms = 0; ms < 5000; ms++) { /* 10,000 bytes a ms go out */
        for (unsigned i = 0; i < 20; i++) {
            send(a, MAC(3), MAC(1), len1);
            send(b, MAC(3), MAC(2), len2);
        }
        loop_advance(w->loop, NS / 1000);
    }
    got[0] = up->bytes[1];
    got[1] = up->bytes[2];
    assert_in_range(got[0] + got[1], 50000000 - 20000, 50000000 + 20000);
    assert_true(sw_port_count(up->port)->dropped > 1000);
}

static void equal_weights_get_equal_shares(void **state)
{
    uint64_t got[2];

    share(*state, "", "", 1500, 1500, got);
    assert_in_range(got[0] * 100 / (got[0] + got[1]), 49, 51);
}

static void weights_are_shares_whatever_the_sizes(void **state)
{
    uint64_t got[2];

    share(*state, "weight=1", "weight=4", 1500, 700, got);
    assert_in_range(got[0] * 1000 / (got[0] + got[1]), 195, 205);
}

static void segments_of_64k_do_not_push_others_aside(void **state)
{
    uint64_t got[2];

    share(*state, "weight=1", "weight=1", 60000, 700, got);
    assert_in_range(got[1] * 100 / (got[0] + got[1]), 49, 51);
}

/* A flood fills a slow link; a neighbour's single frame waits for its turn, not for the flood. */
static void a_flood_does_not_delay_a_neighbour(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, ""), *b = plug(w, 1, ""), *up = plug(w, 2, "rate-to=80M,burst=3K");
    unsigned worst = 0;

    send(up, BROAD, MAC(3), 60);
    for (unsigned i = 0; i < 10000; i++)
        send(a, MAC(3), MAC(1), 1500);
    for (unsigned i = 0; i < 200; i++) {
        uint64_t before = up->bytes[1], had = up->bytes[2];

        for (unsigned k = 0; k < 30; k++)
            send(a, MAC(3), MAC(1), 1500);
        send(b, MAC(3), MAC(2), 100);
        while (up->bytes[2] == had)
            loop_advance(w->loop, 10000);
        worst = up->bytes[1] - before > worst ? (unsigned)(up->bytes[1] - before) : worst;
    }
    assert_in_range(worst, 1500, 2 * 1514 + 3072); /* a turn, and what went in the same burst */
}

/* ---- what has no room ---- */

static void a_flood_does_not_take_all_of_a_queue(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, ""), *b = plug(w, 1, ""), *c = plug(w, 2, "queue=128K");
    unsigned kept;

    send(c, BROAD, MAC(3), 60);
    c->room = 0;
    for (unsigned i = 0; i < 1000; i++)
        send(a, MAC(3), MAC(1), 1000);
    send(b, MAC(3), MAC(2), 1000);
    kept = 1001 - (unsigned)sw_port_count(c->port)->dropped;
    assert_in_range(kept, 50, 100);
    c->room = UINT32_MAX;
    sw_port_room(c->port);
    assert_true(c->got == kept && c->bytes[2] == 1000 && c->bytes[1] == 1000u * (kept - 1));
    assert_int_equal(c->ends, 1);
}

/* The frame that was refused comes first when there is room, whoever else has more weight. */
static void a_refused_frame_comes_first(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, ""), *b = plug(w, 1, "weight=100"), *c = plug(w, 2, "");

    send(c, BROAD, MAC(3), 60);
    for (unsigned i = 0; i < 10; i++) {
        c->room = 0;
        send(a, MAC(3), MAC(1), 60000);
        for (unsigned k = 0; k < 20; k++)
            send(b, MAC(3), MAC(2), 1000);
        c->room = 1;
        sw_port_room(c->port);
        assert_int_equal(c->last[11], 1);
        c->room = UINT32_MAX;
        sw_port_room(c->port);
    }
    assert_int_equal(c->got, 210);
}

/* Ports come and go while their frames wait; the sanitizers look on. */
static void ports_go_while_frames_wait(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, "weight=3"), *b = plug(w, 1, ""), *c = plug(w, 2, "");

    send(c, BROAD, MAC(3), 60);
    c->room = 0;
    for (unsigned i = 0; i < 50; i++) {
        send(a, MAC(3), MAC(1), 500);
        send(b, MAC(3), MAC(2), 500);
    }
    sw_port_close(a->port);
    a = plug(w, 0, "weight=9");
    send(a, MAC(3), MAC(1), 500);
    c->room = UINT32_MAX;
    sw_port_room(c->port);
    assert_int_equal(c->got, 101); /* what was taken is delivered */
    c->room = 0;
    send(b, MAC(3), MAC(2), 500);
    sw_port_close(c->port);
    w->end[2].port = NULL;
    send(b, MAC(3), MAC(2), 500);
}

static void the_ledger_agrees(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, "name=vm1"), *b = plug(w, 1, "name=vm2");
    const struct ledger_row *row;

    send(b, MAC(1), MAC(2), 60);
    for (unsigned i = 0; i < 10; i++)
        send(a, MAC(2), MAC(1), 1000);
    b->room = 0;
    for (unsigned i = 0; i < 5; i++)
        send(a, MAC(2), MAC(1), 1000);
    b->room = UINT32_MAX;
    sw_port_room(b->port);
    row = ledger_find(w->ledger, LEDGER_SWITCH, "lan.vm2", "copies");
    assert_true(row->reads == 15 && row->writes == 20 && row->copied == 20000);
    row = ledger_find(w->ledger, LEDGER_SWITCH, "lan.vm1", "from");
    assert_true(row->writes == 15 && row->write_bytes == 15000);
    assert_int_equal(ledger_find(w->ledger, LEDGER_SWITCH, "lan.vm2", "flood")->writes, 1);
}

/* ---- words ---- */

static void words_are_taken_or_refused(void **state)
{
    static const char *const bad[] = {"vlan=0",
                                      "vlan=4095",
                                      "vlan=x",
                                      "vlans=",
                                      "vlans=5-4",
                                      "vlans=1-",
                                      "mac=02:0",
                                      "mac=0",
                                      "rate=0",
                                      "rate=10X",
                                      "rate=10MM",
                                      "weight=0",
                                      "weight=1001",
                                      "ip=10.0.0",
                                      "ip=",
                                      "storm=-1",
                                      "macs=257",
                                      "name=a/b",
                                      "name=",
                                      "queue=0",
                                      "burst=99999999999",
                                      "mac=02:00:00:00:00:01:02",
                                      "native=4095"};
    struct sw_policy o;
    struct error err = {0};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        memset(&o, 0, sizeof(o));
        if (sw_policy_word(&o, bad[i], &err) != -EINVAL)
            fail_msg("%s was taken", bad[i]);
    }
    memset(&o, 0, sizeof(o));
    assert_int_equal(sw_policy_word(&o, "socket=x", &err), 0);
    assert_int_equal(sw_policy_word(&o, "rate=10M", &err), 1);
    assert_true(o.from_rate == 1250000 && o.to_rate == 1250000);
    assert_int_equal(sw_policy_word(&o, "vlans=1", &err), 1);
    assert_int_equal(sw_policy_word(&o, "5-9", &err), 1);
    assert_true(l2_vlans_has(&o.vlans, 1) && l2_vlans_has(&o.vlans, 7));
    assert_false(l2_vlans_has(&o.vlans, 2) || l2_vlans_has(&o.vlans, 10));
    assert_int_equal(sw_policy_word(&o, "isolate", &err), 1);
    assert_int_equal(sw_policy_word(&o, "11", &err), 0); /* the list has ended */
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(addresses_are_learnt_and_the_rest_is_flooded),
        T(isolated_ports_see_the_uplink_alone),
        T(a_port_has_so_many_addresses),
        T(a_pinned_address_is_nobody_elses),
        T(vlans_are_kept_apart),
        T(vlans_learn_by_themselves),
        T(offsets_of_unfinished_work_follow_the_tag),
        T(without_words_tags_are_bytes),
        T(a_frame_cannot_change_after_it_was_judged),
        T(guarded_ports_speak_for_themselves),
        T(storms_are_damped),
        T(a_port_gets_in_as_fast_as_its_rate),
        T(a_turn_ends),
        T(equal_weights_get_equal_shares),
        T(weights_are_shares_whatever_the_sizes),
        T(segments_of_64k_do_not_push_others_aside),
        T(a_flood_does_not_delay_a_neighbour),
        T(a_flood_does_not_take_all_of_a_queue),
        T(a_refused_frame_comes_first),
        T(ports_go_while_frames_wait),
        T(the_ledger_agrees),
        cmocka_unit_test(words_are_taken_or_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
