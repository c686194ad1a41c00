/* Time: the host's clocks. A program that sleeps sleeps here. */
#include "exec/call.h"
#include <errno.h>
#include <sys/times.h>

static bool clock_known(uint64_t id)
{
    return id <= CLOCK_BOOTTIME && id != 10;
}

int64_t call_clock_gettime(struct prog *p, const uint64_t a[6])
{
    struct timespec ts;

    if (!clock_known(a[0]) || clock_gettime((clockid_t)a[0], &ts))
        return -EINVAL;
    return prog_put_time(p, a[1], &ts);
}

int64_t call_clock_getres(struct prog *p, const uint64_t a[6])
{
    struct timespec ts;

    if (!clock_known(a[0]) || clock_getres((clockid_t)a[0], &ts))
        return -EINVAL;
    return a[1] ? prog_put_time(p, a[1], &ts) : 0;
}

static int64_t sleep_for(struct prog *p, clockid_t id, int flags, uint64_t at)
{
    struct timespec ts;
    int err = prog_get_time(p, at, &ts);

    /* There are no signals here, so it always sleeps to the end and no rest is ever told. */
    return err ? err : -clock_nanosleep(id, flags, &ts, NULL);
}

int64_t call_nanosleep(struct prog *p, const uint64_t a[6])
{
    return sleep_for(p, CLOCK_MONOTONIC, 0, a[0]);
}

int64_t call_clock_nanosleep(struct prog *p, const uint64_t a[6])
{
    if (!clock_known(a[0]) || (a[1] & ~(uint64_t)TIMER_ABSTIME))
        return -EINVAL;
    return sleep_for(p, (clockid_t)a[0], (int)a[1], a[2]);
}

int64_t call_gettimeofday(struct prog *p, const uint64_t a[6])
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    ts.tv_nsec /= 1000;
    return a[0] ? prog_put_time(p, a[0], &ts) : 0;
}

int64_t call_time(struct prog *p, const uint64_t a[6])
{
    struct timespec ts;
    time_t now;

    clock_gettime(CLOCK_REALTIME, &ts);
    now = ts.tv_sec;
    if (a[0] && prog_put_word(p, a[0], (uint64_t)now))
        return -EFAULT;
    return now;
}

int64_t call_times(struct prog *p, const uint64_t a[6])
{
    struct tms t;
    clock_t now = times(&t);
    uint64_t v[4] = {(uint64_t)t.tms_utime, (uint64_t)t.tms_stime, 0, 0};

    for (unsigned i = 0; a[0] && i < 4; i++)
        if (prog_put_word(p, a[0] + i * p->abi->word, v[i]))
            return -EFAULT;
    return now & INT64_MAX;
}
