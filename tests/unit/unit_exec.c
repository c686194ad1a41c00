/* viaduct exec below its calls: address spaces, ELF headers, and the path policy. */
#include "unit.h"
#include "core/error.h"
#include "exec/elf.h"
#include "exec/file.h"
#include "exec/root.h"
#include "exec/space.h"
#include "mem/ram.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE  SPACE_PAGE
#define FLOOR 0x10000ull
#define TOP   0x7ffffffff000ull
#define RW    (SPACE_READ | SPACE_WRITE)

struct world {
    struct ram ram;
    struct space s;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    *state = w;
    return ram_open(&w->ram, 2 << 20) || space_open(&w->s, &w->ram, FLOOR, TOP);
}

static int teardown(void **state)
{
    struct world *w = *state;

    space_close(&w->s);
    ram_close(&w->ram);
    free(w);
    return 0;
}

static int map(struct space *s, uint64_t at, uint64_t pages, unsigned prot)
{
    struct area a = {.at = at, .end = at + pages * PAGE, .prot = prot, .file_end = UINT64_MAX};

    return space_map(s, &a);
}

static void memory_is_judged_by_its_rights(void **state)
{
    struct space *s = &((struct world *)*state)->s;
    char b[8] = "1234567";

    assert_int_equal(map(s, 0x20000, 4, RW), 0);
    assert_int_equal(space_write(s, 0x20ffc, b, 8), 0); /* across pages */
    memset(b, 0, sizeof(b));
    assert_int_equal(space_read(s, 0x20ffc, b, 8), 0);
    assert_string_equal(b, "1234567");
    assert_int_equal(space_protect(s, 0x21000, PAGE, SPACE_READ), 0);
    assert_int_equal(space_write(s, 0x20ffc, b, 8), -EFAULT);
    assert_int_equal(space_read(s, 0x20ffc, b, 8), 0);
    assert_int_equal(space_protect(s, 0x21000, PAGE, 0), 0);
    assert_int_equal(space_read(s, 0x20ffc, b, 8), -EFAULT);
    assert_int_equal(space_fault(s, 0x21000, SPACE_READ), -EFAULT);
    assert_int_equal(space_protect(s, 0x21000, PAGE, RW), 0);
    assert_int_equal(space_read(s, 0x20ffc, b, 8), 0); /* its page was kept */
    assert_string_equal(b, "1234567");
    assert_int_equal(space_fault(s, 0x22000, SPACE_EXEC), -EFAULT);
    assert_int_equal(space_read(s, 0x23ffc, b, 8), -EFAULT);
    assert_true(space_sane(s));
}

static void addresses_outside_are_refused(void **state)
{
    static const uint64_t where[] = {
        0, FLOOR - 8, TOP, TOP - 4, 1ull << 47, UINT64_MAX - 3, 0xffff800000000000ull};
    struct space *s = &((struct world *)*state)->s;
    struct iovec iov[4];
    char b[8];

    assert_int_equal(map(s, TOP - PAGE, 1, RW), 0);
    for (unsigned i = 0; i < ARRAY_LEN(where); i++) {
        uint64_t n = 8;

        assert_int_equal(space_read(s, where[i], b, 8), -EFAULT);
        assert_int_equal(space_write(s, where[i], b, 8), -EFAULT);
        assert_int_equal(space_hold(s, where[i], &n, true, iov, 4), -EFAULT);
        assert_int_not_equal(space_unmap(s, where[i] & ~(PAGE - 1), 2 * PAGE), 0);
        assert_int_not_equal(space_protect(s, where[i] & ~(PAGE - 1), 2 * PAGE, RW), 0);
    }
    assert_int_equal(space_map(s, &(struct area){.at = TOP - PAGE, .end = TOP + PAGE}), -EINVAL);
    assert_int_equal(space_map(s, &(struct area){.at = 0, .end = PAGE}), -EINVAL);
    assert_true(space_sane(s));
}

