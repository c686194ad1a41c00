/* What viaduct domain says of itself when it is asked (cli/service.h): disks, peers, switches. */
#ifndef CLI_DOMAIN_TELL_H
#define CLI_DOMAIN_TELL_H

#include "cli/domain.h"
#include "cli/domain_small.h"
#include "cli/domain_switch.h"
#include "cli/service.h"

struct domain_tell { /* what is looked at; all borrowed */
    const struct domain_device *device;
    unsigned devices;
    const struct domain_smalls *smalls;
    const struct domain_switches *switches;
    const struct ledger *ledger;
};

/* As struct service_opts has them; owner is a struct domain_tell. */
void domain_tell_source(void *owner, struct metrics_source *s);
unsigned domain_tell_disks(void *owner);
void domain_tell_disk(void *owner, unsigned n, struct qmp_disk *out);

#endif
