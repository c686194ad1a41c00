/*
 * ELF kernels, 64- and 32-bit: System V ABI, chapter 5 (program loading). Segments go to their
 * physical addresses. Also the PVH entry (Xen public/arch-x86/hvm/start_info.h): a note names a
 * 32-bit entry point, EBX points to a start info with memory map, command line and modules.
 * Left out: relocation; a kernel that is not linked to run where its headers say.
 */
#include "board/boot.h"
#include "core/cpu_regs.h"
#include "core/error.h"
#include <errno.h>
#include <string.h>

#define PHNUM_MAX        64       /* Linux has 5, others under 20 */
#define NOTES_MAX        0x10000u /* bytes of notes looked at */
#define EM_386           3
#define EM_X86_64        62
#define PT_LOAD          1
#define PT_NOTE          4
#define XEN_PHYS32_ENTRY 18

struct seg {
    uint32_t type;
    uint64_t offset, vaddr, paddr, filesz, memsz;
};

bool elf_is(const uint8_t *p, size_t len)
{
    return len >= 52 && !memcmp(p, "\177ELF", 4);
}

static bool elf_64(const uint8_t *p)
{
    return p[4] == 2;
}

static struct seg seg_get(const uint8_t *ph, bool is64)
{
    if (is64)
        return (struct seg){le32_get(ph),      le64_get(ph + 8),  le64_get(ph + 16),
                            le64_get(ph + 24), le64_get(ph + 32), le64_get(ph + 40)};
    return (struct seg){le32_get(ph),      le32_get(ph + 4),  le32_get(ph + 8),
                        le32_get(ph + 12), le32_get(ph + 16), le32_get(ph + 20)};
}

static int bad(struct boot *b, const char *what)
{
    return error_set(b->err, -ENOEXEC, "--kernel %s: damaged or unsuitable ELF file: %s",
                     b->args->kernel->path, what);
}

static int seg_load(struct boot *b, const uint8_t *p, size_t len, const struct seg *s)
{
    int err;

    if (s->filesz > s->memsz || !range_in(s->offset, s->filesz, 0, len))
        return bad(b, "a segment lies outside the file");
    if (s->memsz == 0)
        return 0;
    if (s->paddr < BOOT_KERNEL_MIN)
        return bad(b, "a segment wants memory below 1 MiB");
    err = boot_put(b, s->paddr, p + s->offset, s->filesz);
    if (!err)
        err = boot_zero(b, s->paddr + s->filesz, s->memsz - s->filesz);
    if (!err && s->paddr + s->memsz > b->image_end)
        b->image_end = s->paddr + s->memsz;
    return err; /* not RAM: the caller says so */
}

/* Bound: a note is at least 12 of NOTES_MAX bytes. */
static uint64_t note_find(const uint8_t *p, size_t len)
{
    size_t at = 0;

    while (len - at >= 12) {
        uint64_t name = ((uint64_t)le32_get(p + at) + 3) & ~3ull;
        uint64_t desc = ((uint64_t)le32_get(p + at + 4) + 3) & ~3ull;
        uint32_t type = le32_get(p + at + 8);

        at += 12;
        if (name > len - at || desc > len - at - name)
            return 0;
        if (type == XEN_PHYS32_ENTRY && name == 4 && !memcmp(p + at, "Xen", 4) && desc >= 4)
            return le32_get(p + at + name);
        at += name + desc;
    }
    return 0;
}

static void entry_fix(const struct seg *s, uint64_t entry, struct elf_image *out, bool *found)
{
    if (range_in(entry, 1, s->paddr, s->memsz)) {
        out->entry = entry;
        out->linked_high = s->vaddr >= 0xffffffff80000000ull;
        *found = true;
    } else if (!*found && range_in(entry, 1, s->vaddr, s->memsz)) {
        out->entry = s->paddr + (entry - s->vaddr);
        *found = true;
    }
}

static int elf_check(struct boot *b, const uint8_t *p, size_t len)
{
    bool is64 = elf_64(p);
    uint16_t machine = le16_get(p + 18);

    if (p[5] != 1 || (p[4] != 1 && p[4] != 2) || (is64 && len < 64))
        return bad(b, "its header is not one of x86");
    if (machine != EM_386 && machine != EM_X86_64)
        return bad(b, "it is for another kind of processor");
    if (le16_get(p + 16) != 2)
        return bad(b, "it is not an executable at fixed addresses");
    return 0;
}

int elf_load(struct boot *b, const uint8_t *p, size_t len, struct elf_image *out)
{
    bool is64 = elf_64(p), found = false;
    int err = elf_check(b, p, len);
    uint64_t phoff, entry;
    unsigned n, size = is64 ? 56 : 32;

    *out = (struct elf_image){0};
    if (err)
        return err;
    phoff = is64 ? le64_get(p + 32) : le32_get(p + 28);
    entry = is64 ? le64_get(p + 24) : le32_get(p + 24);
    n = le16_get(p + (is64 ? 56 : 44));
    if (le16_get(p + (is64 ? 54 : 42)) != size || n == 0 || n > PHNUM_MAX ||
        !range_in(phoff, (uint64_t)n * size, 0, len))
        return bad(b, "no usable program headers");
    for (unsigned i = 0; i < n; i++) {
        struct seg s = seg_get(p + phoff + i * size, is64);

        if (s.type == PT_LOAD) {
            err = seg_load(b, p, len, &s);
            entry_fix(&s, entry, out, &found);
        } else if (s.type == PT_NOTE && !out->pvh && s.filesz <= NOTES_MAX &&
                   range_in(s.offset, s.filesz, 0, len)) {
            out->pvh = note_find(p + s.offset, (size_t)s.filesz);
        }
        if (err)
            return err;
    }
    return found ? 0 : bad(b, "its entry point is not in a loaded segment");
}

/* ---- PVH ---- */

#define START_MAGIC 0x336ec578u
#define START_LEN   56
#define MODULE_LEN  32
#define MAP_LEN     24

int pvh_enter(struct boot *b, uint64_t entry)
{
    uint8_t s[START_LEN + MODULE_LEN + MAP_LEN * BOOT_AREAS] = {0};
    uint8_t *module = s + START_LEN, *map = module + MODULE_LEN;
    uint64_t initrd, initrd_len;
    int err = boot_cmdline(b, BOOT_CMDLINE_MAX);

    if (!err)
        err = boot_initrd(b, b->low_end, &initrd, &initrd_len);
    if (err)
        return err;
    if (entry >= b->low_end || entry < BOOT_KERNEL_MIN)
        return bad(b, "its PVH entry point is not in RAM");
    le32_put(s, START_MAGIC);
    le32_put(s + 4, 1); /* version: with a memory map */
    le32_put(s + 12, initrd_len ? 1 : 0);
    le64_put(s + 16, initrd_len ? BOOT_INFO + START_LEN : 0);
    le64_put(s + 24, BOOT_CMDLINE);
    le64_put(s + 32, b->args->rsdp);
    le64_put(s + 40, BOOT_INFO + START_LEN + MODULE_LEN);
    le32_put(s + 48, b->areas);
    le64_put(module, initrd);
    le64_put(module + 8, initrd_len);
    for (unsigned i = 0; i < b->areas; i++) {
        le64_put(map + i * MAP_LEN, b->area[i].base);
        le64_put(map + i * MAP_LEN + 8, b->area[i].len);
        le32_put(map + i * MAP_LEN + 16, b->area[i].type);
    }
    boot_regs_flat32(b, entry);
    b->regs->gpr[REG_RBX] = BOOT_INFO;
    return boot_put(b, BOOT_INFO, s, sizeof(s));
}
