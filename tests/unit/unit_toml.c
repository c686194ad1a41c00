/* TOML: what is read, and what is said of what can't be: where, what was found, what expected. */
#include "api/toml.h"
#include "core/error.h"
#include "unit.h"
#include <errno.h>

static struct toml *good(const char *text)
{
    struct error err = {{0}};
    struct toml *t = NULL;

    if (toml_parse(&t, "f", text, strlen(text), &err))
        print_error("%s\n", err.text);
    assert_non_null(t);
    return t;
}

static const char *text_of(const struct toml *t, const char *key)
{
    const struct toml *m = toml_get(t, key);

    assert_non_null(m);
    assert_int_equal(m->kind, TOML_STRING);
    return m->text;
}

static void reads_values(void **state)
{
    struct toml *t = good("# a comment\r\n"
                          "a = \"x\\ty \\u00e9 \\U0001F600 # no comment\" # one\n"
                          "'b c' = 'C:\\n'\n\"d\\\"\" = -1_000\n"
                          "e.f.g = true\ne.f.h = false\n"
                          "i = [ 1, # one\n  2,\n]\n"
                          "j = { k = [], l.m = 9223372036854775807 }\n");
    const struct toml *f = toml_get(toml_get(t, "e"), "f"), *i = toml_get(t, "i");

    (void)state;
    assert_string_equal(text_of(t, "a"), "x\ty \xc3\xa9 \xf0\x9f\x98\x80 # no comment");
    assert_string_equal(text_of(t, "b c"), "C:\\n");
    assert_int_equal(toml_get(t, "d\"")->number, -1000);
    assert_true(toml_get(f, "g")->flag);
    assert_false(toml_get(f, "h")->flag);
    assert_int_equal(i->first->number, 1);
    assert_int_equal(i->first->next->number, 2);
    assert_null(i->first->next->next);
    assert_int_equal(toml_get(toml_get(toml_get(t, "j"), "l"), "m")->number, INT64_MAX);
    assert_null(toml_get(t, "nothing"));
    assert_null(toml_get(i, "nothing"));
    toml_free(t);
}

static void reads_tables(void **state)
{
    struct toml *t = good("[vm.one]\na = 1\n[[vm.one.disk]]\nf = \"x\"\n[[vm.one.disk]]\n"
                          "f = \"y\"\n[vm.one.disk.more]\nz = 3\n[vm]\nb = 2");
    const struct toml *one = toml_get(toml_get(t, "vm"), "one"), *disk = toml_get(one, "disk");

    (void)state;
    assert_int_equal(toml_get(one, "a")->number, 1);
    assert_int_equal(toml_get(toml_get(t, "vm"), "b")->number, 2);
    assert_int_equal(disk->kind, TOML_ARRAY);
    assert_string_equal(text_of(disk->first, "f"), "x");
    assert_string_equal(text_of(disk->last, "f"), "y");
    assert_int_equal(toml_get(toml_get(disk->last, "more"), "z")->number, 3);
    assert_int_equal(toml_get(disk->last, "f")->line, 6);
    assert_int_equal(toml_get(disk->last, "f")->column, 5);
    assert_int_equal(toml_get(disk->last, "f")->key_column, 1);
    toml_free(t);
}

