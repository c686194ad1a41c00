/* The host's side of a vsock, for scripts and fuzzers: streams that remember what they were given.
 */
#ifndef TESTS_DEV_BENCH_VSK_H
#define TESTS_DEV_BENCH_VSK_H

#include "back/vsk.h"
#include "core/loop.h"

#define BENCH_STREAMS 2048  /* there ever were */
#define BENCH_STREAM  65536 /* bytes that wait, each way */

struct bench;
struct bench_vsk;
struct script;

struct bench_stream {
    struct vsk_end end;
    struct bench_vsk *k;
    unsigned watch;
    uint8_t *heard, *said; /* from the guest; to it */
    size_t heard_len, said_len, room;
    bool eof, gone, broken, shut, closed, pending;
    uint32_t port; /* the guest was told; or the one it asked for */
};

struct bench_vsk {
    struct vsk vsk;
    struct loop *loop;
    struct loop_work work;
    bool echo; /* every stream says what it hears */
    uint32_t listening, pending;
    struct bench_stream *stream[BENCH_STREAMS];
    unsigned streams;
};

struct bench_vsk *bench_vsk_open(struct bench *b); /* the bench's; NULL: no memory */
void bench_vsk_close(struct bench *b);
/* False: refused. */
bool bench_vsk_dial(struct bench *b, uint32_t port);
void bench_vsk_say(struct bench *b, unsigned stream, const void *p, size_t len);
void bench_vsk_end(struct bench *b, unsigned stream, bool gone);
void bench_vsk_room(struct bench *b, unsigned stream, size_t room);
void bench_vsk_answer(struct bench *b, unsigned stream, bool yes);
int bench_vsk_verb(struct bench *b, struct script *s, int argc, char **argv, struct error *err);

#endif
