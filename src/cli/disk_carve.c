/* viaduct disk carve: what changes a table. Each holds the lock that keeps machines from what it
 * changes; back/blk_lock.h has them all. */
#include "back/blk_kernel.h"
#include "back/blk_lock.h"
#include "cli/disk.h"
#include "core/error.h"
#include "core/log.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int table_lock(struct carve *c, uint64_t len, struct error *err)
{
    int rc = blk_lock(c->fd, true, 0, len);

    if (rc == -EBUSY)
        return error_set(err, rc,
                         len ? "%s is in use as a whole by a machine; stop that one first"
                             : "%s is in use; stop the machines that have it first",
                         c->path);
    return rc ? error_set(err, rc, "%s: can't lock it: %s", c->path, strerror(-rc)) : 0;
}

static int table_read(struct carve *c, struct error *err)
{
    struct error why = {0};
    int rc = gpt_read(&c->gpt, &c->file.io, &why);

    if (rc == -ENOENT)
        return error_set(err, rc, "%s: %s; make one with: viaduct disk carve %s init", c->path,
                         why.text, c->path);
    return rc ? error_set(err, rc, "%s: %s", c->path, why.text) : 0;
}

/* For changes: two good copies that agree, so that one is there while the other is written. */
static int table_open(struct carve *c, struct error *err)
{
    uint8_t block[GPT_BLOCK_MAX];
    char line[CARVE_PROBLEMS][160];
    int rc = table_lock(c, BLK_LOCK_TABLE, err);

    if (!rc)
        rc = table_read(c, err);
    if (rc)
        return rc;
    if ((c->gpt.bad[GPT_PRIMARY] || c->gpt.bad[GPT_BACKUP] || c->gpt.differ) &&
        carve_problems(&c->gpt, line))
        return error_set(err, -EINVAL, "%s: %s; first: viaduct disk carve %s repair", c->path,
                         line[0], c->path);
    rc = c->file.io.read(c->file.io.ctx, 0, block, c->file.io.block);
    if (!rc && !gpt_mbr_protects(block))
        return error_set(err, -EINVAL,
                         "%s: block 0 is no protective MBR: another table may be in use; is it "
                         "not? viaduct disk carve %s repair",
                         c->path, c->path);
    return rc ? error_set(err, rc, "%s: %s", c->path, strerror(-rc)) : 0;
}

/* What another machine left there is nobody's to read. */
static int range_zero(int fd, uint64_t at, uint64_t len)
{
    static const uint8_t zeroes[65536];
    struct stat st;
    int hole = FALLOC_FL_PUNCH_HOLE, zero = FALLOC_FL_ZERO_RANGE;
    bool file = !fstat(fd, &st) && S_ISREG(st.st_mode);

    if (!fallocate(fd, (file ? hole : zero) | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)len))
        return 0;
    while (len) {
        size_t n = len < sizeof(zeroes) ? (size_t)len : sizeof(zeroes);
        ssize_t w = pwrite(fd, zeroes, n, (off_t)at);

        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return w ? -errno : -EIO;
        at += (uint64_t)w;
        len -= (uint64_t)w;
    }
    return 0;
}

static int table_write(struct carve *c, struct error *err)
{
    int rc = gpt_write(&c->gpt, &c->file.io);

    return rc ? error_set(err, rc, "%s: writing the partition table: %s", c->path, strerror(-rc))
              : 0;
}

/* ---- the host's own view ---- */

/* Between the locks of machines and the change: does the host itself use what is there? */
static int host_unused(struct carve *c, uint64_t at, uint64_t len, struct error *err)
{
    int held, rc = blk_kernel_hold(c->fd, at, len, &held);

    if (held >= 0)
        close(held);
    if (rc == -EBUSY)
        return error_set(err, rc,
                         "%s: this host uses a partition there itself (mounted?); unmount it first",
                         c->path);
    return rc ? error_set(err, rc, "%s: can't see whether this host uses a partition there: %s",
                          c->path, strerror(-rc))
              : 0;
}

