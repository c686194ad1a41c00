/* Kernel loaders: what is right is placed where it belongs; what is wrong is refused, in words. */
#include "unit.h"
#include "board/board.h"
#include "board/boot.h"
#include "board/unpack.h"
#include "core/cpu_regs.h"
#include "core/error.h"
#include "mem/ram.h"

#include <errno.h>
#include <lz4.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#define MIB        (1ull << 20)
#define LOAD_AT    0x1000000ull
#define KERNEL_LEN 8192u /* of the ELF file the tests make */

struct world {
    struct ram ram;
    struct cpu_regs regs;
    struct error err;
    uint8_t file[65536];
    size_t len;
    struct boot_file kernel, initrd;
    struct boot_args args;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_int_equal(ram_open(&w->ram, 64 * MIB), 0);
    w->kernel = (struct boot_file){.path = "kernel", .data = w->file};
    w->args = (struct boot_args){.ram = &w->ram, .kernel = &w->kernel, .cmdline = "one two"};
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    ram_close(&w->ram);
    free(w);
    return 0;
}

static int load(struct world *w)
{
    w->kernel.len = w->len;
    return boot_load(&w->args, &w->regs, &w->err);
}

/* An ELF64 kernel of one segment, linked high as Linux is; the entry is its first byte. */
static size_t elf_make(uint8_t *f, uint64_t paddr, uint64_t memsz)
{
    uint8_t *ph = f + 64;

    memset(f, 0, KERNEL_LEN);
    memcpy(f, "\177ELF\2\1\1", 7);
    le16_put(f + 16, 2);
    le16_put(f + 18, 62);
    le64_put(f + 24, paddr);
    le64_put(f + 32, 64);
    le16_put(f + 54, 56);
    le16_put(f + 56, 1);
    le32_put(ph, 1);
    le64_put(ph + 8, 4096);
    le64_put(ph + 16, 0xffffffff81000000ull);
    le64_put(ph + 24, paddr);
    le64_put(ph + 32, 4096);
    le64_put(ph + 40, memsz);
    memset(f + 4096, 0xc3, 4096);
    return KERNEL_LEN;
}

/* A bzImage around it, packed with gzip. */
static void bzimage_make(struct world *w)
{
    static const size_t pm = 5 * 512, off = 0x400;
    uint8_t elf[KERNEL_LEN], *f = w->file;
    z_stream z = {0};

    elf_make(elf, LOAD_AT, 8192);
    memset(f, 0, sizeof(w->file));
    f[0x1f1] = 4;
    le16_put(f + 0x1fe, 0xaa55);
    f[0x201] = 0x66;
    memcpy(f + 0x202, "HdrS", 4);
    le16_put(f + 0x206, 0x20f);
    le32_put(f + 0x22c, 0x7fffffff);
    le16_put(f + 0x236, 1);
    le32_put(f + 0x238, 2047);
    le32_put(f + 0x248, off);
    le64_put(f + 0x258, LOAD_AT);
    le32_put(f + 0x260, 0x100000);
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, 0), Z_OK);
    z.next_in = elf;
    z.avail_in = sizeof(elf);
    z.next_out = f + pm + off;
    z.avail_out = 16384;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    le32_put(f + 0x24c, (uint32_t)z.total_out);
    w->len = pm + off + z.total_out;
    deflateEnd(&z);
}

/* ---- what works ---- */

static void elf_is_placed_and_entered_in_long_mode(void **state)
{
    struct world *w = *state;
    uint8_t *p = ram_ptr(&w->ram, LOAD_AT, 8192);

    memset(p, 0xee, 8192);
    w->len = elf_make(w->file, LOAD_AT, 8192);
    assert_int_equal(load(w), 0);
    assert_int_equal(p[0], 0xc3);
    assert_int_equal(p[4095], 0xc3);
    assert_int_equal(p[4096], 0); /* bss is zeroed, whatever was there */
    assert_int_equal(p[8191], 0);
    assert_true(w->regs.rip == LOAD_AT);
    assert_true(w->regs.gpr[REG_RSI] == BOOT_ZERO_PAGE);
    assert_true(w->regs.efer == 0x500 && w->regs.cr4 == 0x20);
    assert_string_equal(ram_ptr(&w->ram, BOOT_CMDLINE, 8), "one two");
}

