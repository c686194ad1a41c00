/* The ledger's own struct, for core/ledger*.c only. */
#ifndef CORE_LEDGER_IMPL_H
#define CORE_LEDGER_IMPL_H

#include "core/ledger.h"
#include <pthread.h>

struct ledger {
    pthread_mutex_t lock; /* of the list's tail */
    struct ledger_row *first, *last;
};

#endif