/* The table is written: what the host's kernel can't be told now it reads when it next looks. */
static void host_tell(const struct carve *c, uint64_t at, uint64_t len, const struct gpt_part *made)
{
    int rc = blk_kernel_forget(c->fd, at, len);

    if (!rc && made)
        rc = blk_kernel_add(c->fd, made->number, at, len);
    if (rc)
        log_warn("%s: this host's kernel was not told of the new table: %s; partprobe does that",
                 c->path, strerror(-rc));
}

/* ---- init ---- */

static int init_allowed(struct carve *c, struct error *err)
{
    const char *what;
    int rc = gpt_read(&c->gpt, &c->file.io, NULL);

    gpt_free(&c->gpt);
    if (c->force)
        return 0;
    if (rc != -ENOENT)
        return error_set(err, -EEXIST,
                         "%s has a partition table (GPT) already; viaduct disk carve %s list shows "
                         "it; init --force makes an empty one, and what it holds is lost",
                         c->path, c->path);
    rc = carve_blank(&c->file.io, &what);
    if (rc == -ENOSPC)
        return error_set(err, rc, "%s is too small to be carved", c->path);
    if (rc)
        return error_set(err, rc, "%s: %s", c->path, strerror(-rc));
    if (*what)
        return error_set(err, -EEXIST,
                         "%s is not empty: it holds %s; init --force overwrites it, and what it "
                         "holds is lost",
                         c->path, what);
    return 0;
}

int carve_init(struct carve *c, struct error *err)
{
    const struct gpt_io *io = &c->file.io;
    uint64_t end;
    int rc = table_lock(c, 0, err);

    if (!rc)
        rc = init_allowed(c, err);
    if (rc)
        return rc;
    rc = gpt_init(&c->gpt, io);
    if (rc)
        return error_set(err, rc, "%s: %s", c->path,
                         rc == -ENOSPC ? "too small to be carved: 4 MiB at least" : "no memory");
    rc = table_write(c, err);
    if (rc)
        return rc;
    end = c->gpt.head[GPT_PRIMARY].first * c->gpt.block;
    rc = gpt_mbr_write(io);
    if (!rc && c->force) /* so that nothing there is taken for what it was */
        rc = range_zero(c->fd, end, GPT_ALIGN - end);
    if (!rc)
        rc = io->sync(io->ctx);
    if (rc)
        return error_set(err, rc, "%s: %s", c->path, strerror(-rc));
    host_tell(c, 0, io->bytes, NULL);
    return 0;
}

/* ---- add and remove ---- */

static int size_parse(const char *word, uint64_t *size, struct error *err)
{
    *size = 0;
    if (!strcmp(word, "rest"))
        return 0;
    if (opt_size(word, size) || !*size)
        return error_set(err, -EINVAL,
                         "disk carve: %s is no size; write it as 100M or 20G, or rest", word);
    *size = (*size + GPT_ALIGN - 1) / GPT_ALIGN * GPT_ALIGN;
    return 0;
}

static int add_error(const struct carve *c, int code, struct error *err)
{
    const char *name = c->word[2];
    char text[32];

    switch (code) {
    case -EINVAL:
        return error_set(err, code,
                         "disk carve: \"%s\" is no name for an extent: 1 to 36 letters, digits and "
                         "-_.+:@, not - first",
                         name);
    case -EEXIST: return error_set(err, code, "%s has a partition %s already", c->path, name);
    case -EMFILE:
        return error_set(err, code, "%s: all %u entries of its table are used", c->path,
                         c->gpt.head[c->gpt.from].entries);
    case -ENOSPC:
        carve_size(gpt_room(&c->gpt), text, sizeof(text));
        return error_set(err, code, "%s has no room for it: the largest gap is %s", c->path, text);
    default: return error_set(err, code, "%s: %s", c->path, strerror(-code));
    }
}

static void tell(const struct carve *c, const struct gpt_part *p)
{
    char at_text[32], len_text[32];
    uint64_t at, len;

    gpt_bytes(&c->gpt, p, &at, &len);
    carve_size(at, at_text, sizeof(at_text));
    carve_size(len, len_text, sizeof(len_text));
    printf("%s: number %u, %s at %s\n", p->name, p->number, len_text, at_text);
}

