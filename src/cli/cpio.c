/*
 * The newc format: Documentation/driver-api/early-userspace/buffer-format.rst. A header of
 * hexadecimal fields, the name, the data, each padded to four bytes. Every file gets an inode
 * number of its own, so there are no hard links; times are zero, so that archives are repeatable.
 */
#include "cli/cpio.h"
#include "board/boot.h"
#include "board/unpack.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define S_DIR  0040000u
#define S_FILE 0100000u

static void put(struct cpio *c, const void *p, size_t n)
{
    if (!c->err && n && fwrite(p, 1, n, c->out) != n)
        c->err = errno ? -errno : -EIO;
}

static void entry(struct cpio *c, const char *name, unsigned mode, unsigned major, unsigned minor,
                  size_t len)
{
    size_t n = strlen(name) + 1;
    char head[111];

    snprintf(head, sizeof(head), "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
             ++c->ino, mode, 0u, 0u, 1u, 0u, (unsigned)len, 0u, 0u, major, minor, (unsigned)n, 0u);
    put(c, head, 110);
    put(c, name, n);
    put(c, "\0\0\0", (4 - ((110 + n) & 3)) & 3);
}

void cpio_dir(struct cpio *c, const char *name)
{
    entry(c, name, S_DIR | 0755, 0, 0, 0);
}

void cpio_node(struct cpio *c, const char *name, unsigned mode, unsigned major, unsigned minor)
{
    entry(c, name, mode, major, minor, 0);
}

void cpio_file(struct cpio *c, const char *name, unsigned mode, const void *data, size_t len)
{
    if (len > UINT32_MAX) {
        c->err = -EFBIG;
        return;
    }
    entry(c, name, S_FILE | mode, 0, 0, len);
    put(c, data, len);
    put(c, "\0\0\0", (4 - (len & 3)) & 3);
}

/* A packed file (a module, *.ko.xz) goes in unpacked, for a guest that can't unpack it. */
int cpio_host_file(struct cpio *c, const char *path, const char *name, unsigned mode)
{
    struct boot_file f;
    struct bytes flat = {0};
    struct error *none = NULL;
    size_t used;
    int err = boot_file_read(&f, "file", path, none);
    enum packing p;

    if (err)
        return err;
    p = packing_of(f.data, f.len);
    if (p != PACK_NONE && !unpack(p, f.data, f.len, &flat, BOOT_FILE_MAX, &used))
        cpio_file(c, name, mode, flat.at, flat.len);
    else
        cpio_file(c, name, mode, f.data, f.len);
    bytes_free(&flat);
    boot_file_free(&f);
    return c->err;
}

static int new_name(char *buf, const char *path)
{
    return snprintf(buf, PATH_MAX, "%s.new", path) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int cpio_open(struct cpio *c, const char *path)
{
    char name[PATH_MAX];
    int err = new_name(name, path);

    *c = (struct cpio){0};
    if (err)
        return err;
    c->out = fopen(name, "we");
    return c->out ? 0 : -errno;
}

int cpio_close(struct cpio *c, const char *path)
{
    char name[PATH_MAX];

    entry(c, "TRAILER!!!", 0, 0, 0, 0);
    new_name(name, path);
    if (fclose(c->out) && !c->err)
        c->err = -errno;
    if (!c->err && rename(name, path))
        c->err = -errno;
    if (c->err)
        remove(name);
    return c->err;
}
