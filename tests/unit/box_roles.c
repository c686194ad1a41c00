/* Roles by their command lines, as verbs hand them on: box_roles.h. */
#include "box_roles.h"
#include "cli/client_box.h"
#include "cli/domain.h"
#include "cli/domain_small.h"
#include "cli/domain_switch.h"
#include "cli/exec_box.h"
#include "cli/run_box.h"
#include "cli/service.h"
#include "cli/switch_place.h"
#include "core/error.h"
#include "engine/engine.h"
#include "exec/exec.h"

#include <fcntl.h>
#include <stdio.h>

/* ---- roles, and the sets that docs/containment.md gives them ---- */

#define ALL (BOX_BIT(BOX_CORE) | BOX_BIT(BOX_LOOP) | BOX_BIT(BOX_OUTPUT))
#define EXEC                                                                                       \
    (BOX_BIT(BOX_CORE) | BOX_BIT(BOX_THREADS) | BOX_BIT(BOX_OUTPUT) | BOX_BIT(BOX_DISK) |          \
     BOX_BIT(BOX_RING) | BOX_BIT(BOX_SERVE) | BOX_BIT(BOX_TREE) | BOX_BIT(BOX_CHANGE))
#define RUN                                                                                        \
    (ALL | BOX_BIT(BOX_THREADS) | BOX_BIT(BOX_TERMINAL) | BOX_BIT(BOX_CHR) | BOX_BIT(BOX_REPORT))

static int enter_run(struct run *r)
{
    struct error err = {0};
    int code;

    r->vm.console = "stdio";
    code = run_box_enter(r, &err);
    if (code)
        fprintf(stderr, "%s\n", err.text);
    return code;
}

static int enter_dbt(const void *disk)
{
    struct run r = {.vm = {.engine = &engine_dbt, .disks = 1, .disk[0].path = disk}};

    return enter_run(&r);
}

static int enter_kvm(const void *nothing)
{
    struct run r = {.vm = {.engine = &engine_kvm, .split = true}};

    (void)nothing;
    return enter_run(&r);
}

static int enter_direct(const void *nothing)
{
    struct run r = {.vm.engine = &engine_direct};

    (void)nothing;
    return enter_run(&r);
}

static int enter_switch(const void *nothing)
{
    const struct switch_place place[2] = {{.socket = "/tmp/viaduct-box"},
                                          {.spec = "switch=/tmp/viaduct-far"}};
    const struct service asked = {.ctl = "/tmp/viaduct-ctl"};
    struct error err = {0};

    (void)nothing;
    return switch_box_enter(place, ARRAY_LEN(place), &asked, BOX_AUTO, &err);
}

static int enter_domain(const void *disk)
{
    const struct domain_device device[2] = {
        {.disk = {.file = disk, .socket = "/tmp/viaduct-box"}},
        {.is_net = true, .net = {.spec = "switch=/tmp/viaduct-far", .socket = "/tmp/viaduct-box"}}};
    const struct domain_smalls smalls = {
        .smalls = 1, .small[0] = {.kind = DOMAIN_RNG, .socket = "/tmp/viaduct-box"}};
    const struct domain_switches none = {.ports = 0};
    const struct service asked = {.ctl = NULL};
    const struct domain_served served = {device, ARRAY_LEN(device), &none, &smalls, &asked};
    struct error err = {0};

    return domain_box_enter(&served, BOX_AUTO, &err);
}

static int enter_exec(const void *disk)
{
    struct exec_setup s = {.engine = &engine_dbt, .disks = 1, .disk[0].path = disk};
    int root = open("/usr/share/doc", O_PATH | O_DIRECTORY);
    struct error err = {0};

    return exec_box_enter(&s, root, true, BOX_AUTO, &err);
}

static int enter_seat(const void *nothing)
{
    struct error err = {0};

    (void)nothing;
    return seat_box_enter("unix:/tmp/viaduct-box", "/tmp/viaduct-box", BOX_AUTO, &err);
}

static int enter_up(const void *run)
{
    struct error err = {0};

    return boss_box_enter(run, &err);
}

/* What the user calls: each as wide as it can be. */
static int enter_client(const void *client)
{
    struct error err = {0};

    return client_box_enter(client, &err);
}

