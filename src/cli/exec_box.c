/*
 * The jail of viaduct exec (sandbox/box.h): which system calls this command line needs. Needed
 * after start-up: the names below --root, the standard streams, disks, and a file that is open for
 * the ledger; no socket, no other process but the cage of engine direct.
 */
#include "cli/exec_box.h"
#include "engine/engine.h"
#include "exec/exec.h"
#include <stdio.h>
#include <string.h>

int exec_box_enter(const struct exec_setup *s, int root, bool output, enum box_mode mode,
                   struct error *err)
{
    struct box b = {.mode = mode,
                    .tree = root,
                    .sets = BOX_BIT(BOX_CORE) | BOX_BIT(BOX_THREADS) | BOX_BIT(BOX_SERVE)};
    char role[32];

    snprintf(role, sizeof(role), "exec/%s", s->engine->name);
    b.role = role;
    b.sets |= strcmp(s->engine->name, "direct") ? BOX_BIT(BOX_DBT) : BOX_BIT(BOX_DIRECT);
    b.sets |= output ? BOX_BIT(BOX_OUTPUT) : 0;
    if (root >= 0)
        b.sets |= BOX_BIT(BOX_TREE) | (s->root_readonly ? 0 : BOX_BIT(BOX_CHANGE));
    for (unsigned i = 0; i < s->disks; i++)
        box_needs_disk(&b, s->disk[i].path);
    return box_enter(&b, err);
}
