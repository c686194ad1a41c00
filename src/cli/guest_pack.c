/*
 * viaduct guest pack OUT [--module FILE.ko]… [SOURCE=NAME]…: an archive to give as a second
 * --initrd, with files of the user's and modules that /init loads (guest_init.c).
 */
#include "cli/guest_pack.h"
#include "cli/cli.h"
#include "cli/cpio.h"
#include "core/log.h"
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* The directories above a name; those that are there already stay as they are. */
static void pack_dirs(struct cpio *c, const char *name)
{
    char part[PATH_MAX];

    for (const char *at = strchr(name, '/'); at; at = strchr(at + 1, '/')) {
        snprintf(part, sizeof(part), "%.*s", (int)(at - name), name);
        cpio_dir(c, part);
    }
}

static int pack_file(struct cpio *c, char *what)
{
    char *eq = strchr(what, '=');
    const char *name = eq ? eq + 1 : what;

    if (eq)
        *eq = 0;
    name += *name == '/';
    pack_dirs(c, name);
    return cpio_host_file(c, what, name, access(what, X_OK) ? 0644 : 0755);
}

/* A module that /init loads, with those before it, whatever devices there are. */
static int pack_module(struct cpio *c, const char *path, char *list, size_t room)
{
    const char *file = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    size_t used = strlen(list), len = strlen(file);
    char name[128];

    if (len < 4 || strcmp(file + len - 3, ".ko") || len - 3 >= room - used - 1)
        return -EINVAL;
    snprintf(list + used, room - used, "%.*s\n", (int)(len - 3), file);
    if ((size_t)snprintf(name, sizeof(name), "lib/modules/%s", file) >= sizeof(name))
        return -ENAMETOOLONG;
    pack_dirs(c, name);
    return cpio_host_file(c, path, name, 0644);
}

int guest_pack(int argc, char **argv)
{
    struct cpio c;
    char list[1024] = "";
    int code = argc < 3 ? -EINVAL : cpio_open(&c, argv[1]);

    if (code) {
        log_error("usage: viaduct guest pack OUT.cpio [--module FILE.ko]… SOURCE=NAME… (%s)",
                  strerror(-code));
        return EXIT_USAGE;
    }
    for (int i = 2; i < argc && !code; i++) {
        bool module = !strcmp(argv[i], "--module") && argv[i + 1];

        i += module;
        code = module ? pack_module(&c, argv[i], list, sizeof(list)) : pack_file(&c, argv[i]);
        if (code)
            log_error("%s: %s", argv[i], strerror(-code));
    }
    if (list[0])
        cpio_file(&c, "lib/modules/extra.list", 0644, list, strlen(list));
    c.err = c.err ? c.err : code;
    return cpio_close(&c, argv[1]) ? EXIT_USAGE : EXIT_OFF;
}
