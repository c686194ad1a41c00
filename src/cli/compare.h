/*
 * viaduct compare: one workload over every way to a disk. A way × engine × depth is a cell; a cell
 * is measured by two runs of the bundled guest "workload" (guests/workload) in child processes of
 * this binary, a short one and a long one. What the long run's ledger has more than the short one's
 * is what its further requests cost; times are the guest's TSC, round by round.
 */
#ifndef CLI_COMPARE_H
#define CLI_COMPARE_H

#include "cli/cli.h"
#include "core/error.h"
#include "core/types.h"
#include <stdio.h>

#define COMPARE_ROUNDS_MAX 64
#define COMPARE_DEPTHS_MAX 4
#define COMPARE_DEPTH_MAX  64
#define COMPARE_CELLS_MAX  256
#define COMPARE_WAYS_MAX   16
#define COMPARE_BLOCKS_MAX 2048u
#define COMPARE_IMAGE_MAX  (64u << 20)
#define COMPARE_WITH_MAX   8
#define COMPARE_ENGINES    0xbu /* dbt, kvm, direct: by default */
#define COMPARE_FLUSHES    2u   /* asked for at the end of each run */

/* ---- what there is: compare_plan.c ---- */

/* What a child runs: the guest, or a program without one. */
enum compare_file { GUEST_64, GUEST_32, PROGRAM_64, PROGRAM_32, COMPARE_FILES };

enum compare_at { AT_OPERATION, AT_DRIVER, AT_SYSCALL }; /* where the hypervisor intercepts */

struct compare_way {
    const char *name;
    const char *disk;          /* what follows the image in --disk */
    const char *guest;         /* the driver's name in the guest */
    const char *line;          /* its interrupt's ledger row (of dev "irq"), or NULL: messages */
    bool polled;               /* never by interrupt */
    enum compare_file program; /* PROGRAM_*: by viaduct exec; else there is a guest */
    bool queue;                /* takes more than one request at a time */
    enum compare_at at;
    const char *what;               /* one sentence */
    const char *boundaries, *flush; /* what the backend knows of a request */
    const char *process, *file;     /* NULL: nothing */
};

struct compare_engine {
    const char *name, *engine, *irqchip, *what;
};

extern const struct compare_way compare_ways[];
extern const unsigned compare_ways_count;
extern const struct compare_engine compare_engines[];
extern const unsigned compare_engines_count;

struct compare_opts {
    uint32_t size, read, rounds;
    uint64_t requests; /* a cell; 0: by time */
    double seconds;    /* of measuring a cell, if by time */
    unsigned depth[COMPARE_DEPTHS_MAX], depths;
    uint32_t ways, engines; /* masks of the tables above */
    bool poll;
    const char *html, *json;
};

/* ---- what was found ---- */

struct figures { /* a request, but for the last four; NAN: not determined */
    double traps, pio, mmio, patch, hcall, syscall;
    double eoi;       /* of the traps: interrupt controllers' */
    double crossings; /* traps and bells */
    double bells;     /* kicks that reached the host without an exit to viaduct */
    double irqs;      /* raised by the device */
    double taken;     /* by the vCPU */
    double halts, stops;
    double register_bytes; /* through traps, of the disk's registers */
    double bytes_per_trap; /* of data, bells being traps; 0: there are none */
    double copies;         /* bytes that a CPU moved, a byte of data */
    double backend;        /* requests at the backend */
    double backend_bytes;
    double ns, ns_p5, ns_p95, ns_min, ns_max;
    double refused; /* crossings, in all */
    double flushes; /* that reached the backend, of COMPARE_FLUSHES */
    double requests;
    unsigned rounds;
};

enum cell_state { CELL_WAITING, CELL_MEASURED, CELL_REFUSED, CELL_FAILED };

struct cell {
    const struct compare_way *way;
    const struct compare_engine *engine;
    unsigned depth;
    enum cell_state state;
    char why[400]; /* refused, failed */
    struct figures f;
    double round_ns[COMPARE_ROUNDS_MAX];
};

struct engine_note {
    bool there;
    char why[400]; /* why not, or what to know about it; "" */
};

struct compare {
    struct compare_opts o;
    struct cell cell[COMPARE_CELLS_MAX];
    unsigned cells;
    struct engine_note engine[8];
    struct compare_net *net;      /* NULL: no ladder */
    const char *ladder;           /* the program to run for it; NULL: it was read */
    char *with[COMPARE_WITH_MAX]; /* texts of other benchmarks */
    unsigned withs;
    double tsc_hz, took_s;
    char host[256], cpu[128], when[64];
    uint32_t blocks;                /* on the image */
    int image, file[COMPARE_FILES]; /* memory files: the disk; what runs on it */
};

/* compare_opts.c */
extern const struct opt compare_options[];

/* compare_plan.c */
int compare_plan(struct compare *c, struct error *err);

/* compare_host.c: when and on what; and figures as people read them */
void compare_count_show(char *to, size_t room, double v); /* 7, 0.031 */
void compare_time_show(char *to, size_t room, double ns); /* 4.72 µs */
void compare_bytes_show(char *to, size_t room, double v); /* 131,072 */
const char *compare_at_name(enum compare_at at);
void compare_host(struct compare *c);

/* compare_cell.c */
int compare_open(struct compare *c, struct error *err);
void compare_close(struct compare *c);
void compare_cell(struct compare *c, struct cell *cell);

/* compare_net.c: a ladder to run, or a file that it wrote; and the run. 0, or filled err */
int compare_net_take(struct compare *c, const char *path, struct error *err);
int compare_net_run(struct compare *c, struct error *err);

/* compare_with.c: reads and judges such a text. 0, or -EINVAL with err filled */
int compare_with_take(struct compare *c, const char *path, struct error *err);

/* How it is told: compare_table.c (as it goes), compare_json.c, compare_html.c. 0 or -errno */
void compare_table_head(const struct compare *c);
void compare_table_engine(const struct compare *c, const struct compare_engine *e);
void compare_table_cell(const struct compare *c, const struct cell *cell);
void compare_table_end(const struct compare *c);
int compare_json(const struct compare *c, const char *path);
int compare_html(const struct compare *c, const char *path);

/* ---- files in this binary (tools/embed.sh) ---- */
extern const char compare_css[], compare_css_end[];
extern const uint8_t workload64[], workload64_end[], workload32[], workload32_end[];
extern const uint8_t program64[], program64_end[], program32[], program32_end[];

#endif
