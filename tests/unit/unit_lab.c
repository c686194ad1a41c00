/* What a lab's file becomes: a domain's own switch with its ports and rules, who has which device,
 * and from which place of the file each word of a command is. */
#include "cli/lab.h"
#include "core/error.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RUN "/run/test/viaduct/f/"

static struct lab *plan(const char *text)
{
    struct error err = {{0}};
    struct lab *l;

    if (lab_read(&l, "/d/f.toml", text, strlen(text), &err))
        fail_msg("%s", err.text);
    return l;
}

static void refused(const char *text, const char *why)
{
    struct error err = {{0}};
    struct lab *l;

    assert_int_not_equal(lab_read(&l, "/d/f.toml", text, strlen(text), &err), 0);
    if (!strstr(err.text, why))
        fail_msg("%s: not %s", err.text, why);
}

static struct lab_unit *unit(struct lab *l, const char *name)
{
    for (unsigned i = 0; i < l->units; i++)
        if (!strcmp(l->unit[i].name, name))
            return &l->unit[i];
    fail_msg("no %s", name);
    return NULL;
}

/* The n-th word of a unit that starts so. */
static const char *word(struct lab *l, const char *name, const char *start, unsigned n)
{
    struct lab_unit *u = unit(l, name);

    for (unsigned i = 0; i < u->argc; i++)
        if (!strncmp(u->argv[i], start, strlen(start)) && !n--)
            return u->argv[i];
    fail_msg("%s: no %s", name, start);
    return NULL;
}

static void place_is(struct lab *l, const char *name, const char *message, unsigned line,
                     unsigned column)
{
    const struct lab_mark *m = lab_mark_meant(unit(l, name), message);

    assert_non_null(m);
    assert_int_equal(m->line, line);
    assert_int_equal(m->column, column);
}

static void test_switch_of_a_domain(void **state)
{
    struct lab *l =
        plan("[domain.d]\n"
             "switch = [\"lan\", { name = \"dmz\", age = 60 }]\n"
             "port = [{ switch = \"lan\", tap = \"t0\", uplink = true, rate = \"1G\" },\n"
             "        { switch = \"dmz\", socket = \"dmz.sock\", peers = 2 }]\n"
             "net = [{ name = \"a\", port = \"lan\", vlan = 7, ip = [\"10.0.0.1\", "
             "\"10.0.0.2\"], weight = 4, storm = 100, lock = true },\n"
             "       { name = \"b\", port = \"dmz\", mac = \"02:00:00:00:00:09\" }]\n"
             "[vm.x]\n"
             "net = { domain = \"d/a\", mac = \"02:00:00:00:00:01\" }\n"
             "[vm.y]\n"
             "net = { domain = \"d/b\" }\n");

    (void)state;
    assert_string_equal(word(l, "d", "--switch", 0), "--switch=lan");
    assert_string_equal(word(l, "d", "--switch", 1), "--switch=dmz,age=60");
    assert_string_equal(word(l, "d", "--port", 0), "--port=lan,tap=t0,uplink,rate=1G");
    assert_string_equal(word(l, "d", "--port", 1), "--port=dmz,socket=/d/dmz.sock,peers=2");
    assert_string_equal(word(l, "d", "--net", 0),
                        "--net=port=lan,name=a,ip=10.0.0.1,ip=10.0.0.2,vlan=7,weight=4,storm=100,"
                        "socket=" RUN "d.a.sock,mac=02:00:00:00:00:01");
    assert_string_equal(word(l, "d", "--net", 1),
                        "--net=port=dmz,name=b,mac=02:00:00:00:00:09,socket=" RUN "d.b.sock");
    assert_string_equal(word(l, "x", "--net", 0),
                        "--net=vhost-user=" RUN "d.a.sock,mac=02:00:00:00:00:01");
    lab_close(l);
}

static void test_domain_on_a_network(void **state)
{
    struct lab *l = plan("[network.n]\n"
                         "[domain.d]\n"
                         "switch = \"lan\"\n"
                         "port = { switch = \"lan\", network = \"n\", uplink = true }\n"
                         "net = [{ name = \"a\", network = \"n\", rate = \"1M\", lock = true }]\n"
                         "[vm.x]\n"
                         "net = { domain = \"d/a\", mac = \"02:00:00:00:00:01\" }\n");

    (void)state;
    assert_string_equal(word(l, "d", "--port", 0), "--port=lan,switch=" RUN "n.sock,uplink");
    assert_string_equal(word(l, "d", "--net", 0),
                        "--net=switch=" RUN "n.d-0.sock,socket=" RUN "d.a.sock");
    assert_string_equal(word(l, "n", "--port", 0), "--port=socket=" RUN "n.d-0.sock,name=d-0,"
                                                   "rate=1M,mac=02:00:00:00:00:01");
    lab_close(l);
}

static void test_ports_of_a_network(void **state)
{
    struct lab *l = plan("[network.n]\n"
                         "port = [\"tap=t0,uplink\", { socket = \"s.sock\", peers = 2, vlans = "
                         "\"all\" }]\n"
                         "[network.m]\n"
                         "port = { tap = \"t1\", rate = \"1G\" }\n");

    (void)state;
    assert_string_equal(word(l, "n", "--port", 0), "--port=tap=t0,uplink");
    assert_string_equal(word(l, "n", "--port", 1), "--port=socket=/d/s.sock,peers=2,vlans=all");
    assert_string_equal(word(l, "m", "--port", 0), "--port=tap=t1,rate=1G");
    lab_close(l);
    refused("[network.n]\nport = { rate = \"1M\" }\n",
            "f.toml:2:8: found a port of nothing, expected tap, user, socket or switch");
}

