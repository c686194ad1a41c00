/*
 * Which modules, and in which order: each module says in its .modinfo section what it depends on
 * ("depends=a,b"), so a walk from the ones that are wanted finds them all, dependencies first. A
 * module that is not there is taken for built in (cloud kernels have ext4 and nvme so).
 */
#include "cli/modules.h"
#include "board/boot.h"
#include "core/error.h"
#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>

#define MODULES_MAX 16384
#define DEPTH_MAX   16

struct module {
    char name[64]; /* with underscores, as /sys/module has it */
    char *path;
    bool packed; /* into the archive, already */
};

struct tree {
    struct cpio *cpio;
    struct module *module;
    size_t count;
    char list[4096]; /* of the present list: one name a line */
};

/* "…/crc64-rocksoft.ko.xz" → "crc64_rocksoft"; false if it is no module. */
static bool module_name(char *out, size_t room, const char *file)
{
    const char *dot = strstr(file, ".ko");

    if (!dot || (size_t)(dot - file) >= room || (dot[3] && dot[3] != '.'))
        return false;
    memcpy(out, file, (size_t)(dot - file));
    out[dot - file] = 0;
    for (; *out; out++)
        if (*out == '-')
            *out = '_';
    return true;
}

static int tree_read(struct tree *t, const char *dir)
{
    char *const roots[] = {(char *)(uintptr_t)dir, NULL};
    FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *e;

    t->module = calloc(MODULES_MAX, sizeof(*t->module));
    if (!fts || !t->module) {
        if (fts)
            fts_close(fts);
        return -ENOMEM;
    }
    while ((e = fts_read(fts)) && t->count < MODULES_MAX) {
        struct module *m = &t->module[t->count];

        if (e->fts_info != FTS_F || !module_name(m->name, sizeof(m->name), e->fts_name))
            continue;
        m->path = strdup(e->fts_path);
        if (m->path)
            t->count++;
    }
    fts_close(fts);
    return 0;
}

static struct module *module_find(struct tree *t, const char *name)
{
    for (size_t i = 0; i < t->count; i++)
        if (!strcmp(t->module[i].name, name))
            return &t->module[i];
    return NULL;
}

/* The value of "depends=" in .modinfo, whose strings end in NUL; "" if there is none. */
static void depends(const struct boot_file *f, char *out, size_t room)
{
    static const char key[] = "depends=";
    const uint8_t *at = memmem(f->data, f->len, key, strlen(key));

    *out = 0;
    if (at)
        snprintf(out, room, "%.*s", (int)(f->len - (size_t)(at - f->data) - strlen(key)),
                 (const char *)at + strlen(key));
}

static int module_add(struct tree *t, const char *name, unsigned depth, struct error *err)
{
    struct module *m = module_find(t, name);
    char deps[512], path[80], *save = NULL;
    size_t used = strlen(t->list);
    struct boot_file f;
    int code = 0;

    if (!m || depth == DEPTH_MAX)
        return 0;
    snprintf(path, sizeof(path), "\n%s\n", name);
    if (strstr(t->list, path))
        return 0;
    code = boot_file_read(&f, "module", m->path, err);
    if (code)
        return code;
    depends(&f, deps, sizeof(deps));
    boot_file_free(&f);
    for (char *d = strtok_r(deps, ",", &save); d && !code; d = strtok_r(NULL, ",", &save)) {
        for (char *s = d; *s; s++)
            if (*s == '-')
                *s = '_';
        code = module_add(t, d, depth + 1, err);
    }
    used = strlen(t->list);
    snprintf(t->list + used, sizeof(t->list) - used, "%s\n", name);
    snprintf(path, sizeof(path), "lib/modules/%s.ko", name);
    if (!code && !m->packed)
        code = cpio_host_file(t->cpio, m->path, path, 0644);
    m->packed = true;
    return code;
}

static int list_add(struct tree *t, const char *name, const char *const *want, struct error *err)
{
    char path[80];
    int code = 0;

    memcpy(t->list, "\n", 2); /* so that each name is between two line ends */
    for (; *want && !code; want++)
        code = module_add(t, *want, 0, err);
    snprintf(path, sizeof(path), "lib/modules/%s.list", name);
    if (!code)
        cpio_file(t->cpio, path, 0644, t->list + 1, strlen(t->list) - 1);
    return code;
}

int modules_add(struct cpio *c, const char *dir, struct error *err)
{
    static const struct {
        const char *name, *want[4];
    } lists[] = {
        {"ide", {"ata_piix", "sd_mod"}},
        {"ext4", {"crc32c_generic", "ext4"}},
        {"net", {"e1000", "af_packet"}},
        {"vlan", {"8021q"}},
        {"input", {"evdev", "psmouse", "button"}},
        {"virtio", {"virtio_pci", "virtio_blk"}},
        {"vnet", {"virtio_pci", "virtio_net", "af_packet"}},
        {"vcon", {"virtio_pci", "virtio_console"}},
        {"vrng", {"virtio_pci", "virtio_rng"}},
        {"vballoon", {"virtio_pci", "virtio_balloon"}},
        {"vinput", {"virtio_pci", "virtio_input", "evdev"}},
        {"vsock", {"virtio_pci", "vmw_vsock_virtio_transport"}},
        {"v9p", {"virtio_pci", "9pnet_virtio", "9p"}},
        {"vmmio", {"virtio_mmio"}},
    };
    struct tree t = {.cpio = c};
    int code = tree_read(&t, dir);

    for (size_t i = 0; i < ARRAY_LEN(lists) && !code; i++)
        code = list_add(&t, lists[i].name, lists[i].want, err);
    for (size_t i = 0; i < t.count; i++)
        free(t.module[i].path);
    free(t.module);
    return code;
}
