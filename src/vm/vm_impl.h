/* Shared by the files of vm/. */
#ifndef VM_VM_IMPL_H
#define VM_VM_IMPL_H

#include "board/board.h"
#include "core/apics.h"
#include "core/bell.h"
#include "core/leaf.h"
#include "core/shadow.h"
#include "core/loop.h"
#include "engine/engine.h"
#include "mem/ram.h"
#include "trap/dispatch.h"
#include "vm/vm.h"
#include <stdio.h>

#define VM_SHADOWS_MAX 16

struct vcpu {
    struct vm *vm;
    unsigned index;
    pthread_t thread;
    bool started;
    /* The halted vCPU sleeps here; a kick is remembered so that it can't be missed. */
    pthread_mutex_t sleep;
    pthread_cond_t wake;
    bool kicked, asleep;
    bool halted; /* see vm_apics.c; atomic */
};

struct vm {
    const struct vm_setup *setup;
    const struct engine_ops *ops;
    struct engine *engine;
    struct ram ram;
    bool ram_made, lock_made, dispatch_made;
    struct ledger *ledger;
    struct loop *loop;
    pthread_mutex_t lock; /* the VM lock: device regions, loop handlers */
    struct bus *bus;
    struct board *board;
    struct board_setup board_setup;
    struct rec *rec; /* or NULL */
    struct dispatch dispatch;
    const struct intr_ops *intr;
    void *intr_ctl;
    struct chr *console, *pv_console;
    struct leaf leaf[2];                /* CPUID's, of hypercall devices */
    struct chr *vchr[1 + VM_PORTS_MAX]; /* virtio console, its ports; or NULL */
    struct board_console vconsole;
    struct board_input input[VM_INPUTS_MAX];
    struct blk *blk[VM_DISKS_MAX];
    struct board_disk disk[VM_DISKS_MAX];
    struct net *net[VM_NETS_MAX];
    struct board_net nic[VM_NETS_MAX];
    struct vfront *vfront[VM_DISKS_MAX + VM_NETS_MAX];
    unsigned vfronts;
    struct p9 *p9[VM_SHARES_MAX];
    struct board_share share[VM_SHARES_MAX];
    struct board_vsock vsock;
    struct boot_screen screen;
    struct loop_timer deadline;
    struct bell_sink bells;
    struct shadow_sink shadow_sink;
    struct patch *patch;                         /* NULL: no disk wants it */
    const struct shadow *shadow[VM_SHADOWS_MAX]; /* NULL: free */
    struct apics apics;                          /* of the engine, if it keeps them */
    struct loop_timer look;                      /* vm_apics.c */
    unsigned rounds;
    int signals; /* signalfd, or -1 */
    FILE *smaps; /* vm_report.c; or NULL */
    uint64_t tsc_hz;
    enum vm_end end; /* under the VM lock; the first reason stays */
    uint32_t end_value;
    bool stop;   /* atomic: threads leave */
    bool paused; /* atomic: vCPUs park */
    unsigned vcpus;
    unsigned off; /* atomic: vCPUs that sleep with interrupts off; see vm_cpu.c */
    struct vcpu vcpu[BOARD_VCPUS];
};

/* The VM lock is held. */
void vm_leave(struct vm *vm, enum vm_end end, uint32_t value);

/* vm_bell.c */
void bells_init(struct vm *vm);

/* vm_mech.c: how device accesses trap */
int mechanisms_check(const struct vm_setup *s, struct error *err); /* can this engine? */
void mechanisms_init(struct vm *vm);
int mechanisms_start(struct vm *vm, struct error *err); /* the engine is there */
void mechanisms_stop(struct vm *vm);                    /* no vCPU runs any more */
int vm_patch_range(void *vm, gpa_t base, uint64_t len);

/* vm_record.c: the recording, if there is to be one. end: the VM lock is held, no vCPU runs */
int record_make(struct vm *vm, struct error *err);
int record_ready(struct vm *vm, struct error *err);
int record_end(struct vm *vm);
void record_close(struct vm *vm);

/* vm_vhost.c: disks and cards that other processes serve */
int vfront_disk_make(struct vm *vm, unsigned disk, struct error *err);
int vfront_net_make(struct vm *vm, unsigned net, struct error *err);
void vfronts_close(struct vm *vm);
/* vm_share.c */
int shares_make(struct vm *vm, struct error *err);
void shares_close(struct vm *vm);
/* vm_report.c */
void report_open(struct vm *vm);
void report_close(struct vm *vm);
/* vm_chr.c */
int chrs_make(struct vm *vm, struct error *err);
void chrs_flush(struct vm *vm);
void chrs_resized(struct vm *vm); /* the terminal was */
void chrs_close(struct vm *vm);

/* vm_apics.c */
void apics_init(struct vm *vm);
void apics_watch(struct vm *vm); /* while vCPUs run */
void apics_watch_end(struct vm *vm);
void vcpu_halted(struct vcpu *v); /* the engine says: with interrupts off */

/* vm_ctl.c */
void vcpu_park(struct vcpu *v); /* while the machine is paused */

/* vm_cpu.c */
int vcpus_init(struct vm *vm);
int vcpus_start(struct vm *vm);
void vcpus_stop(struct vm *vm); /* and join */
void vcpus_free(struct vm *vm);
void vcpu_kick(void *vm, unsigned vcpu);
void vcpus_kick_stop(struct vm *vm);

#endif
