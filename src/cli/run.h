/* Shared by the files of viaduct run: what the command line said. */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "cli/cli.h"
#include "cli/record.h"
#include "cli/run_net.h"
#include "cli/watch.h"
#include "sandbox/box.h"
#include "vm/vm.h"
#include <stdio.h>

#define RUN_MIB            (1ull << 20)
#define RUN_MEMORY_DEFAULT (512 * RUN_MIB)

struct engine_ops;

struct run {
    struct vm_setup vm;
    const char *engine, *irqchip, *kernel, *initrd[BOOT_MODULES], *append, *ledger, *guest, *ctl;
    char guest_files[2][512]; /* kernel and initrd of the bundled guest */
    char disk_spec[VM_DISKS_MAX][512];
    char share_spec[VM_SHARES_MAX][512];
    char console_text[512], port_text[VM_PORTS_MAX][512];
    struct run_net_text net_text;
    struct record_opt record;
    struct vwatch watch;
    struct watch_evil evil;
    enum box_mode sandbox;
    unsigned realtime; /* priority; 0: none */
    FILE *ledger_file; /* open since before the jail; or NULL */
    bool report;
    char metrics[256]; /* the socket's path, and its name= behind it */
    const char *metrics_name;
};

/* run_opts.c */
extern const struct opt run_options[];
/* run_disk.c: --disk FILE[,…] */
int run_disk_take(struct run *r, const char *value, struct error *err);
/* run_share.c: --share DIR,tag=NAME[,…] */
int run_share_take(struct run *r, const char *value, struct error *err);
/* run_console.c: --virtio-console, --port, --input */
int run_vconsole_take(void *run, const char *value, struct error *err);
int run_port_take(void *run, const char *value, struct error *err);
int run_input_take(void *run, const char *value, struct error *err);
int run_screen_take(void *run, const char *value, struct error *err);  /* run_screen.c */
int run_metrics_take(void *run, const char *value, struct error *err); /* run_metrics.c */
int run_rng_take(void *run, const char *value, struct error *err);
int run_balloon_take(void *run, const char *value, struct error *err);
int run_console_choose(struct run *r, struct error *err); /* all options are taken */
#define RUN_VCONSOLE_VALUE                                                                         \
    "stdio|pty|null|none|file=FILE|socket=PATH[,via=virtio|virtio-mmio][,packed]"
#define RUN_PORT_VALUE   "name=NAME,stdio|pty|null|file=FILE|socket=PATH"
#define RUN_VIRTIO_VALUE "[=via=virtio|virtio-mmio[,packed]]"
#define RUN_INPUT_VALUE  "keyboard|tablet[,via=virtio|virtio-mmio][,packed]"
/* run_guest.c: which engine, and which files. NULL: no such engine */
const struct engine_ops *run_engine_named(const char *name);
int run_engine_choose(struct run *r, struct error *err);
int run_engine_fits(const struct run *r, struct error *err); /* the files are read */
int run_files_read(struct run *r, struct error *err);
void run_files_free(struct run *r);

#endif
