/*
 * AML encodings: ACPI Specification 6.4, section 20.2 (terms, package lengths, data objects) and
 * section 6.4 (resource descriptors). Package lengths are always written in three bytes, which the
 * encoding allows, so that a block's length can be filled in when it closes.
 */
#include "board/aml.h"
#include <string.h>

enum {
    OP_NAME = 0x08,
    OP_BYTE = 0x0a,
    OP_WORD = 0x0b,
    OP_DWORD = 0x0c,
    OP_STRING = 0x0d,
    OP_SCOPE = 0x10,
    OP_BUFFER = 0x11,
    OP_PACKAGE = 0x12,
    OP_ROOT = 0x5c,
    OP_EXT = 0x5b,
    OP_EXT_DEVICE = 0x82,
};
#define PKG_LEN 3

void aml_byte(struct aml *a, unsigned v)
{
    if (a->len < a->room)
        a->at[a->len++] = (uint8_t)v;
    else
        a->full = true;
}

void aml_word(struct aml *a, unsigned v)
{
    aml_byte(a, v & 0xff);
    aml_byte(a, v >> 8 & 0xff);
}

void aml_dword(struct aml *a, uint32_t v)
{
    aml_word(a, v & 0xffff);
    aml_word(a, v >> 16);
}

void aml_int(struct aml *a, uint32_t v)
{
    if (v <= 1) { /* ZeroOp, OneOp */
        aml_byte(a, v);
    } else if (v <= 0xff) {
        aml_byte(a, OP_BYTE);
        aml_byte(a, v);
    } else if (v <= 0xffff) {
        aml_byte(a, OP_WORD);
        aml_word(a, v);
    } else {
        aml_byte(a, OP_DWORD);
        aml_dword(a, v);
    }
}

static void aml_seg(struct aml *a, const char *seg)
{
    for (int i = 0; i < 4; i++)
        aml_byte(a, (unsigned char)seg[i]);
}

void aml_name(struct aml *a, const char *seg)
{
    aml_byte(a, OP_NAME);
    aml_seg(a, seg);
}

static unsigned hex(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* Three letters of five bits and four digits, big-endian (section 19.3.4). */
void aml_eisaid(struct aml *a, const char *id)
{
    unsigned l =
        (unsigned)(id[0] & 31) << 10 | (unsigned)(id[1] & 31) << 5 | (unsigned)(id[2] & 31);

    aml_byte(a, OP_DWORD);
    aml_byte(a, l >> 8);
    aml_byte(a, l & 0xff);
    aml_byte(a, hex(id[3]) << 4 | hex(id[4]));
    aml_byte(a, hex(id[5]) << 4 | hex(id[6]));
}

void aml_string(struct aml *a, const char *s)
{
    aml_byte(a, OP_STRING);
    while (*s)
        aml_byte(a, (unsigned char)*s++);
    aml_byte(a, 0);
}

/* ---- blocks ---- */

static size_t aml_open(struct aml *a)
{
    size_t at = a->len;

    for (int i = 0; i < PKG_LEN; i++)
        aml_byte(a, 0);
    return at;
}

void aml_close(struct aml *a, size_t open)
{
    size_t n = a->len - open;

    if (a->full)
        return;
    a->at[open] = (uint8_t)(0x80 | (n & 15)); /* two bytes follow */
    a->at[open + 1] = (uint8_t)(n >> 4);
    a->at[open + 2] = (uint8_t)(n >> 12);
}

size_t aml_scope(struct aml *a, const char *root_seg)
{
    size_t at;

    aml_byte(a, OP_SCOPE);
    at = aml_open(a);
    aml_byte(a, OP_ROOT);
    aml_seg(a, root_seg);
    return at;
}

size_t aml_device(struct aml *a, const char *seg)
{
    size_t at;

    aml_byte(a, OP_EXT);
    aml_byte(a, OP_EXT_DEVICE);
    at = aml_open(a);
    aml_seg(a, seg);
    return at;
}

size_t aml_package(struct aml *a, unsigned elements)
{
    size_t at;

    aml_byte(a, OP_PACKAGE);
    at = aml_open(a);
    aml_byte(a, elements);
    return at;
}

/* ---- resources ---- */

#define CRS_SIZE_AT (PKG_LEN + 1) /* the buffer's size, as a word, after the block's length */

size_t aml_crs(struct aml *a)
{
    size_t at;

    aml_name(a, "_CRS");
    aml_byte(a, OP_BUFFER);
    at = aml_open(a);
    aml_byte(a, OP_WORD);
    aml_word(a, 0);
    return at;
}

void aml_crs_end(struct aml *a, size_t open)
{
    aml_byte(a, 0x79); /* end tag; a checksum of 0 counts as right */
    aml_byte(a, 0);
    if (!a->full)
        le16_put(a->at + open + CRS_SIZE_AT, (uint16_t)(a->len - open - CRS_SIZE_AT - 2));
    aml_close(a, open);
}

void aml_io(struct aml *a, unsigned base, unsigned len)
{
    aml_byte(a, 0x47);
    aml_byte(a, 1); /* 16-bit decode */
    aml_word(a, base);
    aml_word(a, base);
    aml_byte(a, 1);
    aml_byte(a, len);
}

void aml_irq(struct aml *a, unsigned gsi, bool level)
{
    aml_byte(a, 0x89);
    aml_word(a, 6);
    aml_byte(a, level ? 0x09 : 0x03); /* consumer, active high; level and shared, or edge */
    aml_byte(a, 1);
    aml_dword(a, gsi);
}

void aml_memory32(struct aml *a, uint32_t base, uint32_t len)
{
    aml_byte(a, 0x86);
    aml_word(a, 9);
    aml_byte(a, 1);
    aml_dword(a, base);
    aml_dword(a, len);
}

/* Word address space descriptor; type 1 is I/O, 2 is bus numbers. Minimum and maximum are fixed. */
static void word_window(struct aml *a, unsigned type, unsigned flags, unsigned first, unsigned last)
{
    aml_byte(a, 0x88);
    aml_word(a, 13);
    aml_byte(a, type);
    aml_byte(a, 0x0c);
    aml_byte(a, flags);
    aml_word(a, 0);
    aml_word(a, first);
    aml_word(a, last);
    aml_word(a, 0);
    aml_word(a, last - first + 1);
}

void aml_bus_window(struct aml *a, unsigned first, unsigned last)
{
    word_window(a, 2, 0, first, last);
}

void aml_io_window(struct aml *a, unsigned first, unsigned last)
{
    word_window(a, 1, 3, first, last); /* both ISA and non-ISA ranges */
}

void aml_memory_window(struct aml *a, uint32_t first, uint32_t last)
{
    aml_byte(a, 0x87);
    aml_word(a, 23);
    aml_byte(a, 0);
    aml_byte(a, 0x0c);
    aml_byte(a, 1); /* read-write, not cacheable */
    aml_dword(a, 0);
    aml_dword(a, first);
    aml_dword(a, last);
    aml_dword(a, 0);
    aml_dword(a, last - first + 1);
}
