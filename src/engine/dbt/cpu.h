/*
 * The software CPU's state, shared by the translator (which addresses it through GS), the MMU and
 * the system instructions. One struct cpu per vCPU; only its own thread touches it, but for kick.
 *
 * While translated code runs, guest GPRs other than r10 and r11 are in the host registers of the
 * same name; x87/MMX/SSE state is live in the host's. Around a C helper all GPRs are in gpr[] and
 * the arithmetic flags are in fl. Helpers are compiled without SSE, so vector state stays live
 * through them; whoever may run foreign code (traps, the translator) goes through cpu_fpu_save.
 *
 * Intel SDM volume 3 and AMD APM volume 2 are the references for all of engine/dbt.
 */
#ifndef ENGINE_DBT_CPU_H
#define ENGINE_DBT_CPU_H

#include "core/cpu_regs.h"
#include "engine/engine.h"
#include <setjmp.h>

enum { /* RFLAGS */
       FL_CF = 1,
       FL_PF = 4,
       FL_AF = 0x10,
       FL_ZF = 0x40,
       FL_SF = 0x80,
       FL_TF = 0x100,
       FL_IF = 0x200,
       FL_DF = 0x400,
       FL_OF = 0x800,
       FL_IOPL = 0x3000,
       FL_NT = 0x4000,
       FL_RF = 0x10000,
       FL_VM = 0x20000,
       FL_AC = 0x40000,
       FL_VIF = 0x80000,
       FL_VIP = 0x100000,
       FL_ID = 0x200000,
       FL_ARITH = FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_OF,
};
enum {
    CR0_PE = 1,
    CR0_MP = 2,
    CR0_EM = 4,
    CR0_TS = 8,
    CR0_ET = 16,
    CR0_NE = 32,
    CR0_WP = 1 << 16,
    CR0_AM = 1 << 18,
    CR0_NW = 1 << 29,
    CR0_CD = 1 << 30
};
#define CR0_PG 0x80000000u
enum {
    CR4_VME = 1,
    CR4_PVI = 2,
    CR4_TSD = 4,
    CR4_DE = 8,
    CR4_PSE = 0x10,
    CR4_PAE = 0x20,
    CR4_MCE = 0x40,
    CR4_PGE = 0x80,
    CR4_PCE = 0x100,
    CR4_OSFXSR = 0x200,
    CR4_OSXMMEXCPT = 0x400,
    CR4_FSGSBASE = 0x10000,
    CR4_SMEP = 0x100000,
    CR4_SMAP = 0x200000
};
enum { EFER_SCE = 1, EFER_LME = 0x100, EFER_LMA = 0x400, EFER_NXE = 0x800 };
enum {
    EXC_DE = 0,
    EXC_DB = 1,
    EXC_NMI = 2,
    EXC_BP = 3,
    EXC_OF = 4,
    EXC_BR = 5,
    EXC_UD = 6,
    EXC_NM = 7,
    EXC_DF = 8,
    EXC_TS = 10,
    EXC_NP = 11,
    EXC_SS = 12,
    EXC_GP = 13,
    EXC_PF = 14,
    EXC_MF = 16,
    EXC_AC = 17,
    EXC_MC = 18,
    EXC_XM = 19
};
enum { /* cpu_seg.attr */
       SEG_A = 1,
       SEG_W = 2,
       SEG_R = 2,
       SEG_E = 4,
       SEG_C = 4,
       SEG_X = 8,
       SEG_S = 0x10,
       SEG_DPL = 0x60,
       SEG_P = 0x80,
       SEG_AVL = 0x1000,
       SEG_L = 0x2000,
       SEG_D = 0x4000,
       SEG_G = 0x8000
};
#define SEG_DPL_GET(attr) (((attr) >> 5) & 3)

/*
 * Software TLB: one table for reads and one for writes (so that a copy's streams never evict each
 * other), each for supervisor and user. A hit: linear - tag <= 4096 - size (unsigned), and then the
 * host address is linear - tag + host. An invalid entry's tag is a page of another set, so that no
 * linear address can match it.
 */
#define TLB_BITS 12
#define TLB_SETS (1u << TLB_BITS)
struct tlb_entry {
    uint64_t tag;  /* linear address of the page */
    uint64_t host; /* host address of the page */
};

#define VICTIM_SETS 256u

#define JC_BITS 12
#define JC_SETS (1u << JC_BITS)
struct jc_entry { /* jump cache: RIP -> translated code (its entry with flags in memory) */
    uint64_t rip;
    const void *code;
};

