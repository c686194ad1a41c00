/*
 * Engine direct for one program (engine_env.program): its code runs on the real CPU in a cage
 * (program.h); what is special about 32-bit code is in program32.c. A page fault there is served
 * from the page tables in guest RAM, or is the program's own; a system call comes by syscall user
 * dispatch. What the cage tells is copied once and judged; nothing it can write is believed.
 */
#include "core/error.h"
#include "core/ledger.h"
#include "engine/direct/program_engine.h"
#include "mem/ram.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FRAMES     (CAGE_SHARED + 0x4000)
#define SPIN_TICKS 50000u    /* about 20 us */
#define LOOK_NS    50000000l /* while asleep: is the cage still there? */
#define SAME_MAX   8u        /* faults in a row on one page that was mapped each time */
#define FLAGS_USER 0x244dd5u /* ID AC OF DF TF SF ZF AF PF CF */
#define FLAGS_SET  0x202u
#define VEC_GP     13
#define VEC_PF     14

enum { PTE_P = 1, PTE_W = 2, PTE_U = 4 };
#define PTE_NX    (1ull << 63)
#define PTE_FRAME 0x000ffffffffff000ull

static bool fail(struct engine *e, const char *why)
{
    snprintf(e->why, sizeof(e->why), "engine direct: %s", why);
    e->failed = true;
    return false;
}

/* ---- turns, as in cage.c ---- */

static bool mine(const struct engine *e)
{
    return __atomic_load_n(&e->shared->turn, __ATOMIC_ACQUIRE) == CAGE_TURN_VMM;
}

static bool turn_wait(struct engine *e)
{
    const struct timespec limit = {0, LOOK_NS};

    if (cage_spin(&e->spin, &e->shared->turn, CAGE_TURN_VMM, SPIN_TICKS))
        return true;
    while (!mine(e)) { /* as long as the program computes */
        __atomic_store_n(&e->shared->vmm_sleeps, 1, __ATOMIC_SEQ_CST);
        if (!mine(e))
            (void)syscall(SYS_futex, &e->shared->turn, FUTEX_WAIT, CAGE_TURN_CAGE, &limit, NULL, 0);
        __atomic_store_n(&e->shared->vmm_sleeps, 0, __ATOMIC_SEQ_CST);
        if (!mine(e) && process_gone(&e->process))
            return fail(e, "the program's process has ended");
    }
    return true;
}

static bool turn(struct engine *e)
{
    e->shared->ops = e->ops;
    e->shared->resume = 1;
    e->shared->spin_ticks = SPIN_TICKS;
    e->ops = 0;
    __atomic_store_n(&e->shared->turn, CAGE_TURN_CAGE, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&e->shared->cage_sleeps, __ATOMIC_SEQ_CST))
        (void)syscall(SYS_futex, &e->shared->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
    return turn_wait(e);
}

/* ---- what the cage is asked to do before it goes on ---- */

void program_op(struct engine *e, uint32_t kind, uint64_t at, uint32_t prot, uint64_t offset)
{
    if (e->ops < PROGRAM_OPS)
        e->shared->op[e->ops++] = (struct program_op){kind, prot, at, offset};
}

static void forget(struct engine *e)
{
    e->ops = 0; /* what was to be mapped comes again */
    program_op(e, PROGRAM_OP_FORGET, 0, 0, 0);
}

static void segments(struct engine *e)
{
    if (e->env.program_narrow) {
        narrow_tls(e);
        return;
    }
    if (e->r.seg[SEG_FS].base != e->fs)
        program_op(e, PROGRAM_OP_FS, e->fs = e->r.seg[SEG_FS].base, 0, 0);
    if (e->r.seg[SEG_GS].base != e->gs)
        program_op(e, PROGRAM_OP_GS, e->gs = e->r.seg[SEG_GS].base, 0, 0);
}

/* ---- the frame ---- */

