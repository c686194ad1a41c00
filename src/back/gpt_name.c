/*
 * Names and GUIDs of partitions as text. A GUID's first three fields are little-endian on the disk
 * (UEFI 2.10, appendix A); a name is UTF-16, little-endian, padded with zeroes, and foreign ones
 * may hold anything.
 */
#include "back/gpt.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

void gpt_guid_text(const uint8_t *g, char *text)
{
    snprintf(text, GPT_GUID_ROOM, "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x", le32_get(g),
             le16_get(g + 4), le16_get(g + 6), g[8], g[9], g[10], g[11], g[12], g[13], g[14],
             g[15]);
}

void gpt_guid_make(uint8_t *guid)
{
    if (getrandom(guid, GPT_GUID, 0) != GPT_GUID)
        memset(guid, 0xa5, GPT_GUID); /* a kernel without randomness: still a valid identifier */
    guid[7] = (uint8_t)((guid[7] & 0x0f) | 0x40);
    guid[8] = (uint8_t)((guid[8] & 0x3f) | 0x80);
}

static size_t utf8_put(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* A pair of units is 4 bytes, a single one at most 3: the room is enough. */
void gpt_name_text(const uint8_t *utf16, char *text)
{
    size_t n = 0;

    for (unsigned i = 0; i < GPT_NAME_UNITS; i++) {
        uint32_t c = le16_get(utf16 + 2 * i), low;

        if (!c)
            break;
        if (c >= 0xd800 && c < 0xe000) { /* half of a pair: the first, and the second follows? */
            low = i + 1 < GPT_NAME_UNITS ? le16_get(utf16 + 2 * i + 2) : 0;
            if (c < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
                i++;
            } else {
                c = 0xfffd;
            }
        }
        n += utf8_put(text + n, c);
    }
    text[n] = 0;
}

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-_.+:@", c));
}

bool gpt_name_put(const char *name, uint8_t *utf16)
{
    size_t len = strlen(name);

    if (!len || len > GPT_NAME_UNITS || *name == '-')
        return false;
    memset(utf16, 0, 2 * GPT_NAME_UNITS);
    for (size_t i = 0; i < len; i++) {
        if (!name_char(name[i]))
            return false;
        le16_put(utf16 + 2 * i, (uint16_t)(unsigned char)name[i]);
    }
    return true;
}