static void bzimage_is_unpacked_and_told_of_memory(void **state)
{
    struct world *w = *state;
    const uint8_t *zp = ram_ptr(&w->ram, BOOT_ZERO_PAGE, 4096);

    bzimage_make(w);
    assert_int_equal(load(w), 0);
    assert_true(w->regs.rip == LOAD_AT);
    assert_int_equal(*ram_ptr(&w->ram, LOAD_AT, 1), 0xc3);
    assert_memory_equal(zp + 0x202, "HdrS", 4);
    assert_int_equal(zp[0x1e8], 3);
    assert_true(le64_get(zp + 0x2d0 + 40) == MIB);
    assert_true(le64_get(zp + 0x2d0 + 48) == 63 * MIB);
    assert_true(le32_get(zp + 0x228) == BOOT_CMDLINE);
}

static void multiboot_gets_modules_and_command_line(void **state)
{
    struct world *w = *state;
    uint8_t module[5] = "data";
    struct boot_file mod = {.path = "mod name", .data = module, .len = 5};
    const uint8_t *info = ram_ptr(&w->ram, BOOT_INFO, 4096), *m;

    w->len = elf_make(w->file, LOAD_AT, 8192);
    le32_put(w->file + 512, 0x1badb002);
    le32_put(w->file + 520, (uint32_t)-0x1badb002);
    w->args.initrd = &mod;
    w->args.initrds = 1;
    assert_int_equal(load(w), 0);
    assert_true(w->regs.gpr[REG_RAX] == 0x2badb002 && w->regs.gpr[REG_RBX] == BOOT_INFO);
    assert_true(!(w->regs.cr0 >> 31));
    assert_int_equal(le32_get(info + 20), 1);
    m = ram_ptr(&w->ram, le32_get(info + 24), 16);
    assert_non_null(m);
    assert_memory_equal(ram_ptr(&w->ram, le32_get(m), 5), "data", 5);
    assert_string_equal(ram_ptr(&w->ram, le32_get(m + 8), 9), "mod name");
}

static void pvh_note_is_found_and_entered(void **state)
{
    struct world *w = *state;
    uint8_t *ph = w->file + 64 + 56, *note = w->file + 1024;

    w->len = elf_make(w->file, LOAD_AT, 8192);
    le16_put(w->file + 56, 2);
    le32_put(ph, 4);
    le64_put(ph + 8, 1024);
    le64_put(ph + 32, 20);
    le32_put(note, 4);
    le32_put(note + 4, 4);
    le32_put(note + 8, 18);
    memcpy(note + 12, "Xen", 4);
    le32_put(note + 16, LOAD_AT + 0x10);
    w->args.way = BOOT_PVH;
    assert_int_equal(load(w), 0);
    assert_true(w->regs.rip == LOAD_AT + 0x10);
    assert_true(w->regs.gpr[REG_RBX] == BOOT_INFO);
    assert_true(le32_get(ram_ptr(&w->ram, BOOT_INFO, 4)) == 0x336ec578);
}

/* ---- what is refused ---- */

/* Any cut leaves less than a kernel: no cut may load, crash, or go without a word. */
static void every_cut_of_a_bzimage_is_refused(void **state)
{
    struct world *w = *state;
    size_t whole;

    bzimage_make(w);
    whole = w->len;
    for (w->len = 0; w->len < whole; w->len++) {
        assert_true(load(w) < 0);
        assert_true(w->err.text[0]);
    }
}

static void every_cut_of_an_elf_is_refused(void **state)
{
    struct world *w = *state;

    elf_make(w->file, LOAD_AT, 8192);
    for (w->len = 0; w->len < KERNEL_LEN; w->len += 7) {
        assert_true(load(w) < 0);
        assert_true(w->err.text[0]);
    }
}

/* Each 32-bit field of each header, set to values that overflow sums or leave RAM. */
static void wild_fields_never_escape(void **state)
{
    static const uint64_t wild[] = {
        0, 1, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffffffffffff, 0xfffffffffffff000};
    struct world *w = *state;

    for (size_t at = 16; at < 120; at += 4)
        for (size_t i = 0; i < ARRAY_LEN(wild); i++) {
            w->len = elf_make(w->file, LOAD_AT, 8192);
            le64_put(w->file + at, wild[i]);
            if (load(w) < 0)
                assert_true(w->err.text[0]);
        }
    for (size_t at = 0x1f0; at < 0x268; at += 2)
        for (size_t i = 0; i < ARRAY_LEN(wild); i++) {
            bzimage_make(w);
            le32_put(w->file + at, (uint32_t)wild[i]);
            if (load(w) < 0)
                assert_true(w->err.text[0]);
        }
}

