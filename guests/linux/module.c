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
MODULE_PARM_DESC(way, "which controllers to bind: auto (all), pio, mmio, writes");

unsigned way_looks = 1;
module_param_named(looks, way_looks, uint, 0444);
MODULE_PARM_DESC(looks, "how often to look whether a command has ended before waiting for the "
                        "interrupt (1); 0: interrupts only");

unsigned way_timeout = 30;
module_param_named(timeout, way_timeout, uint, 0444);
MODULE_PARM_DESC(timeout, "seconds until a request is asked after (30)");

bool way_wanted(const char *name)
{
    return !strcmp(way, "auto") || !strcmp(way, name);
}

static bool way_known(void)
{
    static const char *const names[] = {"auto", "pio", "mmio", "writes"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (!strcmp(way, names[i]))
            return true;
    pr_err("viaduct_regdisk: way=%s: must be auto, pio, mmio or writes\n", way);
    return false;
}

static int __init module_start(void)
{
    if (!way_known() || !way_timeout)
        return -EINVAL;
    return regs_register();
}

static void __exit module_stop(void)
{
    regs_unregister();
}

module_init(module_start);
module_exit(module_stop);
MODULE_DESCRIPTION("viaduct's register disk");
MODULE_AUTHOR("viaduct");
MODULE_LICENSE("GPL");
