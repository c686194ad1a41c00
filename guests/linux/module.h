/* The ways as the module's one list of them, and what the user asked for. */
#ifndef LINUX_MODULE_H
#define LINUX_MODULE_H

#include <linux/types.h>

/* Whether controllers reached this way are to be bound: way=NAME, or way=auto for all. */
bool way_wanted(const char *name);

/* Whether calls are to be made by VMCALL, where that is or isn't possible. */
bool way_vmcall(bool possible);

extern unsigned way_looks; /* module parameter: how often to look before waiting */

extern bool way_poll; /* module parameter: ask the hypervisor to look at rings unkicked */

int regs_register(void);
int hc_register(void);
void hc_unregister(void);
void regs_unregister(void);

#endif