#define ITLB_SETS 256u
struct itlb_entry { /* code fetch */
    uint64_t tag;   /* linear page | 1, 0 = empty */
    uint64_t gen;
    gpa_t gpa;     /* of the page */
    uint8_t *host; /* NULL: not RAM */
    bool user, global;
};

#define XLAT_SETS 1024u
struct xlat_entry { /* second level of the TLB: hashed, and keeps pages that hold code */
    uint64_t tag;   /* linear page | 1, 0 = empty */
    uint64_t gen;
    gpa_t gpa;
    uint8_t *host;
    bool writable, global, large;
};

#define MMIO_SETS 8u
struct mmio_entry { /* recently used pages that are not RAM */
    uint64_t tag;   /* linear page | user << 1 | write, or ~0 */
    gpa_t gpa;
};

struct place {     /* a resolved piece of an access that lies in one page */
    uint8_t *host; /* NULL: not RAM */
    gpa_t gpa;
};

#define FLUSH_LIST 1024u
#define LARGE_BITS 4096u

enum { SHADOW_NONE, SHADOW_STI, SHADOW_SS /* holds back #DB too */ };

#define DBT_SHADOWS_MAX 16u /* register pages: core/shadow.h */

struct insn;
struct dbt;

struct cpu {
    /* Hot, addressed by generated code as gs:[offset]. */
    uint64_t gpr[16];
    uint64_t rip;          /* valid at helper calls: of the current instruction */
    uint64_t fl;           /* arithmetic flags, memory form: LAHF byte in bits 8-15, OF in bit 0 */
    uint32_t exit_request; /* set by kick and by helpers: leave translated code soon */
    uint32_t mode;         /* mode key of the running block, see translate.h */
    uint64_t scratch[8];
    uint64_t host_rsp;
    void *helper;

    /* System state. */
    uint32_t flags_sys; /* RFLAGS bits other than FL_ARITH; bit 1 set */
    uint8_t cpl;
    uint8_t shadow; /* SHADOW_*: no interrupt before the next instruction ends */
    bool nmi_blocked;
    bool halted;
    bool wait_sipi; /* after reset or INIT, on all but the boot CPU */
    bool shutdown;
    bool icebp;
    struct cpu_seg seg[6], ldtr, tr;
    struct {
        uint64_t base;
        uint16_t limit;
    } gdtr, idtr;
    uint64_t cr0, cr2, cr3, cr4, efer;
    uint64_t pdpte[4]; /* PAE: loaded at MOV CR3 */
    uint64_t dr[8];
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base, tsc_aux;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t pat, misc_enable, tsc_offset; /* guest TSC = host TSC + tsc_offset */

    /* Exception in delivery, for double faults. */
    int exc_vector;    /* vector being delivered, or -1 */
    jmp_buf fault_jmp; /* cpu_fault comes back to the dispatcher */
    struct {
        uint8_t vector;
        bool has_error;
        uint32_t error;
    } fault;

    /* What CPUID claims (leaf 1, leaf 7, leaf 0x80000001) and says; set by sys_init. */
    struct {
        uint32_t ecx1, edx1, ebx7, edx7, ecx81, edx81;
    } feat;
    uint64_t tsc_hz;

    unsigned index;
    struct dbt *dbt;
    const struct engine_env *env;
    const struct shadow **reg_page; /* DBT_SHADOWS_MAX of the engine's, NULL: none */

    /* Run loop. */
    struct cpu *self;
    uint64_t ret;  /* where a thunk goes back to */
    uint32_t link; /* exit to link, 0 = none */
    uint32_t site; /* the memory access in the slow path: SITE_* in dbt.h */
    bool nogroup;  /* the next block must run without groups: group.c */
    bool in_slow;  /* a fault now is that access's */
    uint64_t post_fl;
    uint64_t seg_end[6], seg_lo[6], seg_wend[6]; /* legacy modes: offsets allowed, see mode.c */
    uint64_t cs_base;       /* legacy modes: added to RIP to fetch; 0 in 64-bit mode */
    uint32_t jc_other_mode; /* which mode and CS base jc[2] holds */
    uint64_t jc_other_base;
    bool running;    /* atomic: it may be between a look at a page's flags and a write: smp.c */
    unsigned pauses; /* PAUSE instructions since pause_tsc */
    uint64_t pause_tsc;
    bool stop;    /* run() is asked to return */
    bool resumed; /* a trap callback has set GPRs and RIP: go on there */
    bool failed;  /* the translator can't go on; why says so */
    char why[160];
    bool step_pending; /* deliver #DB when the current instruction has ended */
    struct {           /* a store to finish */
        uint64_t lin;
        unsigned len, first; /* bytes in all, in part[0] */
        bool exclusive;      /* share.bounced is held until it is done */
        bool direct;         /* it went to memory; what is left is to look for code there */
        struct place part[2];
    } wb;
    uint8_t bounce[192] __attribute__((aligned(64)));

