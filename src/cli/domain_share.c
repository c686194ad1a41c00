/*
 * Which of the domain's disks share a host disk, and must be fair to each other there: extents of
 * one image or block device, partitions of one disk, and images on one file system. RAM disks
 * contend for the domain's own thread and are one host disk, too. A disk that is alone on its host
 * disk has no layer around it that it doesn't need.
 *
 * Needs, before any disk is opened, stat of their files and /sys/dev/block; later nothing but
 * timers.
 */
#include "back/blk.h"
#include "cli/domain.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* A partition's disk: the device whose directory in sysfs holds the partition's. */
static dev_t whole_disk(dev_t dev)
{
    char path[96];
    unsigned maj = 0, min = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", major(dev), minor(dev));
    if (access(path, F_OK))
        return dev;
    snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../dev", major(dev), minor(dev));
    f = fopen(path, "re");
    if (!f)
        return dev;
    if (fscanf(f, "%u:%u", &maj, &min) != 2)
        maj = 0;
    fclose(f);
    return maj ? makedev(maj, min) : dev;
}

static uint64_t key_of(const char *file)
{
    struct stat st;

    if (!strncmp(file, "mem:", 4) || stat(file, &st))
        return 0; /* one that is not there fails when it is opened */
    return whole_disk(S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev);
}

static struct domain_host *host_of(struct domain_hosts *h, uint64_t key)
{
    for (unsigned i = 0; i < h->hosts; i++)
        if (h->host[i].key == key)
            return &h->host[i];
    h->host[h->hosts].key = key;
    return &h->host[h->hosts++]; /* at most one a device */
}

void domain_hosts_find(struct domain_hosts *h, struct domain_device *d, unsigned devices)
{
    for (unsigned i = 0; i < devices; i++)
        if (!d[i].is_net) {
            d[i].host = host_of(h, key_of(d[i].disk.file));
            d[i].host->disks++;
        }
}

void domain_hosts_close(struct domain_hosts *h)
{
    for (unsigned i = 0; i < h->hosts; i++)
        share_disk_close(h->host[i].share);
    h->hosts = 0;
}

int domain_disk_share(struct domain_device *d, struct ledger *ledger)
{
    const struct share_limits *l = &d->disk.policy.limits;
    struct domain_host *h = d->host;
    int code = 0;

    if (h->disks < 2 && !share_limits_any(l))
        return 0;
    if (h->disks > 1 && !h->share)
        code = share_disk_open(&h->share, d->blk->loop);
    return code ? code : share_blk_open(&d->blk, d->blk, h->share, l, ledger);
}
