/* ACPI tables: linked, summed, and of the right size; too little room is an error. */
#include "unit.h"
#include "board/acpi.h"
#include "irq/chip.h"

#include <errno.h>

#define AT 0x80000u

static const struct acpi_part part[] = {
    {.seg = "COM1", .hid = "PNP0501", .uid = 1, .io = {0x3f8}, .io_len = {8}, .irq = 4},
    {.seg = "RGD0", .hid = "VIAD0001", .mem = 0xfe700000, .mem_len = 4096, .irq = 7, .level = true},
};

static struct acpi_machine machine(bool reduced)
{
    return (struct acpi_machine){.reduced = reduced,
                                 .pic = !reduced,
                                 .vcpus = 4,
                                 .reset = 0x600,
                                 .reset_value = 0x10,
                                 .sleep_ctl = 0x601,
                                 .sleep_sts = 0x602,
                                 .pm1_evt = 0x600,
                                 .pm1_cnt = 0x604,
                                 .pm_tmr = 0x608,
                                 .sci = 9,
                                 .s5 = 5,
                                 .ioapic_id = 1,
                                 .pci_first = 10,
                                 .pci_lines = 2,
                                 .pci_gsi = chip_pci_gsi,
                                 .part = part,
                                 .parts = ARRAY_LEN(part)};
}

static uint8_t sum(const uint8_t *p, size_t n)
{
    uint8_t s = 0;

    while (n--)
        s = (uint8_t)(s + *p++);
    return s;
}

/* The table at a guest address, whole and summed. */
static const uint8_t *table(const uint8_t *buf, size_t len, uint64_t at, const char *sig)
{
    const uint8_t *t = buf + (at - AT);

    assert_true(range_in(at, 36, AT, len));
    assert_true(range_in(at, le32_get(t + 4), AT, len));
    assert_memory_equal(t, sig, 4);
    assert_int_equal(sum(t, le32_get(t + 4)), 0);
    return t;
}

static void tables_are_linked_and_summed(void **state)
{
    static uint8_t buf[65536];

    (void)state;
    for (int reduced = 0; reduced < 2; reduced++) {
        struct acpi_machine m = machine(reduced);
        const uint8_t *xsdt, *fadt, *dsdt;
        size_t len;

        assert_int_equal(acpi_build(&m, AT, buf, sizeof(buf), &len), 0);
        assert_memory_equal(buf, "RSD PTR ", 8);
        assert_int_equal(sum(buf, 20), 0);
        assert_int_equal(sum(buf, 36), 0);
        xsdt = table(buf, len, le64_get(buf + 24), "XSDT");
        fadt = table(buf, len, le64_get(xsdt + 36), "FACP");
        table(buf, len, le64_get(xsdt + 44), "APIC");
        dsdt = table(buf, len, le64_get(fadt + 140), "DSDT");
        assert_int_equal(le32_get(fadt + 112) >> 20 & 1, reduced);
        assert_true(le64_get(fadt + 132) == 0 || !reduced);
        assert_non_null(memmem(dsdt, le32_get(dsdt + 4), "VIAD0001", 9));
        assert_non_null(memmem(dsdt, le32_get(dsdt + 4), "\x0c\x41\xd0\x05\x01", 5)); /* PNP0501 */
        assert_non_null(memmem(dsdt, le32_get(dsdt + 4), "_S5_", 4));
    }
}

static void too_little_room_is_an_error(void **state)
{
    static uint8_t buf[65536];
    struct acpi_machine m = machine(false);
    size_t len, need;

    (void)state;
    assert_int_equal(acpi_build(&m, AT, buf, sizeof(buf), &need), 0);
    for (size_t room = 0; room < need; room++) {
        memset(buf + room, 0xa5, 64);
        assert_int_equal(acpi_build(&m, AT, buf, room, &len), -ENOSPC);
        assert_int_equal(buf[room], 0xa5); /* not a byte beyond */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_linked_and_summed),
        cmocka_unit_test(too_little_room_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