    bool fpu_saved; /* x87 and SSE state is in fpu[], else live in the host's registers */
    bool vec_saved; /* just the SSE part is */
    uint8_t fpu[512] __attribute__((aligned(64)));

    /* What the MMU remembers, and lists of what to forget at a MOV CR3. */
    struct tlb_entry tlb[2][2][TLB_SETS] __attribute__((aligned(64))); /* [user][write] */
    /* What the TLB evicted, looked up by thunks before they call C: [user * 2 + write]. */
    struct tlb_entry victim[4][VICTIM_SETS];
    uint16_t victim_list[VICTIM_SETS]; /* table << 8 | set, of those used */
    unsigned victims;
    uint8_t tlb_meta[2][2][TLB_SETS]; /* TLBM_* */
    uint16_t tlb_list[FLUSH_LIST];
    unsigned tlb_listed;
    struct itlb_entry itlb[ITLB_SETS];
    uint64_t itlb_gen, itlb_gen_global;
    struct xlat_entry xlat[2][XLAT_SETS]; /* [user] */
    struct mmio_entry mmio[MMIO_SETS];
    uint64_t large_filter[LARGE_BITS / 64]; /* 4 MiB regions with cached large pages, hashed */
    struct jc_entry jc[3][JC_SETS]; /* by mode: 64-bit kernel, 64-bit user, the current other */
    uint64_t exec_filter[1024];     /* linear pages that jc or links refer to, hashed */
    uint16_t jc_list[FLUSH_LIST]; /* slot << JC_BITS | index, of code on pages that aren't global */
    unsigned jc_listed;
};

/* ---- one system instruction, decoded once at translation time ---- */
struct insn {
    /* Executes it. cpu->rip is at the instruction; returns INSN_NEXT (rip is advanced by the
     * caller) or INSN_JUMP (the helper set rip, or changed mode, paging, IF: leave the block).
     * May not return: cpu_fault. */
    int (*run)(struct cpu *cpu, const struct insn *i);
    uint64_t imm; /* immediate, or offset of a far pointer */
    int64_t disp;
    uint16_t sel; /* selector of a far pointer; ENTER's level */
    uint8_t len;
    uint8_t opsize;      /* operand size in bytes: 1, 2, 4, 8 */
    uint8_t addrsize;    /* 2, 4, 8 */
    uint8_t rep;         /* 0, 0xf3, 0xf2 */
    uint8_t reg;         /* ModRM.reg extended by REX.R (also opcode-embedded register) */
    uint8_t rm;          /* register number if !mem */
    bool mem;            /* the ModRM operand is memory */
    uint8_t seg;         /* segment of the memory operand, overrides applied */
    uint8_t base, index; /* 16 = none, 17 = rip (disp is then already absolute) */
    uint8_t scale;       /* 1, 2, 4, 8 */
    bool rex;            /* any REX: byte registers 4..7 are SPL.. not AH.. */
    uint8_t code_bits;   /* 16, 32, 64: the mode it was decoded in */
    bool ends;           /* always leaves the block */
};
enum { INSN_NEXT, INSN_JUMP };

/* ---- what the parts offer each other ---- */

/* Raise an exception from a helper: unwinds to the dispatcher with the state at cpu->rip. */
_Noreturn void cpu_fault(struct cpu *cpu, uint8_t vector); /* no error code */
_Noreturn void cpu_fault_err(struct cpu *cpu, uint8_t vector, uint32_t error);

/* mmu.c: memory by linear address, with the right of `user` (cpl == 3) or system (descriptor
 * tables, TSS: user = false). size 1, 2, 4, 8; may straddle pages, hit MMIO, hit translated code.
 */
