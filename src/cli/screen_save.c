/*
 * Pictures of a screen: PNG (W3C Portable Network Graphics, sections 5 and 11: IHDR, one IDAT,
 * IEND; colour type 2, no filter) and PPM (netpbm's P6).
 */
#include "cli/screen.h"
#include "core/error.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static void be32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void row_get(const struct screen *s, uint32_t y, uint8_t *rgb)
{
    const uint8_t *p = s->at + (size_t)y * s->stride;

    for (uint32_t x = 0; x < s->width; x++, p += 4, rgb += 3) {
        rgb[0] = p[2];
        rgb[1] = p[1];
        rgb[2] = p[0];
    }
}

/* lead: bytes before each row. */
static uint8_t *rows_get(const struct screen *s, size_t lead, size_t *len)
{
    size_t row = lead + 3 * (size_t)s->width;
    uint8_t *all = calloc(s->height, row);

    *len = row * s->height;
    for (uint32_t y = 0; all && y < s->height; y++)
        row_get(s, y, all + y * row + lead);
    return all;
}

static bool chunk(FILE *f, const char type[4], const uint8_t *p, size_t len)
{
    uint8_t head[8], tail[4];
    uLong crc;

    be32(head, (uint32_t)len);
    memcpy(head + 4, type, 4);
    crc = crc32(0, head + 4, 4);
    be32(tail, (uint32_t)(len ? crc32(crc, p, (uInt)len) : crc)); /* of nothing it would be 0 */
    return fwrite(head, 8, 1, f) == 1 && (!len || fwrite(p, len, 1, f) == 1) &&
           fwrite(tail, 4, 1, f) == 1;
}

static bool png(FILE *f, const struct screen *s)
{
    static const uint8_t magic[8] = "\211PNG\r\n\032\n";
    uint8_t head[13] = {[8] = 8, 2}, *packed = NULL, *rows; /* 8 bits, red green blue */
    size_t len;
    uLongf n;
    bool ok;

    rows = rows_get(s, 1, &len); /* 1: the row's filter, none */
    n = compressBound(len);
    packed = rows ? malloc(n) : NULL;
    be32(head, s->width);
    be32(head + 4, s->height);
    ok = packed && compress2(packed, &n, rows, len, 9) == Z_OK && fwrite(magic, 8, 1, f) == 1 &&
         chunk(f, "IHDR", head, sizeof(head)) && chunk(f, "IDAT", packed, n) &&
         chunk(f, "IEND", NULL, 0);
    free(rows);
    free(packed);
    return ok;
}

static bool ppm(FILE *f, const struct screen *s)
{
    size_t len;
    uint8_t *rows = rows_get(s, 0, &len);
    bool ok = rows && fprintf(f, "P6\n%u %u\n255\n", s->width, s->height) > 0 &&
              fwrite(rows, len, 1, f) == 1;

    free(rows);
    return ok;
}

/* What is no regular file, a pipe for one, has no length. */
static bool empty(FILE *f)
{
    return !ftruncate(fileno(f), 0) || errno == EINVAL;
}

int screen_save(const struct screen *s, FILE *f, const char *name, struct error *err)
{
    size_t n = strlen(name);
    bool is_png = n > 4 && !strcmp(name + n - 4, ".png");
    bool ok = empty(f) && (is_png ? png(f, s) : ppm(f, s));

    if (fclose(f) || !ok)
        return error_set(err, -EIO, "%s: could not be written", name);
    return 0;
}
