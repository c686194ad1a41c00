/*
 * viaduct run: one machine from a command line. Everything the command line names is looked at
 * before anything is made, and the exit status says how the run ended (cli.h). Its options are in
 * run_opts.c, what they mean in run_guest.c.
 */
#include "api/ctl.h"
#include "api/ctl_metrics.h"
#include "board/board.h"
#include "cli/irqchip.h"
#include "cli/realtime.h"
#include "cli/run.h"
#include "cli/run_box.h"
#include "cli/run_vsock.h"
#include "core/error.h"
#include "core/ledger.h"
#include "core/log.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void statuses_print(void)
{
    printf("\nExit status: 0 power-off, 2 usage (nothing ran), 4 viaduct failed, 6 guest reset or "
           "panic,\n8 triple fault, 10 timeout, 12 ended by the user, 14 halted with interrupts "
           "off;\n18 a driver broke a rule (--check); odd with --debug-exit.\n");
}

/* Asked before the run, whose end is a bad moment to hear of it. */
static int ledger_check(const struct run *r, struct error *err)
{
    return r->ledger && strcmp(r->ledger, "-") ? opt_output("ledger", r->ledger, err) : 0;
}

static int ledger_out(struct run *r, struct vm *vm)
{
    int err;

    if (r->ledger && !strcmp(r->ledger, "-"))
        ledger_print(vm_ledger(vm), stderr);
    if (r->report || (r->ledger && !strcmp(r->ledger, "-")))
        fprintf(stderr, "vmm memory beyond guest RAM: %.1f MiB\n",
                (double)vm_footprint(vm) / (double)RUN_MIB);
    if (!r->ledger_file)
        return 0;
    err = ledger_put(vm_ledger(vm), r->ledger_file);
    if (err)
        log_error("--ledger %s: %s", r->ledger, strerror(-err));
    return err;
}

static int status_of(enum vm_end end, uint32_t value)
{
    switch (end) {
    case VM_POWER_OFF: return EXIT_OFF;
    case VM_RESET: return EXIT_RESET;
    case VM_TRIPLE: log_info("the guest took a triple fault"); return EXIT_TRIPLE;
    case VM_HALTED: log_info("the guest halted with interrupts off"); return EXIT_HALTED;
    case VM_TIMEOUT: return EXIT_TIMEOUT;
    case VM_DEBUG_EXIT: return (int)((value << 1 | 1) & 0xff);
    case VM_QUIT: return EXIT_QUIT;
    default: return EXIT_VMM;
    }
}

/* What others may ask the machine at; vm goes if it can't be. */
static int doors_open(struct run *r, struct vm *vm, struct ctl **ctl, struct metrics_door **metrics,
                      struct error *err)
{
    int code = r->ctl ? ctl_open(ctl, vm, r->ctl, err) : 0;

    if (!code && *r->metrics)
        code = ctl_metrics_open(metrics, vm, r->metrics, r->metrics_name, err);
    if (code) {
        ctl_close(*ctl, vm, VM_FAILED);
        vm_close(vm);
    }
    return code;
}

/* The last step before the guest runs: what is opened later is opened now, then the doors close. */
static int doors_close(struct run *r, struct error *err)
{
    if (r->ledger && strcmp(r->ledger, "-")) {
        r->ledger_file = ledger_place(r->ledger);
        if (!r->ledger_file)
            return error_set(err, -errno, "--ledger %s: %s", r->ledger, strerror(errno));
    }
    return run_box_enter(r, err);
}

static int machine_run(struct run *r, struct error *err)
{
    struct metrics_door *metrics = NULL;
    struct ctl *ctl = NULL;
    struct vm *vm;
    enum vm_end end;
    uint32_t value;
    int code = ledger_check(r, err), out;

    if (!code)
        code = realtime_enter(r->realtime, err);
    if (r->vm.vsock.cid)
        run_vsock_room();
    if (!code)
        code = run_console_choose(r, err);
    if (!code)
        code = run_files_read(r, err);
    if (!code)
        code = run_engine_choose(r, err);
    if (!code)
        code = run_engine_fits(r, err);
    if (!code)
        code = irqchip_choose(r->irqchip, r->vm.engine, &r->vm.split, err);
    if (!code)
        code = vm_open(&vm, &r->vm, err);
    if (!code && (code = watch_fits(&r->watch, r->vm.record, err)))
        vm_close(vm);
    if (!code)
        code = doors_open(r, vm, &ctl, &metrics, err);
    run_files_free(r);
    if (!code && (code = doors_close(r, err))) {
        ctl_metrics_close(metrics, vm);
        ctl_close(ctl, vm, VM_FAILED);
        vm_close(vm);
    }
    if (code) {
        log_error("%s", err->text);
        return EXIT_USAGE;
    }
    end = vm_run(vm, &value);
    ctl_metrics_close(metrics, vm);
    ctl_close(ctl, vm, end);
    out = ledger_out(r, vm);
    vm_close(vm);
    code = watch_status(&r->watch,
                        status_of(end, value)); /* says so after the terminal is itself again */
    return out && !code ? EXIT_VMM : code;
}

#define RUN_DEFAULTS                                                                               \
    {                                                                                              \
        .engine = "auto", .irqchip = "auto", .vm = {                                               \
            .board = &board_pc,                                                                    \
            .vcpus = 1,                                                                            \
            .memory = RUN_MEMORY_DEFAULT                                                           \
        }                                                                                          \
    }

int run_judge(int argc, char **argv, struct error *err)
{
    struct run r = RUN_DEFAULTS;
    bool help;

    return opt_parse(run_options, argc, argv, &r, NULL, &help, err);
}

static int run_run(int argc, char **argv)
{
    struct run r = RUN_DEFAULTS;
    struct error err = {0};
    bool help;

    if (opt_parse(run_options, argc, argv, &r, NULL, &help, &err)) {
        log_error("%s", err.text);
        return EXIT_USAGE;
    }
    if (help) {
        opt_help(&verb_run, run_options);
        statuses_print();
        return EXIT_OFF;
    }
    return machine_run(&r, &err);
}

const struct verb verb_run = {"run", "[options]", "run a virtual machine", run_run};
