/*
 * Looking for a packet before sleeping until there is one (p9_wire.h): some 50 microseconds, about
 * what it takes to fall asleep and be woken up on a busy host. It makes no system call but recv,
 * since the server's jail has none to tell the time by (sched_getcpu(3) is none).
 */
#include "back/p9_wire.h"
#include <errno.h>
#include <sched.h>
#include <sys/socket.h>

enum { LOOKS = 200, SKIP_MAX = 64 }; /* how often a time; how many times not, at the most */

ssize_t p9_spin(struct p9_spin *s, int sock, void *buf, size_t len)
{
    ssize_t n = -1;

    if (s->other == (uint32_t)sched_getcpu())
        return 0;
    if (s->skip) {
        s->skip--;
        return 0;
    }
    errno = EAGAIN;
    for (unsigned i = 0; n < 0 && errno == EAGAIN && i < LOOKS; i++)
        n = recv(sock, buf, len, MSG_DONTWAIT | MSG_TRUNC);
    if (!n) { /* the end, which is no packet */
        errno = ECONNRESET;
        n = -1;
    }
    if (n > 0 || errno != EAGAIN) {
        s->missed = 0;
        return n;
    }
    s->missed = s->missed < SKIP_MAX ? 2 * s->missed + 1 : SKIP_MAX;
    s->skip = s->missed;
    return 0;
}
