/*
 * viaduct run: one machine from a command line. Everything the command line names is looked at
 * before anything is made, and the exit status says how the run ended (cli.h).
 */
#include "api/ctl.h"
#include "board/board.h"
#include "cli/cli.h"
#include "cli/run_net.h"
#include "cli/irqchip.h"
#include "cli/record.h"
#include "core/error.h"
#include "core/ledger.h"
#include "core/log.h"
#include "engine/engine.h"
#include "vm/vm.h"
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB            (1ull << 20)
#define MEMORY_DEFAULT (512 * MIB)
#define MEMORY_MIN     (2 * MIB)
#define MEMORY_MAX     (1ull << 40)
#define TIMEOUT_MAX    (365.0 * 86400)
/* For the bundled guest only: no work a demo doesn't need (docs/boot.md); reset by ACPI. */
#define GUEST_CMDLINE                                                                              \
    "console=ttyS0 reboot=a panic=-1 cryptomgr.notests noreplace-smp no_timer_check quiet "        \
    "8250.nr_uarts=1"

struct run {
    struct vm_setup vm;
    const char *engine, *irqchip, *kernel, *initrd[BOOT_MODULES], *append, *ledger, *guest, *ctl;
    char guest_files[2][512]; /* kernel and initrd of the bundled guest */
    char disk_spec[VM_DISKS_MAX][512];
    struct run_net_text net_text;
    struct record_opt record;
    bool report;
};

/* ---- options ---- */

static const struct engine_ops *engine_named(const char *name)
{
    static const struct engine_ops *const all[] = {&engine_kvm, &engine_dbt, &engine_direct};

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (!strcmp(all[i]->name, name))
            return all[i];
    return NULL;
}

static int take_engine(void *ctx, const char *value, struct error *err)
{
    struct run *r = ctx;

    if (strcmp(value, "auto") && !engine_named(value))
        return error_set(err, -EINVAL, "--engine %s: must be auto, kvm, dbt or direct", value);
    r->engine = value;
    return 0;
}

static int take_irqchip(void *ctx, const char *value, struct error *err)
{
    ((struct run *)ctx)->irqchip = value;
    return irqchip_parse(value, err);
}

static int take_board(void *ctx, const char *value, struct error *err)
{
    struct run *r = ctx;

    r->vm.board = board_find(value);
    return r->vm.board ? 0 : error_set(err, -EINVAL, "--board %s: must be pc or micro", value);
}

static int take_cpus(void *ctx, const char *value, struct error *err)
{
    struct run *r = ctx;
    char *end;
    unsigned long n = strtoul(value, &end, 10);

    if (*value < '0' || *value > '9' || *end || !n || n > BOARD_VCPUS)
        return error_set(err, -EINVAL, "--cpus %s: must be from 1 to %d", value, BOARD_VCPUS);
    r->vm.vcpus = (unsigned)n;
    return 0;
}

static int take_memory(void *ctx, const char *value, struct error *err)
{
    struct run *r = ctx;

    if (opt_size(value, &r->vm.memory) || r->vm.memory % MIB)
        return error_set(err, -EINVAL, "--memory %s: must be whole MiB, as in 512M or 2G", value);
    if (r->vm.memory < MEMORY_MIN || r->vm.memory > MEMORY_MAX)
        return error_set(err, -EINVAL, "--memory %s: must be from 2M to 1T", value);
    return 0;
}

static int take_kernel(void *ctx, const char *value, struct error *err)
{
    (void)err;
    ((struct run *)ctx)->kernel = value;
    return 0;
}

static int take_initrd(void *ctx, const char *value, struct error *err)
{
    struct run *r = ctx;

    if (r->vm.initrds == BOOT_MODULES)
        return error_set(err, -EINVAL, "--initrd: at most %d", BOOT_MODULES);
    r->initrd[r->vm.initrds++] = value;
    return 0;
}

static int take_append(void *ctx, const char *value, struct error *err)
{
    (void)err;
    ((struct run *)ctx)->append = value;
    return 0;
}

static int take_boot(void *ctx, const char *value, struct error *err)
{
    static const char *const name[] = {[BOOT_AUTO] = "auto",
                                       [BOOT_LINUX64] = "linux64",
                                       [BOOT_PVH] = "pvh",
                                       [BOOT_MULTIBOOT] = "multiboot"};

    for (size_t i = 0; i < ARRAY_LEN(name); i++)
        if (!strcmp(name[i], value)) {
            ((struct run *)ctx)->vm.way = (enum boot_way)i;
            return 0;
        }
    return error_set(err, -EINVAL, "--boot %s: must be auto, linux64, pvh or multiboot", value);
}

