/* viaduct run and viaduct switch go into their jails: which system calls this command line needs
 * (sandbox/box.h). */
#include "cli/run_box.h"
#include "cli/service.h"
#include "cli/switch_place.h"
#include "board/board.h"
#include "core/error.h"
#include "engine/engine.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FRONT (BOX_BIT(BOX_FRONT) | BOX_BIT(BOX_STREAM) | BOX_BIT(BOX_CONNECT))

int box_take_mode(enum box_mode *mode, const char *value, struct error *err)
{
    if (strcmp(value, "auto") && strcmp(value, "require"))
        return error_set(err, -EINVAL, "--sandbox %s: must be auto or require", value);
    *mode = strcmp(value, "auto") ? BOX_REQUIRE : BOX_AUTO;
    return 0;
}

void box_gone(struct box *b, const char *path)
{
    const char *end = path ? strstr(path, ",log=") : NULL;

    if (path && b->gones < BOX_PATHS)
        snprintf(b->gone[b->gones++], BOX_PATH, "%.*s", (int)(end ? end - path : BOX_PATH - 1),
                 path);
}

static bool starts(const char *s, const char *with)
{
    return !strncmp(s, with, strlen(with));
}

void box_needs_chr(struct box *b, const char *spec)
{
    if (!spec)
        return;
    b->sets |= BOX_BIT(BOX_CHR) | (strcmp(spec, "stdio") ? 0 : BOX_BIT(BOX_TERMINAL));
    if (starts(spec, "socket=")) {
        b->sets |= BOX_BIT(BOX_LISTEN) | BOX_BIT(BOX_STREAM);
        box_gone(b, spec + strlen("socket="));
        b->sets |= strstr(spec, ",log=") ? BOX_BIT(BOX_CONSOLE_LOG) : 0;
    }
}

void box_needs_disk(struct box *b, const char *path)
{
    struct stat st;

    if (starts(path, "mem:"))
        return; /* memory is in every list */
    b->sets |= BOX_BIT(BOX_DISK) | BOX_BIT(BOX_RING);
    if (!stat(path, &st) && S_ISBLK(st.st_mode))
        b->sets |= BOX_BIT(BOX_BLOCK);
}

void box_needs_net(struct box *b, const char *spec)
{
    if (starts(spec, "tap="))
        b->sets |= BOX_BIT(BOX_TAP);
    else if (starts(spec, "user"))
        b->sets |= BOX_BIT(BOX_STREAM) | BOX_BIT(BOX_PASST);
    else if (starts(spec, "switch="))
        b->sets |= BOX_BIT(BOX_STREAM) | BOX_BIT(BOX_CONNECT);
}

void box_needs_place(struct box *b, const struct switch_place *p)
{
    if (p->socket) {
        b->sets |= BOX_BIT(BOX_LISTEN) | BOX_BIT(BOX_STREAM);
        box_gone(b, p->socket);
    } else {
        box_needs_net(b, p->spec);
    }
}

static void needs_engine(struct box *b, const struct vm_setup *s)
{
    const char *name = s->engine->name;

    if (!strcmp(name, "kvm")) {
        b->sets |= BOX_BIT(BOX_KVM) | (s->split ? BOX_BIT(BOX_KVM_CHIP) : 0);
        return;
    }
    b->sets |= BOX_BIT(BOX_DBT);
    if (!strcmp(name, "direct"))
        b->sets |= BOX_BIT(BOX_DIRECT);
}

static void needs_consoles(struct box *b, const struct vm_setup *s)
{
    box_needs_chr(b, s->console ? s->console : "stdio");
    box_needs_chr(b, s->pv_console);
    box_needs_chr(b, s->vconsole.spec);
    for (unsigned i = 0; i < s->vconsole.ports; i++)
        box_needs_chr(b, s->vconsole.port[i].spec);
}

static void needs_sockets(struct box *b, const struct run *r)
{
    if (r->ctl)
        b->sets |= BOX_BIT(BOX_LISTEN) | BOX_BIT(BOX_STREAM);
    box_gone(b, r->ctl);
    if (*r->metrics) {
        b->sets |= BOX_BIT(BOX_LISTEN) | BOX_BIT(BOX_STREAM);
        box_gone(b, r->metrics);
    }
    if (!r->vm.vsock.cid)
        return;
    b->sets |=
        BOX_BIT(BOX_LISTEN) | BOX_BIT(BOX_STREAM) | BOX_BIT(BOX_CONNECT) | BOX_BIT(BOX_VSOCK);
    box_gone(b, r->vm.vsock.host.path);
}

int run_box_enter(const struct run *r, struct error *err)
{
    const struct vm_setup *s = &r->vm;
    struct box b = {.mode = r->sandbox,
                    .sets = BOX_BIT(BOX_CORE) | BOX_BIT(BOX_LOOP) | BOX_BIT(BOX_THREADS) |
                            BOX_BIT(BOX_OUTPUT) | BOX_BIT(BOX_REPORT)};
    char role[32];

    snprintf(role, sizeof(role), "run/%s", s->engine->name);
    b.role = role;
    needs_engine(&b, s);
    needs_consoles(&b, s);
    needs_sockets(&b, r);
    for (unsigned i = 0; i < s->disks; i++) {
        if (s->disk[i].vhost)
            b.sets |= FRONT;
        else
            box_needs_disk(&b, s->disk[i].path);
        if (s->disk[i].trap != BOARD_TRAP_EACH)
            b.sets |= BOX_BIT(BOX_WATCH);
    }
    for (unsigned i = 0; i < s->nets; i++)
        if (s->net[i].vhost)
            b.sets |= FRONT;
        else
            box_needs_net(&b, s->net[i].spec);
    b.sets |= s->rng.used ? BOX_BIT(BOX_RANDOM) : 0;
    b.sets |= s->balloon.used ? BOX_BIT(BOX_BALLOON) : 0;
    b.sets |= s->screen.width ? BOX_BIT(BOX_SCREEN) : 0;
    b.sets |= s->shares ? BOX_BIT(BOX_SHARE) : 0;
    return box_enter(&b, err);
}

int switch_box_enter(const struct switch_place *place, unsigned places,
                     const struct service *service, enum box_mode mode, struct error *err)
{
    struct box b = {.role = "switch", .mode = mode, .sets = BOX_BIT(BOX_CORE) | BOX_BIT(BOX_LOOP)};

    for (unsigned i = 0; i < places; i++)
        box_needs_place(&b, &place[i]);
    service_box(service, &b);
    return box_enter(&b, err);
}