static void pages_come_back(void **state)
{
    struct space *s = &((struct world *)*state)->s;
    char b[1] = {1};

    for (unsigned round = 0; round < 20; round++) { /* 20 times more than there is */
        uint64_t at = space_find(s, 200 * PAGE);

        assert_int_equal(map(s, at, 200, RW), 0);
        for (unsigned i = 0; i < 200; i++) {
            assert_int_equal(space_write(s, at + i * PAGE, b, 1), 0);
            assert_int_equal(space_read(s, at + i * PAGE + 1, b + 0, 0), 0);
        }
        assert_int_equal(space_unmap(s, at, 200 * PAGE), 0);
        assert_true(s->stale);
        assert_true(space_sane(s));
    }
    assert_int_equal(map(s, 0x20000, 1, RW), 0);
    assert_int_equal(space_read(s, 0x20000, b, 1), 0);
    assert_int_equal(b[0], 0); /* nothing of what was there before */
}

static void memory_has_an_end(void **state)
{
    struct space *s = &((struct world *)*state)->s;
    unsigned i;

    assert_int_equal(map(s, 0x100000, 4096, RW), 0);
    for (i = 0; i < 4096 && !space_fault(s, 0x100000 + i * PAGE, SPACE_WRITE); i++)
        ;
    assert_in_range(i, 380, 384);
    assert_int_equal(space_fault(s, 0x100000 + i * PAGE, SPACE_WRITE), -ENOMEM);
    assert_int_equal(space_map(s, &(struct area){.at = 1ull << 40, .end = 3ull << 40}), -ENOMEM);
    assert_true(space_sane(s));
}

static void areas_split_join_and_move(void **state)
{
    struct space *s = &((struct world *)*state)->s;
    char b[4] = "abc";

    assert_int_equal(map(s, 0x20000, 16, RW), 0);
    assert_int_equal(space_write(s, 0x28000, b, 4), 0);
    assert_int_equal(space_unmap(s, 0x24000, 2 * PAGE), 0);
    assert_int_equal(s->areas, 2);
    assert_int_equal(map(s, 0x24000, 2, RW), 0);
    assert_int_equal(s->areas, 1);
    assert_int_equal(space_protect(s, 0x24000, PAGE, SPACE_READ), 0);
    assert_int_equal(s->areas, 3);
    assert_int_equal(space_protect(s, 0x24000, PAGE, RW), 0);
    assert_int_equal(s->areas, 1);
    assert_int_equal(space_move(s, 0x28000, 2 * PAGE, 0x100000), 0);
    assert_int_equal(space_read(s, 0x28000, b, 4), -EFAULT);
    memset(b, 0, 4);
    assert_int_equal(space_read(s, 0x100000, b, 4), 0);
    assert_string_equal(b, "abc");
    assert_int_equal(space_move(s, 0x20000, 2 * PAGE, 0x100000), -EINVAL); /* taken */
    for (unsigned i = 0; i < 2 * SPACE_AREAS_MAX; i++)
        map(s, 0x1000000 + i * PAGE, 1, i & 1 ? RW : SPACE_READ);
    assert_int_equal(s->areas, SPACE_AREAS_MAX);
    assert_int_equal(space_unmap(s, 0x22000, PAGE), -ENOMEM); /* would make one more */
    assert_true(space_sane(s));
}

/* There is memory for pages, and none for the tables that a new place needs. */
static void a_move_that_can_not_be_leaves_all_in_place(void **state)
{
    struct space *s = &((struct world *)*state)->s;
    uint64_t at = FLOOR, far = 1ull << 39, to = 1ull << 46, got = 0, first = 7;

    assert_int_equal(map(s, at, 2, RW), 0);
    assert_int_equal(space_write(s, at, &first, sizeof(first)), 0);
    for (unsigned i = 0; i < 200; i++, far += 1ull << 30) { /* a table each, as long as there are */
        assert_int_equal(map(s, far, 1, RW), 0);
        if (space_fault(s, far, SPACE_WRITE) == -ENOMEM)
            break;
    }
    assert_int_equal(space_move(s, at, 2 * PAGE, to), -ENOMEM);
    assert_int_equal(space_read(s, at, &got, sizeof(got)), 0);
    assert_int_equal(got, first);
    assert_null(space_area(s, to));
    assert_true(space_sane(s));
}

