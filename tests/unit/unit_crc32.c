/* crc32_ieee against zlib's: every length around its steps, every alignment, and long ones. */
#include "core/crc32.h"
#include "unit.h"

#include <zlib.h>

static uint8_t buf[70000 + 64];

static void fill(void)
{
    uint32_t x = 1;

    for (size_t i = 0; i < sizeof(buf); i++) {
        x = x * 1664525u + 1013904223u;
        buf[i] = (uint8_t)(x >> 24);
    }
}

static void same(size_t at, size_t len)
{
    assert_int_equal(crc32_ieee(buf + at, len), crc32(0, buf + at, (uInt)len));
}

static void known(void **state)
{
    (void)state;
    assert_int_equal(crc32_ieee("123456789", 9), 0xcbf43926);
    assert_int_equal(crc32_ieee("", 0), 0);
}

static void lengths(void **state)
{
    (void)state;
    fill();
    for (size_t len = 0; len < 700; len++)
        for (size_t at = 0; at < 20; at += 3)
            same(at, len);
    same(1, 1514);
    same(5, 9014);
    same(0, 65536);
    same(7, 70000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(known), cmocka_unit_test(lengths)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
