/*
 * A program's traps: calls are looked up in its ABI's table, page faults are served from its
 * areas, and any other exception ends it as the signal Linux would have sent.
 */
#include "core/ledger.h"
#include "exec/prog.h"
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PF_PRESENT 1u
#define PF_WRITE   2u
#define PF_FETCH   16u
#define VEC_PF     14

void prog_exit(struct prog *p, int status)
{
    p->ended = true;
    p->end = (struct exec_end){.value = status & 0xff};
}

void prog_die(struct prog *p, int sig)
{
    p->ended = true;
    p->end = (struct exec_end){.signalled = true, .value = sig};
}

uint64_t prog_nr(const struct prog *p)
{
    return (uint64_t)(p->now - p->abi->call);
}

void prog_bytes(struct prog *p, bool to_program, uint64_t n)
{
    struct ledger_row *row = p->row_call[prog_nr(p)];

    if (to_program)
        row->read_bytes += n;
    else
        row->write_bytes += n;
}

/* Once each, so that a program that tries again and again says it once. */
static bool refused_before(struct prog *p, uint64_t nr)
{
    for (unsigned i = 0; i < p->refusals; i++)
        if (p->refused[i] == (unsigned)nr)
            return true;
    if (p->refusals < PROG_SEEN)
        p->refused[p->refusals++] = (unsigned)nr;
    return false;
}

int64_t prog_refuse(struct prog *p, uint64_t nr, const char *why, int err)
{
    char *name;

    if (nr < PROG_CALLS_MAX && p->row_call[nr])
        ledger_refuse(p->row_call[nr]);
    else
        ledger_refuse(p->row_unknown);
    if (refused_before(p, nr))
        return err;
    name = seccomp_syscall_resolve_num_arch(p->abi->word == 8 ? SCMP_ARCH_X86_64 : SCMP_ARCH_X86,
                                            (int)nr);
    log_guest(&p->budget, "%s: system call %llu (%s, %s) refused: %s", p->name,
              (unsigned long long)nr, name ? name : "unknown", p->abi->name, why);
    free(name);
    return err;
}

static uint64_t call_unknown(struct prog *p, uint64_t nr)
{
    p->row_unknown->writes++;
    return (uint64_t)prog_refuse(p, nr, "viaduct exec does not serve it", -ENOSYS);
}

static uint64_t call_serve(struct prog *p, uint64_t nr, const uint64_t a[6])
{
    const struct call *c = nr < p->abi->calls ? &p->abi->call[nr] : NULL;
    int64_t r;

    if (!c || !c->run)
        return call_unknown(p, nr);
    p->now = c;
    p->row_call[nr]->writes++;
    r = c->run(p, a);
    return p->abi->word == 4 ? (uint32_t)r : (uint64_t)r;
}

static void call_trap(struct prog *p, struct trap *t)
{
    uint32_t nr = (uint32_t)t->value;

    p->row_way[t->size]->writes++;
    if (!(p->abi->ways >> t->size & 1)) {
        log_guest(&p->budget, "%s: a call by another ABI's instruction at 0x%llx is refused",
                  p->name, (unsigned long long)t->addr);
        ledger_refuse(p->row_way[t->size]);
        prog_die(p, SIGSYS);
        return;
    }
    if (t->size == TRAP_SYSENTER) {
        uint8_t b[4];
        uint64_t sp = t->hcall[5];

        if (space_read(&p->space, sp, b, sizeof(b))) {
            prog_die(p, SIGSEGV);
            return;
        }
        t->hcall[5] = le32_get(b); /* the sixth argument is what EBP points at */
        prog_sysenter_return(p);
    }
    t->value = call_serve(p, nr, t->hcall);
}

static int signal_of(uint64_t vector)
{
    switch (vector) {
    case 0:
    case 16:
    case 19: return SIGFPE;
    case 1:
    case 3: return SIGTRAP;
    case 6: return SIGILL;
    case 11:
    case 12:
    case 17: return SIGBUS;
    default: return SIGSEGV;
    }
}

static void page_fault(struct prog *p, const struct trap *t)
{
    uint64_t at = t->hcall[1], code = t->hcall[0];
    unsigned want = code & PF_FETCH ? SPACE_EXEC : code & PF_WRITE ? SPACE_WRITE : SPACE_READ;
    int err = code & PF_PRESENT ? -EFAULT : space_fault(&p->space, at, want);
    const char *how = want == SPACE_EXEC ? "execute" : want == SPACE_WRITE ? "write" : "read";

    if (!err)
        return;
    ledger_refuse(p->row_fault);
    if (err == -ENOMEM) {
        log_error("%s: out of memory; give more with --memory", p->name);
        prog_die(p, SIGKILL);
        return;
    }
    prog_die(p, err == -EIO ? SIGBUS : SIGSEGV);
    log_error("%s: ended by %s: it may not %s address 0x%llx (at 0x%llx)", p->name,
              err == -EIO ? "SIGBUS" : "SIGSEGV", how, (unsigned long long)at,
              (unsigned long long)t->addr);
}

static void fault_trap(struct prog *p, struct trap *t)
{
    int sig;

    p->row_fault->writes++;
    if (t->value == VEC_PF) {
        page_fault(p, t);
        return;
    }
    sig = signal_of(t->value);
    ledger_refuse(p->row_fault);
    log_error("%s: ended by SIG%s: exception %llu at 0x%llx", p->name, sigabbrev_np(sig),
              (unsigned long long)t->value, (unsigned long long)t->addr);
    prog_die(p, sig);
}

void prog_trap(void *prog, unsigned vcpu, struct trap *t)
{
    struct prog *p = prog;

    (void)vcpu;
    if (p->ended)
        return;
    if (t->kind == TRAP_CALL && t->size < TRAP_WAYS) {
        call_trap(p, t);
    } else if (t->kind == TRAP_FAULT) {
        fault_trap(p, t);
    } else { /* there is nothing else it could reach */
        log_error("%s: ended by SIGKILL: it reached a device", p->name);
        prog_die(p, SIGKILL);
    }
    if (p->ended || p->space.stale || p->set_fs || p->set_gs || p->set_tls)
        prog_pause(p);
}
