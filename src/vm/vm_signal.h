/* Signals that the machine hears, as a descriptor. Apart from the rest because <signal.h> and
 * core/cpu_regs.h name registers alike. */
#ifndef VM_VM_SIGNAL_H
#define VM_VM_SIGNAL_H

#include <stdbool.h>

/* Blocks them (before any thread is made, so that all leave them to the loop): a descriptor, -1. */
int signals_open(void);
enum signals_said {
    SIGNALS_NONE,
    SIGNALS_END,
    SIGNALS_SIZE, /* the terminal has another */
    SIGNALS_TELL  /* the ledger, as it stands */
};
enum signals_said signals_take(int fd);

#endif