/* One controller, or several joined by +: one disk behind all of them. */
static int via_parse(struct vm_disk *d, char *value, struct error *err)
{
    static const struct {
        const char *name;
        unsigned via;
    } known[] = {{"ide", BOARD_IDE},
                 {"virtio", BOARD_VIRTIO},
                 {"regdisk-pio", BOARD_REGDISK_PIO},
                 {"regdisk-mmio", BOARD_REGDISK_MMIO}};
    char *save = NULL;

    d->via = 0;
    for (char *w = strtok_r(value, "+", &save); w; w = strtok_r(NULL, "+", &save)) {
        unsigned via = 0;

        for (size_t i = 0; i < ARRAY_LEN(known); i++)
            if (!strcmp(w, known[i].name))
                via = known[i].via;
        if (!via)
            return error_set(err, -EINVAL,
                             "--disk via=%s: must be ide, virtio, regdisk-pio or regdisk-mmio", w);
        d->via |= via;
    }
    return d->via ? 0 : error_set(err, -EINVAL, "--disk via=: names no controller");
}

static int trap_parse(struct vm_disk *d, const char *value, struct error *err)
{
    static const char *const name[] = {[BOARD_TRAP_EACH] = "each",
                                       [BOARD_TRAP_PATCHED] = "patched",
                                       [BOARD_TRAP_WRITES] = "writes"};

    for (unsigned i = 0; i < ARRAY_LEN(name); i++)
        if (!strcmp(name[i], value)) {
            d->trap = i;
            return 0;
        }
    return error_set(err, -EINVAL, "--disk trap=%s: must be each, patched or writes", value);
}

static int disk_word(struct vm_disk *d, char *w, struct error *err)
{
    if (!strncmp(w, "via=", 4))
        return via_parse(d, w + 4, err);
    if (!strncmp(w, "trap=", 5))
        return trap_parse(d, w + 5, err);
    if (!strcmp(w, "readonly")) {
        d->readonly = true;
        return 0;
    }
    if (!strncmp(w, "serial=", 7) && w[7] && strlen(w + 7) <= 20) {
        d->serial = w + 7;
        return 0;
    }
    if (!strcmp(w, "packed")) {
        d->packed = true;
        return 0;
    }
    if (!strncmp(w, "queues=", 7) && w[7] >= '1' && w[7] <= '8' && !w[8]) {
        d->queues = (unsigned)(w[7] - '0');
        return 0;
    }
    return error_set(
        err, -EINVAL,
        "--disk: \"%s\" is none of via=…, readonly, queues=1…8, packed, trap=…, serial=… (up to 20 "
        "characters)",
        w);
}

static int take_disk(void *ctx, const char *value, struct error *err)
{
    struct run *r = ctx;
    struct vm_disk *d = &r->vm.disk[r->vm.disks];
    char *spec = r->disk_spec[r->vm.disks], *save = NULL;
    int code = 0;

    if (r->vm.disks == VM_DISKS_MAX)
        return error_set(err, -EINVAL, "--disk: at most %d", VM_DISKS_MAX);
    if (strlen(value) >= sizeof(r->disk_spec[0]))
        return error_set(err, -EINVAL, "--disk: the name is too long");
    snprintf(spec, sizeof(r->disk_spec[0]), "%s", value);
    *d = (struct vm_disk){.via = BOARD_VIRTIO};
    d->path = *spec == ',' ? NULL : strtok_r(spec, ",", &save);
    if (!d->path)
        return error_set(err, -EINVAL, "--disk: names no file");
    for (char *w = strtok_r(NULL, ",", &save); w && !code; w = strtok_r(NULL, ",", &save))
        code = disk_word(d, w, err);
    r->vm.disks++;
    return code;
}

static int take_net(void *ctx, const char *value, struct error *err)
{
    struct run *r = ctx;

    return run_net_take(&r->vm, &r->net_text, value, err);
}

static int take_console(void *ctx, const char *value, struct error *err)
{
    (void)err; /* chr_open judges it */
    ((struct run *)ctx)->vm.console = value;
    return 0;
}

