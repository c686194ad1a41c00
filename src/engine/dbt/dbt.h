/*
 * The translator's own structures: the code cache, translated blocks, and what pages they stand on.
 * One struct dbt per vCPU. Blocks are found by (physical address, RIP, mode), so they survive
 * CR3 writes; each knows the guest bytes it depends on, so that a write invalidates just it.
 */
#ifndef ENGINE_DBT_DBT_H
#define ENGINE_DBT_DBT_H

#include "engine/dbt/bare.h"
#include "engine/dbt/cpu.h"
#include "engine/dbt/emit.h"

/* Mode key: what a translation depends on besides its bytes. */
enum {
    MODE_64 = 1,   /* CS.L */
    MODE_32 = 2,   /* CS.D; neither: 16-bit */
    MODE_SS32 = 4, /* SS.B */
    MODE_USER = 8,
    MODE_FLAT = 16,         /* ES, SS, DS: base 0, 4 GiB, writable; 64-bit mode: set */
    MODE_NM = 32,           /* CR0.TS: x87/MMX/SSE raise #NM */
    MODE_EM = 64,           /* CR0.EM: x87 raises #NM, SSE #UD */
    MODE_NOSSE = 128,       /* CR4.OSFXSR clear: SSE raises #UD */
    MODE_STEP = 256,        /* TF or hardware breakpoints: one instruction a block, never linked */
    MODE_FPWAIT = 512,      /* CR0.MP with TS: FWAIT raises #NM too */
    MODE_AC = 2048,         /* CR0.AM, EFLAGS.AC, CPL 3: accesses must be aligned */
    MODE_NOGROUP = 4096,    /* this block checks each access by itself: see group.c */
    MODE_REAL = 8192,       /* real or virtual-8086 mode: no VEX */
    MODE_LEGACY_SEG = 1024, /* not 64-bit: FS/GS limits are checked as well */
};
#define MODE_KERNEL64 (MODE_64 | MODE_SS32 | MODE_FLAT)
#define MODE_USER64   (MODE_KERNEL64 | MODE_USER)

#define CODE_HOT     (20u << 20)
#define CODE_COLD    (20u << 20)
#define ARENA_SIZE   (24u << 20)
#define BLOCK_INSNS  32
#define BLOCK_EXITS  8
#define BLOCK_FAULTS (BLOCK_INSNS * 6) /* on the fast path, in its slow copy, before faults */
#define HASH_BITS    15
#define PHYS_NONE    UINT64_MAX
#define REFUSED_SETS 4096u
#define REFUSED_MAX  16 /* then the instruction begins no group any more */

struct block;

/* Places in the code cache are kept as offsets: blocks and exits are many, and half of what the
 * translator keeps beside the code. */
struct exit {         /* a direct jump out of a block */
    struct block *to; /* linked to, or NULL */
    struct exit *next_in;
    struct block *from;
    uint64_t target; /* RIP */
    uint32_t rel;    /* its rel32 */
    uint32_t stub;   /* its unlinked form */
    uint32_t id;     /* index in exit_by_id */
    bool mem_form;   /* leaves with flags in memory */
    bool cross;      /* on the list of links that depend on a mapping */
};

struct fault_site {    /* an instruction whose native form may raise a host signal */
    const uint8_t *at; /* where it runs */
    uint16_t off;      /* guest offset from block->rip */
    bool flags_host;   /* arithmetic flags are the host's, else in cpu->fl */
    uint8_t lent;      /* guest register whose value is in scratch[7], or FAULT_NONE_LENT */
    uint8_t as;        /* what an UD2 here stands for; 0: the host's vector is the guest's */
};
#define FAULT_NONE_LENT 16

struct range16 {
    uint16_t lo, hi; /* [lo, hi) within the page */
};

struct block {
    uint64_t rip, cs_base;
    gpa_t phys, phys2; /* of the first byte; page of the second part, or PHYS_NONE */
    uint32_t mode;
    uint32_t hot, hot_end, cold, cold_end; /* its code; hot is its entry with flags in cpu->fl */
    uint16_t len;
    uint16_t entry; /* past hot: with flags in the host's register, if live_in */
    uint8_t live_in, ranges, exits, faults;
    bool dead;
    struct block *hash_next, *page_next[2];
    struct exit *in; /* who is linked to us */
    struct exit *exit;
    struct fault_site *fault;
    struct range16 range[4]; /* bytes of phys's page it depends on */
};

