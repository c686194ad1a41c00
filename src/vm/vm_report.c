/*
 * What the machine costs beyond the guest's own memory: proc(5), /proc/self/smaps. Proportional set
 * size, since the translator maps its code twice (once to write, once to run): each page counts
 * once.
 */
#include "vm/vm.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RAM_NAME "memfd:guest-ram"

uint64_t vm_footprint_of(int pid)
{
    uint64_t kib = 0, v;
    bool ram = false;
    char line[512];
    FILE *f;

    if (pid)
        snprintf(line, sizeof(line), "/proc/%d/smaps", pid);
    f = fopen(pid ? line : "/proc/self/smaps", "re");
    if (!f)
        return 0;
    /* Pss, not Rss: the code cache is mapped twice. */
    while (fgets(line, sizeof(line), f)) {
        /* A mapping's first line starts with its addresses, in hexadecimal and small letters. */
        if (line[0] < 'A' || line[0] >= 'a')
            ram = strstr(line, RAM_NAME) != NULL;
        else if (!ram && sscanf(line, "Pss: %" SCNu64, &v) == 1)
            kib += v;
    }
    fclose(f);
    return kib << 10;
}

uint64_t vm_footprint(void)
{
    return vm_footprint_of(0);
}
