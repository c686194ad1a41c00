/*
 * The jail: what a process gives up once it has opened all it needs, before the first byte of a
 * guest, an image or a peer is looked at. docs/containment.md tells what each layer holds.
 */
#ifndef SANDBOX_BOX_H
#define SANDBOX_BOX_H

#include "core/types.h"

struct error;

/*
 * System calls by what needs them (rows_*.c). A role is those sets that it asks for: a run without
 * disks may not call what disks need.
 */
enum box_set {
    BOX_CORE,    /* memory, locks, descriptors that are open, the end */
    BOX_LOOP,    /* the event loop */
    BOX_THREADS, /* threads made later: vCPUs, workers */
    BOX_DBT,     /* engines */
    BOX_DIRECT,
    BOX_KVM,
    BOX_KVM_CHIP,    /* its local APICs are the kernel's */
    BOX_DISK,        /* raw images */
    BOX_RING,        /* io_uring */
    BOX_BLOCK,       /* block devices of this host */
    BOX_TERMINAL,    /* stdin and stdout */
    BOX_CHR,         /* a console, wherever it is */
    BOX_REPORT,      /* what the machine takes of memory */
    BOX_VSOCK,       /* streams of host programs to a guest */
    BOX_LISTEN,      /* sockets that are listened at, and go with the process */
    BOX_STREAM,      /* streams over sockets that are connected */
    BOX_CONNECT,     /* and connecting anew */
    BOX_TAP,         /* a tap */
    BOX_PASST,       /* passt is our child */
    BOX_RANDOM,      /* entropy for a guest */
    BOX_BALLOON,     /* memory that goes back */
    BOX_WATCH,       /* pages of registers whose protection changes */
    BOX_OUTPUT,      /* files written at the end, open since the start */
    BOX_SHARE,       /* a directory of this host: its server is our child */
    BOX_FRONT,       /* vhost-user back ends that are used */
    BOX_BACK,        /* vhost-user front ends that come */
    BOX_SCREEN,      /* a screen that clients are lent */
    BOX_CONSOLE_LOG, /* console output, kept in a file of bounded size */
    BOX_SERVE,       /* the calls of a program that is run without a kernel */
    BOX_TREE,        /* and the files of one directory */
    BOX_CHANGE,      /* and changes there */
    BOX_SEAT,        /* machines' sockets, a terminal, what serves VNC */
    BOX_LAB,         /* a lab's processes, its run directory */
    BOX_FEW,         /* core, for who reads no stream */
    BOX_TELL,        /* stdout, by stdio */
    BOX_ASK,         /* control sockets that are connected */
    BOX_PAUSE,       /* time between questions */
    BOX_WINDOW,      /* a terminal of some size */
    BOX_PICTURE,     /* a screen that is lent, into a file that is open */
    BOX_WAIT,        /* for one of two */
    BOX_RAW,         /* a terminal, each key by itself */
    BOX_COPY,        /* a log that grows */
    BOX_LOOK,        /* labs' state files */
    BOX_COST,        /* what processes take */
    BOX_MAKE,        /* a machine that does not run: its memory, its loop */
    BOX_DIAL,        /* connects to some sockets, for one that may not */
    BOX_TABLE,       /* a host disk's extents */
    BOX_CARVE,       /* and changing them */
    BOX_SIZES,       /* of a block device */
    BOX_PARTS,       /* of which this host's kernel has partitions, that change */
    BOX_SETS
};
#define BOX_BIT(set) (1ull << (set))

enum box_mode { BOX_AUTO, BOX_REQUIRE, BOX_OFF };

#define BOX_PATHS 256 /* a domain may have as many sockets */
#define BOX_PATH  128 /* a socket's has up to 107 */

struct box {
    const char *role; /* for messages */
    uint64_t sets;    /* BOX_BIT of each */
    enum box_mode mode;
    int tree;                       /* BOX_TREE: that directory, open */
    char gone[BOX_PATHS][BOX_PATH]; /* sockets that are taken away at the end */
    unsigned gones;
    const char *reads[2]; /* all files below them may be read; or NULL */
    const char *changes;  /* all below it, and itself, may be changed; or NULL */
};

/*
 * From here on, for all threads. Says on stderr what could not be done. 0; with BOX_REQUIRE, or
 * where going on would be half a jail, -errno with err filled.
 */
int box_enter(const struct box *b, struct error *err);

/* ---- for tests: tests/unit/unit_box.c ---- */

enum box_test {
    BOX_NONE,
    BOX_IS,   /* argument == value */
    BOX_BITS, /* (argument & mask) == value */
    BOX_SELF  /* argument == this process's id */
};

struct box_cond {
    enum box_test test;
    unsigned arg;
    uint64_t mask, value;
};

struct box_row {
    const char *call;
    int nr;
    const char *why;
    struct box_cond cond[2];
    int answer;         /* not done, but answered with this errno; 0: done */
    const char *unseen; /* why no test of ours can show its use; or NULL */
};

/* The rows of one set; their number. */
unsigned box_rows(enum box_set set, const struct box_row **rows);
const char *box_set_name(enum box_set set);
/* This build can't live in a jail: sanitizers, gcov. */
bool box_built_without(const char **why);

#endif
