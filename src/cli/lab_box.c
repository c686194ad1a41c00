/* viaduct seat, and a lab's supervisor, go into their jails (sandbox/box.h). */
#include "cli/run_box.h"
#include <string.h>

int seat_box_enter(const char *vnc, const char *ctl, enum box_mode mode, struct error *err)
{
    struct box b = {.role = "seat",
                    .mode = mode,
                    .sets = BOX_BIT(BOX_CORE) | BOX_BIT(BOX_LOOP) | BOX_BIT(BOX_SEAT)};
    bool by_path = vnc && !strncmp(vnc, "unix:", 5);

    if (ctl || by_path)
        b.sets |= BOX_BIT(BOX_LISTEN);
    if (by_path)
        box_gone(&b, vnc + 5);
    box_gone(&b, ctl);
    return box_enter(&b, err);
}

int boss_box_enter(const char *run, struct error *err)
{
    struct box b = {.role = "up",
                    .sets = BOX_BIT(BOX_CORE) | BOX_BIT(BOX_LOOP) | BOX_BIT(BOX_LAB),
                    .reads = {"/"},
                    .changes = run};

    return box_enter(&b, err);
}