static void test_vsock(void **state)
{
    struct lab *l = plan("[vm.x]\ncount = 2\nvsock = { cid = \"1{n}\", path = \"{name}.vs\" }\n"
                         "[vm.y]\nvsock = \"cid=9,path=/y\"\n");

    (void)state;
    assert_string_equal(word(l, "x2", "--vsock", 0), "--vsock=cid=12,path=/d/x2.vs");
    assert_string_equal(word(l, "y", "--vsock", 0), "--vsock=cid=9,path=/y");
    place_is(l, "x2", "--vsock path=/d/x2.vs: is a directory", 3, 32);
    lab_close(l);
}

static void test_switch_refusals(void **state)
{
    (void)state;
    refused("[domain.d]\nswitch = \"lan\"\nnet = { name = \"a\", port = \"lam\" }\n",
            "f.toml:3:28: found \"lam\", expected the name of a switch of this domain");
    refused("[domain.d]\nnet = { name = \"a\", null = true, vlan = 2 }\n",
            "f.toml:2:7: found rules for a port, expected port = ");
    refused("[domain.d]\nswitch = \"lan\"\nnet = { name = \"a\", port = \"lan\", tap = \"t\" }\n",
            "f.toml:3:35: found 'tap' besides another");
    refused("[network.n]\n[domain.d]\nswitch = \"lan\"\n"
            "net = { name = \"a\", port = \"lan\", network = \"n\" }\n",
            "found 'port' besides another");
    refused("[domain.d]\nswitch = \"lan\"\nport = { tap = \"t\" }\n",
            "f.toml:3:8: found a port of nothing, expected switch = ");
    refused("[domain.d]\nswitch = \"lan\"\nnet = { name = \"a\", port = \"lan\", lock = true }\n",
            "f.toml:3:42: found 'lock' of a card that no machine of the lab has");
    refused("[domain.d]\nswitch = \"lan\"\n"
            "net = { name = \"a\", port = \"lan\", mac = \"x\", lock = true }\n",
            "f.toml:3:46: found 'lock' besides 'mac', expected one of them");
    refused("[domain.d]\nswitch = \"lan\"\nport = { switch = \"lan\", rate = \"1M\" }\n",
            "f.toml:3:8: found a port of a switch alone, expected tap, user, socket or network");
    refused("[domain.d]\nswitch = \"lan\"\nport = { switch = \"lan\", tap = \"t\", user = true }\n",
            "f.toml:3:37: found 'user' besides another");
    refused("[domain.d]\nswitch = { age = 3 }\n", "f.toml:2:10: found a switch of nothing");
}

static void test_a_device_has_one_machine(void **state)
{
    (void)state;
    refused("[domain.d]\ndisk = { name = \"a\", mem = \"1M\" }\n"
            "[vm.x]\ndisk = { domain = \"d/a\" }\n"
            "[vm.y]\ndisk = { domain = \"d/a\" }\n",
            "f.toml:6:19: found \"d/a\" again, expected a device of y's own: x has that one, since "
            "line 4, column 19");
    refused("[domain.d]\ndisk = { name = \"a\", mem = \"1M\" }\n"
            "[vm.x]\ncount = 2\ndisk = { domain = \"d/a\" }\n",
            "f.toml:5:19: found \"d/a\" again, expected a device of x2's own: x1 has that one");
    refused(
        "[domain.d]\ndisk = { name = \"a\", mem = \"1M\" }\n"
        "[vm.x]\nnet = { domain = \"d/a\" }\n",
        "f.toml:4:18: found \"d/a\", expected \"DOMAIN/DEVICE\" of a [domain.DOMAIN] with a net");
    lab_close(plan("[domain.d]\n"
                   "disk = [{ name = \"a1\", mem = \"1M\" }, { name = \"a2\", mem = \"1M\" }]\n"
                   "[vm.x]\ncount = 2\ndisk = { domain = \"d/a{n}\" }\n"));
}

static void test_places_of_words(void **state)
{
    struct lab *l = plan("[vm.x]\n"
                         "memory = \"64M\"\n"
                         "cpus = 2\n"
                         "kernel = \"some.elf\"\n"
                         "disk = [{ file = \"one.img\", iops = 5 },\n"
                         "        { file = \"two.img\", bps = \"3M\" }]\n"
                         "options = [\"--rng\",\n"
                         " \"--sandbox\", \"dance\"]\n");

    (void)state;
    place_is(l, "x", "--memory 64M: too little", 2, 10);
    place_is(l, "x", "--kernel /d/some.elf: no kernel; give more with --help", 4, 10);
    place_is(l, "x", "disk1: /d/two.img: is gone", 6, 18);
    place_is(l, "x", "--disk bps=3M: what?", 6, 35);
    place_is(l, "x", "--disk /d/one.img,iops=5: none", 5, 18);
    place_is(l, "x", "--sandbox dance: none", 8, 15);
    place_is(l, "x", "--cpus: how many?", 3, 8);
    place_is(l, "x", "--cpus: /d/two.img has none", 6, 18);
    assert_null(lab_mark_meant(unit(l, "x"), "out of memory: 2 of 5"));
    lab_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_switch_of_a_domain),
        cmocka_unit_test(test_domain_on_a_network),
        cmocka_unit_test(test_ports_of_a_network),
        cmocka_unit_test(test_switch_refusals),
        cmocka_unit_test(test_a_device_has_one_machine),
        cmocka_unit_test(test_places_of_words),
        cmocka_unit_test(test_vsock),
    };

    setenv("XDG_RUNTIME_DIR", "/run/test", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
