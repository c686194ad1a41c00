/*
 * Recordings as files: plain text, or the same text through zstd (RFC 8878) where the name ends in
 * .zst. Reading goes by the first bytes, not by the name. The last line has the number of lines
 * before it and the CRC-32 of their bytes (ISO 3309, as in zlib), so that a file that was cut short
 * or changed is known as such. A file is hostile: sizes are bounded before memory is taken.
 */
#include "core/error.h"
#include "record/rec_text.h"
#include "record/record.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define LEVEL      3
#define BLOCK      (128u << 10)
#define WINDOW_LOG 27

/* ---- writing ---- */

static void keep(struct rec_out *o, int err)
{
    if (!o->err)
        o->err = err ? err : -EIO;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && !strcmp(s + n - m, end);
}

int rec_out_open(struct rec_out *o, const char *path, struct error *err)
{
    *o = (struct rec_out){.f = fopen(path, "we"), .path = strdup(path)};
    if (!o->f)
        return error_set(err, -errno, "--record %s: %s", path, strerror(errno));
    /* Its buffer is taken now: at a first write stdio would ask whether this is a terminal, by a
     * call that the jail does not let through. */
    setvbuf(o->f, NULL, _IOFBF, BUFSIZ);
    if (!ends_with(path, ".zst"))
        return 0;
    o->z = ZSTD_createCCtx();
    if (!o->z) {
        rec_out_drop(o, true);
        return error_set(err, -ENOMEM, "--record %s: out of memory", path);
    }
    ZSTD_CCtx_setParameter(o->z, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_CCtx_setParameter(o->z, ZSTD_c_checksumFlag, 1);
    return 0;
}

static void squeeze(struct rec_out *o, const char *s, size_t len, ZSTD_EndDirective how)
{
    ZSTD_inBuffer in = {s, len, 0};
    char block[16384];
    size_t left;

    do { /* ends: each round consumes input or empties what is buffered */
        ZSTD_outBuffer out = {block, sizeof(block), 0};

        left = ZSTD_compressStream2(o->z, &out, &in, how);
        if (ZSTD_isError(left)) {
            keep(o, -EIO);
            return;
        }
        if (fwrite(block, 1, out.pos, o->f) != out.pos)
            keep(o, -errno);
    } while (!o->err && (how == ZSTD_e_end ? left : in.pos < in.size));
}

static void put(struct rec_out *o, const char *s, size_t len)
{
    if (o->err)
        return;
    if (o->z)
        squeeze(o, s, len, ZSTD_e_continue);
    else if (fwrite(s, 1, len, o->f) != len)
        keep(o, -errno);
}

void rec_out_text(struct rec_out *o, const char *s, size_t len)
{
    const char *p = s, *end = s + len;

    for (; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
        o->lines++;
    o->bytes += len;
    o->crc = rec_crc(o->crc, s, len);
    put(o, s, len);
}

void rec_out_drop(struct rec_out *o, bool remove)
{
    struct stat st;

    if (o->f && remove && o->path && !fstat(fileno(o->f), &st) && S_ISREG(st.st_mode))
        unlink(o->path);
    free(o->path);
    o->path = NULL;
    ZSTD_freeCCtx(o->z);
    o->z = NULL;
    if (o->f && fclose(o->f))
        keep(o, -errno);
    o->f = NULL;
}

int rec_out_end(struct rec_out *o)
{
    char last[64];
    int n = snprintf(last, sizeof(last), "end %llu %08x\n", (unsigned long long)o->lines, o->crc);

    put(o, last, (size_t)n);
    if (o->z && !o->err)
        squeeze(o, NULL, 0, ZSTD_e_end);
    rec_out_drop(o, false);
    return o->err;
}

/* ---- reading ---- */

/* Room for at least more bytes and a NUL behind len. */
static bool room(char **buf, size_t *have, size_t len, size_t more)
{
    size_t want = *have ? *have : BLOCK;
    char *p;

    while (want - len <= more) /* doubles: at most 64 rounds */
        want *= 2;
    p = want == *have ? *buf : realloc(*buf, want);
    if (p) {
        *buf = p;
        *have = want;
    }
    return p;
}

static int read_plain(FILE *f, char **text, size_t *len)
{
    size_t have = 0, n;

    for (;;) { /* ends: REC_LIMIT */
        if (!room(text, &have, *len, BLOCK))
            return -ENOMEM;
        n = fread(*text + *len, 1, BLOCK, f);
        *len += n;
        if (*len > REC_LIMIT + BLOCK)
            return -EFBIG;
        if (n < BLOCK)
            return ferror(f) ? -EIO : 0;
    }
}

static int expand(ZSTD_DCtx *z, const char *packed, size_t size, char **text, size_t *len)
{
    ZSTD_inBuffer in = {packed, size, 0};
    size_t have = 0, left = 1;

    while (left) { /* ends: each round writes or is the last; REC_LIMIT */
        ZSTD_outBuffer out;

        if (!room(text, &have, *len, BLOCK))
            return -ENOMEM;
        out = (ZSTD_outBuffer){*text + *len, BLOCK, 0};
        left = ZSTD_decompressStream(z, &out, &in);
        *len += out.pos;
        if (ZSTD_isError(left) || (left && !out.pos && in.pos == in.size))
            return -EBADMSG;
        if (*len > REC_LIMIT + BLOCK)
            return -EFBIG;
    }
    return in.pos == in.size ? 0 : -EBADMSG;
}

static int unpack(struct rec_in *in)
{
    ZSTD_DCtx *z = ZSTD_createDCtx();
    char *text = NULL;
    size_t len = 0;
    int e = -ENOMEM;

    if (z) {
        ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, WINDOW_LOG);
        e = expand(z, in->text, in->len, &text, &len);
    }
    ZSTD_freeDCtx(z);
    free(in->text);
    in->text = text;
    in->len = len;
    return e;
}

static bool packed(const struct rec_in *in)
{
    return in->len >= 4 && le32_get(in->text) == ZSTD_MAGICNUMBER;
}

static int opened(struct rec_in *in, int e, struct error *err)
{
    if (!e && packed(in))
        e = unpack(in);
    if (e)
        e = error_set(err, e == -EBADMSG ? -EINVAL : e, "%s: %s", in->name ? in->name : "recording",
                      e == -EBADMSG ? "the compressed file is damaged or cut short"
                      : e == -EFBIG ? "larger than a recording may be"
                                    : strerror(-e));
    else
        in->text[in->len] = 0; /* room() left a byte */
    in->next = in->text;
    return e;
}

int rec_in_open(struct rec_in *in, const char *path, struct error *err)
{
    FILE *f = fopen(path, "re");
    int e = f ? 0 : -errno;

    *in = (struct rec_in){.name = strdup(path)};
    if (!e)
        e = in->name ? read_plain(f, &in->text, &in->len) : -ENOMEM;
    if (f)
        fclose(f);
    return opened(in, e, err);
}

int rec_in_text(struct rec_in *in, const char *name, const char *text, size_t len,
                struct error *err)
{
    *in = (struct rec_in){.name = strdup(name), .text = malloc(len + 1), .len = len};
    if (in->text)
        memcpy(in->text, text, len);
    return opened(in, in->name && in->text ? 0 : -ENOMEM, err);
}

/* Where the last line starts; NULL: the text doesn't end with a line end. */
static char *last_line(const struct rec_in *in)
{
    size_t at = in->len;

    if (!at || in->text[at - 1] != '\n')
        return NULL;
    for (at--; at && in->text[at - 1] != '\n'; at--)
        ;
    return in->text + at;
}

static uint64_t lines_of(const char *s, size_t len)
{
    const char *p = s, *end = s + len;
    uint64_t n = 0;

    for (; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
        n++;
    return n;
}

int rec_in_check(struct rec_in *in, bool edited, struct error *err)
{
    char *last = last_line(in);
    bool is_end = last && !strncmp(last, "end ", 4);
    size_t before = is_end ? (size_t)(last - in->text) : in->len;
    unsigned long long lines = 0;
    unsigned crc = 0;

    if (memchr(in->text, 0, in->len))
        return error_set(err, -EINVAL, "%s: not a recording: it has zero bytes", in->name);
    if (is_end && sscanf(last, "end %llu %8x\n", &lines, &crc) != 2)
        is_end = false;
    if (!is_end && !edited)
        return error_set(err, -EINVAL, "%s: cut short: its last line is not \"end …\"", in->name);
    if (!edited && (lines != lines_of(in->text, before) || crc != rec_crc(0, in->text, before)))
        return error_set(err, -EINVAL,
                         "%s: changed since it was written: the checksum is another one (--edited "
                         "plays it all the same)",
                         in->name);
    in->len = before;
    in->text[before] = 0;
    in->next = in->text;
    return 0;
}

char *rec_in_line(struct rec_in *in)
{
    char *line = in->next, *end;

    if (!line || !*line)
        return NULL;
    end = strchr(line, '\n');
    if (end)
        *end = 0;
    in->next = end ? end + 1 : NULL;
    in->line++;
    return line;
}

void rec_in_close(struct rec_in *in)
{
    free(in->name);
    free(in->text);
    *in = (struct rec_in){0};
}
