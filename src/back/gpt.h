/*
 * GUID partition tables: UEFI 2.10, section 5.3. A table stands twice on a disk: a header and an
 * array of entries behind the protective MBR, and again at the end. It is read whole, judged whole,
 * and edited in memory; entries of other owners stay as they are, byte by byte.
 */
#ifndef BACK_GPT_H
#define BACK_GPT_H

#include "core/types.h"

struct error;

#define GPT_GUID       16
#define GPT_NAME_UNITS 36u                      /* UTF-16 */
#define GPT_NAME_ROOM  (GPT_NAME_UNITS * 3 + 1) /* UTF-8 */
#define GPT_GUID_ROOM  37
#define GPT_ARRAY_MAX  (1u << 20) /* bytes of entries: 8,192 of 128 bytes; more is a bomb */
#define GPT_ALIGN      (1u << 20) /* where extents begin and end, bytes */
#define GPT_BLOCK_MAX  4096u

/* The type of viaduct's extents: 99a12413-308e-4786-819e-9079007aa0cc, as it stands on the disk. */
extern const uint8_t gpt_type_extent[GPT_GUID];

/* A disk to read and write. Ranges asked of it lie within bytes; 0 or -errno. */
struct gpt_io {
    int (*read)(void *ctx, uint64_t at, void *buf, size_t len);
    int (*write)(void *ctx, uint64_t at, const void *buf, size_t len);
    int (*sync)(void *ctx);
    void *ctx;
    uint64_t bytes;
    uint32_t block; /* logical block: 512 or 4096 */
};

struct gpt_header { /* 5.3.2, without what follows from it */
    uint64_t my, other;
    uint64_t first, last; /* blocks that partitions may use */
    uint64_t entries_at;
    uint32_t entries, entry_size, entries_crc;
    uint8_t guid[GPT_GUID];
};

enum gpt_copy { GPT_PRIMARY, GPT_BACKUP, GPT_COPIES };

struct gpt {
    uint32_t block;
    uint64_t blocks; /* of the disk */
    struct gpt_header head[GPT_COPIES];
    const char *bad[GPT_COPIES]; /* what is wrong with that copy; NULL: nothing */
    bool differ;                 /* both are good, but not of the same contents */
    bool short_of_end;           /* the backup is not in the disk's last block: it has grown */
    enum gpt_copy from;          /* which one entries are from */
    uint8_t *entries;            /* the array of that one */
};

struct gpt_part {
    unsigned number; /* from 1, as other tools count */
    uint64_t first, last;
    uint64_t attributes;
    bool ours;
    uint8_t type[GPT_GUID], guid[GPT_GUID];
    char name[GPT_NAME_ROOM]; /* UTF-8; what is not Unicode is U+FFFD */
};

/*
 * gpt.c. Reads and judges both copies; the table is the primary's, or the backup's when that is
 * damaged. -ENOENT: neither copy is there at all. -EINVAL: no copy is good. gpt_free in any case.
 */
int gpt_read(struct gpt *g, const struct gpt_io *io, struct error *err);
void gpt_free(struct gpt *g);
/* Entry i, from 0 to head[from].entries - 1; false: not used. */
bool gpt_part(const struct gpt *g, unsigned i, struct gpt_part *p);
/* The entry of viaduct's with that name. -ENOENT, -EPERM (there is one, but of another type),
 * -EEXIST (more than one). */
int gpt_find(const struct gpt *g, const char *name, struct gpt_part *p);

/* gpt_head.c */
int gpt_head_read(struct gpt_header *h, const uint8_t *block, uint32_t size, const char **bad);
void gpt_head_write(const struct gpt_header *h, uint8_t *block, uint32_t size);

/* gpt_judge.c: NULL, or what is wrong with an array of entries: bounds, overlaps. */
const char *gpt_judge(const struct gpt_header *h, const uint8_t *array);

/* gpt_edit.c: all in memory. */
/* An empty table for a disk of that size, 128 entries. -ENOSPC, -ENOMEM. */
int gpt_init(struct gpt *g, const struct gpt_io *io);
/* size in bytes, a multiple of GPT_ALIGN; 0: the largest gap. -EEXIST: the name is taken; -ENOSPC:
 * no gap is large enough; -EMFILE: no entry is free. */
int gpt_add(struct gpt *g, const char *name, uint64_t size, struct gpt_part *p);
void gpt_remove(struct gpt *g, const struct gpt_part *p);
/* What the largest gap would hold, bytes. */
uint64_t gpt_room(const struct gpt *g);

/* gpt_write.c. */
/* The backup, then the primary, each one's entries before its header, and each step on the disk
 * before the next: at any moment one copy is whole. */
int gpt_write(struct gpt *g, const struct gpt_io *io);
/* Makes both copies the one that was read, with the backup in the last block. */
int gpt_repair(struct gpt *g, const struct gpt_io *io);
/* 5.2.3. true: block 0 has an entry of type 0xee. */
bool gpt_mbr_protects(const uint8_t *block);
int gpt_mbr_write(const struct gpt_io *io);

/* gpt_name.c */
void gpt_guid_text(const uint8_t *guid, char *text); /* GPT_GUID_ROOM */
void gpt_guid_make(uint8_t *guid);                   /* random: RFC 4122, version 4 */
void gpt_name_text(const uint8_t *utf16, char *text);
/* false: not a name that an extent may have: 1 to 36 letters, digits, and the characters -_.+:@ */
bool gpt_name_put(const char *name, uint8_t *utf16);

#endif
