/* A Unix socket as a character backend: who comes, who goes, and what is kept for whom. */
#include "unit.h"

#include "back/chr.h"
#include "core/error.h"
#include "core/loop.h"
#include "dev/ps2_keys.h"
#include "virtio/vinput.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct world {
    struct loop *loop;
    struct chr *chr;
    char dir[32], path[64];
    size_t room, drains, links;
    char got[256];
    size_t len;
};

static size_t room(void *front)
{
    return ((struct world *)front)->room;
}

static void on_recv(void *front, const uint8_t *buf, size_t len)
{
    struct world *w = front;

    assert_true(len <= w->room && len <= sizeof(w->got) - w->len);
    memcpy(w->got + w->len, buf, len);
    w->len += len;
    w->room -= len;
}

static void on_drained(void *front)
{
    ((struct world *)front)->drains++;
}

static void on_link(void *front)
{
    ((struct world *)front)->links++;
}

static int make(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct error err;

    if (!w)
        return 1;
    *state = w;
    strcpy(w->dir, "/tmp/unit_chr.XXXXXX");
    if (!mkdtemp(w->dir))
        return 1;
    snprintf(w->path, sizeof(w->path), "socket=%s/s", w->dir);
    w->loop = loop_open(NULL, false);
    if (chr_open(&w->chr, &(struct chr_open_opts){.spec = w->path, .option = "--port"}, w->loop,
                 &err))
        return 1;
    w->chr->front = w;
    w->chr->room = room;
    w->chr->recv = on_recv;
    w->chr->drained = on_drained;
    w->chr->link = on_link;
    return 0;
}

static int drop(void **state)
{
    struct world *w = *state;
    struct stat st;
    int left;

    chr_close(w->chr);
    left = !stat(w->path + 7, &st);
    loop_close(w->loop);
    rmdir(w->dir);
    free(w);
    return left;
}

static void turn(struct world *w)
{
    for (int i = 0; i < 20; i++)
        loop_step(w->loop, 0);
}

static int dial(struct world *w)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(at.sun_path, w->path + 7);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static void what_a_client_wrote_before_it_went_is_read_to_its_end(void **state)
{
    struct world *w = *state;
    int a = dial(w), b;

    assert_int_equal(write(a, "from a", 6), 6);
    close(a);
    b = dial(w);
    assert_int_equal(write(b, "from b", 6), 6);
    turn(w);
    assert_int_equal(w->len, 0); /* no room: nothing is read, and nobody else let in */
    assert_int_equal(w->links, 1);
    w->room = 4;
    chr_ready(w->chr);
    turn(w);
    assert_int_equal(w->len, 4);
    w->room = 100;
    chr_ready(w->chr);
    turn(w);
    assert_memory_equal(w->got, "from afrom b", 12);
    assert_int_equal(w->links, 3); /* here, away, here */
    assert_false(w->chr->away);
    close(b);
    turn(w);
    assert_true(w->chr->away);
}

static void what_nobody_took_is_the_next_ones(void **state)
{
    struct world *w = *state;
    size_t all = chr_space(w->chr);
    char buf[16];
    int a;

    chr_send(w->chr, (const uint8_t *)"early", 5);
    turn(w);
    assert_int_equal(chr_space(w->chr), all - 5);
    a = dial(w);
    turn(w);
    assert_int_equal(read(a, buf, sizeof(buf)), 5);
    assert_memory_equal(buf, "early", 5);
    assert_int_equal(chr_space(w->chr), all);
    assert_int_equal(w->drains, 1);
    close(a);
}

static void a_client_that_does_not_read_costs_what_space_says(void **state)
{
    struct world *w = *state;
    static uint8_t buf[1 << 16];
    size_t sent = 0, got = 0, n;
    int a = dial(w);
    ssize_t k;

    turn(w);
    while ((n = chr_space(w->chr))) {
        n = n < 4096 ? n : 4096;
        for (size_t i = 0; i < n; i++)
            buf[i] = (uint8_t)((sent + i) % 251);
        chr_send(w->chr, buf, n);
        sent += n;
        assert_true(sent < 16 << 20); /* else there is no end to it */
        turn(w);
    }
    while (got < sent) {
        k = read(a, buf, sizeof(buf));
        assert_true(k > 0);
        for (ssize_t i = 0; i < k; i++)
            assert_int_equal(buf[i], (got + (size_t)i) % 251);
        got += (size_t)k;
        turn(w);
    }
    assert_true(w->drains > 0);
    close(a);
}

static void half_closed_is_not_gone(void **state)
{
    struct world *w = *state;
    int a = dial(w);
    char buf[8];

    w->room = 10;
    assert_int_equal(write(a, "x", 1), 1);
    shutdown(a, SHUT_WR);
    turn(w);
    assert_int_equal(w->len, 1);
    assert_false(w->chr->away);
    chr_send(w->chr, (const uint8_t *)"answer", 6);
    turn(w);
    assert_int_equal(read(a, buf, sizeof(buf)), 6);
    close(a);
    turn(w);
    assert_true(w->chr->away);
}

static void a_place_that_is_taken_is_refused(void **state)
{
    struct world *w = *state;
    struct error err = {0};
    struct chr *other = NULL;

    assert_int_not_equal(chr_open(&other,
                                  &(struct chr_open_opts){.spec = w->path, .option = "--port"},
                                  w->loop, &err),
                         0);
    assert_non_null(strstr(err.text, "another machine is there"));
    turn(w);
}

/* Every key that can be pressed is one that a virtio keyboard says it has, and the other way round.
 */
static void a_virtio_keyboard_has_the_keys_of_the_table(void **state)
{
    bool has[1024] = {false}, in_table[1024] = {false};

    (void)state;
    for (unsigned i = 0; i < vinput_keyboard.runs; i++)
        for (unsigned c = vinput_keyboard.codes[i].first; c <= vinput_keyboard.codes[i].last; c++)
            has[c] |= vinput_keyboard.codes[i].type == VINPUT_KEY;
    for (unsigned i = 0; i < ps2_keys_count(); i++)
        in_table[ps2_keys[i].code] = true;
    for (unsigned c = 0; c < 1024; c++)
        if (has[c] != in_table[c])
            fail_msg("code %u: keyboard %d, table %d", c, has[c], in_table[c]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_client_wrote_before_it_went_is_read_to_its_end, make,
                                        drop),
        cmocka_unit_test_setup_teardown(what_nobody_took_is_the_next_ones, make, drop),
        cmocka_unit_test_setup_teardown(a_client_that_does_not_read_costs_what_space_says, make,
                                        drop),
        cmocka_unit_test_setup_teardown(half_closed_is_not_gone, make, drop),
        cmocka_unit_test_setup_teardown(a_place_that_is_taken_is_refused, make, drop),
        cmocka_unit_test(a_virtio_keyboard_has_the_keys_of_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