static uint8_t *frame_at(struct engine *e)
{
    uint64_t at = __atomic_load_n(&e->shared->frame, __ATOMIC_RELAXED);

    if (!range_in(at, sizeof(struct cage_ucontext), FRAMES, CAGE_SHARED_LEN - 0x4000))
        return NULL;
    return (uint8_t *)e->shared + (at - CAGE_SHARED);
}

static bool frame_put(struct engine *e)
{
    const uint64_t *g = e->r.gpr;
    uint8_t *p = frame_at(e);
    struct cage_ucontext uc;

    if (!p)
        return fail(e, "the program's process has lost its frame");
    memcpy(&uc, p, sizeof(uc));
    uc.ax = g[REG_RAX], uc.bx = g[REG_RBX], uc.cx = g[REG_RCX], uc.dx = g[REG_RDX];
    uc.si = g[REG_RSI], uc.di = g[REG_RDI], uc.bp = g[REG_RBP], uc.sp = g[REG_RSP];
    memcpy(&uc.r8, &g[REG_R8], 8 * sizeof(*g));
    uc.ip = e->r.rip;
    uc.eflags = (e->r.rflags & FLAGS_USER) | FLAGS_SET;
    uc.cs = e->cs;
    uc.ss = PROGRAM_SS;
    memcpy(p, &uc, sizeof(uc));
    return true;
}

/* What 32-bit code can't see of a register is nobody's. */
static void narrow(struct engine *e)
{
    for (unsigned i = 0; i < 16; i++)
        e->r.gpr[i] = i < 8 ? (uint32_t)e->r.gpr[i] : 0;
    e->r.rip = (uint32_t)e->r.rip;
}

static bool frame_take(struct engine *e, struct cage_ucontext *uc)
{
    const uint8_t *p = frame_at(e);
    uint64_t *g = e->r.gpr;

    if (!p)
        return fail(e, "the program's process has lost its frame");
    memcpy(uc, p, sizeof(*uc)); /* once */
    g[REG_RAX] = uc->ax, g[REG_RBX] = uc->bx, g[REG_RCX] = uc->cx, g[REG_RDX] = uc->dx;
    g[REG_RSI] = uc->si, g[REG_RDI] = uc->di, g[REG_RBP] = uc->bp, g[REG_RSP] = uc->sp;
    memcpy(&g[REG_R8], &uc->r8, 8 * sizeof(*g));
    e->r.rip = uc->ip;
    e->r.rflags = uc->eflags & FLAGS_USER;
    if (e->env.program_narrow)
        narrow(e);
    return true;
}

/* ---- stops ---- */

void program_tell(struct engine *e, struct trap *t)
{
    e->env.trap(e->env.trap_ctx, 0, t);
}

static void call(struct engine *e, uint32_t arch)
{
    static const uint8_t regs[6] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};
    struct trap t = {.kind = TRAP_CALL, .count = 1, .addr = e->r.rip, .value = e->r.gpr[REG_RAX]};

    t.size = arch == AUDIT_ARCH_X86_64 ? TRAP_SYSCALL : TRAP_INT80;
    for (unsigned i = 0; i < 6; i++)
        t.hcall[i] = e->r.gpr[regs[i]];
    program_tell(e, &t);
    e->r.gpr[REG_RAX] = t.value;
}

static void fault(struct engine *e, uint64_t vector, uint64_t error, uint64_t cr2)
{
    struct trap t = {.kind = TRAP_FAULT, .count = 1, .addr = e->r.rip, .value = vector, .size = 4};

    t.hcall[0] = error;
    t.hcall[1] = cr2;
    program_tell(e, &t);
}

/* The entry that maps at, as a CPU's walk finds it; 0: none. */
static uint64_t walk(const struct engine *e, uint64_t at)
{
    uint64_t entry = e->r.cr3 | PTE_P;

    for (unsigned level = 4; level-- > 0;) {
        const uint8_t *table = ram_ptr(e->env.ram, entry & PTE_FRAME, RAM_PAGE_SIZE);

        if (!(entry & PTE_P) || !table)
            return 0;
        entry = le64_get(table + (at >> (12 + 9 * level) & 511) * 8);
    }
    return entry;
}

