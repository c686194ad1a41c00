/*
 * How long some threads have waited for a CPU, all together (proc(5), /proc/PID/schedstat, the
 * second number: time on a run queue). What a request took, less what those on its way waited
 * meanwhile, is what its way takes on a host that has a CPU for each: so a benchmark on a busy host
 * can tell its own queues from the host's.
 */
#ifndef FAULT_WAITS_H
#define FAULT_WAITS_H

#include <stdint.h>

enum { WAITS_MAX = 32 };

struct waits {
    int fd[WAITS_MAX];
    unsigned n;
};

/* All threads of that process that there are now; 0 is the calling thread. */
void waits_add(struct waits *w, int pid);
uint64_t waits_ns(const struct waits *w);
void waits_close(struct waits *w);

#endif
