/*
 * Where a lab keeps what belongs to a run: $XDG_RUNTIME_DIR/viaduct/LAB, or /run/viaduct/LAB for
 * root, or /tmp/viaduct-UID/LAB. The directories are their owner's alone; one in /tmp that somebody
 * else has made is refused.
 */
#include "cli/lab.h"
#include "core/error.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool lab_name_good(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

    return n && n <= LAB_NAME && !name[n] && *name != '-';
}

const char *lab_kind_name(enum lab_kind kind)
{
    static const char *const name[] = {"network", "domain", "vm", "seat"};

    return (unsigned)kind < ARRAY_LEN(name) ? name[kind] : "?";
}

/* One that is there and somebody else's says nothing that is to be believed. */
static int mine(const char *path, struct error *err)
{
    struct stat st;

    if (lstat(path, &st) || (S_ISDIR(st.st_mode) && st.st_uid == geteuid()))
        return 0;
    return error_set(err, -EPERM, "%s: is there, and is not a directory of yours", path);
}

int lab_base(char *buf, size_t room, struct error *err)
{
    const char *given = getenv("XDG_RUNTIME_DIR");
    int n;

    if (given && *given == '/')
        n = snprintf(buf, room, "%s/viaduct", given);
    else if (!geteuid())
        n = snprintf(buf, room, "/run/viaduct");
    else
        n = snprintf(buf, room, "/tmp/viaduct-%u", geteuid());
    /* 108 is a socket's path; what follows is /LAB/NAME.WHAT. */
    if (n <= 0 || (size_t)n >= room || n >= 64)
        return error_set(err, -ENAMETOOLONG, "XDG_RUNTIME_DIR: is too long for a socket's path");
    return mine(buf, err);
}

int lab_run_dir(char *buf, size_t room, const char *name, struct error *err)
{
    int code = lab_base(buf, room, err);
    size_t n = code ? 0 : strlen(buf);

    if (code)
        return code;
    if (!lab_name_good(name))
        return error_set(err, -EINVAL, "%.60s: is no lab's name: up to %u letters, digits, - and _",
                         name, LAB_NAME);
    if ((size_t)snprintf(buf + n, room - n, "/%s", name) >= room - n)
        return error_set(err, -ENAMETOOLONG, "%s: too long", name);
    return 0;
}

int lab_dir_make(const char *path, struct error *err)
{
    struct stat st;

    if (mkdir(path, 0700) && errno != EEXIST)
        return error_set(err, -errno, "%s: %s", path, strerror(errno));
    if (lstat(path, &st))
        return error_set(err, -errno, "%s: %s", path, strerror(errno));
    if (mine(path, err))
        return -EPERM;
    if ((st.st_mode & 077) && chmod(path, 0700))
        return error_set(err, -errno, "%s: %s", path, strerror(errno));
    return 0;
}

char *lab_path(const char *run, const char *name, const char *what)
{
    char *path;

    return asprintf(&path, "%s/%s.%s", run, name, what) < 0 ? NULL : path;
}
