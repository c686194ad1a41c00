/* What the options of viaduct run mean: who runs the guest, and which guest it is. */
#include "cli/run.h"
#include "board/board.h"
#include "core/error.h"
#include "core/log.h"
#include "engine/engine.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* For the bundled guest only: no work a demo doesn't need (docs/boot.md); reset by ACPI. */
#define GUEST_WORDS   "reboot=a panic=-1 cryptomgr.notests noreplace-smp quiet 8250.nr_uarts=1"
#define GUEST_CMDLINE "console=ttyS0 " GUEST_WORDS
#define GUEST_SCREEN  "console=ttyS0 console=tty0 " GUEST_WORDS /* the shell is on the last one */

const struct engine_ops *run_engine_named(const char *name)
{
    static const struct engine_ops *const all[] = {&engine_kvm, &engine_dbt, &engine_direct};

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (!strcmp(all[i]->name, name))
            return all[i];
    return NULL;
}

/* auto: a hypervisor in the CPU if it can run this guest at speed, else the translator. */
int run_engine_choose(struct run *r, struct error *err)
{
    struct error why = {0};
    bool automatic = !strcmp(r->engine, "auto");

    r->vm.engine = automatic ? &engine_kvm : run_engine_named(r->engine);
    int code = r->vm.engine->probe(&why);

    if (!code) {
        if (automatic)
            log_info("engine kvm: /dev/kvm works here");
        return 0;
    }
    if (code == -EAGAIN && !automatic) { /* it works, but slowly: the user has asked for it */
        log_warn("--engine %s: %s", r->engine, why.text);
        return 0;
    }
    if (automatic) {
        log_info("engine dbt: %s", why.text);
        r->vm.engine = &engine_dbt;
        why.text[0] = 0;
        if (!r->vm.engine->probe(&why))
            return 0;
    }
    return error_set(err, -ENOTSUP, "--engine %s: %.400s; try --engine %s", r->engine, why.text,
                     r->vm.engine == &engine_dbt ? "kvm" : "dbt");
}

/* Engine direct runs what needs no paging; told here, before a machine is made. */
int run_engine_fits(const struct run *r, struct error *err)
{
    if (r->vm.engine == &engine_direct && r->vm.screen.width)
        return error_set(err, -ENOTSUP, "--screen: not with --engine direct; use dbt or kvm");
    if (r->vm.engine != &engine_direct || multiboot_is(&r->vm.kernel))
        return 0;
    return error_set(err, -ENOTSUP,
                     "--engine direct: runs 32-bit multiboot programs that leave paging off "
                     "(docs/engine-direct.md), not %s; use --engine dbt or kvm",
                     r->kernel);
}

static bool readable(const char *path)
{
    return access(path, R_OK) == 0;
}

/* No --kernel: the bundled guest, with a command line that suits it. */
static int guest_use(struct run *r, struct error *err)
{
    char dir[400];
    int code = guest_dir(dir, sizeof(dir), r->guest);

    if (code)
        return error_set(err, code, "--guest: no such directory name");
    snprintf(r->guest_files[0], sizeof(r->guest_files[0]), "%s/%s", dir, GUEST_KERNEL);
    snprintf(r->guest_files[1], sizeof(r->guest_files[1]), "%s/%s", dir, GUEST_INITRD);
    if (!readable(r->guest_files[0]) || !readable(r->guest_files[1]))
        return error_set(err, -ENOENT,
                         "no --kernel given, and no bundled guest in %s; run: viaduct guest fetch",
                         dir);
    r->kernel = r->guest_files[0];
    if (!r->vm.initrds)
        r->initrd[r->vm.initrds++] = r->guest_files[1];
    if (!r->append)
        r->append = r->vm.screen.width ? GUEST_SCREEN : GUEST_CMDLINE;
    return 0;
}

int run_files_read(struct run *r, struct error *err)
{
    int code = r->kernel ? 0 : guest_use(r, err);

    if (!code)
        code = boot_file_read(&r->vm.kernel, "--kernel", r->kernel, err);
    for (unsigned i = 0; i < r->vm.initrds && !code; i++)
        code = boot_file_read(&r->vm.initrd[i], "--initrd", r->initrd[i], err);
    r->vm.cmdline = r->append ? r->append : "";
    return code;
}

void run_files_free(struct run *r)
{
    boot_file_free(&r->vm.kernel);
    for (unsigned i = 0; i < r->vm.initrds; i++)
        boot_file_free(&r->vm.initrd[i]);
}