static int take_ledger(void *ctx, const char *value, struct error *err)
{
    struct run *r = ctx;

    if (!*value)
        return error_set(err, -EINVAL, "--ledger: names no file; - prints the table");
    r->ledger = value;
    return 0;
}

static int take_record(void *ctx, const char *value, struct error *err)
{
    struct run *r = ctx;

    int code = record_parse(&r->record, value, err);

    r->vm.record = &r->record.opts;
    r->vm.record_devs = r->record.devs;
    return code;
}

static int take_report(void *ctx, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    ((struct run *)ctx)->report = true;
    return 0;
}

static int take_ctl(void *ctx, const char *value, struct error *err)
{
    (void)err; /* ctl_open judges it */
    ((struct run *)ctx)->ctl = value;
    return 0;
}

static int take_debug_exit(void *ctx, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    ((struct run *)ctx)->vm.debug_exit = true;
    return 0;
}

static int take_timeout(void *ctx, const char *value, struct error *err)
{
    char *end;
    double s = strtod(value, &end);

    if (end == value || *end || !(s > 0 && s <= TIMEOUT_MAX))
        return error_set(err, -EINVAL, "--timeout %s: must be seconds, more than 0", value);
    ((struct run *)ctx)->vm.timeout_ns = (uint64_t)(s * 1e9);
    return 0;
}

static int take_guest(void *ctx, const char *value, struct error *err)
{
    (void)err;
    ((struct run *)ctx)->guest = value;
    return 0;
}

static const struct opt options[] = {
    {"engine", "auto|kvm|dbt|direct", "who runs the vCPU (auto: kvm where it works, else dbt)",
     take_engine},
    {"irqchip", "auto|user|split",
     "who keeps the local APICs: user space, or (split) the kernel of --engine kvm", take_irqchip},
    {"board", "pc|micro", "the machine (pc)", take_board},
    {"cpus", "N", "vCPUs, 1 to 64 (1)", take_cpus},
    {"memory", "SIZE", "guest RAM, as 512M or 2G (512M)", take_memory},
    {"kernel", "FILE", "bzImage, ELF vmlinux or multiboot 1 (the bundled guest's)", take_kernel},
    {"initrd", "FILE", "initial RAM disk; repeated: one after another, or multiboot modules",
     take_initrd},
    {"append", "STRING", "the kernel's command line, given to it as it is", take_append},
    {"disk", "FILE[,via=ide|virtio|regdisk-pio|regdisk-mmio][,readonly][,serial=S][,trap=…]",
     "a raw image, block device or mem:SIZE (virtio); via=ide+virtio: one disk behind both;\n"
     "trap=each|patched|writes: how accesses of regdisk-mmio trap (each)",
     take_disk},
    {"net", RUN_NET_VALUE, RUN_NET_HELP, take_net},
    {"console", "stdio|pty|null|file=FILE",
     "where the first serial port goes (stdio); Ctrl-A x quits, Ctrl-A Ctrl-A sends Ctrl-A",
     take_console},
    {"ctl", "PATH", "a control socket for viaduct ctl and QMP clients (docs/control.md)", take_ctl},
    {"ledger", "FILE|-", "write the ledger at exit: JSON to FILE, or with - a table to stderr",
     take_ledger},
    {"record", "FILE[,dev=NAME+NAME…][,limit=SIZE]",
     "write what crosses at these devices (all) to FILE, for viaduct replay; .zst: compressed",
     take_record},
    {"report", NULL, "at exit, print VMM memory beyond guest RAM (--ledger - does too)",
     take_report},
    {"debug-exit", NULL, "an exit port at 0xf4: a 32-bit write exits with (value << 1) | 1",
     take_debug_exit},
    {"timeout", "SECONDS", "end the run after so long, with status 10", take_timeout},
    {"boot", "auto|linux64|pvh|multiboot", "how an ELF kernel is entered (auto)", take_boot},
    {"guest", "DIR", "where the bundled guest is, if no --kernel is given", take_guest},
    {0},
};

static void statuses_print(void)
{
    printf("\nExit status: 0 power-off, 2 usage (nothing ran), 4 viaduct failed, 6 guest reset or "
           "panic,\n8 triple fault, 10 timeout, 12 ended by the user, 14 halted with interrupts "
           "off;\nodd with --debug-exit.\n");
}

/* ---- what the options mean ---- */

