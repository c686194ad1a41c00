/* The differential test of engine dbt: what its parts share. See docs/dbt-testing.md. */
#ifndef TESTS_DIFF_H
#define TESTS_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The same linear addresses on both sides. */
#define DATA_AT   0x10000000u
#define CODE_AT   0x20000000u
#define PAGE      4096u
#define DATA_LEN  (6 * PAGE) /* page 0 is read-only; page 4 the stack; page 5 scratch */
#define CODE_LEN  (2 * PAGE)
#define STACK_TOP (DATA_AT + 4 * PAGE + 3072)
#define SCRATCH   (DATA_AT + 5 * PAGE)
#define ROUNDS_AT (DATA_AT + 16 * PAGE) /* a loop's counter, where nothing else can write */
#define ROUNDS    3
/* In 16-bit code the segments begin at CODE_AT and DATA_AT and end with the pages, but for DS. */
#define DS_LEN16 (ROUNDS_AT + PAGE - DATA_AT)
#define ITEMS    64

/* Selectors of 16-bit code, of a local descriptor table. */
enum { SEL16_CS = 0x07, SEL16_SS = 0x0f, SEL16_DS = 0x17, SEL16_ES = 0x1f };

enum { FX_SIZE = 512, FX_COMPARED = 416, FX_COMPARED32 = 288 /* eight XMM */ };

struct state {
    uint64_t gpr[16], rip, rflags, fs_base, gs_base;
    uint8_t fx[FX_SIZE] __attribute__((aligned(64)));
};

struct item { /* one instruction */
    uint8_t bytes[15];
    uint8_t len;
    uint8_t rel_at, rel_size; /* branch displacement to patch; size 0: none */
    uint8_t to;               /* item it goes to */
    uint8_t rip_at;           /* RIP-relative disp32 to patch, 0: none */
    uint32_t rip_to;
    uint8_t group; /* of a template: go together; 0: none */
    bool dead;     /* shrunk away */
};

struct seq {
    uint64_t seed;
    struct item item[ITEMS];
    unsigned items;
    unsigned start;         /* offset of the code in its pages */
    bool user, align_check; /* run the guest at CPL 3; with CR0.AM */
    unsigned bits;          /* 64; 32, 16: code of compatibility mode */
    struct state in;
    uint32_t mem_seed;
};

struct outcome {
    struct state at;
    int vector; /* -1: broken, see why */
    uint32_t error;
    uint64_t cr2;
    char why[160];
    const uint8_t *page[DATA_LEN / PAGE];
};

/* gen.c */
void gen_open(bool align, unsigned bits); /* align: with alignment checks, EFLAGS.AC */
void gen_make(struct seq *s, uint64_t seed);
/* The state of that seed, but this code, in hexadecimal; false: no code. */
bool gen_case(struct seq *s, uint64_t seed, unsigned bits, const char *hex);
unsigned gen_layout(const struct seq *s, uint8_t *code); /* bytes; ends with UD2 */
void gen_memory(const struct seq *s, uint8_t *page[DATA_LEN / PAGE]);

/* native.c */
void native_open(void);
void native_signals(void);
void native_run(const struct seq *s, const uint8_t *code, unsigned len, struct outcome *o);
void native_watch(void); /* a run begins, of either side; */
bool native_late(void);  /* it has taken so much CPU time that it will never end */

/* guest.c */
void guest_open(void);
void guest_close(void);
void guest_kick(void);  /* from a signal handler: come back */
void guest_again(void); /* a new engine, after one has failed */
void guest_run(const struct seq *s, const uint8_t *code, unsigned len, struct outcome *o);

#endif
