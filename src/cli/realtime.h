/* --realtime PRIO: a CPU whenever it wants one. For a domain, and for machines that matter, on a
 * host that is full: docs/domain.md says what it bounds. */
#ifndef CLI_REALTIME_H
#define CLI_REALTIME_H

struct error;

#define REALTIME_VALUE "PRIO"
#define REALTIME_HELP                                                                              \
    "before all that is not of real time: SCHED_RR, 1 to 99; needs CAP_SYS_NICE, or ulimit -r"

/* 1 to 99 into *prio; -EINVAL with err filled. */
int realtime_take(unsigned *prio, const char *value, struct error *err);
/* This thread and all it makes from now on, threads and processes; 0: leaves all as it is. */
int realtime_enter(unsigned prio, struct error *err);

#endif
