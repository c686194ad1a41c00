/* client_box.h tells. */
#include "cli/client_box.h"
#include "cli/lab.h"
#include <errno.h>

int client_take_sandbox(void *client, const char *value, struct error *err)
{
    return box_take_mode(&((struct client *)client)->mode, value, err);
}

int client_take_no_sandbox(void *client, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    ((struct client *)client)->mode = BOX_OFF;
    return 0;
}

int client_box_enter(const struct client *c, struct error *err)
{
    struct box b = {.role = c->role, .mode = c->mode, .sets = c->sets};
    char base[LAB_RUN];

    if (c->sets & BOX_BIT(BOX_LOOK)) {
        int code = lab_base(base, sizeof(base), err);

        if (code)
            return code;
        b.reads[0] = base;
        b.reads[1] = "/proc";
    }
    if (c->sets & BOX_BIT(BOX_PARTS)) {
        b.reads[0] = "/sys";
        b.reads[1] = "/dev";
    }
    return box_enter(&b, err) ? -EINVAL : 0; /* as what can't be run so: status 2 */
}