struct code_page {
    uint64_t lines;       /* 64-byte lines that some block depends on; other vCPUs read it */
    bool watched;         /* counted in share.watchers */
    bool bare;            /* watched for dbt->bare, too */
    struct block *blocks; /* linked by page_next[b->phys page != this] */
};

struct sysop { /* a system instruction in a block */
    struct insn insn;
    uint64_t rip;
};

_Static_assert(sizeof(struct exit) == 48 && sizeof(struct block) == 128, "docs/performance.md");

#define DBT_CPUS_MAX 64

struct dbt_share { /* one per VM: see smp.c */
    uint32_t lock;
    uint8_t *watchers; /* by RAM page: how many vCPUs hold translations of it; under lock */
    struct cpu **cpu;
    unsigned cpus;
    uint32_t bounced; /* lock: one read-modify-write on a bounce buffer at a time */
};

#define NOTES_MAX 64

struct dbt {
    struct cpu *cpu;
    struct ram *ram;
    struct dbt_share *share;
    uint8_t *rw; /* writable alias of the cache; hot then cold */
    uint8_t *rx; /* executable alias */
    struct buf hot, cold;
    uint8_t *hot_start, *cold_start; /* writable; after the thunks */
    uint8_t *arena;
    size_t arena_at;
    struct block *hash[1u << HASH_BITS];
    struct block **sorted; /* all blocks in the order of their code */
    unsigned blocks, blocks_max;
    struct exit **exit_by_id; /* [1..exits) */
    unsigned exits, exits_max;
    uint32_t *page_index; /* by RAM page: index in pages, 0 = none */
    struct code_page *pages;
    unsigned pages_used, pages_max;
    uint32_t *cross_ids; /* exits linked over a page boundary: valid while a mapping is */
    unsigned cross_used, cross_max;
    struct { /* thunks, run addresses */
        const uint8_t *enter, *exit, *jc_host[3], *jc_mem[3], *sysop, *slow[2][4], *slow_fault,
            *post;
    } thunk;
    struct { /* notes from other threads, read when exit_request says so */
        uint32_t lock;
        struct {
            gpa_t gpa;
            uint64_t len;
        } written[NOTES_MAX];  /* these bytes were: translations of them are stale */
        gpa_t slow[NOTES_MAX]; /* of these pages no fast writes any more */
        unsigned writtens, slows;
        bool written_all, slow_all;     /* more than the lists hold */
        uint64_t slow_asked, slow_done; /* tickets */
    } note;
    uint8_t refused[REFUSED_SETS];             /* groups refused, by RIP hashed: see group.c */
    uint64_t translated, invalidated, flushed; /* blocks; for the report */
    uint64_t made_at;                          /* host TSC: when the last one was made */
    size_t trim_at;                            /* see trim.c */
    struct translator *tr;
    struct bare *bare; /* where guest code runs instead, or NULL */
};

static inline uint8_t *code_at(const struct dbt *d, uint32_t offset) /* run address */
{
    return d->rx + offset;
}

static inline uint32_t code_offset(const struct dbt *d, const uint8_t *at)
{
    return (uint32_t)(at - d->rx);
}

/* block.c */
int dbt_cache_open(struct dbt *d);
void dbt_cache_close(struct dbt *d);
void dbt_flush_all(struct dbt *d); /* forget every translation */
struct block *dbt_find(struct dbt *d, gpa_t phys, uint64_t rip, uint32_t mode, uint64_t cs_base);
struct block *dbt_block_at(struct dbt *d, uintptr_t host_pc); /* run address in hot or cold code */
void *dbt_alloc(struct dbt *d, size_t n);                     /* NULL: full */
/* trim.c: the vCPU halts. Frees what an idle guest does not need, if it is idle. */
void dbt_trim(struct dbt *d, uint64_t tsc_hz);
bool dbt_room(const struct dbt *d); /* for one more block of any size */
/* The 64-byte lines of [lo, hi) in a page, a bit each. */
static inline uint64_t dbt_line_mask(unsigned lo, unsigned hi)
{
    return (~0ull << lo / 64) & (~0ull >> (63 - (hi - 1) / 64));
}
struct code_page *dbt_code_page(struct dbt *d, gpa_t gpa, bool make);
void dbt_insert(struct dbt *d, struct block *b);
bool dbt_invalidate(struct dbt *d, gpa_t gpa, uint64_t len);   /* true: some block is gone */
bool dbt_touches_code(struct dbt *d, gpa_t gpa, unsigned len); /* within one page */
/* x has asked once; unless it is linked now, it goes by its stub from here on. */
void dbt_asked(struct dbt *d, struct exit *x);
void dbt_link(struct dbt *d, struct exit *x, struct block *to, bool cross);
void dbt_unlink_cross(struct dbt *d);

