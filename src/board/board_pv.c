/*
 * The hypercall family on a board: disks, NICs and the console that were asked for so, at one pair
 * of ports and one interrupt, and what CPUID and ACPI say of them. Without any there is nothing.
 */
#include "board/acpi.h"
#include "board/board.h"
#include "board/map.h"
#include "core/error.h"
#include "core/leaf.h"
#include "pv/abi.h"
#include "pv/pv.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

_Static_assert(BOARD_DISKS + BOARD_NETS + 1 <= BOARD_PVS && BOARD_PVS <= PV_DEVS_MAX,
               "the family takes what a board has");

static unsigned asked(const struct board_setup *s)
{
    unsigned n = s->pv_console != NULL;

    for (unsigned i = 0; i < s->disks; i++)
        n += (s->disk[i].via & BOARD_HYPERCALL) != 0;
    for (unsigned i = 0; i < s->nets; i++)
        n += s->net[i].via == BOARD_HYPERCALL_NET;
    return n;
}

static const char *name(struct board *b, const char *prefix, unsigned n)
{
    char *s = b->pv_name[b->pvs++];

    snprintf(s, sizeof(b->pv_name[0]), "%s%u", prefix, n);
    return s;
}

static int parts_add(struct board *b)
{
    const struct board_setup *s = b->setup;
    unsigned disks = 0;
    int code = 0;

    for (unsigned i = 0; i < s->disks && !code; i++)
        if (s->disk[i].via & BOARD_HYPERCALL)
            code = pv_disk_add(b->pv, name(b, "pv-disk", disks++), s->disk[i].blk);
    for (unsigned i = 0; i < s->nets && !code; i++)
        if (s->net[i].via == BOARD_HYPERCALL_NET)
            code = pv_net_add(b->pv, name(b, "nic", i), s->net[i].net, s->net[i].mac);
    if (!code && s->pv_console)
        code = pv_console_add(b->pv, name(b, "pv-console", 0), s->pv_console);
    return code;
}

int board_pv(struct board *b, struct error *err)
{
    struct dev_env env;
    int code;

    if (!asked(b->setup))
        return 0;
    env = board_env_irq(b, "pv", MAP_IRQ_PV);
    code = pv_create(&b->pv, &env, MAP_PV);
    code = board_keep(b, code, &pv_class, b->pv, "pv");
    if (!code)
        code = parts_add(b);
    if (code)
        return error_set(err, code, "hypercall devices could not be made: %s", strerror(-code));
    return 0;
}

unsigned board_pv_leaves(const struct board *b, bool hcalls, struct leaf *two)
{
    if (!b->pv)
        return 0;
    two[0] = (struct leaf){PV_CPUID, {PV_CPUID + 1, PV_CPUID_EBX, PV_CPUID_ECX, PV_CPUID_EDX}};
    two[1] = (struct leaf){
        PV_CPUID + 1,
        {PV_VERSION, PV_FEATURE_PORT | (hcalls ? PV_FEATURE_VMCALL : 0), MAP_PV, MAP_IRQ_PV}};
    return 2;
}

void board_pv_part(struct acpi_part *p)
{
    *p = (struct acpi_part){
        .seg = "HCAL", .hid = PV_ACPI_HID, .io = {MAP_PV}, .io_len = {PV_PORTS}, .irq = MAP_IRQ_PV};
}
