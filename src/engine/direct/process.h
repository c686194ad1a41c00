/*
 * A child process made of a static program in memory. In a file of its own because <signal.h> and
 * core/cpu_regs.h both own the names REG_R8 … REG_R15.
 */
#ifndef ENGINE_DIRECT_PROCESS_H
#define ENGINE_DIRECT_PROCESS_H

#include "core/types.h"
#include <sys/types.h>

struct process {
    pid_t pid; /* 0: none */
    int pidfd;
};

struct process_image { /* a static program */
    const unsigned char *bytes;
    unsigned len;
};

/* In a session of its own, with nothing blocked; its descriptors from 3 on are fd[]. It has those
 * of ours that survive an exec, too: it must close them. 0 or -errno. */
int process_start(struct process *p, const struct process_image *image, const int *fd,
                  unsigned fds);
void process_end(struct process *p);
void process_poke(const struct process *p); /* SIGUSR1 */
bool process_gone(const struct process *p);

extern const unsigned char direct_monitor[];
extern const unsigned direct_monitor_len;
extern const unsigned char direct_program_monitor[];
extern const unsigned direct_program_monitor_len;

#endif
