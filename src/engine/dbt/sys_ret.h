/* What far RET and IRET share: the checks of the place they go back to. */
#ifndef ENGINE_DBT_SYS_RET_H
#define ENGINE_DBT_SYS_RET_H

#include "engine/dbt/sys.h"

struct ret_to {
    uint64_t rip, rsp;
    uint16_t cs, ss;
    unsigned cpl; /* level returned to */
    bool ss_null;
    struct desc code, stack;
};

void ret_check_code(struct cpu *cpu, struct ret_to *to); /* cs, rip; sets cpl and code */
void ret_check_ss(struct cpu *cpu, struct ret_to *to);   /* ss; sets stack, ss_null */
void ret_go_outer(struct cpu *cpu, struct ret_to *to);   /* CS, SS, RSP, RIP, CPL */

#endif
