/* viaduct compare: on which machine and when; figures as people read them. */
#include "cli/compare.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static void cpu_name(char *to, size_t room)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "re");

    snprintf(to, room, "unknown processor");
    while (f && fgets(line, sizeof(line), f)) {
        char *at = strchr(line, ':');

        if (strncmp(line, "model name", 10) || !at)
            continue;
        at[1 + strcspn(at + 1, "\n")] = 0;
        snprintf(to, room, "%s", at + 1 + strspn(at + 1, " "));
        break;
    }
    if (f)
        fclose(f);
}

void compare_host(struct compare *c)
{
    struct utsname u;
    time_t now = time(NULL);
    struct tm tm;
    double load[3];

    cpu_name(c->cpu, sizeof(c->cpu));
    if (uname(&u))
        u.sysname[0] = u.release[0] = 0;
    if (getloadavg(load, 3) != 3)
        load[0] = load[1] = load[2] = 0;
    snprintf(c->host, sizeof(c->host), "%ld CPUs, %.32s %.64s, load average %.2f before",
             sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release, load[0]);
    gmtime_r(&now, &tm);
    strftime(c->when, sizeof(c->when), "%Y-%m-%d %H:%M UTC", &tm);
}

/* No more digits than mean something; none behind the point if they are noughts. n/d: not
 * determined. */
void compare_count_show(char *to, size_t room, double v)
{
    char *end;

    if (isnan(v)) {
        snprintf(to, room, "n/d");
        return;
    }
    if (v > -0.0005 && v < 0.0005)
        v = 0;
    snprintf(to, room, v < 0.1 ? "%.3f" : v < 10 ? "%.2f" : "%.1f", v);
    end = to + strlen(to);
    while (strchr(to, '.') && end > to && end[-1] == '0')
        *--end = 0;
    if (end > to && end[-1] == '.')
        end[-1] = 0;
}

void compare_time_show(char *to, size_t room, double ns)
{
    const char *unit = ns < 1e3 ? "ns" : ns < 1e6 ? "µs" : "ms";
    double v = ns < 1e3 ? ns : ns < 1e6 ? ns / 1e3 : ns / 1e6;

    snprintf(to, room, "%.*f %s", v < 10 ? 2 : v < 100 ? 1 : 0, v, unit);
}

void compare_bytes_show(char *to, size_t room, double v)
{
    char plain[32];
    int len = snprintf(plain, sizeof(plain), isnan(v) ? "n/d" : "%.0f", v);
    size_t at = 0;

    for (int i = 0; i < len && at + 2 < room; i++) {
        if (i && (len - i) % 3 == 0 && !isnan(v))
            to[at++] = ',';
        to[at++] = plain[i];
    }
    to[at] = 0;
}

const char *compare_at_name(enum compare_at at)
{
    static const char *const name[] = {
        [AT_OPERATION] = "operation", [AT_DRIVER] = "device driver", [AT_SYSCALL] = "system call"};

    return name[at];
}
