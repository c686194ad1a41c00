/*
 * What happens when a peer cuts the file short that it lent: the kernel sends SIGBUS to the thread
 * that touches a page that is gone. The handler puts a page of zeroes there and says that the
 * memory is lost; the access goes on, and whoever serves that peer lets go of it. (System calls
 * that touch such a page fail with EFAULT instead: nothing to do.)
 *
 * A handler has no argument, so each thread keeps a list of the memory that it serves.
 */
#include "mem/lent.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

static _Thread_local struct lent *guarded __attribute__((tls_model("initial-exec")));

static bool page_replace(const struct lent_map *map, uintptr_t addr)
{
    uintptr_t base = (uintptr_t)map->host, page;

    if (!map->host || addr < base || addr - base >= map->len)
        return false;
    page = addr - (addr - base) % map->unit; /* a mapping starts at a unit */
    return mmap((void *)page, map->unit, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED;
}

static bool lent_replace(struct lent *m, uintptr_t addr)
{
    bool found = page_replace(&m->log, addr) || page_replace(&m->record, addr);

    for (unsigned i = 0; i < RAM_SLOTS_MAX && !found; i++)
        found = page_replace(&m->slot[i], addr);
    if (found)
        m->lost = true;
    return found;
}

static void on_bus_error(int sig, siginfo_t *info, void *context)
{
    int saved = errno;

    (void)context;
    for (struct lent *m = guarded; m; m = m->next) /* bound: the sockets that are served */
        if (lent_replace(m, (uintptr_t)info->si_addr)) {
            errno = saved;
            return;
        }
    signal(sig, SIG_DFL); /* nobody's: happens again, and ends the process */
}

int lent_guard(struct lent *m)
{
    struct sigaction act = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};

    if (sigaction(SIGBUS, &act, NULL))
        return -errno;
    m->next = guarded;
    guarded = m;
    return 0;
}

void lent_unguard(struct lent *m)
{
    for (struct lent **at = &guarded; *at; at = &(*at)->next)
        if (*at == m) {
            *at = m->next;
            return;
        }
}
