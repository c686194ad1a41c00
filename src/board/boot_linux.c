/*
 * Linux: the bzImage format and the 64-bit boot protocol (Documentation/arch/x86/boot.rst and
 * zero-page.rst of the Linux sources).
 *
 * The image's payload is an ELF kernel, packed. It is unpacked here, its segments are placed at the
 * addresses they are linked for, and it is entered at its 64-bit entry point: the image's own
 * unpacker, 4.5 billion instructions for an xz kernel, never runs. A payload packed in a way this
 * loader doesn't know is entered at the unpacker's 64-bit entry instead.
 * A screen is told of as firmware's (struct screen_info, include/uapi/linux/screen_info.h): the
 * kernel's efifb and its console draw there with no device at all.
 * Left out: kernels older than protocol 2.12 (Linux 3.8), which have no 64-bit entry; KASLR, since
 * the unpacker is what applies it.
 */
#include "board/boot.h"
#include "board/unpack.h"
#include "core/cpu_regs.h"
#include "core/error.h"
#include "mem/ram.h"
#include <errno.h>
#include <string.h>

/* Offsets in the image, and the same in boot_params. */
enum {
    VIDEO_IS = 0x00f, /* orig_video_isVGA */
    LFB_WIDTH = 0x012,
    LFB_HEIGHT = 0x014,
    LFB_DEPTH = 0x016,
    LFB_BASE = 0x018,
    LFB_SIZE = 0x01c,
    LFB_LINELENGTH = 0x024,
    LFB_COLOURS = 0x026, /* bits and first bit of red, green, blue, none */
    ACPI_RSDP_ADDR = 0x070,
    E820_ENTRIES = 0x1e8,
    SETUP_SECTS = 0x1f1,
    BOOT_FLAG = 0x1fe,
    JUMP = 0x200,
    HEADER = 0x202,
    VERSION = 0x206,
    TYPE_OF_LOADER = 0x210,
    LOADFLAGS = 0x211,
    RAMDISK_IMAGE = 0x218,
    RAMDISK_SIZE = 0x21c,
    CMD_LINE_PTR = 0x228,
    INITRD_ADDR_MAX = 0x22c,
    XLOADFLAGS = 0x236,
    CMDLINE_SIZE = 0x238,
    PAYLOAD_OFFSET = 0x248,
    PAYLOAD_LENGTH = 0x24c,
    SETUP_DATA = 0x250,
    PREF_ADDRESS = 0x258,
    INIT_SIZE = 0x260,
    HEADER_MIN_END = 0x268,
    HEADER_MAX_END = 0x290,
    E820_TABLE = 0x2d0,
    PARAMS_LEN = 0x1000,
};

#define XLF_KERNEL_64   1
#define LOADED_HIGH     1
#define SETUP_RNG_SEED  9
#define INITRD_MAX_2_12 0x7fffffffu
#define CMDLINE_DEFAULT 2047
#define ENTRY64         0x200 /* startup_64 of the unpacker, from its load address */
#define VIDEO_TYPE_EFI  0x70

bool linux_is(const struct boot_file *f)
{
    return f->len >= HEADER_MIN_END && le16_get(f->data + BOOT_FLAG) == 0xaa55 &&
           !memcmp(f->data + HEADER, "HdrS", 4);
}

static int bad(struct boot *b, const char *what)
{
    return error_set(b->err, -ENOEXEC, "--kernel %s: %s", b->args->kernel->path, what);
}

/* ---- boot_params ---- */

static int seed_put(struct boot *b, uint8_t *params)
{
    uint8_t d[16 + sizeof(b->args->seed)] = {0};

    le32_put(d + 8, SETUP_RNG_SEED);
    le32_put(d + 12, sizeof(b->args->seed));
    memcpy(d + 16, b->args->seed, sizeof(b->args->seed));
    le64_put(params + SETUP_DATA, BOOT_SETUP_DATA);
    return boot_put(b, BOOT_SETUP_DATA, d, sizeof(d));
}

