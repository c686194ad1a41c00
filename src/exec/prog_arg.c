/* What calls have in common: descriptors, paths, times. */
#include "exec/call.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

struct file *prog_file(struct prog *p, uint64_t fd)
{
    return file_at(&p->files, (int)fd);
}

int64_t prog_install(struct prog *p, struct file *f, bool cloexec)
{
    int fd = f ? file_install(&p->files, f, 0, cloexec) : -ENOMEM;

    if (f && fd < 0)
        file_put(f);
    return fd;
}

int prog_path(struct prog *p, int dirfd, uint64_t at, struct prog_path *out)
{
    char text[PROG_PATH_MAX];
    const char *base = "";
    int n = space_string(&p->space, at, text, sizeof(text));

    if (n < 0)
        return n;
    if (!n)
        return -ENOENT;
    if (*text != '/' && dirfd == AT_FDCWD) {
        base = p->cwd;
    } else if (*text != '/') {
        struct file *f = file_at(&p->files, dirfd);

        if (!f || !f->dir)
            return f ? -ENOTDIR : -EBADF;
        base = f->dir;
    }
    n = snprintf(out->text, sizeof(out->text), "%s/%s", base, text);
    return n < 0 || n >= (int)sizeof(out->text) ? -ENAMETOOLONG : 0;
}

/* The name without its empty, "." and ".." parts; false: too long to be a device's. */
static bool lexical(const char *path, char *out, size_t room)
{
    size_t n = 0;

    while (*path) { /* a part each time */
        size_t len = strcspn(path, "/");

        if (len == 2 && !memcmp(path, "..", 2)) {
            while (n && out[--n] != '/')
                ;
        } else if (len && !(len == 1 && *path == '.')) {
            if (len + 2 > room - n)
                return false;
            out[n++] = '/';
            memcpy(out + n, path, len);
            n += len;
        }
        path += len;
        path += strspn(path, "/");
    }
    out[n] = 0;
    return true;
}

int prog_dev(const struct prog *p, const char *path)
{
    static const struct {
        const char *name;
        enum file_small which;
    } small[] = {{"/dev/null", FILE_NULL},
                 {"/dev/zero", FILE_ZERO},
                 {"/dev/random", FILE_RANDOM},
                 {"/dev/urandom", FILE_RANDOM}};
    char name[64];

    if (!lexical(path, name, sizeof(name)))
        return PROG_NO_DEV;
    for (unsigned i = 0; i < ARRAY_LEN(small); i++)
        if (!strcmp(name, small[i].name))
            return -1 - (int)small[i].which;
    if (!strncmp(name, "/dev/vd", 7) && name[7] >= 'a' && name[7] - 'a' < (int)p->disks && !name[8])
        return name[7] - 'a';
    return PROG_NO_DEV;
}

int prog_get_word(struct prog *p, uint64_t at, uint64_t *v)
{
    uint8_t b[8] = {0};
    int err = space_read(&p->space, at, b, p->abi->word);

    *v = le64_get(b);
    return err;
}

int prog_put_word(struct prog *p, uint64_t at, uint64_t v)
{
    uint8_t b[8];

    le64_put(b, v);
    return space_write(&p->space, at, b, p->abi->word);
}

int prog_get_time(struct prog *p, uint64_t at, struct timespec *ts)
{
    uint8_t b[16];
    int err = space_read(&p->space, at, b, p->now->narrow ? 8 : 16);

    if (err)
        return err;
    ts->tv_sec = p->now->narrow ? (int32_t)le32_get(b) : (int64_t)le64_get(b);
    ts->tv_nsec = p->now->narrow ? (int32_t)le32_get(b + 4) : (int64_t)le64_get(b + 8);
    return 0;
}

int prog_put_time(struct prog *p, uint64_t at, const struct timespec *ts)
{
    uint8_t b[16];

    if (p->now->narrow) {
        le32_put(b, (uint32_t)ts->tv_sec);
        le32_put(b + 4, (uint32_t)ts->tv_nsec);
    } else {
        le64_put(b, (uint64_t)ts->tv_sec);
        le64_put(b + 8, (uint64_t)ts->tv_nsec);
    }
    return space_write(&p->space, at, b, p->now->narrow ? 8 : 16);
}
