/*
 * viaduct_regdisk.ko: Linux's driver for viaduct's register disk, by each way to reach it. The
 * parameter way= says which: so one kernel, file system and program run over every way
 * (docs/linux-driver.md).
 */
#include "module.h"
#include "disk.h"
#include <linux/module.h>

static char *way = "auto";
module_param(way, charp, 0444);
MODULE_PARM_DESC(
    way, "which controllers to bind: auto (all), pio, mmio, writes, hypercall, batch, ring");

unsigned way_looks = 1;
module_param_named(looks, way_looks, uint, 0444);
MODULE_PARM_DESC(looks, "how often to look whether a command has ended before waiting for the "
                        "interrupt (1); 0: interrupts only");

unsigned way_timeout = 30;
module_param_named(timeout, way_timeout, uint, 0444);
MODULE_PARM_DESC(timeout, "seconds until a request is asked after (30)");

static char *call = "auto";
module_param(call, charp, 0444);
MODULE_PARM_DESC(call, "how to make hypercalls: auto (VMCALL where it works), port");

bool way_poll;
module_param_named(poll, way_poll, bool, 0444);
MODULE_PARM_DESC(poll, "ring: the hypervisor goes on looking for a while after a kick (0)");

bool way_vmcall(bool possible)
{
    return possible && strcmp(call, "port");
}

bool way_wanted(const char *name)
{
    return !strcmp(way, "auto") || !strcmp(way, name);
}

static bool known(const char *name, const char *value, const char *const *list)
{
    for (; *list; list++)
        if (!strcmp(value, *list))
            return true;
    pr_err("viaduct_regdisk: there is no %s=%s\n", name, value);
    return false;
}

static bool module_known(void)
{
    static const char *const ways[] = {"auto",      "pio",   "mmio", "writes",
                                       "hypercall", "batch", "ring", NULL};
    static const char *const calls[] = {"auto", "port", NULL};

    return known("way", way, ways) && known("call", call, calls) && way_timeout;
}

static int __init module_start(void)
{
    int rc = module_known() ? regs_register() : -EINVAL;

    if (rc)
        return rc;
    rc = hc_register();
    if (rc)
        regs_unregister();
    return rc;
}

static void __exit module_stop(void)
{
    hc_unregister();
    regs_unregister();
}

module_init(module_start);
module_exit(module_stop);
MODULE_DESCRIPTION("viaduct's register disk");
MODULE_AUTHOR("viaduct");
MODULE_LICENSE("GPL");
