/*
 * viaduct disk carve HOSTDISK …: makes and lists extents of a raw image or a block device, each of
 * which can be one machine's whole disk (--disk HOSTDISK,extent=NAME). docs/disks.md
 *
 * It opens HOSTDISK and goes into its jail before it reads a byte of it (sandbox/rows_client.c).
 * There it has that descriptor; and where it changes a block device sysfs, and the nodes of its
 * partitions (back/blk_kernel.h).
 */
#include "cli/disk.h"
#include "core/error.h"
#include "core/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARGS "carve HOSTDISK [list | init | add NAME SIZE | remove NAME | repair]"

static const struct command {
    const char *name;
    unsigned words; /* with HOSTDISK and the command */
    int mode;
    bool parts; /* the kernel of a host that has it as a block device is asked, and told */
    int (*run)(struct carve *c, struct error *err);
    const char *usage;
} command[] = {
    {"list", 2, O_RDONLY, false, carve_list, "list [--json]"},
    {"init", 2, O_RDWR | O_EXCL /* not while it is mounted */, true, carve_init, "init [--force]"},
    {"add", 4, O_RDWR, true, carve_add, "add NAME SIZE (100M, 20G; or rest: the largest gap)"},
    {"remove", 3, O_RDWR, true, carve_remove, "remove NAME"},
    {"repair", 2, O_RDWR, false, carve_repair, "repair"},
};

static int take_json(void *ctx, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    ((struct carve *)ctx)->json = true;
    return 0;
}

static int take_force(void *ctx, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    ((struct carve *)ctx)->force = true;
    return 0;
}

static const struct opt options[] = {
    {"json", NULL, "list: as JSON", take_json},
    {"force", NULL, "init: although the disk is not empty; what was there is lost", take_force},
    CLIENT_OPTIONS,
    {0},
};

static int take_word(void *ctx, const char *word, struct error *err)
{
    struct carve *c = ctx;

    if (c->words == CARVE_WORDS)
        return error_set(err, -EINVAL, "disk carve: %s: one word too many", word);
    c->word[c->words++] = word;
    return 0;
}

static const struct command *command_find(struct carve *c, struct error *err)
{
    const char *name = c->words > 1 ? c->word[1] : "list";

    if (!c->words) {
        error_set(err, -EINVAL, "disk carve: which disk? viaduct disk " ARGS);
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_LEN(command); i++) {
        if (strcmp(command[i].name, name))
            continue;
        if (c->words == command[i].words || (!i && c->words == 1))
            return &command[i];
        error_set(err, -EINVAL, "viaduct disk carve %s %s", c->word[0], command[i].usage);
        return NULL;
    }
    error_set(err, -EINVAL, "disk carve: %s is none of list, init, add, remove, repair", name);
    return NULL;
}

/* O_NONBLOCK: a FIFO must not hold us. */
static int disk_open(struct carve *c, const struct command *cmd, struct error *err)
{
    struct stat st;
    int rc;

    c->path = c->word[0];
    c->fd = open(c->path, cmd->mode | O_CLOEXEC | O_NONBLOCK);
    if (c->fd < 0 || fstat(c->fd, &st))
        return error_set(err, -errno, "disk carve: %s: %s%s", c->path, strerror(errno),
                         errno == ENOENT ? "; make an image with: truncate -s 10G FILE" : "");
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return error_set(err, -EINVAL, "disk carve: %s: neither a regular file nor a block device",
                         c->path);
    c->client.role = "disk";
    c->client.sets = BOX_BIT(BOX_FEW) | BOX_BIT(BOX_TELL) | BOX_BIT(BOX_TABLE);
    if (cmd->mode != O_RDONLY)
        c->client.sets |= BOX_BIT(BOX_CARVE);
    if (S_ISBLK(st.st_mode))
        c->client.sets |= BOX_BIT(BOX_SIZES) | (cmd->parts ? BOX_BIT(BOX_PARTS) : 0);
    rc = client_box_enter(&c->client, err);
    if (rc)
        return rc;
    rc = gpt_file_init(&c->file, c->fd);
    return rc ? error_set(err, rc, "disk carve: %s: %s", c->path, strerror(-rc)) : 0;
}

static int carve_run(struct carve *c, struct error *err)
{
    const struct command *cmd = command_find(c, err);
    int rc = cmd ? disk_open(c, cmd, err) : -EINVAL;

    if (!rc)
        rc = cmd->run(c, err);
    gpt_free(&c->gpt);
    if (c->fd >= 0)
        close(c->fd);
    return rc;
}

static void help(void)
{
    opt_help(&verb_disk, options);
    printf("\n");
    for (size_t i = 0; i < ARRAY_LEN(command); i++)
        printf("  viaduct disk carve HOSTDISK %s\n", command[i].usage);
}

static int disk_run(int argc, char **argv)
{
    struct carve c = {.fd = -1};
    struct error err = {0};
    bool carves = argc > 1 && !strcmp(argv[1], "carve");
    int rc;

    if (carves)
        argv[1] = "disk carve"; /* as messages name it */
    if (argc > 1 && !carves && strcmp(argv[1], "--help") && strcmp(argv[1], "-h"))
        rc = error_set(&err, -EINVAL, "disk %s: no such command; viaduct disk " ARGS, argv[1]);
    else
        rc = opt_parse(options, argc - carves, argv + carves, &c, take_word, &c.help, &err);
    if (!rc && c.help)
        help();
    else if (!rc)
        rc = carve_run(&c, &err);
    if (rc)
        log_error("%s", err.text);
    return !rc ? EXIT_OFF : rc == -EIO || rc == -ENOMEM ? EXIT_VMM : EXIT_USAGE;
}

const struct verb verb_disk = {"disk", ARGS, "cut a host disk into extents, one for each machine",
                               disk_run};
