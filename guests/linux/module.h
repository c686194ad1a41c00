/* The ways as the module's one list of them, and what the user asked for. */
#ifndef LINUX_MODULE_H
#define LINUX_MODULE_H

#include <linux/types.h>

/* Whether controllers reached this way are to be bound: way=NAME, or way=auto for all. */
bool way_wanted(const char *name);

extern unsigned way_looks; /* module parameter: how often to look before waiting */

int regs_register(void);
void regs_unregister(void);

#endif
