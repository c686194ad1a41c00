/* The options of viaduct run: each takes its value and judges as much as it can alone. */
#include "cli/run.h"
#include "cli/run_box.h"
#include "board/board.h"
#include "cli/irqchip.h"
#include "cli/realtime.h"
#include "cli/run_vsock.h"
#include "core/error.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_MIN  (2 * RUN_MIB)
#define MEMORY_MAX  (1ull << 40)
#define TIMEOUT_MAX (365.0 * 86400)

static int take_engine(void *ctx, const char *value, struct error *err)
{
    struct run *r = ctx;

    if (strcmp(value, "auto") && !run_engine_named(value))
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

    if (opt_size(value, &r->vm.memory) || r->vm.memory % RUN_MIB)
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

static int take_disk(void *ctx, const char *value, struct error *err)
{
    return run_disk_take(ctx, value, err);
}

static int take_net(void *ctx, const char *value, struct error *err)
{
    struct run *r = ctx;

    return run_net_take(&r->vm, &r->net_text, value, err);
}

static int take_share(void *ctx, const char *value, struct error *err)
{
    return run_share_take(ctx, value, err);
}

static int take_console(void *ctx, const char *value, struct error *err)
{
    (void)err; /* chr_open judges it */
    ((struct run *)ctx)->vm.console = value;
    return 0;
}

static int take_pv_console(void *ctx, const char *value, struct error *err)
{
    (void)err; /* chr_open judges it */
    ((struct run *)ctx)->vm.pv_console = value;
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

static int take_check(void *ctx, const char *value, struct error *err)
{
    struct run *r = ctx;

    r->vm.vwatch = &r->watch;
    return watch_check_parse(&r->watch, value, err);
}

static int take_offer(void *ctx, const char *value, struct error *err)
{
    struct run *r = ctx;

    r->vm.vwatch = &r->watch;
    return watch_offer_parse(&r->watch, value, err);
}

static int take_evil(void *ctx, const char *value, struct error *err)
{
    struct run *r = ctx;

    r->vm.vwatch = &r->watch;
    r->watch.evil = &r->evil.opts;
    return watch_evil_parse(&r->evil, value, err);
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

static int take_vsock(void *ctx, const char *value, struct error *err)
{
    return run_vsock_take(&((struct run *)ctx)->vm.vsock, value, err);
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

static int take_realtime(void *ctx, const char *value, struct error *err)
{
    return realtime_take(&((struct run *)ctx)->realtime, value, err);
}

static int take_guest(void *ctx, const char *value, struct error *err)
{
    (void)err;
    ((struct run *)ctx)->guest = value;
    return 0;
}

static int take_sandbox(void *ctx, const char *value, struct error *err)
{
    return box_take_mode(&((struct run *)ctx)->sandbox, value, err);
}

static int take_no_sandbox(void *ctx, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    ((struct run *)ctx)->sandbox = BOX_OFF;
    return 0;
}

const struct opt run_options[] = {
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
    {"disk",
     "FILE|vhost-user=SOCKET[,via=ide|virtio|virtio-mmio|regdisk-pio|regdisk-mmio|hypercall][,"
     "readonly][,serial=S][,"
     "trap=…]",
     "a raw image, block device or mem:SIZE (virtio); via=ide+virtio: one disk behind both;\n"
     "      extent=NAME: that extent of FILE is the whole disk (viaduct disk carve);\n"
     "      direct: past the host's page cache;\n"
     "      iops=N, bps=SIZE, burst=MS: requests and bytes a second, saved up for so long;\n"
     "      queues=N, packed: virtio's request queues, 1 to 8, and packed rings;\n"
     "      trap=each|patched|writes: how accesses of regdisk-mmio trap (each);\n"
     "      vhost-user=SOCKET[,wait]: a disk that another process serves (docs/vhost-user.md)",
     take_disk},
    {"net", RUN_NET_VALUE, RUN_NET_HELP, take_net},
    {"share", "DIR,tag=NAME[,readonly][,via=virtio|virtio-mmio][,packed]",
     "a directory of this host, which the guest mounts by NAME over 9p (docs/share.md)",
     take_share},
    {"console", "stdio|pty|null|file=FILE|socket=PATH[,log=FILE]",
     "where the first serial port goes (stdio); Ctrl-A x quits, Ctrl-A Ctrl-A sends Ctrl-A",
     take_console},
    {"pv-console", "stdio|pty|null|file=FILE", "a console by hypercalls besides", take_pv_console},
    {"virtio-console", RUN_VCONSOLE_VALUE,
     "a virtio console, hvc0 of a Linux guest; none: only what --port names", run_vconsole_take},
    {"port", RUN_PORT_VALUE,
     "a named port of the virtio console; socket=PATH listens there, for one client at a time",
     run_port_take},
    {"input", RUN_INPUT_VALUE, "a virtio keyboard or tablet, for viaduct ctl", run_input_take},
    {"screen", "WIDTHxHEIGHT", "a screen, as 1024x768: tty0 of a Linux guest (docs/seat.md)",
     run_screen_take},
    {"rng", RUN_VIRTIO_VALUE, "virtio-rng: entropy from this host", run_rng_take},
    {"balloon", RUN_VIRTIO_VALUE,
     "virtio-balloon: free memory goes back to the host; viaduct ctl … balloon", run_balloon_take},
    {"vsock", RUN_VSOCK_VALUE, RUN_VSOCK_HELP, take_vsock},
    {"ctl", "PATH", "a control socket for viaduct ctl and QMP clients (docs/control.md)", take_ctl},
    {"metrics", "PATH[,name=NAME]", "a socket that answers HTTP with metrics for Prometheus",
     run_metrics_take},
    {"ledger", "FILE|-",
     "write the ledger at exit: JSON to FILE, or with - a table to stderr (SIGUSR1: print that)",
     take_ledger},
    {"record", "FILE[,dev=NAME+NAME…][,limit=SIZE]",
     "write what crosses at these devices (all) to FILE, for viaduct replay; .zst: compressed",
     take_record},
    {"check", "virtio", "watch the guest's virtio drivers keep the rules (docs/virtio-check.md)",
     take_check},
    {"offer", "in-order+notification-data",
     "virtio devices offer these features too (docs/virtio.md)", take_offer},
    {"evil", "seed=N[,rate=N][,device=NAME][,kind=NAME+NAME…]",
     "virtio devices misbehave towards their drivers, one chance in rate (100);\n"
     "      the guest's data is no longer safe (docs/virtio-evil.md)",
     take_evil},
    {"report", NULL, "at exit, print VMM memory beyond guest RAM (--ledger - does too)",
     take_report},
    {"debug-exit", NULL, "an exit port at 0xf4: a 32-bit write exits with (value << 1) | 1",
     take_debug_exit},
    {"timeout", "SECONDS", "end the run after so long, with status 10", take_timeout},
    {"realtime", REALTIME_VALUE, REALTIME_HELP, take_realtime},
    {"boot", "auto|linux64|pvh|multiboot", "how an ELF kernel is entered (auto)", take_boot},
    {"sandbox", BOX_VALUE, BOX_HELP, take_sandbox},
    {"no-sandbox", NULL, BOX_NO_HELP, take_no_sandbox},
    {"guest", "DIR", "where the bundled guest is, if no --kernel is given", take_guest},
    {0},
};