static void segments_outside_ram_are_refused(void **state)
{
    struct world *w = *state;

    w->len = elf_make(w->file, LOAD_AT, 64 * MIB);
    assert_true(load(w) < 0);
    assert_non_null(strstr(w->err.text, "--memory"));
    w->len = elf_make(w->file, 0xfffffffffffff000ull, 4096);
    assert_true(load(w) < 0);
    w->len = elf_make(w->file, 0x7000, 4096); /* where the loader's own tables are */
    assert_true(load(w) < 0);
}

static void an_initrd_that_does_not_fit_is_refused(void **state)
{
    struct world *w = *state;
    struct boot_file big = {.path = "big", .data = calloc(1, 60 * MIB), .len = 60 * MIB};

    memset(big.data, 'x', big.len);
    bzimage_make(w);
    w->args.initrd = &big;
    w->args.initrds = 1;
    assert_true(load(w) < 0);
    assert_non_null(strstr(w->err.text, "--initrd big"));
    free(big.data);
}

static void text_is_no_kernel(void **state)
{
    struct world *w = *state;

    memset(w->file, 'x', 4096);
    w->len = 4096;
    assert_int_equal(load(w), -ENOEXEC);
}

/* ---- initramfs ---- */

static size_t cpio_make(uint8_t *p, const char *name)
{
    size_t n = strlen(name) + 1, len = 110 + ((n + 2 + 3) & ~3ul) - 2;

    memset(p, 0, len + 4);
    memset(p, '0', 110);
    memcpy(p, "070701", 6);
    snprintf((char *)p + 94, 9, "%08X", (unsigned)n);
    p[102] = '0';
    memcpy(p + 110, name, n);
    return (110 + n + 3) & ~(size_t)3;
}

static void plain_then_gzip_archives_come_out_joined(void **state)
{
    uint8_t in[4096] = {0}, inner[256];
    size_t first = cpio_make(in, "TRAILER!!!"), inner_len = cpio_make(inner, "TRAILER!!!"), at;
    struct bytes out = {0};
    z_stream z = {0};

    (void)state;
    at = first + 388; /* padding, as between microcode and the rest */
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, 0), Z_OK);
    z.next_in = inner;
    z.avail_in = (uInt)inner_len;
    z.next_out = in + at;
    z.avail_out = 1024;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(unpack_initramfs(in, at + z.total_out, &out, 65536), 0);
    assert_int_equal(out.len, first + inner_len);
    assert_memory_equal(out.at, in, first);
    assert_memory_equal(out.at + first, inner, inner_len);
    deflateEnd(&z);
    bytes_free(&out);
}

static void a_bomb_stops_at_the_limit(void **state)
{
    uint8_t *zero = calloc(1, 8 * MIB), *packed = malloc(1 * MIB);
    struct bytes out = {0};
    z_stream z = {0};
    size_t used;
    int n;

    (void)state;
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, 0), Z_OK);
    z.next_in = zero;
    z.avail_in = 8 * MIB;
    z.next_out = packed;
    z.avail_out = MIB;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(unpack(PACK_GZIP, packed, z.total_out, &out, 100000, &used), -EFBIG);
    assert_true(out.len <= 100000);
    deflateEnd(&z);
    bytes_free(&out);

    memcpy(packed, "\x02\x21\x4c\x18", 4);
    n = LZ4_compress_default((char *)zero, (char *)packed + 8, 8 * MIB, MIB - 8);
    assert_true(n > 0);
    le32_put(packed + 4, (uint32_t)n);
    assert_int_equal(unpack(PACK_LZ4, packed, 8 + (size_t)n, &out, 100000, &used), -EFBIG);
    assert_int_equal(unpack(PACK_LZ4, packed, 8 + (size_t)n, &out, 16 * MIB, &used), 0);
    assert_int_equal(out.len, 8 * MIB);
    assert_int_equal(used, 8 + (size_t)n);
    bytes_free(&out);
    free(zero);
    free(packed);
}

/* ---- the screen ---- */

