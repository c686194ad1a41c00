/*
 * Multiboot Specification version 0.6.96 (multiboot 1): small bare-metal kernels, as ELF or as a
 * flat file with the address fields of section 3.1.3. Given: memory sizes, memory map, command
 * line, modules (each --initrd is one), loader name. Left out: video modes (a kernel that asks for
 * one starts without), APM, drives, symbol tables.
 */
#include "board/boot.h"
#include "core/cpu_regs.h"
#include "core/error.h"
#include <errno.h>
#include <string.h>

#define SEARCH     8192u /* the header lies in the first so many bytes */
#define MAGIC      0x1badb002u
#define MAGIC_EAX  0x2badb002u
#define MUST_KNOWN 0x00000007u /* of the bits 0-15 a loader must honour: pages, memory, video */
#define HAS_ADDRS  (1u << 16)

enum { /* flags of the information structure, section 3.3 */
       INFO_MEM = 1 << 0,
       INFO_CMDLINE = 1 << 2,
       INFO_MODS = 1 << 3,
       INFO_MMAP = 1 << 6,
       INFO_NAME = 1 << 9,
};

/* Where the parts of the information lie within BOOT_INFO. */
enum { AT_INFO = 0, AT_MODS = 0x100, AT_MMAP = 0x400, AT_NAME = 0x600, AT_STRINGS = 0x800 };

static const uint8_t *header_find(const struct boot_file *f)
{
    for (size_t at = 0; at < SEARCH && range_in(at, 12, 0, f->len); at += 4) {
        const uint8_t *h = f->data + at;

        if (le32_get(h) == MAGIC && le32_get(h) + le32_get(h + 4) + le32_get(h + 8) == 0)
            return h;
    }
    return NULL;
}

bool multiboot_is(const struct boot_file *f)
{
    return header_find(f) != NULL;
}

static int bad(struct boot *b, const char *what)
{
    return error_set(b->err, -ENOEXEC, "--kernel %s: multiboot: %s", b->args->kernel->path, what);
}

/* ---- the image ---- */

static int flat_load(struct boot *b, const uint8_t *h, uint64_t *entry)
{
    const struct boot_file *k = b->args->kernel;
    size_t at = (size_t)(h - k->data);
    uint32_t header_addr, load_addr, load_end, bss_end;
    uint64_t start, len;
    int err;

    if (!range_in(at, 32, 0, k->len))
        return bad(b, "the file ends inside its header");
    header_addr = le32_get(h + 12);
    load_addr = le32_get(h + 16);
    load_end = le32_get(h + 20);
    bss_end = le32_get(h + 24);
    *entry = le32_get(h + 28);
    if (header_addr < load_addr || header_addr - load_addr > at)
        return bad(b, "its header is not where its addresses say");
    start = at - (header_addr - load_addr);
    len = load_end ? (uint64_t)load_end - load_addr : k->len - start;
    if ((load_end && load_end < load_addr) || !range_in(start, len, 0, k->len))
        return bad(b, "the file is shorter than its header says");
    if (load_addr < BOOT_KERNEL_MIN)
        return bad(b, "it wants memory below 1 MiB");
    if (bss_end && bss_end < load_addr + len)
        return bad(b, "its bss ends before its data");
    err = boot_put(b, load_addr, k->data + start, len);
    b->image_end = load_addr + len;
    if (!err && bss_end) {
        err = boot_zero(b, b->image_end, bss_end - b->image_end);
        b->image_end = bss_end;
    }
    return err;
}

static int image_load(struct boot *b, const uint8_t *h, uint32_t flags, uint64_t *entry)
{
    const struct boot_file *k = b->args->kernel;
    struct elf_image e;
    int err;

    if (flags & HAS_ADDRS)
        return flat_load(b, h, entry);
    if (!elf_is(k->data, k->len))
        return bad(b, "neither ELF nor addresses in its header");
    err = elf_load(b, k->data, k->len, &e);
    *entry = e.entry;
    return err;
}

/* ---- what it is told ---- */

static void mmap_put(const struct boot *b, uint8_t *info)
{
    for (unsigned i = 0; i < b->areas; i++) {
        uint8_t *m = info + AT_MMAP + 24 * i;

        le32_put(m, 20); /* of what follows */
        le64_put(m + 4, b->area[i].base);
        le64_put(m + 12, b->area[i].len);
        le32_put(m + 20, b->area[i].type);
    }
    le32_put(info + 44, 24 * b->areas);
    le32_put(info + 48, BOOT_INFO + AT_MMAP);
}

/* Modules follow the kernel, each on a page of its own; their strings are their paths. */
static int modules_put(struct boot *b, uint8_t *info)
{
    gpa_t at = b->image_end;
    size_t string = AT_STRINGS;

    for (unsigned i = 0; i < b->args->initrds; i++) {
        const struct boot_file *f = &b->args->initrd[i];
        uint8_t *m = info + AT_MODS + 16 * i;
        size_t n = strlen(f->path) + 1;

        at = (at + 4095) & ~4095ull;
        if (boot_put(b, at, f->data, f->len) || at + f->len > UINT32_MAX)
            return error_set(b->err, -ENOSPC,
                             "--initrd %s: does not fit after the kernel; give more with --memory",
                             f->path);
        if (n > BOOT_INFO_LEN - string)
            return error_set(b->err, -E2BIG, "--initrd %s: its path is too long", f->path);
        memcpy(info + string, f->path, n);
        le32_put(m, (uint32_t)at);
        le32_put(m + 4, (uint32_t)(at + f->len));
        le32_put(m + 8, (uint32_t)(BOOT_INFO + string));
        at += f->len;
        string += n;
    }
    le32_put(info + 20, b->args->initrds);
    le32_put(info + 24, BOOT_INFO + AT_MODS);
    return 0;
}

static int info_put(struct boot *b)
{
    uint8_t info[BOOT_INFO_LEN] = {0};
    int err = modules_put(b, info);

    if (!err)
        err = boot_cmdline(b, BOOT_CMDLINE_MAX);
    if (err)
        return err;
    le32_put(info, INFO_MEM | INFO_CMDLINE | INFO_MODS | INFO_MMAP | INFO_NAME);
    le32_put(info + 4, BOOT_ACPI / 1024);
    le32_put(info + 8, (uint32_t)((b->low_end - BOOT_KERNEL_MIN) / 1024));
    le32_put(info + 16, BOOT_CMDLINE);
    mmap_put(b, info);
    memcpy(info + AT_NAME, "viaduct", 8);
    le32_put(info + 64, BOOT_INFO + AT_NAME);
    return boot_put(b, BOOT_INFO, info, sizeof(info));
}

int multiboot_load(struct boot *b)
{
    const uint8_t *h = header_find(b->args->kernel);
    uint32_t flags = le32_get(h + 4);
    uint64_t entry = 0;
    int err;

    if (flags & 0xffff & ~MUST_KNOWN)
        return bad(b, "it requires what this loader does not have");
    err = image_load(b, h, flags, &entry);
    if (!err && (entry < BOOT_KERNEL_MIN || entry >= b->low_end))
        err = bad(b, "its entry point is not in RAM");
    if (!err)
        err = info_put(b);
    if (err)
        return err;
    boot_regs_flat32(b, entry);
    b->regs->gpr[REG_RAX] = MAGIC_EAX;
    b->regs->gpr[REG_RBX] = BOOT_INFO;
    return 0;
}
