/* --check virtio: each rule, broken by a driver that keeps the others; and drivers that keep all.
 */
#include "vcheck_driver.h"

#define BREAKERS (vcheck_break_regs.count + vcheck_break_ring.count)

static const struct breaker *breaker(size_t i)
{
    return i < vcheck_break_regs.count ? &vcheck_break_regs.at[i]
                                       : &vcheck_break_ring.at[i - vcheck_break_regs.count];
}

static uint64_t told(const struct world *w, enum vrule rule)
{
    uint64_t n = 0;

    for (const struct ledger_row *r = ledger_first(w->ledger); r; r = r->next)
        if (r->kind == LEDGER_CHECK && !strcmp(r->name, vrule_text[rule].name))
            n += r->refused;
    return n;
}

static void each_rule_is_seen_broken(void **state)
{
    bool bad = false;

    (void)state;
    for (size_t i = 0; i < BREAKERS; i++) {
        const struct breaker *b = breaker(i);
        struct world *w = watched(b->mib ? b->mib : 2, b->mmio, ORDER | DATAS);
        void *world = w;

        b->go(w);
        if (!told(w, b->rule) || (!b->others && told(w, b->rule) != w->watch.broken)) {
            print_error("%s, case %zu: told %d times of %d\n", vrule_text[b->rule].name, i,
                        (int)told(w, b->rule), (int)w->watch.broken);
            bad = true;
        }
        w->slow.list = NULL; /* what a broken ring left there is nobody's */
        teardown(&world);
    }
    assert_false(bad);
}

static void each_rule_has_a_name_and_a_breaker(void **state)
{
    (void)state;
    for (unsigned r = 0; r < VRULES; r++) {
        bool there = false;

        assert_non_null(vrule_text[r].name);
        assert_true(*vrule_text[r].section >= '2' && *vrule_text[r].section <= '6');
        for (size_t i = 0; i < BREAKERS; i++)
            there |= breaker(i)->rule == r;
        if (!there)
            print_error("%s: nobody breaks it\n", vrule_text[r].name);
        assert_true(there);
    }
}

static void the_page_lists_each_rule(void **state)
{
    static char page[1 << 16];
    FILE *f = fopen(PAGE, "r");
    size_t n;

    (void)state;
    assert_non_null(f);
    n = fread(page, 1, sizeof(page) - 1, f);
    page[n] = 0;
    fclose(f);
    for (unsigned r = 0; r < VRULES; r++) {
        char line[256];

        snprintf(line, sizeof(line), "| `%s` | %s | %s |", vrule_text[r].name,
                 vrule_text[r].section, vrule_text[r].text);
        if (!strstr(page, line))
            print_error("not on the page: %s\n", line);
        assert_non_null(strstr(page, line));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_has_a_name_and_a_breaker),
        cmocka_unit_test(each_rule_is_seen_broken),
        cmocka_unit_test(the_page_lists_each_rule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