bool program_byte(const struct engine *e, uint64_t at, uint8_t *byte)
{
    uint64_t entry = walk(e, at);
    const uint8_t *p = ram_ptr(e->env.ram, (entry & PTE_FRAME) | (at & 0xfff), 1);

    if (!(entry & PTE_P) || !p)
        return false;
    *byte = *p;
    return true;
}

static bool allows(uint64_t entry, uint64_t error)
{
    return (entry & PTE_P) && (entry & PTE_U) && (!(error & 2) || (entry & PTE_W)) &&
           (!(error & 16) || !(entry & PTE_NX));
}

/* Into the cage's mappings; PROT_* have the values of mmap(2). */
static void fill(struct engine *e, uint64_t at, uint64_t entry)
{
    uint32_t prot = PROT_READ | (entry & PTE_W ? PROT_WRITE : 0) | (entry & PTE_NX ? 0 : PROT_EXEC);
    uint64_t page = at & ~(RAM_PAGE_SIZE - 1ull), gpa = entry & PTE_FRAME;

    if (page == e->same_page && ++e->same > SAME_MAX)
        fail(e, "a page that is there can't be used");
    if (page != e->same_page)
        e->same = 0;
    e->same_page = page;
    if (gpa < e->env.program_low || !ram_ptr(e->env.ram, gpa, RAM_PAGE_SIZE))
        fail(e, "page tables map what is not the program's");
    else
        program_op(e, PROGRAM_OP_MAP, page, prot, gpa);
}

static void page_fault(struct engine *e, const struct cage_ucontext *uc)
{
    uint64_t at = uc->cr2, error = uc->err & 0x16, entry = at < e->top ? walk(e, at) : 0;

    if (!allows(entry, error)) {
        fault(e, VEC_PF, error | (entry & PTE_P), at);
        if (__atomic_load_n(&e->stop, __ATOMIC_ACQUIRE))
            return;
        entry = at < e->top ? walk(e, at) : 0;
    }
    if (allows(entry, error))
        fill(e, at, entry);
}

static void stop_serve(struct engine *e, uint32_t sig, uint32_t arch)
{
    struct cage_ucontext uc;

    if (!frame_take(e, &uc))
        return;
    if (e->stops)
        e->stops->writes++;
    if (e->env.program_narrow && narrow_call(e, &uc, sig, arch)) {
        e->same_page = 0;
    } else if (sig == CAGE_SIG_SYS) {
        e->same_page = 0;
        call(e, uc.cs == PROGRAM_CS ? arch : 0);
    } else if (uc.cs != e->cs) {
        fault(e, VEC_GP, 0,
              0); /* by the host's segment of the other width, which its ABI has not */
    } else if (sig != CAGE_SIG_KICK && uc.trapno == VEC_PF) {
        page_fault(e, &uc);
    } else if (sig != CAGE_SIG_KICK) {
        fault(e, uc.trapno & 31, uc.err & UINT32_MAX, 0);
    }
}

static void once(struct engine *e)
{
    uint32_t sig, arch;

    segments(e);
    if (!frame_put(e) || !turn(e))
        return;
    sig = __atomic_load_n(&e->shared->sig, __ATOMIC_RELAXED);
    arch = __atomic_load_n(&e->shared->arch, __ATOMIC_RELAXED);
    if (sig != CAGE_SIG_NONE) {
        stop_serve(e, sig, arch);
        return;
    }
    /* A mapping was refused: a process has 65,530 of them. Again, from none. */
    if (++e->same > SAME_MAX)
        fail(e, "the kernel refuses the mappings that the program needs");
    e->shared->failed = 0;
    e->fs = e->gs = ~0ull;
    memset(e->tls, 0xff, sizeof(e->tls));
    forget(e);
}

static void program_run(struct engine *e, unsigned vcpu, struct trap *end)
{
    (void)vcpu;
    while (!e->failed) {
        if (__atomic_exchange_n(&e->stop, 0, __ATOMIC_ACQ_REL)) {
            end->kind = TRAP_KICK;
            return;
        }
        once(e);
    }
    end->kind = TRAP_FAIL;
    end->addr = e->r.rip;
    memcpy(end->why, e->why, sizeof(end->why));
}

