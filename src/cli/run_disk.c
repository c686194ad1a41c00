/* viaduct run --disk FILE|vhost-user=SOCKET[,via=…][,readonly][,…]: one disk from its words. */
#include "cli/run.h"
#include "board/board.h"
#include "cli/disk_opts.h"
#include "core/error.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* One controller, or several joined by +: one disk behind all of them. */
static int via_parse(struct vm_disk *d, char *value, struct error *err)
{
    static const struct {
        const char *name;
        unsigned via;
    } known[] = {{"ide", BOARD_IDE},
                 {"virtio", BOARD_VIRTIO},
                 {"virtio-mmio", BOARD_VIRTIO_MMIO},
                 {"regdisk-pio", BOARD_REGDISK_PIO},
                 {"regdisk-mmio", BOARD_REGDISK_MMIO},
                 {"hypercall", BOARD_HYPERCALL}};
    char *save = NULL;

    d->via = 0;
    for (char *w = strtok_r(value, "+", &save); w; w = strtok_r(NULL, "+", &save)) {
        unsigned via = 0;

        for (size_t i = 0; i < ARRAY_LEN(known); i++)
            if (!strcmp(w, known[i].name))
                via = known[i].via;
        if (!via)
            return error_set(
                err, -EINVAL,
                "--disk via=%s: must be ide, virtio, virtio-mmio, regdisk-pio, regdisk-mmio or "
                "hypercall",
                w);
        d->via |= via;
    }
    return d->via ? 0 : error_set(err, -EINVAL, "--disk via=: names no controller");
}

static int trap_parse(struct vm_disk *d, const char *value, struct error *err)
{
    static const char *const name[] = {[BOARD_TRAP_EACH] = "each",
                                       [BOARD_TRAP_PATCHED] = "patched",
                                       [BOARD_TRAP_WRITES] = "writes"};

    for (unsigned i = 0; i < ARRAY_LEN(name); i++)
        if (!strcmp(name[i], value)) {
            d->trap = i;
            return 0;
        }
    return error_set(err, -EINVAL, "--disk trap=%s: must be each, patched or writes", value);
}

/* 1: it was one of these; 0: it is none; -EINVAL with err filled. */
static int policy_word(struct vm_disk *d, const char *w, struct error *err)
{
    struct disk_policy p = {d->extent, d->direct, d->limits};
    int code = disk_policy_word(&p, w, err);

    d->extent = p.extent;
    d->direct = p.direct;
    d->limits = p.limits;
    return code;
}

static int disk_word(struct vm_disk *d, char *w, struct error *err)
{
    int code = policy_word(d, w, err);

    if (code)
        return code < 0 ? code : 0;
    if (!strncmp(w, "via=", 4))
        return via_parse(d, w + 4, err);
    if (!strncmp(w, "trap=", 5))
        return trap_parse(d, w + 5, err);
    if (!strcmp(w, "readonly")) {
        d->readonly = true;
        return 0;
    }
    if (!strncmp(w, "serial=", 7) && w[7] && strlen(w + 7) <= 20) {
        d->serial = w + 7;
        return 0;
    }
    if (!strcmp(w, "packed")) {
        d->packed = true;
        return 0;
    }
    if (!strncmp(w, "queues=", 7) && w[7] >= '1' && w[7] <= '8' && !w[8]) {
        d->queues = (unsigned)(w[7] - '0');
        return 0;
    }
    if (d->vhost && !strcmp(w, "wait")) {
        d->wait = true;
        return 0;
    }
    return error_set(err, -EINVAL,
                     "--disk: \"%s\" is none of via=…, readonly, direct, extent=…, iops=…, bps=…, "
                     "burst=…, queues=1…8, "
                     "packed, trap=…, serial=… (up to 20 characters)",
                     w);
}

/* The back end says what its disk is; only virtio's queues can be lent to it. */
static int vhost_judge(const struct vm_disk *d, struct error *err)
{
    if (!d->vhost)
        return 0;
    if (!*d->path)
        return error_set(err, -EINVAL, "--disk vhost-user=: names no socket");
    if (d->via != BOARD_VIRTIO && d->via != BOARD_VIRTIO_MMIO)
        return error_set(err, -EINVAL, "--disk vhost-user=%s: via= must be virtio or virtio-mmio",
                         d->path);
    if (d->readonly || d->serial || d->trap || d->extent || d->direct ||
        share_limits_any(&d->limits))
        return error_set(
            err, -EINVAL,
            "--disk vhost-user=%s: readonly, direct, serial=, trap=, extent= and limits are "
            "not for it; what the disk is, its back end says",
            d->path);
    return 0;
}

int run_disk_take(struct run *r, const char *value, struct error *err)
{
    struct vm_disk *d = &r->vm.disk[r->vm.disks];
    char *spec = r->disk_spec[r->vm.disks], *save = NULL;
    int code = 0;

    if (r->vm.disks == VM_DISKS_MAX)
        return error_set(err, -EINVAL, "--disk: at most %d", VM_DISKS_MAX);
    if (strlen(value) >= sizeof(r->disk_spec[0]))
        return error_set(err, -EINVAL, "--disk: the name is too long");
    snprintf(spec, sizeof(r->disk_spec[0]), "%s", value);
    *d = (struct vm_disk){.via = BOARD_VIRTIO};
    d->path = *spec == ',' ? NULL : strtok_r(spec, ",", &save);
    if (!d->path)
        return error_set(err, -EINVAL, "--disk: names no file");
    d->vhost = !strncmp(d->path, "vhost-user=", 11);
    d->path += d->vhost ? 11 : 0;
    for (char *w = strtok_r(NULL, ",", &save); w && !code; w = strtok_r(NULL, ",", &save))
        code = disk_word(d, w, err);
    r->vm.disks++;
    return code ? code : vhost_judge(d, err);
}
