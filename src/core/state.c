/*
 * The state walk; see core/state.h. All numbers are little-endian. A stream is hostile: reads are
 * checked against what is left by subtraction, and the first failure stops the cursor for good.
 */
#include "core/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void state_save_begin(struct state *st)
{
    memset(st, 0, sizeof(*st));
}

void state_load_begin(struct state *st, const void *buf, size_t len)
{
    memset(st, 0, sizeof(*st));
    st->load = true;
    st->buf = (uint8_t *)(uintptr_t)buf; /* borrowed; a load never writes through it */
    st->len = len;
}

int state_end(struct state *st)
{
    if (st->load)
        state_check(st, st->at == st->len);
    else
        free(st->buf);
    st->buf = NULL;
    return st->err;
}

/* Room for n more bytes of a save, or NULL. */
static uint8_t *state_room(struct state *st, size_t n)
{
    uint8_t *buf;
    size_t cap;

    if (n > SIZE_MAX / 4 - st->at) {
        st->err = -ENOMEM;
        return NULL;
    }
    if (n > st->len - st->at) {
        cap = (st->at + n) * 2 + 256;
        buf = realloc(st->buf, cap);
        if (!buf) {
            st->err = -ENOMEM;
            return NULL;
        }
        st->buf = buf;
        st->len = cap;
    }
    return st->buf + st->at;
}

void state_bytes(struct state *st, void *p, size_t len)
{
    uint8_t *to;

    if (st->err || !len)
        return;
    if (st->load) {
        if (!state_check(st, len <= st->len - st->at))
            return;
        memcpy(p, st->buf + st->at, len);
    } else {
        to = state_room(st, len);
        if (!to)
            return;
        memcpy(to, p, len);
    }
    st->at += len;
}

void state_u8(struct state *st, uint8_t *v)
{
    state_bytes(st, v, 1);
}

void state_u16(struct state *st, uint16_t *v)
{
    uint8_t b[2];

    le16_put(b, *v);
    state_bytes(st, b, sizeof(b));
    if (st->load && !st->err)
        *v = le16_get(b);
}

void state_u32(struct state *st, uint32_t *v)
{
    uint8_t b[4];

    le32_put(b, *v);
    state_bytes(st, b, sizeof(b));
    if (st->load && !st->err)
        *v = le32_get(b);
}

void state_u64(struct state *st, uint64_t *v)
{
    uint8_t b[8];

    le64_put(b, *v);
    state_bytes(st, b, sizeof(b));
    if (st->load && !st->err)
        *v = le64_get(b);
}

void state_bool(struct state *st, bool *v)
{
    uint8_t b = *v ? 1 : 0;

    state_bytes(st, &b, 1);
    if (st->load && !st->err && state_check(st, b <= 1))
        *v = b == 1;
}

void state_section(struct state *st, const char *name, uint32_t version)
{
    size_t len = strlen(name);
    uint8_t n = (uint8_t)(len < 255 ? len : 255);
    char got[256] = {0};
    uint32_t seen = version;

    memcpy(got, name, n);
    state_u8(st, &n);
    state_bytes(st, got, n);
    got[n] = '\0';
    state_u32(st, &seen);
    if (st->load && !st->err)
        state_check(st, n == len && !memcmp(got, name, n) && seen <= version);
    st->version = seen;
}

bool state_check(struct state *st, bool ok)
{
    if (st->load && !ok && !st->err)
        st->err = -EINVAL;
    return ok;
}
