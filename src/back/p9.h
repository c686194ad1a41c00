/*
 * A host directory for a guest, by requests: 9P2000.L messages (diod's protocol.md; numbers and
 * sizes as Linux's include/net/9p/9p.h has them). One request is one message with a place for its
 * reply; what the directory is and what a guest may do to it is told in docs/share.md.
 *
 * The contract is that of disks (back/blk.h): p9_submit takes a request, done is called once, from
 * the loop, never inside p9_submit. All requests of a directory are served in order by a process of
 * its own (p9_main.c), which has the directory and nothing else; this one has no descriptor of it.
 * Should that process die or answer nonsense, each request from then on is answered EIO.
 */
#ifndef BACK_P9_H
#define BACK_P9_H

#include "core/types.h"
#include <sys/uio.h>

struct error;
struct ledger;
struct loop;
struct p9;

#define P9_HEAD       7u            /* size[4] type[1] tag[2] */
#define P9_WRITE_HEAD 23u           /* of Twrite: and fid[4] offset[8] count[4] */
#define P9_ERROR_LEN  11u           /* of Rlerror, which every request must have room for */
#define P9_MSG_MAX    8192u         /* of a request without Twrite's data: 16 names of 255 fit */
#define P9_MSIZE_MAX  (512u * 1024) /* of any message */
#define P9_IOVS       256           /* of data, of room */
#define P9_TAG_MAX    32u           /* of the name a guest mounts by */

enum { P9_TWRITE = 118 }; /* the one type that a transport must know */

struct p9_req {
    uint8_t msg[P9_MSG_MAX]; /* a private copy; of Twrite P9_WRITE_HEAD bytes */
    uint32_t len;
    const struct iovec *data; /* Twrite's data */
    int datas;
    uint64_t data_len;
    const struct iovec *room; /* for the reply; at least P9_ERROR_LEN bytes */
    int rooms;
    uint64_t room_len;
    uint32_t replied; /* bytes of room that hold the reply, when done */
    int err;          /* 0, or the -errno that the reply says */
    void (*done)(struct p9_req *r);
    void *owner;
    struct p9_req *next; /* private, as is what follows */
    bool cancelled, piped;
};

struct p9_opts {
    const char *dir;
    bool readonly;
    const char *name; /* ledger name: "share0" */
};

/* Starts the server, by executing this program once more: its main must know P9_VERB. */
int p9_open(struct p9 **out, const struct p9_opts *o, struct loop *loop, struct ledger *ledger,
            struct error *err);
void p9_submit(struct p9 *p, struct p9_req *r);
/* All requests end as they would; their done has run on return. A server that hangs is ended. */
void p9_drain(struct p9 *p);
/* The session is over: what has not begun fails, every fid is let go. */
void p9_reset(struct p9 *p);
void p9_close(struct p9 *p); /* NULL is fine; drained */

/* The server: main of a program whose first word is P9_VERB. The exit status. */
#define P9_VERB "9p-server"
int p9_main(int argc, char **argv);

/* An Rlerror in answer to the request that begins with head. */
void p9_error(uint8_t reply[P9_ERROR_LEN], const uint8_t head[P9_HEAD], int err);

#endif
