/*
 * A stream of bytes cut into JSON objects, one a message, whatever white space is between them
 * (QEMU's protocol has no other framing). Judges no more than it must: the parser does the rest.
 */
#ifndef API_JSON_SPLIT_H
#define API_JSON_SPLIT_H

#include "core/types.h"

#define JSON_MESSAGE_MAX 65536u
#define JSON_DEPTH_MAX   64u

enum json_split_end {
    JSON_MORE,
    JSON_MESSAGE, /* buf has one, len bytes and a NUL */
    JSON_BAD,     /* no object, or a control character in a string: skipped up to the line's end */
    JSON_TOO_LONG /* over JSON_MESSAGE_MAX bytes or JSON_DEPTH_MAX levels: dropped */
};

struct json_split {
    char *buf;
    size_t len, room;
    unsigned depth;
    bool string, escape, over, skip;
};

/* After JSON_MESSAGE the message stays until the next call. */
enum json_split_end json_split_byte(struct json_split *s, char c);
void json_split_free(struct json_split *s);

#endif
