/*
 * Loading a guest's first program, as firmware and boot loader would: which way a file is entered,
 * its parts in guest RAM, and the registers of the first vCPU. Files are hostile input: every size
 * is checked, and all writes to RAM are bounded.
 */
#ifndef BOARD_BOOT_H
#define BOARD_BOOT_H

#include "mem/dma.h"

struct bytes;
struct cpu_regs;
struct error;

/* Low memory as the loaders use it. All of it is RAM to the guest but for the ACPI tables. */
enum {
    BOOT_ZERO_PAGE = 0x7000, /* boot_params */
    BOOT_GDT = 0x8000,
    BOOT_PML4 = 0x9000,  /* then one PDPT and four page directories: 4 GiB, identity */
    BOOT_INFO = 0x10000, /* multiboot information or hvm_start_info, maps, module lists */
    BOOT_INFO_LEN = 0x8000,
    BOOT_SETUP_DATA = 0x1f000,
    BOOT_CMDLINE = 0x20000,
    BOOT_CMDLINE_MAX = 0x4000,
    BOOT_ACPI = 0x80000, /* reserved in the memory map up to BOOT_ACPI_END */
    BOOT_ACPI_END = 0x9fc00,
    BOOT_KERNEL_MIN = 0x100000,
};

#define BOOT_AREAS    8
#define BOOT_MODULES  16
#define BOOT_FILE_MAX (1ull << 30)

enum { BOOT_AREA_RAM = 1, BOOT_AREA_RESERVED = 2, BOOT_AREA_ACPI = 3 }; /* types of E820 */

struct boot_area {
    uint64_t base, len;
    uint32_t type;
};

struct boot_file { /* a file as read; boot_file_free when loaded */
    const char *path;
    uint8_t *data;
    size_t len;
};

struct boot_screen { /* pixels of 32 bits, blue lowest, in reserved memory; width 0: none */
    gpa_t base;
    uint32_t width, height, pitch; /* pitch: bytes a row */
};

enum boot_way { BOOT_AUTO, BOOT_LINUX64, BOOT_PVH, BOOT_MULTIBOOT };

struct boot_args {
    struct ram *ram;
    const struct boot_file *kernel;
    const struct boot_file *initrd; /* several: Linux gets them one after another */
    unsigned initrds;
    const char *cmdline;
    uint64_t rsdp;    /* 0: no ACPI */
    uint8_t seed[32]; /* for the guest's random number generator */
    struct boot_screen screen;
    enum boot_way way;
};

/* What every loader works on. */
struct boot {
    const struct boot_args *args;
    struct dma dma;
    struct boot_area area[BOOT_AREAS];
    unsigned areas;
    uint64_t low_end;   /* end of RAM below 4 GiB */
    uint64_t image_end; /* first byte after the kernel and what it needs at once */
    struct cpu_regs *regs;
    struct error *err;
};

/* Reads the whole regular file. option names it in messages: "--kernel". */
int boot_file_read(struct boot_file *f, const char *option, const char *path, struct error *err);
void boot_file_free(struct boot_file *f);

/* Loads the kernel and all that goes with it; regs is how the first vCPU starts. 0 or -errno. */
int boot_load(const struct boot_args *args, struct cpu_regs *regs, struct error *err);

/* ---- between the loaders ---- */

int boot_put(struct boot *b, gpa_t at, const void *p, uint64_t n); /* -EFAULT if not RAM */
int boot_zero(struct boot *b, gpa_t at, uint64_t n);
int boot_cmdline(struct boot *b, size_t max);
/* Where len bytes fit, page aligned, as high as possible below limit, above the image; 0: nowhere.
 */
gpa_t boot_high(const struct boot *b, uint64_t len, uint64_t limit);
/* The initial RAM disk, unpacked where that pays; its place goes to *at and *len (0: none). */
int boot_initrd(struct boot *b, uint64_t limit, gpa_t *at, uint64_t *len);
void boot_regs_long(struct boot *b, uint64_t rip);   /* 64-bit mode, 4 GiB identity mapped */
void boot_regs_flat32(struct boot *b, uint64_t rip); /* protected mode, flat, no paging */

bool linux_is(const struct boot_file *f);
/* The ELF kernel in a bzImage, at most max bytes; -ENOTSUP: packed in a way unpack doesn't know. */
int linux_unpack(const struct boot_file *f, uint64_t max, struct bytes *out, struct error *err);
int linux_load(struct boot *b); /* bzImage */
int linux_enter(struct boot *b, uint64_t entry, const uint8_t *header, size_t header_len);

struct elf_image {    /* what elf_load found */
    uint64_t entry;   /* e_entry, made physical */
    uint64_t pvh;     /* entry of the Xen PHYS32_ENTRY note, or 0 */
    bool linked_high; /* at the top 2 GiB, as Linux is: entered by its own protocol */
};
bool elf_is(const uint8_t *p, size_t len);
int elf_load(struct boot *b, const uint8_t *p, size_t len, struct elf_image *out);
int pvh_enter(struct boot *b, uint64_t entry);

bool multiboot_is(const struct boot_file *f);
int multiboot_load(struct boot *b);

#endif
