/*
 * What the VMM and the monitor inside the cage agree on. The cage is the process that guest code
 * runs in; its monitor (monitor.c) is the few pages of 64-bit code there. All of the cage is within
 * the guest's reach should it ever get out of 32-bit code, so the VMM takes whatever it finds in
 * the shared pages as hostile: copies it once and judges the copy.
 *
 * The cage's addresses. Guest code is 32-bit, with segments of the local descriptor table, so what
 * lies above 4 GiB is out of its reach, and linear addresses wrap at 4 GiB:
 *
 *   CAGE_DATA + a   the guest's address a as data: RAM, and nothing where there is no RAM
 *   CAGE_CODE + a   the same address as code: copies of what was decoded, else CAGE_FILL
 *   CAGE_SHARED     struct cage_shared and the signal stack
 *   CAGE_MONITOR    the monitor's code
 */
#ifndef ENGINE_DIRECT_CAGE_H
#define ENGINE_DIRECT_CAGE_H

#include "core/types.h"

#define CAGE_DATA    0x10000ull /* above any vm.mmap_min_addr in use */
#define CAGE_CODE    0x80000000ull
#define CAGE_RAM_MAX 0x40000000ull /* then the code view lies where no board has devices */
#define CAGE_MONITOR 0x7d0000000000ull
#define CAGE_SHARED  0x7e0000000000ull
#define CAGE_TOP     0x7ffffffff000ull /* end of user space with four levels of page tables */
#define CAGE_FILL    0xf4              /* HLT: #GP wherever it stands, with RIP at it */

enum { CAGE_FD_SHARED = 3, CAGE_FD_RAM, CAGE_FD_CODE, CAGE_FD_PAGE };

/* Whose turn it is: a futex. */
enum { CAGE_TURN_CAGE, CAGE_TURN_VMM };

/* Selectors of the local descriptor table: one of its own for each segment register, and two for
 * the flat segments that nearly every guest uses nearly always. */
#define CAGE_SEL(slot) ((uint16_t)((slot) << 3 | 7))
enum { CAGE_FLAT_DATA = 6, CAGE_FLAT_CODE, CAGE_SLOTS };

enum { CAGE_OP_PROTECT = 1, CAGE_OP_SEGMENT };
#define CAGE_OPS 64u

struct cage_op {
    uint32_t kind;
    uint32_t prot; /* of PROTECT, as for mprotect */
    uint64_t at, len;
    uint8_t desc[16]; /* of SEGMENT: struct user_desc */
};

#define CAGE_PAGES 8u /* register pages: core/shadow.h */

/* Why it stopped: the signal (numbers as in <signal.h>, which can't be included beside
 * core/cpu_regs.h), or 0 when it served ops and did not run the guest. */
enum { CAGE_SIG_NONE = 0, CAGE_SIG_TRAP = 5, CAGE_SIG_KICK = 10, CAGE_SIG_SYS = 31 };

/*
 * Who waits for the turn looks at it for a while before it sleeps: on a CPU of its own that is much
 * faster than being woken. Where the other side has no CPU meanwhile it is much slower, so each
 * failure makes for more turns without looking, and successes win that back slowly.
 */
struct cage_spin {
    uint32_t skip, penalty;
};
#define CAGE_PENALTY_MAX 4096u

static inline uint64_t cage_ticks(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

/* True: it is that side's turn. */
static inline bool cage_spin(struct cage_spin *s, const uint32_t *turn, uint32_t want,
                             uint64_t ticks)
{
    uint64_t from = cage_ticks();

    if (s->skip) {
        s->skip--;
        return __atomic_load_n(turn, __ATOMIC_ACQUIRE) == want;
    }
    while (__atomic_load_n(turn, __ATOMIC_ACQUIRE) != want) {
        if (cage_ticks() - from > ticks) {
            s->penalty = s->penalty ? s->penalty * 2 : 8;
            if (s->penalty > CAGE_PENALTY_MAX)
                s->penalty = CAGE_PENALTY_MAX;
            s->skip = s->penalty;
            return false;
        }
        __builtin_ia32_pause();
    }
    s->penalty -= (s->penalty + 15) / 16;
    return true;
}

struct cage_shared {
    uint32_t turn;
    uint32_t vmm_sleeps, cage_sleeps; /* who waits in the kernel and wants a FUTEX_WAKE */
    uint32_t sig;                     /* why the cage stopped */
    uint32_t failed;                  /* ops that the kernel refused */
    uint32_t ops, resume;             /* resume: run the guest after ops */
    uint16_t sel[6];                  /* ES, (CS, SS: in the frame), DS, FS, GS */
    uint64_t frame;                   /* address of the struct cage_ucontext */
    uint64_t spin_ticks;
    struct cage_spin spin; /* the cage's own */
    uint64_t ram;
    uint64_t parent;
    uint32_t pages;
    uint64_t page[CAGE_PAGES]; /* guest addresses; descriptors from CAGE_FD_PAGE on */
    struct cage_op op[CAGE_OPS];
};
#define CAGE_SHARED_LEN 0x20000u
_Static_assert(sizeof(struct cage_shared) <= 0x4000, "leaves room for the signal stack");

/* The kernel's struct ucontext for 64-bit programs (arch/x86 uapi/asm/ucontext.h, sigcontext.h). */
struct cage_ucontext {
    uint64_t flags, link, stack[3];
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t di, si, bp, bx, dx, ax, cx, sp, ip;
    uint64_t eflags;
    uint16_t cs, gs, fs, ss;
    uint64_t err, trapno, oldmask, cr2;
    uint64_t fpstate; /* address of an FXSAVE image, with more behind it */
};

#endif
