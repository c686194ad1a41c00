/* Host disks for the GPT files: reading and writing them to the end, and the claim of an extent. */
#include "back/gpt_file.h"
#include "back/blk_lock.h"
#include "core/error.h"

#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* To the end: each turn moves at least a byte, or it ends. */
static int file_read(void *ctx, uint64_t at, void *buf, size_t len)
{
    const struct gpt_file *f = ctx;

    for (size_t done = 0; done < len;) {
        ssize_t n = pread(f->fd, (uint8_t *)buf + done, len - done, (off_t)(at + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n ? -errno : -EIO; /* it became shorter */
        done += (size_t)n;
    }
    return 0;
}

static int file_write(void *ctx, uint64_t at, const void *buf, size_t len)
{
    const struct gpt_file *f = ctx;

    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(f->fd, (const uint8_t *)buf + done, len - done, (off_t)(at + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n ? -errno : -EIO;
        done += (size_t)n;
    }
    return 0;
}

static int file_sync(void *ctx)
{
    const struct gpt_file *f = ctx;

    return fsync(f->fd) ? -errno : 0;
}

/* An image made on a disk of 4 KiB blocks has its header there. */
static uint32_t image_block(const struct gpt_file *f)
{
    char sign[8];

    if (f->io.bytes >= 8192 && !file_read((void *)f, 512, sign, 8) && memcmp(sign, "EFI PART", 8) &&
        !file_read((void *)f, 4096, sign, 8) && !memcmp(sign, "EFI PART", 8))
        return 4096;
    return 512;
}

int gpt_file_init(struct gpt_file *f, int fd)
{
    struct stat st;
    uint64_t bytes = 0;
    int block = 512;

    if (fstat(fd, &st))
        return -errno;
    if (S_ISBLK(st.st_mode)) {
        if (ioctl(fd, BLKGETSIZE64, &bytes) || ioctl(fd, BLKSSZGET, &block))
            return -errno;
        if (block != 512 && block != 4096)
            return -EINVAL;
    } else {
        bytes = (uint64_t)st.st_size;
    }
    *f = (struct gpt_file){{file_read, file_write, file_sync, f, bytes, (uint32_t)block}, fd};
    if (!S_ISBLK(st.st_mode))
        f->io.block = image_block(f);
    return 0;
}

static int find_error(int code, const struct gpt_claim *c, struct error *err)
{
    switch (code) {
    case -EPERM:
        return error_set(
            err, code,
            "--disk %s,extent=%s: that partition is not one of viaduct's; foreign ones "
            "are left alone",
            c->path, c->name);
    case -EEXIST:
        return error_set(err, code, "--disk %s,extent=%s: two extents have that name", c->path,
                         c->name);
    default:
        return error_set(err, code,
                         "--disk %s,extent=%s: there is no such extent; those there are: viaduct "
                         "disk carve %s list",
                         c->path, c->name, c->path);
    }
}

static int table_find(int fd, struct gpt_claim *c, struct gpt *g, struct error *err)
{
    struct gpt_file f;
    struct gpt_part p;
    struct error why = {0};
    int rc = gpt_file_init(&f, fd);

    if (rc)
        return error_set(err, rc, "--disk %s: %s", c->path, strerror(-rc));
    rc = gpt_read(g, &f.io, &why);
    if (rc)
        return error_set(err, rc, "--disk %s,extent=%s: %s; viaduct disk carve makes extents",
                         c->path, c->name, why.text);
    rc = gpt_find(g, c->name, &p);
    if (rc)
        return find_error(rc, c, err);
    gpt_bytes(g, &p, &c->at, &c->len);
    if (g->bad[GPT_PRIMARY])
        c->hint = "the primary partition table is damaged; the backup at the disk's end is used";
    return 0;
}

int gpt_claim(int fd, struct gpt_claim *c, struct error *err)
{
    struct gpt g = {0};
    int rc = blk_lock(fd, false, 0, BLK_LOCK_TABLE);

    c->hint = NULL;
    if (rc)
        return error_set(
            err, rc,
            "--disk %s,extent=%s: the disk is in use as a whole, or its table is being "
            "changed",
            c->path, c->name);
    rc = table_find(fd, c, &g, err);
    if (!rc) {
        rc = blk_lock(fd, c->writes, c->at, c->len);
        if (rc)
            error_set(err, rc,
                      "--disk %s,extent=%s: the extent is in use (locked by another VM or disk); "
                      "stop that one, or open it readonly in both",
                      c->path, c->name);
    }
    gpt_free(&g);
    blk_unlock(fd, 0, BLK_LOCK_TABLE);
    return rc;
}
