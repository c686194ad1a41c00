/*
 * Taking turns with the cage: the VMM's half of monitor.c. A turn is handed over in shared memory;
 * who waits looks at it for a while, since the other side is mostly done within microseconds, and
 * then sleeps on the futex. futex(2), memfd_create(2).
 */
#include "core/error.h"
#include "engine/direct/direct.h"
#include "mem/ram.h"
#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SPIN_US   20u
#define LOOK_NS   50000000l /* while asleep: is the cage still there? */
#define STOP_LATE 40        /* such looks after a stop was asked for; then the cage is killed */

bool cage_fail(struct direct *d, const char *why)
{
    snprintf(d->cpu->why, sizeof(d->cpu->why), "engine direct: %s", why);
    d->cpu->failed = true;
    return false;
}

/* ---- turns ---- */

static bool mine(const struct cage *c)
{
    return __atomic_load_n(&c->shared->turn, __ATOMIC_ACQUIRE) == CAGE_TURN_VMM;
}

static void sleep_once(struct cage *c)
{
    const struct timespec limit = {0, LOOK_NS};

    __atomic_store_n(&c->shared->vmm_sleeps, 1, __ATOMIC_SEQ_CST);
    if (!mine(c))
        (void)syscall(SYS_futex, &c->shared->turn, FUTEX_WAIT, CAGE_TURN_CAGE, &limit, NULL, 0);
    __atomic_store_n(&c->shared->vmm_sleeps, 0, __ATOMIC_SEQ_CST);
}

static uint64_t spin_ticks(const struct direct *d)
{
    return d->cpu->tsc_hz / 1000000 * SPIN_US;
}

/* The cage has the turn; comes back with it, or with false if it will never be back. */
static bool turn_wait(struct direct *d)
{
    struct cage *c = &d->cage;
    unsigned late = 0;

    if (cage_spin(&c->spin, &c->shared->turn, CAGE_TURN_VMM, spin_ticks(d)))
        return true;
    while (!mine(c)) {
        sleep_once(c);
        if (mine(c))
            break;
        if (process_gone(&c->process))
            return cage_fail(d, "the guest's process has ended");
        /* Code that blocks signals is not 32-bit guest code. */
        if (__atomic_load_n(&d->cpu->stop, __ATOMIC_ACQUIRE) && ++late > STOP_LATE) {
            process_end(&c->process);
            return cage_fail(d, "the guest's process did not stop when it was told to");
        }
    }
    return true;
}

static void turn_give(struct cage *c)
{
    __atomic_store_n(&c->shared->turn, CAGE_TURN_CAGE, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&c->shared->cage_sleeps, __ATOMIC_SEQ_CST))
        (void)syscall(SYS_futex, &c->shared->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static bool turn(struct direct *d, bool resume)
{
    struct cage *c = &d->cage;

    if (!c->process.pid)
        return cage_fail(d, "the guest's process is gone");
    c->shared->ops = c->ops;
    c->shared->resume = resume;
    c->shared->spin_ticks = spin_ticks(d);
    memcpy(c->shared->sel, d->sel, sizeof(d->sel));
    c->ops = 0;
    turn_give(c);
    if (!turn_wait(d))
        return false;
    if (__atomic_load_n(&c->shared->failed, __ATOMIC_RELAXED))
        return cage_fail(d, "the kernel refused a mapping or a segment that the guest needs");
    return true;
}

bool cage_run(struct direct *d, struct cage_stop *stop)
{
    struct cage *c = &d->cage;
    bool ok;

    /* The flag before the look: a kick sets exit_request, then looks at the flag. */
    __atomic_store_n(&c->in, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&d->cpu->exit_request, __ATOMIC_SEQ_CST)) {
        __atomic_store_n(&c->in, 0, __ATOMIC_SEQ_CST);
        return false;
    }
    ok = frame_put(d) && turn(d, true);
    __atomic_store_n(&c->in, 0, __ATOMIC_SEQ_CST);
    return ok && frame_take(d, stop);
}

void cage_kick(struct direct *d)
{
    if (__atomic_load_n(&d->cage.in, __ATOMIC_SEQ_CST))
        process_poke(&d->cage.process);
}

/* ---- what the cage is asked to do before it goes on ---- */

static struct cage_op *op_next(struct direct *d)
{
    struct cage *c = &d->cage;

    if (c->ops == CAGE_OPS && !turn(d, false))
        c->ops = 0; /* it has failed for good */
    return &c->shared->op[c->ops++];
}

void cage_protect(struct direct *d, uint64_t at, uint64_t len, uint32_t prot)
{
    *op_next(d) = (struct cage_op){.kind = CAGE_OP_PROTECT, .prot = prot, .at = at, .len = len};
}

void cage_segment(struct direct *d, const void *user_desc)
{
    struct cage_op *op = op_next(d);

    *op = (struct cage_op){.kind = CAGE_OP_SEGMENT};
    memcpy(op->desc, user_desc, sizeof(op->desc));
}

/* ---- its life ---- */

static int shared_make(struct direct *d, int *fd)
{
    struct cage *c = &d->cage;
    void *p;

    *fd = memfd_create("cage-shared", MFD_CLOEXEC);
    if (*fd < 0 || ftruncate(*fd, CAGE_SHARED_LEN))
        return -errno;
    p = mmap(NULL, CAGE_SHARED_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    c->shared = p;
    c->shared->ram = d->ram->size;
    c->shared->parent = (uint64_t)getpid();
    c->shared->pages = d->pages;
    for (unsigned i = 0; i < d->pages; i++)
        c->shared->page[i] = d->page[i]->gpa;
    return 0;
}

static int start(struct direct *d, int shared_fd, int code_fd)
{
    const struct process_image image = {direct_monitor, direct_monitor_len};
    int fd[3 + CAGE_PAGES] = {shared_fd, d->ram->fd, code_fd};

    for (unsigned i = 0; i < d->pages; i++)
        fd[3 + i] = d->page[i]->fd;
    return process_start(&d->cage.process, &image, fd, 3 + d->pages);
}

/* The code view is handed over for reading, so no mapping of the cage can ever write it. */
int cage_open(struct direct *d, struct error *err)
{
    int fd = -1, code_fd, code = code_open(d, &code_fd);

    memset(&d->cage, 0, sizeof(d->cage));
    memset(d->slot_known, 0, sizeof(d->slot_known));
    if (!code)
        code = shared_make(d, &fd);
    if (!code)
        code = start(d, fd, code_fd);
    if (fd >= 0)
        close(fd);
    if (code_fd >= 0)
        close(code_fd);
    if (!code && (!turn_wait(d) || d->cage.shared->sig == CAGE_SIG_NONE))
        code = -EPERM;
    d->cpu->failed = false;
    if (code) {
        cage_close(d);
        return error_set(err, code, "engine direct: the process for guest code can't be made: %s",
                         code == -EPERM ? "its monitor could not start" : strerror(-code));
    }
    return 0;
}

void cage_close(struct direct *d)
{
    process_end(&d->cage.process);
    if (d->cage.shared)
        munmap(d->cage.shared, CAGE_SHARED_LEN);
    memset(&d->cage, 0, sizeof(d->cage));
    code_close(d);
}
