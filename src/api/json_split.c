/* Messages out of a stream: RFC 8259 tokens as far as brackets and strings go. */
#include "api/json_split.h"
#include <stdlib.h>

#define ROOM_FIRST 512u

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void keep(struct json_split *s, char c)
{
    if (s->over)
        return;
    if (s->len + 2 > s->room) {
        size_t room = s->room ? 2 * s->room : ROOM_FIRST;
        char *buf = room <= 2 * JSON_MESSAGE_MAX ? realloc(s->buf, room) : NULL;

        if (!buf) {
            s->over = true;
            return;
        }
        s->buf = buf;
        s->room = room;
    }
    s->over = s->len == JSON_MESSAGE_MAX;
    s->buf[s->len++] = c;
    s->buf[s->len] = 0;
}

static void restart(struct json_split *s)
{
    s->len = 0;
    s->depth = 0;
    s->string = s->escape = s->over = false;
}

static enum json_split_end bad(struct json_split *s, char c)
{
    restart(s);
    s->skip = c != '\n';
    return JSON_BAD;
}

/* Between messages. */
static enum json_split_end outside(struct json_split *s, char c)
{
    if (s->skip) {
        s->skip = c != '\n';
        return JSON_MORE;
    }
    if (blank(c))
        return JSON_MORE;
    if (c != '{')
        return bad(s, c);
    restart(s);
    s->depth = 1;
    keep(s, c);
    return JSON_MORE;
}

static void in_string(struct json_split *s, char c)
{
    if (s->escape)
        s->escape = false;
    else if (c == '\\')
        s->escape = true;
    else if (c == '"')
        s->string = false;
}

enum json_split_end json_split_byte(struct json_split *s, char c)
{
    bool over;

    if (!s->depth)
        return outside(s, c);
    if (s->string && (unsigned char)c < ' ')
        return bad(s, c);
    keep(s, c);
    if (s->string) {
        in_string(s, c);
    } else if (c == '"') {
        s->string = true;
    } else if (c == '{' || c == '[') {
        s->over |= ++s->depth > JSON_DEPTH_MAX;
    } else if (c == '}' || c == ']') {
        s->depth--;
    }
    if (s->depth)
        return JSON_MORE;
    over = s->over;
    if (over)
        restart(s);
    return over ? JSON_TOO_LONG : JSON_MESSAGE;
}

void json_split_free(struct json_split *s)
{
    free(s->buf);
    *s = (struct json_split){0};
}