static void strings_end_or_are_refused(void **state)
{
    struct space *s = &((struct world *)*state)->s;
    char b[64];

    assert_int_equal(map(s, 0x20000, 1, RW), 0);
    assert_int_equal(space_write(s, 0x20ffa, "12345", 6), 0);
    assert_int_equal(space_string(s, 0x20ffa, b, sizeof(b)), 5);
    assert_int_equal(space_write(s, 0x20fff, "x", 1), 0);
    assert_int_equal(space_string(s, 0x20ffa, b, sizeof(b)), -EFAULT);
    assert_int_equal(space_string(s, 0x20ffa, b, 6), -ENAMETOOLONG);
}

/* ---- ELF ---- */

static size_t elf64(uint8_t *b, uint64_t entry, uint64_t vaddr, uint64_t filesz, uint64_t memsz)
{
    memset(b, 0, ELF_HEAD);
    memcpy(b, "\177ELF\2\1\1", 7);
    le16_put(b + 16, 2), le16_put(b + 18, 62), le32_put(b + 20, 1);
    le64_put(b + 24, entry), le64_put(b + 32, 64);
    le16_put(b + 54, 56), le16_put(b + 56, 1);
    le32_put(b + 64, 1), le32_put(b + 68, 5);
    le64_put(b + 80, vaddr), le64_put(b + 96, filesz), le64_put(b + 104, memsz);
    return 120;
}

static void programs_are_judged_before_they_are_mapped(void **state)
{
    uint8_t b[ELF_HEAD];
    struct error err;
    struct elf e;
    size_t n = elf64(b, 0x400000, 0x400000, 120, 0x3000);

    (void)state;
    assert_int_equal(elf_parse(&e, b, n, n, &err), 0);
    assert_int_equal(e.low, 0x400000), assert_int_equal(e.high, 0x403000);
    assert_int_equal(e.phdr, 0x400040);
    assert_int_equal(elf_parse(&e, b, n, 119, &err), -ENOEXEC); /* cut off */
    assert_int_equal(elf_parse(&e, b, 119, n, &err), -ENOEXEC);
    for (size_t len = 0; len < n; len++)
        assert_int_equal(elf_parse(&e, b, len, n, &err), -ENOEXEC);
    n = elf64(b, 0x500000, 0x400000, 120, 0x3000);
    assert_int_equal(elf_parse(&e, b, n, n, &err), -ENOEXEC); /* enters nowhere */
    n = elf64(b, 0x400000, 0x400000, 120, UINT64_MAX);
    assert_int_equal(elf_parse(&e, b, n, n, &err), -ENOEXEC);
    n = elf64(b, 0xffff800000000000, 0xffff800000000000, 120, 0x1000);
    assert_int_equal(elf_parse(&e, b, n, n, &err), -ENOEXEC);
    n = elf64(b, 0, 0, 120, 0x1000);
    assert_int_equal(elf_parse(&e, b, n, n, &err), -ENOEXEC); /* page 0 */
    n = elf64(b, 0x400010, 0x400010, 100, 0x1000);
    assert_int_equal(elf_parse(&e, b, n, n, &err), -ENOEXEC); /* offset and address don't agree */
    n = elf64(b, 0x400000, 0x400000, 120, 0x1000);
    le32_put(b + 64, 3);
    assert_int_equal(elf_parse(&e, b, n, n, &err), -ENOEXEC);
    assert_non_null(strstr(err.text, "dynamically"));
}

/* ---- the path policy ---- */

