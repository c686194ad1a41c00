/*
 * A virtual machine: RAM, a board, an engine, one thread a vCPU, and the main thread in the event
 * loop. Everything is made by vm_open or nothing is; nothing runs before vm_run.
 */
#ifndef VM_VM_H
#define VM_VM_H

#include "back/vsk.h"
#include "board/boot.h"
#include "core/error.h"
#include "share/share_blk.h"

struct board_class;
struct engine_ops;
struct ledger;
struct rec_opts;
struct vwatch;
struct vm;

#define VM_DISKS_MAX  16
#define VM_NETS_MAX   8
#define VM_SHARES_MAX 8

struct vm_disk {
    const char *path; /* as blk_open takes it */
    bool vhost;       /* path is a vhost-user back end's socket */
    bool wait;        /* ... which may come later */
    unsigned via;     /* enum board_via, one or more */
    bool readonly;
    const char *serial; /* or NULL */
    unsigned queues;    /* virtio: 1 to 8; 0 is 1 */
    bool packed;        /* virtio: offer packed rings */
    unsigned trap;      /* enum board_trap */
    const char *extent; /* or NULL */
    bool direct;        /* past the host's page cache */
    struct share_limits limits;
};

struct vm_net {
    const char *spec;  /* as net_open takes it */
    const char *vhost; /* a vhost-user back end's socket, instead; or NULL */
    bool wait;         /* ... which may come later */
    const char *pcap;  /* or NULL */
    uint32_t snaplen;  /* 0: all of a frame */
    unsigned via;      /* enum board_nic */
    unsigned queues;   /* virtio: pairs, 1 to 8; 0 is 1 */
    unsigned less;     /* virtio: enum vnet_less */
    bool packed;       /* virtio: offer packed rings */
    uint8_t mac[6];
};

struct vm_share {
    const char *dir, *tag;
    bool readonly;
    bool mmio;   /* virtio by registers in memory; else PCI */
    bool packed; /* offer packed rings */
};

struct vm_virtio { /* a virtio device with nothing more to say of */
    bool used, mmio, packed;
};

struct vm_vsock {
    uint32_t cid; /* 0: there is none */
    struct vsk_opts host;
    bool mmio, packed;
};

#define VM_PORTS_MAX  8
#define VM_INPUTS_MAX 4

struct vm_console { /* virtio-console */
    bool used;
    const char *spec; /* the console, as chr_open takes it; NULL: named ports only */
    struct {
        const char *name, *spec;
    } port[VM_PORTS_MAX];
    unsigned ports;
    bool mmio, packed;
};

struct vm_input { /* virtio-input: a keyboard, or a tablet */
    bool tablet, mmio, packed;
};

struct vm_screen { /* width 0: none */
    unsigned width, height;
};

struct vm_setup {
    const struct engine_ops *engine;
    const struct board_class *board;
    unsigned vcpus;                   /* 1 to 64 */
    uint64_t memory;                  /* bytes */
    const char *console, *pv_console; /* as chr_open takes it; a hypercall one, or NULL */
    struct vm_disk disk[VM_DISKS_MAX];
    unsigned disks;
    struct vm_net net[VM_NETS_MAX];
    unsigned nets;
    struct vm_share share[VM_SHARES_MAX];
    unsigned shares;
    struct vm_vsock vsock;
    struct boot_file kernel, initrd[BOOT_MODULES];
    unsigned initrds;
    const char *cmdline;
    enum boot_way way;
    bool split; /* the engine keeps the local APICs: its apics_probe said it can */
    struct vm_virtio rng, balloon;
    struct vwatch *vwatch; /* for all virtio devices; or NULL */
    struct vm_console vconsole;
    struct vm_input input[VM_INPUTS_MAX];
    unsigned inputs;
    struct vm_screen screen;
    bool debug_exit;
    const struct rec_opts *record; /* NULL: nothing is recorded */
    const char *record_devs;       /* names joined by +; NULL: all that can be */
    uint64_t timeout_ns;           /* 0: none */
};

enum vm_end {
    VM_RUNNING,
    VM_POWER_OFF,
    VM_RESET,  /* the guest pulled a reset line: reboot, or panic with panic=-1 */
    VM_TRIPLE, /* triple fault */
    VM_HALTED, /* every vCPU halted with interrupts off: nothing can wake it */
    VM_TIMEOUT,
    VM_DEBUG_EXIT,
    VM_QUIT,   /* the user: escape key or a signal */
    VM_FAILED, /* the engine could not go on; said on stderr */
};

/* The setup's strings are borrowed until vm_close; its files are only read here. */
int vm_open(struct vm **out, const struct vm_setup *s, struct error *err);
/* Runs until the guest or the user ends it. *value: what the guest wrote to the exit port. */
enum vm_end vm_run(struct vm *vm, uint32_t *value);
struct ledger *vm_ledger(struct vm *vm);
void vm_close(struct vm *vm);

/* Memory of this process beyond guest RAM, in bytes, each page once; 0 if /proc does not tell. */
uint64_t vm_footprint(struct vm *vm);
uint64_t vm_footprint_of(int pid); /* of another viaduct's machine */

#endif
