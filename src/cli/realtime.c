/* sched(7): SCHED_RR. Round robin, so that two machines of one priority that both compute for ever
 * have turns; what is left for all others, 5 % of a CPU, is the kernel's own rule. */
#include "cli/realtime.h"
#include "core/error.h"
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int realtime_take(unsigned *prio, const char *value, struct error *err)
{
    char *end;
    unsigned long n = strtoul(value, &end, 10);

    if (*value < '0' || *value > '9' || *end || !n || n > 99)
        return error_set(err, -EINVAL, "--realtime %s: must be a priority, 1 to 99", value);
    *prio = (unsigned)n;
    return 0;
}

int realtime_enter(unsigned prio, struct error *err)
{
    const struct sched_param p = {.sched_priority = (int)prio};

    if (!prio || !sched_setscheduler(0, SCHED_RR, &p))
        return 0;
    if (errno == EPERM && !geteuid())
        return error_set(err, -EPERM,
                         "--realtime %u: not in this container or control group (CAP_SYS_NICE, "
                         "cpu.rt_runtime_us)",
                         prio);
    if (errno == EPERM)
        return error_set(err, -EPERM,
                         "--realtime %u: this user may not; run as root, give it CAP_SYS_NICE, or "
                         "raise its limit (ulimit -r %u)",
                         prio, prio);
    return error_set(err, -errno, "--realtime %u: %s", prio, strerror(errno));
}