static void file_make(const char *path, const char *text)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static int opened(const struct root *r, const char *path, int flags)
{
    int fd = root_open_at(r, path, flags, 0600);

    if (fd >= 0)
        close(fd);
    return fd < 0 ? fd : 0;
}

static void paths_stay_below_the_root(void **state)
{
    struct root r;
    struct error err;
    const char *name;
    char buf[64];
    int fd;

    (void)state;
    assert_int_equal(mkdir("w", 0700), 0), assert_int_equal(mkdir("w/d", 0700), 0);
    file_make("secret", "s"), file_make("w/f", "f");
    assert_int_equal(symlink("../secret", "w/out"), 0);
    assert_int_equal(symlink("/f", "w/d/abs"), 0); /* of the root that the program sees */
    assert_int_equal(mkfifo("w/p", 0600), 0);
    assert_int_equal(root_open(&r, "w", false, &err), 0);
    assert_int_equal(opened(&r, "/f", O_RDONLY), 0);
    assert_int_equal(opened(&r, "d/abs", O_RDONLY), 0);
    assert_int_equal(opened(&r, "d/../../../f", O_RDONLY), 0);
    assert_int_equal(opened(&r, "../secret", O_RDONLY), -ENOENT);
    assert_int_equal(opened(&r, "out", O_RDONLY), -ENOENT);
    assert_int_equal(opened(&r, "out", O_WRONLY | O_CREAT), -EEXIST); /* makes nothing out there */
    assert_int_equal(opened(&r, "f", O_RDONLY | O_NOFOLLOW), 0);
    assert_int_equal(opened(&r, "out", O_RDONLY | O_NOFOLLOW), -ELOOP);
    assert_int_equal(opened(&r, "p", O_WRONLY), -ENXIO);
    assert_int_equal(opened(&r, "new", O_WRONLY | O_CREAT | O_EXCL), 0);
    assert_int_equal(opened(&r, "new", O_WRONLY | O_CREAT | O_EXCL), -EEXIST);
    assert_int_equal(opened(&r, "d", O_RDWR | O_TMPFILE), -EOPNOTSUPP);
    assert_int_equal(root_parent(&r, "/d/..", &name), -EINVAL);
    assert_int_equal(root_parent(&r, "/..", &name), -EINVAL);
    assert_int_equal(root_parent(&r, "/", &name), -EINVAL);
    fd = root_find(&r, "d", true);
    assert_int_equal(root_name(&r, fd, buf, sizeof(buf)), 0);
    assert_string_equal(buf, "/d");
    assert_int_equal(rename("w/d", "moved"), 0); /* out of the root meanwhile */
    assert_int_equal(root_name(&r, fd, buf, sizeof(buf)), -ENOENT);
    close(fd);
    r.readonly = true;
    assert_int_equal(opened(&r, "f", O_WRONLY), -EROFS);
    assert_int_equal(opened(&r, "f", O_RDONLY | O_TRUNC), -EROFS);
    assert_int_equal(opened(&r, "absent", O_RDONLY | O_CREAT), -ENOENT);
    assert_int_equal(root_parent(&r, "/f", &name), -EROFS);
    root_close(&r);
    assert_int_not_equal(root_open(&r, "/proc", false, &err), 0);
    root_close(&r);
    assert_int_equal(root_open(&r, NULL, false, &err), 0);
    assert_int_equal(opened(&r, "/etc/passwd", O_RDONLY), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(memory_is_judged_by_its_rights, setup, teardown),
        cmocka_unit_test_setup_teardown(addresses_outside_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(pages_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_has_an_end, setup, teardown),
        cmocka_unit_test_setup_teardown(areas_split_join_and_move, setup, teardown),
        cmocka_unit_test_setup_teardown(a_move_that_can_not_be_leaves_all_in_place, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(strings_end_or_are_refused, setup, teardown),
        cmocka_unit_test(programs_are_judged_before_they_are_mapped),
        cmocka_unit_test(paths_stay_below_the_root),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
