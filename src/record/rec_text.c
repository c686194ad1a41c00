/* Lines that grow, and bytes as words of them. */
#include "record/rec_text.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define RUN_MIN 8u /* equal bytes that are worth a (N*HH) */

static bool text_room(struct rec_text *t, size_t more)
{
    size_t room = t->room ? t->room : 256;
    char *s;

    while (room - t->len <= more) /* doubles: at most 64 rounds */
        room *= 2;
    if (room == t->room)
        return true;
    s = realloc(t->s, room);
    if (!s) {
        t->lost = true;
        return false;
    }
    t->s = s;
    t->room = room;
    return true;
}

void rec_add(struct rec_text *t, const char *fmt, ...)
{
    size_t have = t->room - t->len;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(have ? t->s + t->len : NULL, have, fmt, ap);
    va_end(ap);
    if (n < 0 || ((size_t)n >= have && !text_room(t, (size_t)n)))
        return;
    if ((size_t)n >= have) { /* it was cut: again, with room */
        va_start(ap, fmt);
        vsnprintf(t->s + t->len, (size_t)n + 1, fmt, ap);
        va_end(ap);
    }
    t->len += (size_t)n;
}

static size_t run_of(const uint8_t *p, size_t len)
{
    size_t n = 1;

    while (n < len && p[n] == p[0])
        n++;
    return n;
}

void rec_add_data(struct rec_text *t, const void *buf, size_t len)
{
    static const char digit[] = "0123456789abcdef";
    const uint8_t *p = buf;
    size_t i = 0, n;

    if (!len)
        rec_add(t, "-");
    if (!text_room(t, len * 2))
        return;
    while (i < len) {
        n = run_of(p + i, len - i);
        if (n >= RUN_MIN) {
            rec_add(t, "(%zu*%02x)", n, p[i]);
            i += n;
            if (!text_room(t, (len - i) * 2))
                return;
            continue;
        }
        for (; n; n--, i++) {
            t->s[t->len++] = digit[p[i] >> 4];
            t->s[t->len++] = digit[p[i] & 15];
        }
    }
    t->s[t->len] = 0;
}

uint32_t rec_crc(uint32_t crc, const void *buf, size_t len)
{
    return (uint32_t)crc32_z(crc, buf, len);
}

void rec_add_crc(struct rec_text *t, uint32_t crc, size_t len)
{
    rec_add(t, "#%08x:%zx", crc, len);
}

void rec_add_sum(struct rec_text *t, const void *buf, size_t len)
{
    if (len <= REC_SUM_FULL)
        rec_add_data(t, buf, len);
    else
        rec_add_crc(t, rec_crc(0, buf, len), len);
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* HH → its value, *s moves past it; -1: it is none. */
static int byte_at(const char **s)
{
    int hi = nibble((*s)[0]), lo = hi < 0 ? -1 : nibble((*s)[1]);

    if (lo < 0)
        return -1;
    *s += 2;
    return hi << 4 | lo;
}

/* The next piece of a data word: n equal bytes. False: the word is over, or *bad. */
static bool piece_at(const char **s, size_t *n, uint8_t *byte, bool *bad)
{
    bool run = **s == '(';
    char *end;
    int v;

    *n = 1;
    if (!**s || **s == ' ')
        return false;
    if (run) {
        errno = 0;
        *n = strtoul(*s + 1, &end, 10);
        *bad = errno || end == *s + 1 || *end != '*' || (*s)[1] < '0' || (*s)[1] > '9';
        *s = *bad ? *s : end + 1;
    }
    v = *bad ? -1 : byte_at(s);
    *bad = v < 0 || (run && **s != ')');
    *s += run && !*bad;
    *byte = (uint8_t)v;
    return !*bad;
}

size_t rec_data_len(const char *s)
{
    size_t n, sum = 0;
    bool bad = false;
    uint8_t byte;

    if (*s == '-')
        return s[1] && s[1] != ' ' ? SIZE_MAX : 0;
    while (piece_at(&s, &n, &byte, &bad)) {
        if (n > SIZE_MAX / 2 - sum)
            return SIZE_MAX;
        sum += n;
    }
    return bad || !sum ? SIZE_MAX : sum;
}

bool rec_data(const char *s, void *buf, size_t len)
{
    uint8_t *p = buf, byte;
    bool bad = false;
    size_t n;

    if (*s == '-' || !len)
        return !len && rec_data_len(s) == 0;
    while (piece_at(&s, &n, &byte, &bad)) {
        if (n > len)
            return false;
        memset(p, byte, n);
        p += n;
        len -= n;
    }
    return !bad && !len;
}

bool rec_number(const char **s, int base, uint64_t *v)
{
    char *end;

    if (nibble(**s) < 0 || nibble(**s) >= base)
        return false;
    errno = 0;
    *v = strtoull(*s, &end, base);
    if (errno || (*end && *end != ' '))
        return false;
    *s = end + (*end == ' ');
    return true;
}
