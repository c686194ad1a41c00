/* Excursions to other rings and modes for the tests: they end by a trap, which `seen` records. */
#ifndef USER_H
#define USER_H

#include "guest.h"

/* A piece of code at file scope, as a symbol that C can take the address of. */
#define CODE_FN(name, code)                                                                        \
    void name(void);                                                                               \
    asm(".pushsection .text\n\t.globl " #name "\n" #name ":\n\t" code "\n\t.popsection")

#ifdef __x86_64__
/* Goes to sel_cs:fn with that stack and flags by IRETQ. */
static inline void ring_go(void (*fn)(void), word cs, word ss, word flags)
{
    TRY("pushq %0\n\tpushq %1\n\tpushq %2\n\tpushq %3\n\tpushq %4\n\tiretq", "r"(ss),
        "r"((word)user_stack_top), "r"(flags), "r"(cs), "r"(fn));
}

static inline void user64(void (*fn)(void), word flags)
{
    ring_go(fn, SEL_U64, SEL_UDATA, flags | 2);
}

static inline void user32(void (*fn)(void), word flags)
{
    ring_go(fn, SEL_U32, SEL_UDATA, flags | 2);
}
#else
static inline void user32(void (*fn)(void), word flags)
{
    asm volatile("mov %w0, %%ds; mov %w0, %%es; mov %w0, %%fs; mov %w0, %%gs" ::"r"(SEL_UDATA));
    TRY("pushl %0\n\tpushl %1\n\tpushl %2\n\tpushl %3\n\tpushl %4\n\tiret", "i"(SEL_UDATA),
        "r"((word)user_stack_top), "r"(flags | 2), "i"(SEL_U32), "r"(fn));
}
#endif

#endif