uint64_t mem_read(struct cpu *cpu, uint64_t lin, unsigned size, bool user);
void mem_write(struct cpu *cpu, uint64_t lin, unsigned size, uint64_t val, bool user);
/* Check that [lin, lin+len) could be written (faults if not): before multi-part pushes. len <= 4096
 */
void mem_probe_write(struct cpu *cpu, uint64_t lin, unsigned len, bool user);
/* Host pointer for [lin, end of page), *room = bytes to the page end; NULL if it must go piecewise
 * (MMIO; page holding translated code when writing; watched). Faults as an access of 1 byte would.
 */
uint8_t *mem_span(struct cpu *cpu, uint64_t lin, bool write, bool user, unsigned *room);
void mmu_flush(struct cpu *cpu, bool global); /* CR3 write: false; CR0/CR4/EFER changes: true */
void mmu_flush_page(struct cpu *cpu, uint64_t lin);
void mmu_load_pdptes(struct cpu *cpu); /* PAE, at MOV CR3 / CR0.PG / CR4.PAE; may #GP */

/* flags */
static inline uint32_t cpu_flags_arith(const struct cpu *cpu)
{
    uint32_t ah = (uint32_t)(cpu->fl >> 8) & (FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF);
    return ah | ((cpu->fl & 1) ? FL_OF : 0u);
}

static inline uint32_t cpu_rflags(const struct cpu *cpu)
{
    return cpu_flags_arith(cpu) | cpu->flags_sys | 2u;
}

static inline void cpu_set_flags_arith(struct cpu *cpu, uint32_t v)
{
    cpu->fl = ((uint64_t)(v & (FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF)) | 2u) << 8 |
              ((v & FL_OF) ? 1u : 0u);
}

static inline void cpu_set_rflags(struct cpu *cpu, uint32_t v)
{
    cpu_set_flags_arith(cpu, v);
    cpu->flags_sys = (v & ~(uint32_t)FL_ARITH & 0x003f7700u) | 2u;
}

/* Call the VM with a trap from a helper; vector state is put away and back. */
void cpu_trap(struct cpu *cpu, struct trap *t);
/* Put x87 and SSE state into cpu->fpu (idempotent); the way back into translated code, which is
 * cpu_fpu_back, loads it again. */
void cpu_fpu_save(struct cpu *cpu);
void cpu_fpu_back(struct cpu *cpu);
void cpu_vec_save(struct cpu *cpu); /* just the SSE part: before C code that may use it */

/* sys_decode.c: is this instruction a system instruction? Fills out and returns true; else the
 * translator runs it natively. Unsupported or unclaimed instructions become a #UD helper. */
struct ZydisDecodedInstruction_;
struct ZydisDecodedOperand_;
bool sys_decode(const struct ZydisDecodedInstruction_ *zi, const struct ZydisDecodedOperand_ *ops,
                uint64_t rip, struct insn *out);
/* May this (not system) instruction run natively, i.e. is its CPUID feature claimed? */
bool sys_claimed(const struct cpu *cpu, const struct ZydisDecodedInstruction_ *zi);
/* legacy.c: AAA and its kin; false: not one of them */
bool legacy_decode(const struct ZydisDecodedInstruction_ *zi, struct insn *out);
/* gen_class.c: the vector that an x87, MMX or SSE instruction raises in this mode, or -1. */
int dbt_fpu_gate(uint32_t mode, const struct ZydisDecodedInstruction_ *zi);
/* Once, when the vCPU is made (index, env and vector state aside, cpu is zero): CPUID claims from
 * what the host has; tsc_hz from core/tsc.h. */
void sys_init(struct cpu *cpu, uint64_t tsc_hz);
void sys_reset(
    struct cpu *cpu); /* architectural reset state; CPUID/MSR defaults; x87/SSE in fpu[] */
/* Serves INIT and start-up messages. False: the CPU must go on waiting for one. */
bool sys_init_take(struct cpu *cpu);
/* The helper of instructions without effect (prefetch, endbr, reserved NOPs): emit nothing. */
int sys_nop(struct cpu *cpu, const struct insn *i);

/* intr.c: deliver an interrupt or exception through the IVT/IDT; handles double and triple faults
 * (sets cpu->shutdown). soft: INT n / INT3 / INTO, for DPL checks; next_rip is what is pushed. */
enum intr_kind { INTR_EXT, INTR_EXC, INTR_SOFT };
void intr_deliver(struct cpu *cpu, uint8_t vector, enum intr_kind kind, bool has_error,
                  uint32_t error, uint64_t return_rip);

#endif
