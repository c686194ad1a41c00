/*
 * What all loaders share: reading files, placing bytes in guest RAM, the memory map, and the two
 * states a kernel is entered in. Which file goes to which loader is decided at the end.
 *
 * The 64-bit state is that of the Linux/x86 64-bit boot protocol (Documentation/arch/x86/boot.rst);
 * the 32-bit one is common to multiboot 1 (section 3.2) and PVH.
 */
#include "board/boot.h"
#include "board/unpack.h"
#include "core/cpu_regs.h"
#include "core/error.h"
#include "core/types.h"
#include "mem/ram.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE     4096u
#define HIGH_RAM (1ull << 32)

int boot_file_read(struct boot_file *f, const char *option, const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is refused, not waited for */
    struct stat st;
    int code = 0;

    *f = (struct boot_file){.path = path};
    if (fd < 0)
        return error_set(err, -errno, "%s %s: %s; give a file that can be read", option, path,
                         strerror(errno));
    if (fstat(fd, &st) || !S_ISREG(st.st_mode))
        code = error_set(err, -EINVAL, "%s %s: not a regular file", option, path);
    else if (st.st_size == 0 || (uint64_t)st.st_size > BOOT_FILE_MAX)
        code = error_set(err, -EINVAL, "%s %s: %s", option, path,
                         st.st_size ? "larger than 1 GiB" : "the file is empty");
    else if (!(f->data = malloc((size_t)st.st_size)))
        code = error_set(err, -ENOMEM, "%s %s: not enough memory to read it", option, path);
    while (!code && f->len < (size_t)st.st_size) {
        ssize_t n = read(fd, f->data + f->len, (size_t)st.st_size - f->len);

        if (n > 0)
            f->len += (size_t)n;
        else if (n == 0 || errno != EINTR)
            code = error_set(err, -EIO, "%s %s: %s", option, path,
                             n ? strerror(errno) : "the file shrank while it was read");
    }
    close(fd);
    if (code)
        boot_file_free(f);
    return code;
}

void boot_file_free(struct boot_file *f)
{
    free(f->data);
    f->data = NULL;
    f->len = 0;
}

/* ---- bytes in guest RAM ---- */

int boot_put(struct boot *b, gpa_t at, const void *p, uint64_t n)
{
    return dma_write(&b->dma, at, p, n);
}

int boot_zero(struct boot *b, gpa_t at, uint64_t n)
{
    static const uint8_t none[16 * PAGE];
    int err = 0;

    /* Bound: the first write outside RAM ends it. */
    while (!err && n) {
        uint64_t step = n < sizeof(none) ? n : sizeof(none);

        err = dma_write(&b->dma, at, none, step);
        at += step;
        n -= step;
    }
    return err;
}

int boot_cmdline(struct boot *b, size_t max)
{
    size_t len = strlen(b->args->cmdline);

    if (max > BOOT_CMDLINE_MAX - 1)
        max = BOOT_CMDLINE_MAX - 1;
    if (len > max)
        return error_set(b->err, -E2BIG,
                         "--append: %zu characters, but this kernel takes at most %zu", len, max);
    return boot_put(b, BOOT_CMDLINE, b->args->cmdline, len + 1);
}

gpa_t boot_high(const struct boot *b, uint64_t len, uint64_t limit)
{
    uint64_t end = limit < b->low_end ? limit : b->low_end;
    gpa_t at;

    if (len > end)
        return 0;
    at = (end - len) & ~(uint64_t)(PAGE - 1);
    return at >= b->image_end ? at : 0;
}

/* ---- the initial RAM disk ---- */

static int initrd_join(struct boot *b, struct bytes *all)
{
    for (unsigned i = 0; i < b->args->initrds; i++) {
        const struct boot_file *f = &b->args->initrd[i];
        int err = bytes_add(all, "\0\0\0", (4 - (all->len & 3)) & 3, SIZE_MAX);

        if (!err)
            err = bytes_add(all, f->data, f->len, SIZE_MAX);
        if (err)
            return error_set(b->err, err, "--initrd %s: not enough memory to load it", f->path);
    }
    return 0;
}

/*
 * Unpacking costs the guest 20 (gzip) to 150 (xz) instructions a byte and the host almost nothing,
 * but the unpacked form takes more RAM until the guest has copied it: up to a quarter is worth it.
 * What can't be unpacked goes to the guest as it is.
 */
int boot_initrd(struct boot *b, uint64_t limit, gpa_t *at, uint64_t *len)
{
    struct bytes all = {0}, flat = {0};
    const struct bytes *use = &all;
    int err;

    *at = *len = 0;
    if (!b->args->initrds)
        return 0;
    err = initrd_join(b, &all);
    if (!err && !unpack_initramfs(all.at, all.len, &flat, b->low_end / 4) && flat.len &&
        boot_high(b, flat.len, limit))
        use = &flat;
    if (!err) {
        *at = boot_high(b, use->len, limit);
        *len = use->len;
        if (!*at)
            err = error_set(b->err, -ENOSPC,
                            "--initrd %s: %zu KiB do not fit beside the kernel in %llu MiB; give "
                            "more with --memory",
                            b->args->initrd[0].path, use->len >> 10,
                            (unsigned long long)(b->args->ram->size >> 20));
        else
            err = boot_put(b, *at, use->at, use->len);
    }
    bytes_free(&all);
    bytes_free(&flat);
    return err;
}

/* ---- the memory map ---- */

static void area_add(struct boot *b, uint64_t base, uint64_t end, uint32_t type)
{
    if (end > base && b->areas < BOOT_AREAS)
        b->area[b->areas++] = (struct boot_area){base, end - base, type};
}

