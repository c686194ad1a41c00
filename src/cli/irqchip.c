/*
 * viaduct run --irqchip: the interrupt controllers in user space, as on every engine, or split: the
 * local APICs in the kernel, PIC and I/O APIC here (docs/engines-kvm.md).
 */
#include "cli/irqchip.h"
#include "core/error.h"
#include "core/log.h"
#include "engine/engine.h"
#include <errno.h>
#include <string.h>

int irqchip_parse(const char *mode, struct error *err)
{
    if (strcmp(mode, "auto") && strcmp(mode, "user") && strcmp(mode, "split"))
        return error_set(err, -EINVAL, "--irqchip %s: must be auto, user or split", mode);
    return 0;
}

int irqchip_choose(const char *mode, const struct engine_ops *engine, bool *split,
                   struct error *err)
{
    struct error why = {0};
    bool automatic = !strcmp(mode, "auto");
    int code;

    *split = false;
    if (!strcmp(mode, "user") || (automatic && !engine->apics_probe))
        return 0;
    if (!engine->apics_probe)
        return error_set(err, -ENOTSUP,
                         "--irqchip split: engine %s has no kernel to keep local APICs; use "
                         "--irqchip user or --engine kvm",
                         engine->name);
    code = engine->apics_probe(&why);
    *split = code == 0 || (code == -EAGAIN && !automatic); /* the user has asked for it */
    if (*split && code)
        log_warn("--irqchip split: %s", why.text);
    if (!*split && !automatic)
        return error_set(err, -ENOTSUP, "--irqchip split: %.400s; use --irqchip user", why.text);
    if (*split && automatic)
        log_info("irqchip split: the kernel keeps the local APICs, and the ledger doesn't see them "
                 "(--irqchip user)");
    else if (automatic)
        log_info("irqchip user: %s", why.text);
    return 0;
}