static void says_what_is_wrong(void **state)
{
    static const struct {
        const char *text, *said;
    } bad[] = {
        {"a", "f:1:2: found the end of the file, expected = after the key"},
        {"\n\n  = 1", "f:3:3: found '=', expected a key, of letters, digits, - and _"},
        {"a = ", "f:1:5: found the end of the file, expected a value"},
        {"a = \n", "f:1:5: found the end of the line, expected a value"},
        {"a = yes\n", "f:1:5: found 'yes', expected a value"},
        {"a = 1.5\n", "f:1:5: found '1.5', expected a value"},
        {"a = 1979-05-27\n", "f:1:5: found '1979-05-27', expected a value"},
        {"a = 007\n", "f:1:5: found '007', expected a value"},
        {"a = 1__0\n", "f:1:5: found '1__0', expected a value"},
        {"a = _1\n", "f:1:5: found '_1', expected a value"},
        {"a = 9223372036854775808\n",
         "f:1:5: found '9223372036854775808', expected a number of 64"},
        {"a = 1 b = 2\n", "f:1:7: found 'b', expected the end of the line"},
        {"a = \"x\n", "f:1:7: found the end of the line, expected a \" that ends the string"},
        {"a = 'x", "f:1:7: found the end of the file, expected a ' that ends the string"},
        {"a = \"\\q\"\n", "f:1:7: found 'q', expected one of b t n f r"},
        {"a = \"\\u12g4\"\n", "f:1:10: found 'g4', expected four hexadecimal digits"},
        {"a = \"\\u0000\"\n", "f:1:12: found \\u of 0x0, expected a character other than NUL"},
        {"a = \"\\ud800\"\n", "found \\u of 0xd800"},
        {"a = \"\"\"x\"\"\"\n", "f:1:5: found a string of several lines"},
        {"\xc3\xa9 = 1\n", "f:1:1: found the byte 0xc3, expected a key"},
        {"a = \"\xc3\xa9\xff\"\n", "f:1:7: found the byte 0xff, expected a character in UTF-8"},
        {"a = \"\xed\xa0\x80\"\n", "f:1:6: found the byte 0xed"},
        {"# \x01\n", "f:1:3: found the byte 0x01"},
        {"a = [1 2]\n", "f:1:8: found '2', expected a comma or ]"},
        {"a = [1,\n", "f:2:1: found the end of the file, expected a value"},
        {"a = {b = 1\n", "f:1:11: found the end of the line, expected a comma or }"},
        {"a = {b = 1, }\n", "f:1:13: found '}', expected a key"},
        {"a = 1\na = 2\n", "f:2:1: found 'a' again, expected another name: it was given in line 1"},
        {"a = 1\na.b = 2\n", "f:2:1: found 'a' again"},
        {"a = {}\na.b = 2\n", "f:2:1: found 'a' again"},
        {"[a]\n[a]\n", "f:2:2: found 'a' again, expected another name: it was given in line 1"},
        {"[a]\n[[a]]\n", "f:2:3: found 'a' again"},
        {"a = []\n[[a]]\n", "f:2:3: found 'a' again"},
        {"[a]\nb.c = 1\n[a.b]\n", "f:3:4: found 'b' again"},
        {"[a\n", "f:1:3: found the end of the line, expected ] after the table's name"},
        {"[[a]\n", "f:1:5: found the end of the line, expected ]] after the name"},
        {"[]\n", "f:1:2: found ']', expected a key"},
        {"[a] b\n", "f:1:5: found 'b', expected the end of the line"},
        {"a = 1\r", "f:1:6: found the byte 0x0d, expected the end of the line"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct error err = {{0}};
        struct toml *t;
        int code = toml_parse(&t, "f", bad[i].text, strlen(bad[i].text), &err);

        if (code != -EINVAL || !strstr(err.text, bad[i].said))
            print_error("%s\n  said: %s\n  want: %s\n", bad[i].text, err.text, bad[i].said);
        assert_int_equal(code, -EINVAL);
        assert_non_null(strstr(err.text, bad[i].said));
        assert_null(t);
    }
}

/* Bounds: brackets, values, bytes. */
static void has_bounds(void **state)
{
    char *big = malloc(TOML_SIZE_MAX + 2);
    struct error err = {{0}};
    struct toml *t;
    size_t n = 0;

    (void)state;
    assert_non_null(big);
    memset(big, '[', 1000);
    memcpy(big, "a = ", 4);
    assert_int_equal(toml_parse(&t, "f", big, 1000, &err), -EINVAL);
    assert_string_equal(err.text, "f:1:21: found more than 16 levels of brackets, expected fewer");
    for (unsigned i = 0; i <= TOML_VALUES_MAX; i++)
        n += (size_t)snprintf(big + n, 32, "a%u = 1\n", i);
    assert_int_equal(toml_parse(&t, "f", big, n, &err), -EINVAL);
    assert_non_null(strstr(err.text, "found more than 10000 values"));
    memset(big, '\n', TOML_SIZE_MAX + 1);
    assert_int_equal(toml_parse(&t, "f", big, TOML_SIZE_MAX + 1, &err), -EINVAL);
    assert_int_equal(toml_parse(&t, "f", big, TOML_SIZE_MAX, &err), 0);
    toml_free(t);
    free(big);
}

/* A file's words can't move a terminal's cursor, or make two lines of a log's one. */
static void messages_are_plain(void **state)
{
    struct error err = {{0}};

    (void)state;
    toml_error(&err, "f", (struct toml_place){1, 2}, "found '%s'", "a\n\x1b[31m\x7f\xc3\xa9");
    assert_string_equal(err.text, "f:1:2: found 'a??[31m?\xc3\xa9'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_values), cmocka_unit_test(reads_tables),
        cmocka_unit_test(says_what_is_wrong), cmocka_unit_test(has_bounds),
        cmocka_unit_test(messages_are_plain)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
