/* Between the files of the code view: code.c (pages), scan.c (instructions). */
#ifndef ENGINE_DIRECT_CODE_H
#define ENGINE_DIRECT_CODE_H

#include "engine/direct/direct.h"
#include <Zydis/Zydis.h>

#define PAGE     4096u
#define INSN_MAX 15u

struct view_page {        /* a bit a byte */
    uint64_t known[64];   /* an instruction begins here */
    uint64_t ours[64];    /* and it isn't for the cage to run */
    uint64_t covered[64]; /* part of an instruction */
    uint64_t target[64];  /* a direct branch of this page leads here */
    bool head;            /* its first bytes are the end of an instruction of the page before */
    uint32_t at;          /* in code.live */
};

struct kept {
    uint32_t lin, gen;
    struct insn insn; /* run NULL: for the translator */
};
#define KEPT 512u

struct code {
    uint8_t *view; /* as the cage has it at CAGE_CODE, but for us to write */
    uint32_t len;
    struct view_page **page; /* by number; NULL: nothing known, all CAGE_FILL or never used */
    uint8_t *executes;       /* by number: the cage may execute it */
    uint32_t *live;          /* numbers of the pages that are not NULL */
    uint32_t lives, lives_max;
    uint32_t mode; /* what the instructions were judged for */
    uint32_t gen;  /* of kept */
    struct kept kept[KEPT];
    ZydisDecoder dec16, dec32;
};

static inline bool bit_get(const uint64_t *map, uint32_t lin)
{
    return map[lin % PAGE / 64] >> (lin % 64) & 1;
}

static inline void bit_set(uint64_t *map, uint32_t lin)
{
    map[lin % PAGE / 64] |= 1ull << (lin % 64);
}

/* code.c: the page, made and watched if it wasn't; NULL: out of memory (then the VM fails). */
struct view_page *view_page_live(struct direct *d, uint32_t lin);

/* scan.c: what kind of instruction stands there. */
enum insn_kind {
    INSN_NATIVE, /* the cage runs it */
    INSN_TRAPS,  /* privileged: faults in the cage by itself, and is ours */
    INSN_PATCH,  /* sensitive, but does not fault: not shown to the cage, and is ours */
};
struct found {
    enum insn_kind kind;
    uint8_t len;
    uint8_t reach; /* bytes that make it what it is: more than len if it is invalid */
    uint8_t bytes[INSN_MAX];
    bool ends;        /* nothing follows it */
    bool branch;      /* a direct one */
    uint32_t target;  /* if branch: linear */
    struct insn insn; /* if not NATIVE */
};
void insn_find(struct direct *d, uint32_t lin, struct found *f);

#endif
