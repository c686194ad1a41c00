/*
 * x87 and SSE exceptions: #MF at the next waiting instruction, #XM at once, #NM for lazy switching,
 * what FXSAVE keeps. Intel SDM vol. 1 sections 8.6, 8.7, 11.5; vol. 3 chapter 2 (CR0, CR4).
 */
#include "guest.h"

#ifdef __x86_64__
#define XMM_LAST 15
#else
#define XMM_LAST 7
#endif
#define STR_(x)  #x
#define STR(x)   STR_(x)
#define XMM_NAME "xmm" STR(XMM_LAST)
#include "user.h"

#define CR0_MP         2u
#define CR0_EM         4u
#define CR0_TS         8u
#define CR0_NE         0x20u
#define CR4_OSFXSR     0x200u
#define CR4_OSXMMEXCPT 0x400u

static uint16_t cw_unmask_z = 0x37b, cw_all = 0x37f;
static uint32_t mxcsr_unmask_z = 0x1d80, mxcsr_all = 0x1f80;
static uint8_t area[512] __attribute__((aligned(16))), area2[512] __attribute__((aligned(16)));
static double one = 1.0, zero = 0.0, result;

static void x87(void)
{
    uint16_t sw;

    cr0_set((cr0_get() & ~(word)(CR0_EM | CR0_TS)) | CR0_NE | CR0_MP);
    asm volatile("fninit; fldl %1; fldl %1; faddp; fstpl %0" : "=m"(result) : "m"(one));
    check_eq("1 + 1", *(uint64_t *)&result, 0x4000000000000000);
    TRY("fninit; fldcw (%0); fldl (%1); fdivl (%2)", "r"(&cw_unmask_z), "r"(&one), "r"(&zero));
    check_trap("an unmasked x87 error waits", NO_TRAP, 0);
    TRY("fwait");
    check_trap("fwait reports it", V_MF, 0);
    asm volatile("fnstsw %0" : "=a"(sw));
    check_eq("the status word says why", sw & 0x84, 0x84);
    TRY("fldl (%0)", "r"(&one));
    check_trap_real("the next x87 instruction reports it again", V_MF, 0);
    TRY("fnclex; fwait");
    check_trap("fnclex clears it", NO_TRAP, 0);
    asm volatile("fninit; fldl %1; fdivl %2; fstpl %0" : "=m"(result) : "m"(one), "m"(zero));
    check_eq("masked: infinity", *(uint64_t *)&result, 0x7ff0000000000000);
    cr0_set(cr0_get() | CR0_TS);
    TRY("fninit");
    check_trap("TS: x87", V_NM, 0);
    TRY("fwait");
    check_trap("TS and MP: fwait", V_NM, 0);
    cr0_set(cr0_get() & ~(word)CR0_MP);
    TRY("fwait");
    check_trap("TS without MP: fwait", NO_TRAP, 0);
    cr0_set((cr0_get() & ~(word)CR0_TS) | CR0_MP | CR0_EM);
    TRY("fninit");
    check_trap("EM: x87", V_NM, 0);
    cr0_set(cr0_get() & ~(word)CR0_EM);
}