static void a_screen_is_told_of_and_reserved(void **state)
{
    struct world *w = *state;
    const uint8_t *zp, colours[8] = {8, 16, 8, 8, 8, 0, 8, 24};
    uint64_t len = 640 * 480 * 4;

    assert_int_equal(board_screen(&w->args.screen, &w->ram, 640, 480), 0);
    w->len = elf_make(w->file, LOAD_AT, 65536);
    assert_int_equal(load(w), 0);
    zp = ram_ptr(&w->ram, BOOT_ZERO_PAGE, 4096);
    assert_int_equal(zp[0x0f], 0x70);
    assert_int_equal(le16_get(zp + 0x12), 640);
    assert_int_equal(le16_get(zp + 0x14), 480);
    assert_int_equal(le16_get(zp + 0x16), 32);
    assert_int_equal(le32_get(zp + 0x18), w->args.screen.base);
    assert_int_equal(le32_get(zp + 0x1c), len);
    assert_int_equal(le16_get(zp + 0x24), 640 * 4);
    assert_memory_equal(zp + 0x26, colours, sizeof(colours));
    assert_int_equal(zp[0x1e8], 4);
    assert_true(le64_get(zp + 0x2d0 + 60) == w->args.screen.base);
    assert_true(le64_get(zp + 0x2d0 + 68) == len);
    assert_int_equal(le32_get(zp + 0x2d0 + 76), BOOT_AREA_RESERVED);
}

/* Pages behind those of RAM, so that flags and engines' tables know them; reachable by DMA. */
static void a_screen_is_memory_behind_the_rest(void **state)
{
    struct world *w = *state;
    struct boot_screen s;
    struct dma dma = {.ram = &w->ram, .enabled = true};
    uint8_t byte = 0x5a;

    assert_int_equal(board_screen(&s, &w->ram, 63, 64), -EINVAL);
    assert_int_equal(board_screen(&s, &w->ram, 4096, 4096), -EINVAL);
    assert_int_equal(ram_screen_share(&w->ram), -ENODEV);
    assert_int_equal(board_screen(&s, &w->ram, 65, 65), 0);
    assert_int_equal(board_screen(&s, &w->ram, 65, 65), -EINVAL); /* one is enough */
    assert_int_equal(ram_pages(&w->ram), 64 * MIB / 4096 + 5);
    assert_int_equal(ram_page(&w->ram, s.base + 4096), 64 * MIB / 4096 + 1);
    assert_int_equal(dma_write(&dma, s.base + 5 * 4096 - 1, &byte, 1), 0);
    assert_int_equal(w->ram.page_flags[64 * MIB / 4096 + 4] & RAM_DIRTY, RAM_DIRTY);
    assert_int_equal(dma_write(&dma, s.base + 5 * 4096 - 1, "ab", 2), -EFAULT);
}

static void a_screen_that_is_lent_can_only_be_read(void **state)
{
    struct world *w = *state;
    struct boot_screen s;
    uint8_t *mine, *theirs;
    int fd;

    assert_int_equal(board_screen(&s, &w->ram, 64, 64), 0);
    mine = ram_ptr(&w->ram, s.base, 64 * 64 * 4);
    fd = ram_screen_share(&w->ram);
    assert_true(fd > 0);
    assert_int_equal(ram_screen_share(&w->ram), fd);
    theirs = mmap(NULL, 64 * 64 * 4, PROT_READ, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(theirs, MAP_FAILED);
    mine[77] = 7;
    assert_int_equal(theirs[77], 7);
    assert_int_equal(mprotect(theirs, 4096, PROT_READ | PROT_WRITE), -1);
    assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(ftruncate(fd, 4096), -1);
    assert_int_equal(ftruncate(fd, 1 << 20), -1);
    munmap(theirs, 64 * 64 * 4);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(elf_is_placed_and_entered_in_long_mode),
        T(bzimage_is_unpacked_and_told_of_memory),
        T(multiboot_gets_modules_and_command_line),
        T(pvh_note_is_found_and_entered),
        T(every_cut_of_a_bzimage_is_refused),
        T(every_cut_of_an_elf_is_refused),
        T(wild_fields_never_escape),
        T(segments_outside_ram_are_refused),
        T(an_initrd_that_does_not_fit_is_refused),
        T(text_is_no_kernel),
        T(plain_then_gzip_archives_come_out_joined),
        T(a_bomb_stops_at_the_limit),
        T(a_screen_is_told_of_and_reserved),
        T(a_screen_is_memory_behind_the_rest),
        T(a_screen_that_is_lent_can_only_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
