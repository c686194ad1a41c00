/* viaduct run --check virtio: docs/virtio-check.md. */
#include "cli/watch.h"
#include "cli/cli.h"
#include "core/error.h"
#include "core/log.h"
#include <errno.h>
#include <string.h>

int watch_check_parse(struct vwatch *w, const char *value, struct error *err)
{
    if (strcmp(value, "virtio"))
        return error_set(err, -EINVAL, "--check %s: must be virtio", value);
    w->check = true;
    return 0;
}

/* What viaduct could not do, and how a guest used the exit port, stay what they were. */
int watch_status(const struct vwatch *w, int status)
{
    if (!w->broken)
        return status;
    log_info("check: rules of VIRTIO 1.2 were broken %llu times", (unsigned long long)w->broken);
    return status == EXIT_VMM || status & 1 ? status : EXIT_BROKEN;
}
