/* Guest SSE state in and out of the host's registers. The x87 part stays live: C doesn't use it.
 * Layout of cpu->fpu is FXSAVE's (Intel SDM volume 1, section 10.5.1). */
#ifndef ENGINE_DBT_VEC_H
#define ENGINE_DBT_VEC_H

#include "engine/dbt/cpu.h"

#define VEC_EACH(op, dir)                                                                          \
    op(0, dir) op(1, dir) op(2, dir) op(3, dir) op(4, dir) op(5, dir) op(6, dir) op(7, dir)        \
        op(8, dir) op(9, dir) op(10, dir) op(11, dir) op(12, dir) op(13, dir) op(14, dir)          \
            op(15, dir)
#define VEC_OUT(n, dir) "movaps %%xmm" #n ", 160+16*" #n "(%0)\n\t"
#define VEC_IN(n, dir)  "movaps 160+16*" #n "(%0), %%xmm" #n "\n\t"

static inline void vec_save(struct cpu *cpu)
{
    static const uint32_t host_mxcsr = 0x1f80;
    __asm__ volatile("stmxcsr 24(%0)\n\t" VEC_EACH(VEC_OUT, ) "ldmxcsr (%1)"
                     :
                     : "r"(cpu->fpu), "r"(&host_mxcsr)
                     : "memory");
}

static inline void vec_restore(struct cpu *cpu)
{
    __asm__ volatile(VEC_EACH(VEC_IN, ) "ldmxcsr 24(%0)" : : "r"(cpu->fpu) : "memory");
}

/* All of it: when the guest asks for its image, and at the borders of run(). */
static inline void fpu_in(struct cpu *cpu)
{
    __asm__ volatile("fxrstor64 (%0)" : : "r"(cpu->fpu) : "memory");
}

static inline void fpu_save(struct cpu *cpu)
{
    __asm__ volatile("fxsave64 (%0)" : : "r"(cpu->fpu) : "memory");
}

static inline void fpu_host(void)
{
    static const uint32_t host_mxcsr = 0x1f80;
    __asm__ volatile("fninit\n\tldmxcsr (%0)" : : "r"(&host_mxcsr) : "memory");
}

static inline void fpu_out(struct cpu *cpu)
{
    fpu_save(cpu);
    fpu_host();
}

#endif