static void e820_put(const struct boot *b, uint8_t *params)
{
    params[E820_ENTRIES] = (uint8_t)b->areas;
    for (unsigned i = 0; i < b->areas; i++) {
        le64_put(params + E820_TABLE + 20 * i, b->area[i].base);
        le64_put(params + E820_TABLE + 20 * i + 8, b->area[i].len);
        le32_put(params + E820_TABLE + 20 * i + 16, b->area[i].type);
    }
}

static void screen_put(const struct boot_screen *s, uint8_t *params)
{
    static const uint8_t colours[8] = {8, 16, 8, 8, 8, 0, 8, 24};

    if (!s->width)
        return;
    params[VIDEO_IS] = VIDEO_TYPE_EFI;
    le16_put(params + LFB_WIDTH, (uint16_t)s->width);
    le16_put(params + LFB_HEIGHT, (uint16_t)s->height);
    le16_put(params + LFB_DEPTH, 32);
    le32_put(params + LFB_BASE, (uint32_t)s->base);
    le32_put(params + LFB_SIZE, s->height * s->pitch);
    le16_put(params + LFB_LINELENGTH, (uint16_t)s->pitch);
    memcpy(params + LFB_COLOURS, colours, sizeof(colours));
}

/* The header's end is told by the byte its jump instruction skips. */
static void header_copy(uint8_t *params, const uint8_t *image, size_t len)
{
    size_t end = HEADER + (size_t)image[JUMP + 1];

    if (end > HEADER_MAX_END)
        end = HEADER_MAX_END;
    if (end > len)
        end = len;
    memcpy(params + SETUP_SECTS, image + SETUP_SECTS, end - SETUP_SECTS);
}

/* header: the start of the bzImage, or NULL for a kernel that came without one. */
int linux_enter(struct boot *b, uint64_t entry, const uint8_t *header, size_t header_len)
{
    uint8_t params[PARAMS_LEN] = {0};
    uint32_t initrd_max = header ? le32_get(header + INITRD_ADDR_MAX) : INITRD_MAX_2_12;
    uint32_t cmdline_max = header ? le32_get(header + CMDLINE_SIZE) : CMDLINE_DEFAULT;
    uint64_t initrd, initrd_len;
    int err = boot_cmdline(b, cmdline_max);

    if (!err)
        err = boot_initrd(b, (uint64_t)initrd_max + 1, &initrd, &initrd_len);
    if (err)
        return err;
    if (header)
        header_copy(params, header, header_len);
    le64_put(params + ACPI_RSDP_ADDR, b->args->rsdp);
    params[TYPE_OF_LOADER] = 0xff;
    params[LOADFLAGS] = LOADED_HIGH; /* bit 1, KASLR_FLAG, is the unpacker's to set */
    le32_put(params + RAMDISK_IMAGE, (uint32_t)initrd);
    le32_put(params + RAMDISK_SIZE, (uint32_t)initrd_len);
    le32_put(params + CMD_LINE_PTR, BOOT_CMDLINE);
    e820_put(b, params);
    screen_put(&b->args->screen, params);
    err = seed_put(b, params);
    if (!err)
        err = boot_put(b, BOOT_ZERO_PAGE, params, sizeof(params));
    boot_regs_long(b, entry);
    b->regs->gpr[REG_RSI] = BOOT_ZERO_PAGE;
    return err;
}

/* ---- bzImage ---- */

/* The part after the real-mode code, entered at its own unpacker. */
static int unpacker_enter(struct boot *b, const uint8_t *pm, size_t pm_len)
{
    const uint8_t *image = b->args->kernel->data;
    uint64_t at = le64_get(image + PREF_ADDRESS), need = le32_get(image + INIT_SIZE);
    int err;

    if (at < BOOT_KERNEL_MIN || at > b->low_end || pm_len < ENTRY64 + 1)
        return bad(b, "its preferred load address is not in RAM; give more with --memory");
    err = boot_put(b, at, pm, pm_len);
    if (err)
        return err;
    if (at + pm_len > b->image_end)
        b->image_end = at + pm_len;
    if (at + need > b->image_end)
        b->image_end = at + need;
    return linux_enter(b, at + ENTRY64, image, b->args->kernel->len);
}

