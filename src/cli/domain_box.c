/* viaduct domain goes into its jail: which system calls what it serves needs (sandbox/box.h). */
#include "cli/domain.h"
#include "cli/domain_small.h"
#include "cli/domain_switch.h"
#include "cli/run_box.h"
#include "cli/service.h"
#include <string.h>

static void needs_device(struct box *b, const struct domain_device *d)
{
    box_gone(b, domain_socket(d));
    if (d->is_net) {
        box_needs_net(b, d->net.spec); /* a port of a switch inside needs nothing */
        return;
    }
    box_needs_disk(b, d->disk.file);
    if (b->sets & BOX_BIT(BOX_DISK))
        b->sets |= BOX_BIT(BOX_THREADS); /* its worker */
}

static void needs_small(struct box *b, const struct domain_small *s)
{
    box_gone(b, s->socket);
    if (s->kind == DOMAIN_RNG)
        b->sets |= BOX_BIT(BOX_RANDOM);
    else if (s->kind == DOMAIN_CONSOLE)
        box_needs_chr(b, s->spec);
}

int domain_box_enter(const struct domain_served *s, enum box_mode mode, struct error *err)
{
    struct box b = {.role = "domain",
                    .mode = mode,
                    .sets = BOX_BIT(BOX_CORE) | BOX_BIT(BOX_LOOP) | BOX_BIT(BOX_OUTPUT) |
                            BOX_BIT(BOX_BACK)};

    for (unsigned i = 0; i < s->devices; i++)
        needs_device(&b, &s->device[i]);
    for (unsigned i = 0; i < s->smalls->smalls; i++)
        needs_small(&b, &s->smalls->small[i]);
    for (unsigned i = 0; i < s->switches->ports; i++)
        box_needs_place(&b, &s->switches->port[i].place);
    service_box(s->service, &b);
    return box_enter(&b, err);
}
