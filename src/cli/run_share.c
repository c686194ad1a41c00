/* viaduct run --share DIR,tag=NAME[,…]: a directory of this host for the guest. */
#include "cli/run.h"
#include "core/error.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TAG_MAX 32 /* of virtio-9p's configuration */

static int share_word(struct vm_share *s, char *w, struct error *err)
{
    if (!strncmp(w, "tag=", 4) && w[4] && strlen(w + 4) <= TAG_MAX)
        s->tag = w + 4;
    else if (!strcmp(w, "readonly") || !strcmp(w, "ro"))
        s->readonly = true;
    else if (!strcmp(w, "packed"))
        s->packed = true;
    else if (!strcmp(w, "via=virtio"))
        s->mmio = false;
    else if (!strcmp(w, "via=virtio-mmio"))
        s->mmio = true;
    else
        return error_set(err, -EINVAL,
                         "--share: \"%s\" is none of tag=NAME (up to %d characters), readonly, "
                         "via=virtio|virtio-mmio, packed",
                         w, TAG_MAX);
    return 0;
}

static bool tag_taken(const struct vm_setup *vm, const struct vm_share *s)
{
    for (unsigned i = 0; i < vm->shares; i++)
        if (!strcmp(vm->share[i].tag, s->tag))
            return true;
    return false;
}

int run_share_take(struct run *r, const char *value, struct error *err)
{
    struct vm_share *s = &r->vm.share[r->vm.shares];
    char *spec = r->share_spec[r->vm.shares], *save = NULL;
    int code = 0;

    if (r->vm.shares == VM_SHARES_MAX)
        return error_set(err, -EINVAL, "--share: at most %d", VM_SHARES_MAX);
    if (strlen(value) >= sizeof(r->share_spec[0]))
        return error_set(err, -EINVAL, "--share: the name is too long");
    snprintf(spec, sizeof(r->share_spec[0]), "%s", value);
    s->dir = *spec == ',' ? NULL : strtok_r(spec, ",", &save);
    if (!s->dir)
        return error_set(err, -EINVAL, "--share: names no directory");
    for (char *w = strtok_r(NULL, ",", &save); w && !code; w = strtok_r(NULL, ",", &save))
        code = share_word(s, w, err);
    if (!code && !s->tag)
        code = error_set(err, -EINVAL, "--share %s: no tag=NAME, by which the guest mounts it",
                         s->dir);
    if (!code && tag_taken(&r->vm, s))
        code = error_set(err, -EINVAL, "--share tag=%s: another share has that tag", s->tag);
    r->vm.shares++;
    return code;
}
