/* The ledger: rows are found again, sums agree with rows, output says the same as the rows. */
#include "unit.h"
#include "core/ledger.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <unistd.h>

static void fill(struct ledger *l)
{
    struct ledger_row *com = ledger_row(l, LEDGER_PIO, "com1", "regs");
    struct ledger_row *ide = ledger_row(l, LEDGER_PIO, "ide0", "cmd");
    struct ledger_row *dma = ledger_row(l, LEDGER_DMA, "ide0", "bm");
    int i;

    for (i = 0; i < 5; i++)
        ledger_add(com, true, 1);
    for (i = 0; i < 7; i++)
        ledger_add(ide, i & 1, 2);
    ledger_add(dma, false, 4096);
    ledger_add(dma, true, 0);
    ledger_refuse(dma);
}

static void rows_are_made_once(void **state)
{
    struct ledger *l = ledger_open();
    struct ledger_row *a = ledger_row(l, LEDGER_PIO, "com1", "regs");

    (void)state;
    assert_ptr_equal(a, ledger_row(l, LEDGER_PIO, "com1", "regs"));
    assert_ptr_not_equal(a, ledger_row(l, LEDGER_MMIO, "com1", "regs"));
    assert_ptr_not_equal(a, ledger_row(l, LEDGER_PIO, "com2", "regs"));
    assert_ptr_not_equal(a, ledger_row(l, LEDGER_PIO, "com1", "other"));
    assert_ptr_equal(ledger_first(l), a);
    assert_ptr_equal(ledger_find(l, LEDGER_PIO, "com1", "regs"), a);
    assert_null(ledger_find(l, LEDGER_BLK, "com1", "regs"));
    ledger_close(l);
}

static void sums_are_the_sums_of_rows(void **state)
{
    struct ledger *l = ledger_open();

    (void)state;
    fill(l);
    assert_int_equal(ledger_sum(l, LEDGER_PIO, NULL), 12);
    assert_int_equal(ledger_sum(l, LEDGER_PIO, "ide0"), 7);
    assert_int_equal(ledger_sum(l, LEDGER_DMA, "ide0"), 2);
    assert_int_equal(ledger_sum(l, LEDGER_MMIO, NULL), 0);
    ledger_close(l);
}

static cJSON *json_of(const struct ledger *l)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    cJSON *json;

    assert_int_equal(ledger_json(l, out), 0);
    fclose(out);
    json = cJSON_ParseWithLength(text, len);
    free(text);
    assert_non_null(json);
    return json;
}

static double number(const cJSON *o, const char *name)
{
    const cJSON *n = cJSON_GetObjectItem(o, name);

    assert_true(cJSON_IsNumber(n));
    return n->valuedouble;
}

static void json_sums_equal_json_rows(void **state)
{
    static const char *const field[] = {"reads", "writes", "read_bytes", "write_bytes", "refused"};
    struct ledger *l = ledger_open();
    const cJSON *row, *rows, *kind;
    cJSON *json;
    double sum;
    size_t f;

    (void)state;
    fill(l);
    json = json_of(l);
    rows = cJSON_GetObjectItem(json, "rows");
    assert_int_equal(cJSON_GetArraySize(rows), 3);
    cJSON_ArrayForEach(kind, cJSON_GetObjectItem(json, "sums"))
    {
        for (f = 0; f < sizeof(field) / sizeof(field[0]); f++) {
            sum = 0;
            cJSON_ArrayForEach(row, rows)
            {
                if (!strcmp(cJSON_GetObjectItem(row, "kind")->valuestring, kind->string))
                    sum += number(row, field[f]);
            }
            assert_true(sum == number(kind, field[f]));
        }
    }
    row = cJSON_GetArrayItem(rows, 2);
    assert_true(number(row, "read_bytes") == 4096);
    assert_true(number(row, "refused") == 1);
    cJSON_Delete(json);
    ledger_close(l);
}

static void names_are_escaped(void **state)
{
    static const char *const odd = "a\"b\\c\nd\x01";
    struct ledger *l = ledger_open();
    const cJSON *row;
    cJSON *json;

    (void)state;
    ledger_row(l, LEDGER_BLK, odd, "read");
    json = json_of(l);
    row = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "rows"), 0);
    assert_string_equal(cJSON_GetObjectItem(row, "dev")->valuestring, odd);
    cJSON_Delete(json);
    ledger_close(l);
}

static void table_shows_used_rows_only(void **state)
{
    struct ledger *l = ledger_open();
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    (void)state;
    fill(l);
    ledger_row(l, LEDGER_IRQ, "pic", "line5");
    ledger_print(l, out);
    fclose(out);
    assert_non_null(strstr(text, "com1"));
    assert_non_null(strstr(text, "4096"));
    assert_null(strstr(text, "line5"));
    free(text);
    ledger_close(l);
}

static void save_says_what_went_wrong(void **state)
{
    struct ledger *l = ledger_open();

    (void)state;
    assert_int_equal(ledger_save(l, "/nonexistent/dir/x.json"), -ENOENT);
    assert_int_equal(ledger_save(l, "/dev/full"), -ENOSPC);
    ledger_close(l);
}

static void every_kind_has_a_name(void **state)
{
    unsigned a, b;

    (void)state;
    for (a = 0; a < LEDGER_KINDS; a++)
        for (b = 0; b < a; b++)
            assert_string_not_equal(ledger_kind_name(a), ledger_kind_name(b));
    assert_string_equal(ledger_kind_name(LEDGER_KINDS), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_made_once),         cmocka_unit_test(sums_are_the_sums_of_rows),
        cmocka_unit_test(json_sums_equal_json_rows),  cmocka_unit_test(names_are_escaped),
        cmocka_unit_test(table_shows_used_rows_only), cmocka_unit_test(save_says_what_went_wrong),
        cmocka_unit_test(every_kind_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
