/* viaduct disk carve HOSTDISK list: the table for people and for programs. Names of foreign
 * partitions are anything: what could steer a terminal is shown as ?. */
#include "back/blk_lock.h"
#include "cli/disk.h"
#include "core/error.h"
#include "core/log.h"
#include "core/plain.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void carve_size(uint64_t bytes, char *text, size_t room)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    unsigned u = 0;

    while (bytes && !(bytes & 1023) && u + 1 < ARRAY_LEN(unit)) {
        bytes >>= 10;
        u++;
    }
    snprintf(text, room, "%" PRIu64 " %s", bytes, unit[u]);
}

/* Who has these bytes now? Only asked, not taken. */
static const char *use_of(int fd, uint64_t at, uint64_t len)
{
    struct flock fl = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)at, .l_len = (off_t)len};

    if (fcntl(fd, F_OFD_GETLK, &fl))
        return "unknown";
    return fl.l_type == F_UNLCK ? "free" : fl.l_type == F_RDLCK ? "read" : "written";
}

unsigned carve_problems(const struct gpt *g, char line[CARVE_PROBLEMS][160])
{
    unsigned n = 0;

    if (g->bad[GPT_PRIMARY])
        snprintf(line[n++], 160, "the primary table is damaged (%s); this is the backup",
                 g->bad[GPT_PRIMARY]);
    if (g->bad[GPT_BACKUP])
        snprintf(line[n++], 160, "the backup table is damaged (%s)", g->bad[GPT_BACKUP]);
    if (g->differ)
        snprintf(line[n++], 160, "the backup table differs from the primary, which counts");
    if (g->short_of_end)
        snprintf(line[n++], 160, "the backup table is not at the disk's end: it has grown");
    return n;
}

static void text_row(const struct carve *c, const struct gpt_part *p)
{
    char at_text[32], len_text[32], type[GPT_GUID_ROOM], name[GPT_NAME_ROOM];
    uint64_t at, len;

    gpt_bytes(&c->gpt, p, &at, &len);
    carve_size(at, at_text, sizeof(at_text));
    carve_size(len, len_text, sizeof(len_text));
    gpt_guid_text(p->type, type);
    snprintf(name, sizeof(name), "%s", p->name);
    plain_line(name);
    printf("%4u  %12s  %12s  %-8s %s%s%s\n", p->number, at_text, len_text,
           p->ours ? use_of(c->fd, at, len) : "foreign", name, p->ours ? "" : "  type ",
           p->ours ? "" : type);
}

static void text_list(const struct carve *c)
{
    char line[CARVE_PROBLEMS][160], text[32];
    unsigned n = carve_problems(&c->gpt, line);
    struct gpt_part p;

    printf("  no            at          size  use      name\n");
    for (unsigned i = 0; i < c->gpt.head[c->gpt.from].entries; i++) /* bound: GPT_ARRAY_MAX */
        if (gpt_part(&c->gpt, i, &p))
            text_row(c, &p);
    carve_size(gpt_room(&c->gpt), text, sizeof(text));
    printf("largest gap: %s\n", text);
    for (unsigned i = 0; i < n; i++)
        log_warn("%s: %s; viaduct disk carve %s repair", c->path, line[i], c->path);
}

static void json_row(const struct carve *c, const struct gpt_part *p, cJSON *to)
{
    char text[GPT_GUID_ROOM], name[GPT_NAME_ROOM];
    cJSON *row = cJSON_CreateObject();
    uint64_t at, len;

    gpt_bytes(&c->gpt, p, &at, &len);
    cJSON_AddNumberToObject(row, "number", p->number);
    snprintf(name, sizeof(name), "%s", p->name);
    plain_line(name);
    cJSON_AddStringToObject(row, "name", name);
    cJSON_AddNumberToObject(row, "at", (double)at);
    cJSON_AddNumberToObject(row, "size", (double)len);
    cJSON_AddBoolToObject(row, "extent", p->ours);
    cJSON_AddStringToObject(row, "use", p->ours ? use_of(c->fd, at, len) : "foreign");
    gpt_guid_text(p->type, text);
    cJSON_AddStringToObject(row, "type", text);
    gpt_guid_text(p->guid, text);
    cJSON_AddStringToObject(row, "guid", text);
    cJSON_AddItemToArray(to, row);
}

static int json_list(const struct carve *c)
{
    const struct gpt_header *h = &c->gpt.head[c->gpt.from];
    cJSON *o = cJSON_CreateObject(), *rows, *problems;
    char line[CARVE_PROBLEMS][160], guid[GPT_GUID_ROOM], *text;
    unsigned n = carve_problems(&c->gpt, line);
    struct gpt_part p;

    gpt_guid_text(h->guid, guid);
    cJSON_AddStringToObject(o, "disk", c->path);
    cJSON_AddStringToObject(o, "guid", guid);
    cJSON_AddNumberToObject(o, "block", c->gpt.block);
    cJSON_AddNumberToObject(o, "size", (double)c->file.io.bytes);
    cJSON_AddNumberToObject(o, "largest-gap", (double)gpt_room(&c->gpt));
    problems = cJSON_AddArrayToObject(o, "problems");
    for (unsigned i = 0; i < n; i++)
        cJSON_AddItemToArray(problems, cJSON_CreateString(line[i]));
    rows = cJSON_AddArrayToObject(o, "partitions");
    for (unsigned i = 0; i < h->entries; i++) /* bound: GPT_ARRAY_MAX */
        if (gpt_part(&c->gpt, i, &p))
            json_row(c, &p, rows);
    text = cJSON_Print(o);
    cJSON_Delete(o);
    if (!text)
        return -ENOMEM;
    puts(text);
    free(text);
    return 0;
}

/* A machine that has the disk as a whole can be changing it: said, but looking hurts nobody. */
int carve_list(struct carve *c, struct error *err)
{
    struct error why = {0};
    int rc;

    if (blk_lock(c->fd, false, 0, BLK_LOCK_TABLE) == -EBUSY)
        log_warn("%s is in use as a whole, or its table is being changed", c->path);
    rc = gpt_read(&c->gpt, &c->file.io, &why);
    if (rc == -ENOENT)
        return error_set(err, rc, "%s: %s; make one with: viaduct disk carve %s init", c->path,
                         why.text, c->path);
    if (rc)
        return error_set(err, rc, "%s: %s", c->path, why.text);
    if (c->json)
        return json_list(c) ? error_set(err, -ENOMEM, "not enough memory") : 0;
    text_list(c);
    return 0;
}
