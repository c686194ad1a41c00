/* Shared by the files of viaduct disk carve. */
#ifndef CLI_DISK_H
#define CLI_DISK_H

#include "back/gpt_file.h"
#include "cli/client_box.h"

#define CARVE_WORDS 4

struct carve {
    struct client client;
    const char *word[CARVE_WORDS]; /* HOSTDISK, what to do, with what */
    unsigned words;
    bool json, force, help;
    const char *path;
    int fd;
    struct gpt_file file;
    struct gpt gpt;
};

/* disk_carve.c: 0, or -errno with err filled. The disk is open, and locked as each needs it. */
int carve_init(struct carve *c, struct error *err);
int carve_add(struct carve *c, struct error *err);
int carve_remove(struct carve *c, struct error *err);
int carve_repair(struct carve *c, struct error *err);
/* disk_list.c */
int carve_list(struct carve *c, struct error *err);
/* "100 MiB", "12288 KiB", exactly */
void carve_size(uint64_t bytes, char *text, size_t room);
/* What is not as it should be: how many lines were put. */
#define CARVE_PROBLEMS 4
unsigned carve_problems(const struct gpt *g, char line[CARVE_PROBLEMS][160]);
/* disk_blank.c: what stands on a disk that has no table, for a message; "" for nothing: it begins
 * and ends with a MiB of zeroes. */
int carve_blank(const struct gpt_io *io, const char **what);

#endif