int carve_add(struct carve *c, struct error *err)
{
    struct gpt_part p;
    uint64_t size, at, len;
    int rc = size_parse(c->word[3], &size, err);

    if (!rc)
        rc = table_open(c, err);
    if (rc)
        return rc;
    rc = gpt_add(&c->gpt, c->word[2], size, &p);
    if (rc)
        return add_error(c, rc, err);
    gpt_bytes(&c->gpt, &p, &at, &len);
    rc = host_unused(c, at, len, err);
    if (rc)
        return rc;
    rc = blk_lock(c->fd, true, at, len);
    if (!rc)
        rc = range_zero(c->fd, at, len);
    if (rc)
        return error_set(err, rc, "%s: clearing the extent: %s", c->path, strerror(-rc));
    rc = table_write(c, err);
    if (rc)
        return rc;
    host_tell(c, at, len, &p);
    tell(c, &p);
    return 0;
}

int carve_remove(struct carve *c, struct error *err)
{
    const char *name = c->word[2];
    struct gpt_part p;
    uint64_t at, len;
    int rc = table_open(c, err);

    if (rc)
        return rc;
    rc = gpt_find(&c->gpt, name, &p);
    if (rc)
        return error_set(err, rc,
                         rc == -EPERM    ? "%s: %s is not an extent of viaduct's; foreign "
                                           "partitions are left alone"
                         : rc == -EEXIST ? "%s: two extents have the name %s; remove one with "
                                           "another tool"
                                         : "%s has no extent %s",
                         c->path, name);
    gpt_bytes(&c->gpt, &p, &at, &len);
    rc = blk_lock(c->fd, true, at, len);
    if (rc)
        return error_set(err, rc, "%s: extent %s is in use by a machine; stop that one first",
                         c->path, name);
    rc = host_unused(c, at, len, err);
    if (rc)
        return rc;
    gpt_remove(&c->gpt, &p);
    rc = table_write(c, err);
    if (!rc)
        host_tell(c, at, len, NULL);
    return rc;
}

/* ---- repair ---- */

/* An empty block 0 becomes a protective MBR; one with something in it is not ours to change. */
static int mbr_repair(const struct carve *c, bool *changed, struct error *err)
{
    const struct gpt_io *io = &c->file.io;
    uint8_t block[GPT_BLOCK_MAX];
    int rc = io->read(io->ctx, 0, block, io->block);

    if (!rc && !gpt_mbr_protects(block)) {
        for (unsigned i = 0; i < io->block; i++)
            if (block[i])
                return error_set(err, -EEXIST,
                                 "%s: block 0 holds something that is no protective MBR; look at "
                                 "it with another tool (gdisk)",
                                 c->path);
        rc = gpt_mbr_write(io);
        *changed = true;
    }
    return rc ? error_set(err, rc, "%s: %s", c->path, strerror(-rc)) : 0;
}

int carve_repair(struct carve *c, struct error *err)
{
    char line[CARVE_PROBLEMS][160];
    bool changed = false;
    unsigned n;
    int rc = table_lock(c, BLK_LOCK_TABLE, err);

    if (!rc)
        rc = table_read(c, err);
    if (!rc)
        rc = mbr_repair(c, &changed, err);
    if (rc)
        return rc;
    n = carve_problems(&c->gpt, line);
    if (n) {
        rc = gpt_repair(&c->gpt, &c->file.io);
        if (rc)
            return error_set(err, rc, "%s: the table can't be repaired: %s", c->path,
                             rc == -ENOSPC ? "there is no room for both copies" : strerror(-rc));
    }
    for (unsigned i = 0; i < n; i++)
        printf("%s: repaired: %s\n", c->path, line[i]);
    if (changed)
        printf("%s: repaired: there was no protective MBR\n", c->path);
    if (!n && !changed)
        printf("%s: both copies of the table are good\n", c->path);
    return 0;
}
