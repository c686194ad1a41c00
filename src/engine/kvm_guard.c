/*
 * Engine kvm: pages with patched instructions, which the guest must not write before its own bytes
 * are back (mem/ram.h, RAM_PATCH). KVM gets a mapping of guest RAM of its own, in which such pages
 * are write-protected: mprotect(2) makes KVM drop its entries for them, and let the guest only read
 * and run them anew. A store then ends KVM_RUN with EFAULT, with nothing done (api.rst, KVM_RUN);
 * where KVM emulates the store it comes out as MMIO instead. No memory slot changes, so no other
 * vCPU ever finds a page missing.
 */
#include "engine/kvm.h"
#include "engine/kvm_insn.h"
#include "mem/ram.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static void count(struct engine *e, unsigned by)
{
    __atomic_fetch_add(&e->guards, by, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&e->guard_changes, 1, __ATOMIC_SEQ_CST);
}

/* Counted before the page is taken, and after it is given back: another vCPU that finds it taken
 * finds the count, too. */
static void guard(void *arg, gpa_t page, bool on)
{
    struct engine *e = arg;
    uint8_t *at = kvm_slot_host(e, ram_ptr(e->env.ram, page, RAM_PAGE_SIZE));

    if (on)
        count(e, 1);
    (void)mprotect(at, RAM_PAGE_SIZE, on ? PROT_READ : PROT_READ | PROT_WRITE);
    if (!on)
        count(e, -1u);
}

static void *map(void *at, uint64_t len, int fd)
{
    return mmap(at, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | (at ? MAP_FIXED : 0),
                fd, 0);
}

/* Longer than the file behind it at first: a screen's pages have another. */
int kvm_guard_open(struct engine *e)
{
    struct ram *ram = e->env.ram;
    uint8_t *p;

    if (!e->env.patches)
        return 0;
    p = map(NULL, ram->size + ram->screen, ram->fd);
    if (p == MAP_FAILED)
        return -errno;
    e->alias = p;
    if (ram->screen && map(p + ram->size, ram->screen, ram->screen_fd) == MAP_FAILED)
        return -errno;
    ram->guard = guard;
    ram->guard_arg = e;
    return 0;
}

void kvm_guard_close(struct engine *e)
{
    if (!e->alias)
        return;
    e->env.ram->guard = NULL;
    munmap(e->alias, e->env.ram->size + e->env.ram->screen);
}

uint8_t *kvm_slot_host(const struct engine *e, uint8_t *host)
{
    return e->alias ? e->alias + (host - e->env.ram->slot[0].host) : host;
}

/* The pages that the instruction writes, if that can be told, and if they are ours; else all. */
bool kvm_guard_fault(struct kvm_vcpu *v, unsigned before)
{
    struct engine *e = v->engine;
    struct ram *ram = e->env.ram;
    gpa_t page[8];
    unsigned n = __atomic_load_n(&e->guards, __ATOMIC_SEQ_CST)
                     ? kvm_insn_writes(v, page, ARRAY_LEN(page))
                     : 0;

    while (n--)
        ram_original(ram, page[n], RAM_PAGE_SIZE);
    if (__atomic_load_n(&e->guard_changes, __ATOMIC_SEQ_CST) == before &&
        __atomic_load_n(&e->guards, __ATOMIC_SEQ_CST))
        ram->patch_back(ram->patch_arg, 0, UINT64_MAX);
    return __atomic_load_n(&e->guard_changes, __ATOMIC_SEQ_CST) != before;
}

/* Just what it hits: the page stays as it is, so that a guest that copies code finds all of a patch
 * or nothing of it. */
bool kvm_guard_store(struct engine *e, const struct trap *t)
{
    struct ram *ram = e->env.ram;

    if (!e->alias || !ram_ptr(ram, t->addr, t->size))
        return false;
    ram->patch_store(ram->patch_arg, t->addr, &t->value, t->size);
    ram_written(ram, t->addr, t->size);
    return true;
}
