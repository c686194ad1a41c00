/*
 * What the machine costs beyond the guest's own memory: proc(5), /proc/self/smaps. Proportional set
 * size, since the translator maps its code twice (once to write, once to run): each page counts
 * once.
 */
#include "vm/vm_impl.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RAM_NAME "memfd:guest-ram"

/* Open since before the jail, which opens no more files. */
void report_open(struct vm *vm)
{
    vm->smaps = fopen("/proc/self/smaps", "re");
}

void report_close(struct vm *vm)
{
    if (vm->smaps)
        fclose(vm->smaps);
    vm->smaps = NULL;
}

static uint64_t sum(FILE *f)
{
    uint64_t kib = 0, v;
    bool ram = false;
    char line[512];

    /* Pss, not Rss: the code cache is mapped twice. */
    while (fgets(line, sizeof(line), f)) {
        /* A mapping's first line starts with its addresses, in hexadecimal and small letters. */
        if (line[0] < 'A' || line[0] >= 'a')
            ram = strstr(line, RAM_NAME) != NULL;
        else if (!ram && sscanf(line, "Pss: %" SCNu64, &v) == 1)
            kib += v;
    }
    return kib << 10;
}

uint64_t vm_footprint(struct vm *vm)
{
    if (!vm->smaps)
        return 0;
    rewind(vm->smaps);
    return sum(vm->smaps);
}

uint64_t vm_footprint_of(int pid)
{
    char path[32];
    uint64_t bytes;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
    f = fopen(path, "re");
    if (!f)
        return 0;
    bytes = sum(f);
    fclose(f);
    return bytes;
}
