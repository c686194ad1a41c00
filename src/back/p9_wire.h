/*
 * Between a machine and the process that serves its share. Requests and answers are packets of a
 * socket pair (SOCK_SEQPACKET), a request's whole message in one; what is long, the data of writes,
 * directories and short reads, lies in shared memory that the two made for this alone. The data of
 * long reads comes by a pipe, into which the server splices the file's pages: so it is copied once,
 * on the way out, by the CPU that wants it. Guest memory is never the server's to see: the
 * machine's side copies between the two.
 *
 * Neither side believes the other. The machine's side judges an answer from a copy of its own
 * (p9_answer.c), and what it takes from the shared memory or the pipe is bytes for the guest, not
 * judged. It counts on the file's seals for its length, and never waits for the pipe. The server
 * judges a request's lengths, then serves it as one that a hostile guest made, which it is.
 */
#ifndef BACK_P9_WIRE_H
#define BACK_P9_WIRE_H

#include "back/p9.h"
#include <sys/types.h>

#define P9_SLOTS 8u           /* requests at the server; it serves one after the other */
#define P9_BULK  P9_MSIZE_MAX /* of a slot: what a message has beside what is in the packet */
#define P9_NAMED 16u          /* of a share's name: "share0" */

struct p9_ask {
    uint32_t slot;
    uint32_t len; /* of msg: as in struct p9_req */
    uint32_t data_len, room_len;
    uint32_t cpu; /* on which of the host's CPUs this was said: a hint (p9_spin) */
    uint8_t msg[P9_MSG_MAX];
};

#define P9_ASK_HEAD offsetof(struct p9_ask, msg)

struct p9_answer {
    uint32_t slot;
    uint32_t replied; /* bytes of the reply: those after head are in the slot … */
    uint32_t piped;   /* … or, all of them, in the pipe; 0 or 1 */
    uint32_t cpu;
    uint8_t head[P9_ERROR_LEN];
    uint8_t pad;
};

struct p9_shared {
    uint8_t bulk[P9_SLOTS][P9_BULK];
    uint32_t cancelled[P9_SLOTS]; /* the machine's word: don't begin this one */
};

struct p9_hello { /* the server's first packet: it is in its jail, or why it isn't running */
    uint32_t magic;
    int32_t err;   /* 0 or -errno */
    uint32_t lack; /* P9_NO_*: what this host has not */
};

enum { P9_MAGIC = 0x50394a31, P9_NO_LANDLOCK = 1, P9_NO_SECCOMP = 2 };

struct p9_ends { /* of the server: what it is given */
    int sock, mem, pipe;
};

/* The machine's end. */
struct p9_wire {
    int pipe; /* what isn't there isn't waited for */
    int sock; /* waits for an answer a moment at most (linger) */
    struct p9_shared *shared;
    pid_t pid;               /* 0: nobody of ours */
    int pidfd;               /* of pid; -1: this kernel has none */
    unsigned patience_ms;    /* how long a drain waits for an answer */
    void (*pump)(void *ctx); /* tests: the other end is in this process, and there is a request */
    void *pump_ctx;
};

/* A wire, and the descriptors of its other end. 0 or -errno. */
int p9_wire_open(struct p9_wire *w, struct p9_ends *far);
struct p9_shared *p9_shared_map(int mem); /* NULL: errno says why */
void p9_wire_close(struct p9_wire *w);
/* A share whose server is at the other end of w, which is p's from then on. 0 or -errno. */
int p9_attach(struct p9 **out, const struct p9_wire *w, const char *name, struct loop *loop,
              struct ledger *ledger);

/*
 * To fall asleep and be woken up costs more than most requests. So each side looks for the next
 * packet for a moment before it sleeps, if the other runs on another CPU, where it can send one
 * meanwhile, and if that has paid lately.
 */
struct p9_spin {
    uint32_t other; /* CPU of the other side */
    unsigned skip, missed;
};
/* recv(2) of what is there within a moment; 0: nothing, or not looked for. */
ssize_t p9_spin(struct p9_spin *s, int sock, void *buf, size_t len);

/* p9_spawn.c: starts the server of o->dir. 0 or -errno with err filled. */
int p9_spawn(struct p9_wire *w, const struct p9_opts *o, struct error *err);
/* It has ended or is to: the status of waitpid(2), or -1 while there is none after wait_ms. */
int p9_spawn_end(struct p9_wire *w, bool now, int wait_ms);

/* p9_answer.c: which request the packet of n bytes answers, or NULL and why it is none. */
struct p9_req *p9_answered(struct p9_req *const slot[P9_SLOTS], const struct p9_answer *a, size_t n,
                           const char **why);
/* Its reply into the room: bulk is the slot's. False: the pipe has less than was told. */
bool p9_answer_take(struct p9_req *r, const struct p9_answer *a, const uint8_t *bulk, int pipe);

#endif