/* smp.c */
/* From now on writes to the page are noticed: called before its bytes are read. */
void dbt_watch_page(struct dbt *d, gpa_t page);
void dbt_unwatch_page(struct dbt *d, gpa_t page);
void dbt_unwatch_all(struct dbt *d);
uint64_t dbt_trap_rip(struct cpu *cpu);          /* of the instruction in whose trap we are */
bool dbt_fast_write(struct cpu *cpu, gpa_t gpa); /* may this page be written without notice? */
void dbt_note_written(struct dbt *d, gpa_t gpa, uint64_t len);   /* any thread */
void dbt_tell_written(struct cpu *cpu, gpa_t gpa, unsigned len); /* the other vCPUs; in one page */
void dbt_notes_serve(struct dbt *d);
void dbt_exclusive(struct cpu *cpu, bool on); /* see share.bounced; off may be said twice */
void dbt_running(struct cpu *cpu, bool running);
int dbt_pause(struct cpu *cpu, const struct insn *i); /* PAUSE, where there are other vCPUs */

/* thunk.c: the emitters clobber r11 (restore: tmp), and but for restore the host's flags */
void dbt_thunks(struct dbt *d);
void emit_flags_save(struct buf *b, size_t off);
void emit_flags_restore(struct buf *b, size_t off, unsigned tmp);
void emit_poll(struct buf *b);
uint8_t *emit_jc_lookup(struct buf *b, unsigned slot); /* r10 = RIP; returns the miss to patch */
/* translate.c: the block at cpu->rip in cpu->mode; NULL when the cache is full. May fault. */
struct block *dbt_translate(struct dbt *d, const struct itlb_entry *page);
int dbt_translator_open(struct dbt *d);
void dbt_translator_close(struct dbt *d);

/* mmu.c */
struct itlb_entry *mmu_fetch(struct cpu *cpu, uint64_t lin); /* faults; host NULL: not RAM */
bool mmu_fetch_try(struct cpu *cpu, uint64_t lin, struct itlb_entry *out); /* no fault, no fill */
void mmu_code_page(struct cpu *cpu, gpa_t gpa); /* page got its first translation: no fast writes */
void mmu_reset(struct cpu *cpu);
uint8_t *mmu_slow(struct cpu *cpu, uint64_t lin, unsigned size, bool write, bool rmw, bool user,
                  bool stack); /* address to run the instruction on; may be cpu->bounce */
uint8_t *mmu_window(struct cpu *cpu, uint64_t lin, unsigned size, bool write,
                    bool user);      /* or NULL */
bool mmu_writeback(struct cpu *cpu); /* finish a bounced store; true: code was invalidated */

static inline uint8_t *group_refusals(struct dbt *d, uint64_t rip)
{
    return &d->refused[(rip ^ rip >> 12) % REFUSED_SETS];
}

/* mode.c */
void cpu_mode_update(struct cpu *cpu); /* mode, cs_base, segment bounds from the system state */
void jc_flush(struct cpu *cpu, bool global);
void jc_drop(struct cpu *cpu, uint64_t rip);
unsigned jc_slot(uint32_t mode);
static inline unsigned jc_index(uint64_t rip)
{
    return (unsigned)((rip ^ rip >> JC_BITS) & (JC_SETS - 1));
}

/* run.c, called by thunks */
int dbt_sysop(struct cpu *cpu, struct sysop *op);
uint64_t dbt_slow(struct cpu *cpu, uint64_t lin);
int dbt_post(struct cpu *cpu);
void dbt_seg_fault(struct cpu *cpu);
void dbt_run(struct cpu *cpu, struct trap *end);

enum { /* cpu->site */
       SITE_OFF = 0xfff,
       SITE_LEN_SHIFT = 12,
       SITE_SIZE_SHIFT = 16,
       SITE_WRITE = 1 << 24,
       SITE_RMW = 1 << 25,
       SITE_STACK = 1 << 26,
       SITE_HOST_FL = 1 << 27,
       SITE_USER = 1 << 28,
       SITE_GROUP = 1 << 30, /* a window of several accesses: all or nothing */
       SITE_CALL = 1u << 31, /* the push of a call: the block must go on to the jump */
       SITE_AC = 1 << 29,    /* not an access but an alignment fault */
};

#endif