/* ---- the rest of an engine ---- */

static void program_get(struct engine *e, unsigned vcpu, struct cpu_regs *r)
{
    (void)vcpu;
    *r = e->r;
}

static void program_set(struct engine *e, unsigned vcpu, const struct cpu_regs *r)
{
    (void)vcpu;
    e->r = *r;
    e->same_page = 0;
    forget(e);
}

static enum trap_rip program_trap_regs(struct engine *e, unsigned vcpu, struct cpu_regs *r)
{
    program_get(e, vcpu, r);
    return TRAP_RIP_AT;
}

static void program_resume(struct engine *e, unsigned vcpu, const struct cpu_regs *r)
{
    (void)vcpu;
    memcpy(e->r.gpr, r->gpr, sizeof(e->r.gpr));
    e->r.rip = r->rip;
}

static void program_kick(struct engine *e, unsigned vcpu, bool stop)
{
    (void)vcpu;
    if (!stop)
        return;
    __atomic_store_n(&e->stop, 1, __ATOMIC_SEQ_CST);
    process_poke(&e->process);
}

static void program_close(struct engine *e)
{
    process_end(&e->process);
    if (e->shared)
        munmap(e->shared, CAGE_SHARED_LEN);
    free(e);
}

static int cage_start(struct engine *e)
{
    const struct process_image image = {direct_program_monitor, direct_program_monitor_len};
    int fd[2] = {memfd_create("cage-shared", MFD_CLOEXEC), e->env.ram->fd}, err = 0;
    void *p = MAP_FAILED;

    if (fd[0] < 0 || ftruncate(fd[0], CAGE_SHARED_LEN))
        err = -errno;
    if (!err)
        p = mmap(NULL, CAGE_SHARED_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd[0], 0);
    if (!err && p == MAP_FAILED)
        err = -errno;
    if (!err) {
        e->shared = p;
        e->shared->parent = (uint64_t)getpid();
        e->shared->low = e->env.program_low;
        e->shared->narrow = e->env.program_narrow;
        err = process_start(&e->process, &image, fd, 2);
    }
    if (fd[0] >= 0)
        close(fd[0]);
    if (!err && (!turn_wait(e) || !__atomic_load_n(&e->shared->ready, __ATOMIC_RELAXED)))
        err = -EPERM;
    return err;
}

static int program_open(struct engine **out, const struct engine_env *env, struct error *err)
{
    struct engine *e;
    int code;

    if (env->vcpus != 1 || !env->program || env->ram->size > PROGRAM_RAM_MAX)
        return error_set(err, -EINVAL,
                         "engine direct runs programs of up to 2 GiB; give less with --memory");
    e = calloc(1, sizeof(*e));
    if (!e)
        return error_set(err, -ENOMEM, "engine direct: out of memory");
    e->env = *env;
    e->cs = env->program_narrow ? PROGRAM_CS32 : PROGRAM_CS;
    e->top = env->program_narrow ? PROGRAM_DESC : PROGRAM_TOP;
    memset(e->tls, 0xff, sizeof(e->tls));
    e->stops = env->ledger ? ledger_row(env->ledger, LEDGER_EXIT, "cpu0", "cage") : NULL;
    code = cage_start(e);
    if (code) {
        program_close(e);
        return error_set(err, code, "engine direct: the program's process can't be made: %s",
                         code == -EPERM ? "its monitor could not start (syscall user dispatch "
                                          "needs Linux 5.11; i386 programs, a kernel with "
                                          "IA32_EMULATION)"
                                        : strerror(-code));
    }
    *out = e;
    return 0;
}

const struct engine_ops engine_direct_program = {
    .name = "direct",
    .programs = ENGINE_AMD64 | ENGINE_I386,
    .open = program_open,
    .close = program_close,
    .get_regs = program_get,
    .set_regs = program_set,
    .run = program_run,
    .kick = program_kick,
    .trap_regs = program_trap_regs,
    .trap_resume = program_resume,
};
