/*
 * The switch's core: who gets what, in which VLAN, and who is kept from what.
 */
#include "sw_world.h"
#include "core/error.h"
#include <errno.h>

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

static const struct {
    bool ok;
    const char *what, *hex;
} claims[] = {
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
    {true, "an ARP probe", A "0806 0001080006040001 020000000001 00000000 000000000000 0a000001"},
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

static void guarded_ports_speak_for_themselves(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, "mac=02:00:00:00:00:01,ip=10.0.0.1,ip=2001:db8::1"),
               *b = plug(w, 1, "");

    for (unsigned i = 0; i < ARRAY_LEN(claims); i++) {
        b->got = 0;
        send_hex(a, claims[i].hex);
        if (b->got != claims[i].ok)
            fail_msg("%s: %s", claims[i].what, b->got ? "passed" : "did not pass");
    }
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

/* ---- bursts ---- */

enum { BURST = 8, SIZE = 100 };

struct burst {
    uint8_t bytes[BURST][SIZE];
    struct iovec iov[BURST];
    struct net_frame f[BURST];
};

static void burst_put(struct burst *b, unsigned i, uint64_t to, uint64_t from)
{
    b->f[i] = frame(&b->iov[i], to, from, SIZE);
    memcpy(b->bytes[i], buf, SIZE);
    b->bytes[i][20] = (uint8_t)i;
    b->iov[i].iov_base = b->bytes[i];
}

/* Frames of one burst: each is judged by itself, each port gets its own in order, and what the
 * sender changes in a head when the burst was judged reaches nobody. */
static void a_burst_is_so_many_frames(void **state)
{
    struct world *w = *state;
    struct end *a = plug(w, 0, "name=a"), *b = plug(w, 1, "mac=02:00:00:00:00:02");
    struct end *c = plug(w, 2, "name=c");
    static struct burst t;

    send(b, BROAD, MAC(2), 60);
    send(c, BROAD, MAC(3), 60);
    a->got = b->got = c->got = 0;
    burst_put(&t, 0, MAC(2), MAC(1));
    burst_put(&t, 1, MAC(2), MAC(1));
    burst_put(&t, 2, MAC(3), MAC(2)); /* in b's name */
    burst_put(&t, 3, MAC(3), MAC(1));
    burst_put(&t, 4, BROAD, MAC(1));
    burst_put(&t, 5, MAC(2), MAC(4)); /* another address of a's */
    burst_put(&t, 6, MAC(1), MAC(1)); /* stays there */
    burst_put(&t, 7, MAC(2), MAC(1));
    b->spoil = &t.bytes[1][11]; /* the next one's source, once the first is given */
    sw_port_from_all(a->port, t.f, BURST);
    sw_port_from_end(a->port);
    assert_int_equal(b->got, 5);
    assert_int_equal(b->last[20], 7);
    assert_int_equal(b->bytes[1], 4 * SIZE); /* 0, 1, 4 and 7, as they were judged */
    assert_int_equal(b->bytes[4], SIZE);
    assert_int_equal(c->got, 2);
    assert_int_equal(c->last[20], 4);
    assert_int_equal(sw_port_count(a->port)->in, BURST);
    assert_int_equal(sw_port_count(a->port)->in_bytes, BURST * SIZE);
    assert_int_equal(sw_port_count(a->port)->spoofed, 1);
    assert_int_equal(sw_port_count(b->port)->out, 1 + 5);
    assert_int_equal(sw_port_count(c->port)->out, 1 + 2);
}

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
        T(the_ledger_agrees),
        cmocka_unit_test(words_are_taken_or_refused),
        T(a_burst_is_so_many_frames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