/* Finds the packed kernel; *n is its length with the size field at its end. */
static int payload_find(struct boot_file const *f, const uint8_t **p, size_t *n, const char **why)
{
    size_t sects = f->data[SETUP_SECTS] ? f->data[SETUP_SECTS] : 4, skip = (sects + 1) * 512;
    uint32_t off = le32_get(f->data + PAYLOAD_OFFSET), len = le32_get(f->data + PAYLOAD_LENGTH);

    *why = "the image is cut short in its setup code";
    if (skip >= f->len)
        return -ENOEXEC;
    *why = "the image is cut short, or its payload lies outside it";
    if (len < 16 || !range_in(off, len, 0, f->len - skip))
        return -ENOEXEC;
    *p = f->data + skip + off;
    *n = len;
    return 0;
}

int linux_unpack(const struct boot_file *f, uint64_t max, struct bytes *out, struct error *err)
{
    const uint8_t *p;
    const char *why;
    size_t len, size, used;
    enum packing packing;
    int code = payload_find(f, &p, &len, &why);

    if (code)
        return error_set(err, code, "--kernel %s: %s", f->path, why);
    packing = packing_of(p, len);
    if (packing == PACK_NONE || packing == PACK_OTHER)
        return packing == PACK_OTHER
                   ? -ENOTSUP
                   : error_set(err, -ENOEXEC, "--kernel %s: its payload is packed in no known way",
                               f->path);
    /* The four bytes after the packed stream tell its unpacked size (gzip ends in them itself). */
    size = le32_get(p + len - 4);
    if (size > max)
        return -ENOSPC;
    code = unpack(packing, p, packing == PACK_GZIP ? len : len - 4, out, size + 4096, &used);
    if (code)
        return error_set(err, code, "--kernel %s: its %s payload is damaged", f->path,
                         packing_name(packing));
    if (!elf_is(out->at, out->len))
        return error_set(err, -ENOEXEC, "--kernel %s: its payload is not an ELF kernel", f->path);
    return 0;
}

static int image_check(struct boot *b, const uint8_t *image)
{
    uint64_t end = le64_get(image + PREF_ADDRESS) + le32_get(image + INIT_SIZE);

    if (le16_get(image + VERSION) < 0x20c || !(le16_get(image + XLOADFLAGS) & XLF_KERNEL_64))
        return bad(b, "not a 64-bit Linux kernel of version 3.8 or later");
    if (end > b->low_end)
        return error_set(b->err, -ENOSPC,
                         "--memory: %llu MiB are too few, this kernel needs %llu to start and some "
                         "to run",
                         (unsigned long long)(b->args->ram->size >> 20),
                         (unsigned long long)(end >> 20) + 1);
    b->image_end = end;
    return 0;
}

int linux_load(struct boot *b)
{
    const struct boot_file *f = b->args->kernel;
    size_t skip = ((f->data[SETUP_SECTS] ? f->data[SETUP_SECTS] : 4u) + 1u) * 512u;
    struct bytes out = {0};
    struct elf_image e;
    int err = image_check(b, f->data);

    if (err)
        return err;
    err = linux_unpack(f, b->args->ram->size, &out, b->err);
    if (err == -ENOTSUP) {
        bytes_free(&out);
        return unpacker_enter(b, f->data + skip, f->len - skip);
    }
    if (!err)
        err = elf_load(b, out.at, out.len, &e);
    bytes_free(&out);
    return err ? err : linux_enter(b, e.entry, f->data, f->len);
}
