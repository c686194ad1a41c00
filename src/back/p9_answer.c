/*
 * What the server of a share answers, judged by the machine's side: the server has read whatever
 * the guest sent, so it may be the guest's by now. An answer must be of a slot that waits for one,
 * fit the room of its request, and be a reply of the request's type and tag, whose length is what
 * the packet says. What is in a reply beyond that is for the guest to believe.
 */
#include "back/p9_server.h"
#include "back/p9_wire.h"
#include <string.h>

enum { RLERROR = 7, ERRNO_MAX = 4095 };

/* NULL, or what is wrong with it as a reply to r. */
static const char *reply_wrong(const struct p9_req *r, const struct p9_answer *a)
{
    bool error = a->head[4] == RLERROR;

    if (a->piped > 1 || (a->piped && a->replied <= P9_ERROR_LEN) || a->replied < P9_HEAD ||
        a->replied > r->room_len || le32_get(a->head) != a->replied)
        return "its server sent an answer of a wrong length and is ended";
    if (memcmp(a->head + 5, r->msg + 5, 2))
        return "its server sent an answer of another tag and is ended";
    if (!error && a->head[4] != (uint8_t)(r->msg[4] + 1))
        return "its server sent an answer of another type and is ended";
    if (error && (a->replied != P9_ERROR_LEN || !le32_get(a->head + P9_HEAD) ||
                  le32_get(a->head + P9_HEAD) > ERRNO_MAX))
        return "its server sent an error that is none and is ended";
    return NULL;
}

struct p9_req *p9_answered(struct p9_req *const slot[P9_SLOTS], const struct p9_answer *a, size_t n,
                           const char **why)
{
    struct p9_req *r = NULL;

    *why = NULL;
    if (n != sizeof(*a))
        *why = "its server sent a packet of a wrong size and is ended";
    else if (a->slot >= P9_SLOTS || !slot[a->slot])
        *why = "its server sent an answer to nothing and is ended";
    else
        r = slot[a->slot];
    if (r)
        *why = reply_wrong(r, a);
    return *why ? NULL : r;
}

/* len bytes at off of the room, from the pipe. */
static bool pipe_take(struct p9_req *r, int pipe, uint32_t off, uint32_t len)
{
    struct iovec part[P9_IOVS];

    while (len) { /* ends: each turn takes something */
        ssize_t n = readv(pipe, part, p9_slice(r->room, r->rooms, off, len, part));

        if (n <= 0)
            return false;
        off += (uint32_t)n;
        len -= (uint32_t)n;
    }
    return true;
}

bool p9_answer_take(struct p9_req *r, const struct p9_answer *a, const uint8_t *bulk, int pipe)
{
    uint32_t head = a->replied < P9_ERROR_LEN ? a->replied : P9_ERROR_LEN;

    p9_copy(r->room, r->rooms, 0, a->head, head);
    if (a->piped && !pipe_take(r, pipe, head, a->replied - head))
        return false;
    if (!a->piped)
        p9_copy(r->room, r->rooms, head, bulk, a->replied - head);
    r->replied = a->replied;
    r->err = a->head[4] == RLERROR ? -(int)le32_get(a->head + P9_HEAD) : 0;
    return true;
}
