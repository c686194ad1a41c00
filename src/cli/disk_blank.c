/* What a disk holds that is about to be carved: enough to tell the user, and to refuse. */
#include "cli/disk.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EDGE (1u << 20)

static const struct {
    uint32_t at;
    uint8_t len;
    const char *bytes, *what;
} known[] = {
    {1080, 2, "\x53\xef", "an ext2, ext3 or ext4 file system"},
    {0, 4, "XFSB", "an XFS file system"},
    {65600, 8, "_BHRfS_M", "a btrfs file system"},
    {3, 4, "NTFS", "an NTFS file system"},
    {54, 3, "FAT", "a FAT file system"},
    {82, 5, "FAT32", "a FAT file system"},
    {536, 8, "LVM2 001", "an LVM physical volume"},
    {0, 6, "LUKS\xba\xbe", "a LUKS volume"},
    {4086, 10, "SWAPSPACE2", "swap space"},
    {32769, 5, "CD001", "an ISO 9660 file system"},
    {0, 4, "QFI\xfb", "a qcow2 image (only raw images can be carved)"},
    {0, 4, "hsqs", "a squashfs file system"},
    {510, 2, "\x55\xaa", "an MBR partition table or a boot sector"},
};

static bool zeroes(const uint8_t *p, size_t len)
{
    return !*p && !memcmp(p, p + 1, len - 1);
}

static const char *name(const uint8_t *p)
{
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (!memcmp(p + known[i].at, known[i].bytes, known[i].len))
            return known[i].what;
    return "data";
}

int carve_blank(const struct gpt_io *io, const char **what)
{
    uint8_t *edge = malloc(EDGE);
    int rc = !edge ? -ENOMEM : io->bytes < 2 * EDGE ? -ENOSPC : io->read(io->ctx, 0, edge, EDGE);

    *what = "";
    if (!rc && !zeroes(edge, EDGE))
        *what = name(edge);
    if (!rc && !**what) {
        rc = io->read(io->ctx, io->bytes - EDGE, edge, EDGE);
        if (!rc && !zeroes(edge, EDGE))
            *what = "data at its end";
    }
    free(edge);
    return rc;
}