static void sse(void)
{
    TRY("divsd (%0), %%xmm0", "r"(&zero));
    check_trap("SSE without OSFXSR", V_UD, 0);
    cr4_set(cr4_get() | CR4_OSFXSR);
    TRY("ldmxcsr (%0); movsd (%1), %%xmm0; divsd (%2), %%xmm0", "r"(&mxcsr_unmask_z), "r"(&one),
        "r"(&zero));
    check_trap_real("an unmasked SSE error without OSXMMEXCPT", V_UD, 0);
    cr4_set(cr4_get() | CR4_OSXMMEXCPT);
    TRY("ldmxcsr (%0); movsd (%1), %%xmm0; divsd (%2), %%xmm0", "r"(&mxcsr_unmask_z), "r"(&one),
        "r"(&zero));
    check_trap_real("an unmasked SSE error", V_XM, 0);
    asm volatile("ldmxcsr %1; movsd %2, %%xmm0; divsd %3, %%xmm0; movsd %%xmm0, %0"
                 : "=m"(result)
                 : "m"(mxcsr_all), "m"(one), "m"(zero));
    check_eq("masked: infinity", *(uint64_t *)&result, 0x7ff0000000000000);
    TRY("ldmxcsr (%0)", "r"(&(uint32_t){0x10000}));
    check_trap_real("a reserved mxcsr bit", V_GP, 0);
    TRY("movaps 8(%0), %%xmm0", "r"(area));
    check_trap_real("movaps not aligned", V_GP, 0);
    TRY("movups 8(%0), %%xmm0", "r"(area));
    check_trap("movups not aligned", NO_TRAP, 0);
    cr0_set(cr0_get() | CR0_TS);
    TRY("movaps (%0), %%xmm0", "r"(area));
    check_trap("TS: SSE", V_NM, 0);
    TRY("clts; movaps (%0), %%xmm0", "r"(area));
    check_trap("clts: SSE again", NO_TRAP, 0);
    cr0_set(cr0_get() | CR0_EM);
    TRY("movaps (%0), %%xmm0", "r"(area));
    check_trap("EM: SSE", V_UD, 0);
    cr0_set(cr0_get() & ~(word)CR0_EM);
}

static void save(void)
{
    static const uint64_t pattern[2] = {0x0123456789abcdef, 0xfedcba9876543210};

    asm volatile("ldmxcsr %0" ::"m"(mxcsr_all));
    asm volatile("fninit; fld1; fldpi; movups %0, %%xmm0; movups %0, %%" XMM_NAME ::"m"(pattern));
    asm volatile("fxsave %0" : "=m"(area));
    check_eq("fxsave: control word", *(uint16_t *)area, 0x37f);
    check_eq("fxsave: top of stack", *(uint16_t *)(area + 2) >> 11 & 7, 6);
    check_eq("fxsave: tags", area[4], 0xc0);
    check_eq("fxsave: mxcsr", *(uint32_t *)(area + 24), 0x1f80);
    check_eq("fxsave: st0 (pi)", *(uint64_t *)(area + 32), 0xc90fdaa22168c235);
    check_eq("fxsave: xmm0", *(uint64_t *)(area + 160), pattern[0]);
    check_eq("fxsave: " XMM_NAME, *(uint64_t *)(area + 160 + XMM_LAST * 16 + 8), pattern[1]);
    asm volatile("fninit; pxor %%xmm0, %%xmm0; pxor %%" XMM_NAME ", %%" XMM_NAME
                 "; fxrstor %1; fxsave %0"
                 : "=m"(area2)
                 : "m"(area));
    check("fxrstor brings it back",
          mem_eq(area + 32, area2 + 32, 8) && mem_eq(area + 160, area2 + 160, XMM_LAST * 16 + 16));
    TRY("fxsave 8(%0)", "r"(area));
    check_trap_real("fxsave not aligned", V_GP, 0);
    /* the same registers survive traps and port accesses */
    asm volatile("movups %0, %%xmm7" ::"m"(pattern));
    TRY("ud2");
    TRY("outb %%al, $0x80");
    uint64_t out[2];
    asm volatile("movups %%xmm7, %0" : "=m"(out));
    check("xmm registers survive traps", out[0] == pattern[0] && out[1] == pattern[1]);
    asm volatile("fninit; fld1; fstpl %0" : "=m"(result));
    check_eq("x87 still works", *(uint64_t *)&result, 0x3ff0000000000000);
}

/* The interrupted x87 state: a trap between two x87 instructions changes nothing. */
static void across_traps(void)
{
    asm volatile("fninit; fld1; fld1" ::: "memory");
    TRY("int3");
    asm volatile("faddp; fstpl %0" : "=m"(result));
    check_eq("the x87 stack survives a trap", *(uint64_t *)&result, 0x4000000000000000);
    asm volatile("fldcw %0" ::"m"(cw_all));
    asm volatile("emms");
}

void guest_main(const uint8_t *mbi)
{
    (void)mbi;
    x87();
    sse();
    save();
    across_traps();
}