/* Those who only speak, in one: ctl, top, metrics, console and logs have less each. */
#define SPEAKS                                                                                     \
    (BOX_BIT(BOX_FEW) | BOX_BIT(BOX_TELL) | BOX_BIT(BOX_ASK) | BOX_BIT(BOX_PAUSE) |                \
     BOX_BIT(BOX_WINDOW) | BOX_BIT(BOX_PICTURE) | BOX_BIT(BOX_WAIT) | BOX_BIT(BOX_RAW) |           \
     BOX_BIT(BOX_COPY))
#define REPLAYS (BOX_BIT(BOX_FEW) | BOX_BIT(BOX_TELL) | BOX_BIT(BOX_MAKE))
#define READS   (BOX_BIT(BOX_CORE) | BOX_BIT(BOX_TELL) | BOX_BIT(BOX_LOOK))

#define LISTS  (BOX_BIT(BOX_FEW) | BOX_BIT(BOX_TELL) | BOX_BIT(BOX_TABLE))
#define SIZES  (LISTS | BOX_BIT(BOX_SIZES))
#define CARVES (SIZES | BOX_BIT(BOX_CARVE) | BOX_BIT(BOX_PARTS))
static const struct client speaker = {"speaker", SPEAKS, BOX_AUTO};
static const struct client replay = {"replay", REPLAYS, BOX_AUTO};
static const struct client dialler = {"top's dialler", BOX_BIT(BOX_CORE) | BOX_BIT(BOX_DIAL),
                                      BOX_AUTO};
static const struct client eye = {"logs' eye", READS, BOX_AUTO};
static const struct client list = {"disk", LISTS, BOX_AUTO};
static const struct client list_device = {"disk", SIZES, BOX_AUTO};
static const struct client disk = {"disk", CARVES, BOX_AUTO};
static const struct client ps = {"ps", READS | BOX_BIT(BOX_COST), BOX_AUTO};

const struct role roles[ROLES] = {
    {"run/dbt", enter_dbt, "/dev/null/disk",
     RUN | BOX_BIT(BOX_DBT) | BOX_BIT(BOX_DISK) | BOX_BIT(BOX_RING)},
    {"run/kvm", enter_kvm, NULL, RUN | BOX_BIT(BOX_KVM) | BOX_BIT(BOX_KVM_CHIP)},
    {"run/direct", enter_direct, NULL, RUN | BOX_BIT(BOX_DBT) | BOX_BIT(BOX_DIRECT)},
    {"switch", enter_switch, NULL,
     BOX_BIT(BOX_CORE) | BOX_BIT(BOX_LOOP) | BOX_BIT(BOX_LISTEN) | BOX_BIT(BOX_STREAM) |
         BOX_BIT(BOX_CONNECT)},
    {"domain", enter_domain, "/dev/null/disk",
     ALL | BOX_BIT(BOX_BACK) | BOX_BIT(BOX_DISK) | BOX_BIT(BOX_RING) | BOX_BIT(BOX_THREADS) |
         BOX_BIT(BOX_STREAM) | BOX_BIT(BOX_CONNECT) | BOX_BIT(BOX_RANDOM)},
    {"exec/dbt", enter_exec, "/dev/null/disk", EXEC | BOX_BIT(BOX_DBT)},
    {"seat", enter_seat, NULL,
     BOX_BIT(BOX_CORE) | BOX_BIT(BOX_LOOP) | BOX_BIT(BOX_SEAT) | BOX_BIT(BOX_LISTEN)},
    {"speaker", enter_client, &speaker, SPEAKS},
    {"replay", enter_client, &replay, REPLAYS},
    {"top's dialler", enter_client, &dialler, BOX_BIT(BOX_CORE) | BOX_BIT(BOX_DIAL)},
    {"logs' eye", enter_client, &eye, READS},
    {"ps", enter_client, &ps, READS | BOX_BIT(BOX_COST)},
    {"disk", enter_client, &list, LISTS},
    {"disk", enter_client, &list_device, SIZES},
    {"disk", enter_client, &disk, CARVES},
    {"up", enter_up, BOX_RUN, BOX_BIT(BOX_CORE) | BOX_BIT(BOX_LOOP) | BOX_BIT(BOX_LAB)},
};