/* auto: a hypervisor in the CPU if it can run this guest at speed, else the translator. */
static int engine_choose(struct run *r, struct error *err)
{
    struct error why = {0};
    bool automatic = !strcmp(r->engine, "auto");

    r->vm.engine = automatic ? &engine_kvm : engine_named(r->engine);
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
static int engine_fits(const struct run *r, struct error *err)
{
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
        r->append = GUEST_CMDLINE;
    return 0;
}

static int files_read(struct run *r, struct error *err)
{
    int code = r->kernel ? 0 : guest_use(r, err);

    if (!code)
        code = boot_file_read(&r->vm.kernel, "--kernel", r->kernel, err);
    for (unsigned i = 0; i < r->vm.initrds && !code; i++)
        code = boot_file_read(&r->vm.initrd[i], "--initrd", r->initrd[i], err);
    r->vm.cmdline = r->append ? r->append : "";
    return code;
}

static void files_free(struct run *r)
{
    boot_file_free(&r->vm.kernel);
    for (unsigned i = 0; i < r->vm.initrds; i++)
        boot_file_free(&r->vm.initrd[i]);
}

/* ---- the run ---- */

/* Asked before the run, whose end is a bad moment to hear of it; creates nothing. */
static int ledger_check(const struct run *r, struct error *err)
{
    char dir[PATH_MAX];
    const char *why = NULL;
    struct stat st;

    if (!r->ledger || !strcmp(r->ledger, "-"))
        return 0;
    if (snprintf(dir, sizeof(dir), "%s", r->ledger) >= (int)sizeof(dir))
        why = strerror(ENAMETOOLONG);
    else if (!stat(r->ledger, &st))
        why = S_ISDIR(st.st_mode)       ? strerror(EISDIR)
              : access(r->ledger, W_OK) ? strerror(errno)
                                        : NULL;
    else if (access(dirname(dir), W_OK | X_OK))
        why = strerror(errno);
    if (why)
        return error_set(err, -EINVAL, "--ledger %s: %s; name a file that can be written",
                         r->ledger, why);
    return 0;
}

static int ledger_out(struct run *r, struct vm *vm)
{
    int err;

    if (r->ledger && !strcmp(r->ledger, "-"))
        ledger_print(vm_ledger(vm), stderr);
    if (r->report || (r->ledger && !strcmp(r->ledger, "-")))
        fprintf(stderr, "vmm memory beyond guest RAM: %.1f MiB\n",
                (double)vm_footprint() / (double)MIB);
    if (!r->ledger || !strcmp(r->ledger, "-"))
        return 0;
    err = ledger_save(vm_ledger(vm), r->ledger);
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

static int machine_run(struct run *r, struct error *err)
{
    struct ctl *ctl = NULL;
    struct vm *vm;
    enum vm_end end;
    uint32_t value;
    int code = ledger_check(r, err), out;

    if (!code)
        code = files_read(r, err);
    if (!code)
        code = engine_choose(r, err);
    if (!code)
        code = engine_fits(r, err);
    if (!code)
        code = irqchip_choose(r->irqchip, r->vm.engine, &r->vm.split, err);
    if (!code)
        code = vm_open(&vm, &r->vm, err);
    if (!code && r->ctl && (code = ctl_open(&ctl, vm, r->ctl, err)))
        vm_close(vm);
    files_free(r);
    if (code) {
        log_error("%s", err->text);
        return EXIT_USAGE;
    }
    end = vm_run(vm, &value);
    ctl_close(ctl, end);
    out = ledger_out(r, vm);
    vm_close(vm);
    code = status_of(end, value); /* says so after the terminal is itself again */
    return out && !code ? EXIT_VMM : code;
}

static int run_run(int argc, char **argv)
{
    struct run r = {
        .engine = "auto",
        .irqchip = "auto",
        .vm = {.board = &board_pc, .vcpus = 1, .memory = MEMORY_DEFAULT, .console = "stdio"}};
    struct error err = {0};
    bool help;

    if (opt_parse(options, argc, argv, &r, NULL, &help, &err)) {
        log_error("%s", err.text);
        return EXIT_USAGE;
    }
    if (help) {
        opt_help(&verb_run, options);
        statuses_print();
        return EXIT_OFF;
    }
    return machine_run(&r, &err);
}

const struct verb verb_run = {"run", "[options]", "run a virtual machine", run_run};