static void boot_map(struct boot *b)
{
    const struct boot_screen *s = &b->args->screen;
    const struct ram *ram = b->args->ram;

    area_add(b, 0, BOOT_ACPI, BOOT_AREA_RAM);
    area_add(b, BOOT_ACPI, BOOT_ACPI_END, BOOT_AREA_RESERVED);
    area_add(b, BOOT_KERNEL_MIN, b->low_end, BOOT_AREA_RAM);
    area_add(b, s->base, s->base + ram->screen, BOOT_AREA_RESERVED);
    for (unsigned i = 0; i < ram->slots; i++)
        if (ram->slot[i].gpa >= HIGH_RAM)
            area_add(b, ram->slot[i].gpa, ram->slot[i].gpa + ram->slot[i].len, BOOT_AREA_RAM);
}

/* ---- the state of the first vCPU ---- */

#define DESC_CODE64 0x00af9b000000ffffull
#define DESC_CODE32 0x00cf9b000000ffffull
#define DESC_DATA   0x00cf93000000ffffull
#define SEL_CODE    0x10
#define SEL_DATA    0x18

static struct cpu_seg flat_seg(uint16_t sel, uint64_t desc)
{
    return (struct cpu_seg){
        .sel = sel, .attr = (uint16_t)((desc >> 40) & 0xf0ff), .limit = 0xffffffff, .base = 0};
}

static void regs_flat(struct boot *b, uint64_t rip, uint64_t code)
{
    static const uint64_t data = DESC_DATA;
    struct cpu_regs *r = b->regs;
    uint8_t gdt[32] = {0};

    memset(r, 0, sizeof(*r));
    le64_put(gdt + SEL_CODE, code);
    le64_put(gdt + SEL_DATA, data);
    boot_put(b, BOOT_GDT, gdt, sizeof(gdt));
    r->gdtr.base = BOOT_GDT;
    r->gdtr.limit = sizeof(gdt) - 1;
    for (int i = 0; i < 6; i++)
        r->seg[i] = flat_seg(SEL_DATA, data);
    r->seg[SEG_CS] = flat_seg(SEL_CODE, code);
    r->tr = (struct cpu_seg){.attr = 0x8b, .limit = 0x67}; /* KVM wants a busy TSS */
    r->ldtr = (struct cpu_seg){.attr = 0x82};
    r->rip = rip;
    r->rflags = 2;
    r->cr0 = 0x11; /* PE, ET */
}

void boot_regs_flat32(struct boot *b, uint64_t rip)
{
    regs_flat(b, rip, DESC_CODE32);
}

void boot_regs_long(struct boot *b, uint64_t rip)
{
    uint8_t page[6 * PAGE] = {0};

    le64_put(page, BOOT_PML4 + PAGE + 3);
    for (uint64_t gib = 0; gib < 4; gib++)
        le64_put(page + PAGE + gib * 8, BOOT_PML4 + (gib + 2) * PAGE + 3);
    for (uint64_t i = 0; i < 4 * 512; i++) /* 2 MiB pages: present, writable, large */
        le64_put(page + 2 * PAGE + i * 8, i << 21 | 0x83);
    boot_put(b, BOOT_PML4, page, sizeof(page));

    regs_flat(b, rip, DESC_CODE64);
    b->regs->cr0 |= 1u << 31; /* PG */
    b->regs->cr3 = BOOT_PML4;
    b->regs->cr4 = 0x20;   /* PAE */
    b->regs->efer = 0x500; /* LME, LMA */
}

/* ---- which loader ---- */

static int boot_elf(struct boot *b)
{
    const struct boot_file *k = b->args->kernel;
    enum boot_way way = b->args->way;
    struct elf_image e;
    int err = elf_load(b, k->data, k->len, &e);

    if (err)
        return err;
    /* A note is the kernel's word that it can be entered so; Linux is entered in 64-bit mode all
     * the same, which saves it the climb from 32 bits. */
    if (way == BOOT_AUTO)
        way = e.pvh && !e.linked_high ? BOOT_PVH : BOOT_LINUX64;
    if (way == BOOT_PVH && !e.pvh)
        return error_set(b->err, -ENOEXEC, "--kernel %s: has no PVH entry note", k->path);
    return way == BOOT_PVH ? pvh_enter(b, e.pvh) : linux_enter(b, e.entry, NULL, 0);
}

static int boot_choose(struct boot *b)
{
    const struct boot_file *k = b->args->kernel;
    enum boot_way way = b->args->way;

    if (way == BOOT_MULTIBOOT && !multiboot_is(k))
        return error_set(b->err, -ENOEXEC, "--kernel %s: has no multiboot header", k->path);
    if (way == BOOT_MULTIBOOT || (way == BOOT_AUTO && multiboot_is(k)))
        return multiboot_load(b);
    if (linux_is(k))
        return linux_load(b);
    if (elf_is(k->data, k->len))
        return boot_elf(b);
    return error_set(b->err, -ENOEXEC,
                     "--kernel %s: not a kernel viaduct can load (bzImage, ELF vmlinux, or "
                     "multiboot 1)",
                     k->path);
}

int boot_load(const struct boot_args *args, struct cpu_regs *regs, struct error *err)
{
    struct boot b = {
        .args = args, .dma = {.ram = args->ram, .enabled = true}, .regs = regs, .err = err};
    int code;

    b.low_end = args->ram->slot[0].len;
    boot_map(&b);
    if (err)
        err->text[0] = 0;
    code = boot_choose(&b);
    if (code && err && !err->text[0])
        error_set(err, code, "--kernel %s: does not fit into %llu MiB; give more with --memory",
                  args->kernel->path, (unsigned long long)(args->ram->size >> 20));
    return code;
}
