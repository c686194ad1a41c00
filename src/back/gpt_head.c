/* A GPT header between its bytes and a struct: UEFI 2.10, table 5.5. */
#include "back/gpt.h"
#include "core/crc32.h"

#include <errno.h>
#include <string.h>

enum {
    H_SIGNATURE = 0,
    H_REVISION = 8,
    H_SIZE = 12,
    H_CRC = 16,
    H_MY_LBA = 24,
    H_ALTERNATE_LBA = 32,
    H_FIRST_USABLE = 40,
    H_LAST_USABLE = 48,
    H_DISK_GUID = 56,
    H_ENTRIES_LBA = 72,
    H_ENTRIES = 80,
    H_ENTRY_SIZE = 84,
    H_ENTRIES_CRC = 88,
    H_LEN = 92,
};

#define SIGNATURE      "EFI PART"
#define REVISION       0x00010000u
#define ENTRY_SIZE_MIN 128u
#define ENTRY_SIZE_MAX 4096u

static uint32_t head_crc(const uint8_t *block, uint32_t len)
{
    uint8_t copy[GPT_BLOCK_MAX];

    memcpy(copy, block, len);
    le32_put(copy + H_CRC, 0);
    return crc32_ieee(copy, len);
}

static const char *sizes_bad(const struct gpt_header *h)
{
    if (h->entry_size < ENTRY_SIZE_MIN || h->entry_size > ENTRY_SIZE_MAX ||
        h->entry_size & (h->entry_size - 1))
        return "its entries have a size that is not 128 bytes times a power of two";
    if (!h->entries)
        return "it has no entries at all";
    if (h->entries > GPT_ARRAY_MAX / h->entry_size)
        return "its array of entries is absurdly large";
    return NULL;
}

int gpt_head_read(struct gpt_header *h, const uint8_t *block, uint32_t size, const char **bad)
{
    uint32_t len = le32_get(block + H_SIZE);

    if (memcmp(block + H_SIGNATURE, SIGNATURE, 8)) {
        *bad = "there is none";
        return -ENOENT;
    }
    *bad = NULL;
    if (len < H_LEN || len > size || len > GPT_BLOCK_MAX)
        *bad = "its header has an impossible size";
    else if (head_crc(block, len) != le32_get(block + H_CRC))
        *bad = "its header's checksum is wrong";
    else if (le32_get(block + H_REVISION) != REVISION)
        *bad = "its header is of an unknown revision";
    if (*bad)
        return -EINVAL;
    h->my = le64_get(block + H_MY_LBA);
    h->other = le64_get(block + H_ALTERNATE_LBA);
    h->first = le64_get(block + H_FIRST_USABLE);
    h->last = le64_get(block + H_LAST_USABLE);
    memcpy(h->guid, block + H_DISK_GUID, GPT_GUID);
    h->entries_at = le64_get(block + H_ENTRIES_LBA);
    h->entries = le32_get(block + H_ENTRIES);
    h->entry_size = le32_get(block + H_ENTRY_SIZE);
    h->entries_crc = le32_get(block + H_ENTRIES_CRC);
    *bad = sizes_bad(h);
    return *bad ? -EINVAL : 0;
}

void gpt_head_write(const struct gpt_header *h, uint8_t *block, uint32_t size)
{
    memset(block, 0, size);
    memcpy(block + H_SIGNATURE, SIGNATURE, 8);
    le32_put(block + H_REVISION, REVISION);
    le32_put(block + H_SIZE, H_LEN);
    le64_put(block + H_MY_LBA, h->my);
    le64_put(block + H_ALTERNATE_LBA, h->other);
    le64_put(block + H_FIRST_USABLE, h->first);
    le64_put(block + H_LAST_USABLE, h->last);
    memcpy(block + H_DISK_GUID, h->guid, GPT_GUID);
    le64_put(block + H_ENTRIES_LBA, h->entries_at);
    le32_put(block + H_ENTRIES, h->entries);
    le32_put(block + H_ENTRY_SIZE, h->entry_size);
    le32_put(block + H_ENTRIES_CRC, h->entries_crc);
    le32_put(block + H_CRC, crc32_ieee(block, H_LEN));
}
