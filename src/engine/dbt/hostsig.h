/* Preparing a thread to run translated code. */
#ifndef ENGINE_DBT_HOSTSIG_H
#define ENGINE_DBT_HOSTSIG_H

struct cpu;

/* Once per thread and vCPU: signal stack, handlers, mask. 0 or -1. */
int dbt_thread_enter(struct cpu *cpu);

#endif
