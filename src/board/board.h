/*
 * A machine: the devices a board is made of, wired. The board plays the board maker and the
 * firmware: it alone knows addresses and pins (board/map.h), places PCI functions and writes the
 * tables that tell the guest.
 */
#ifndef BOARD_BOARD_H
#define BOARD_BOARD_H

#include "bus/dev.h"

struct acpi_machine;
struct boot_screen;
struct acpi_part;
struct apics;
struct acpipm;
struct vballoon;
struct vcon;
struct vfront;
struct blk;
struct chip;
struct chr;
struct hostbridge_opts;
struct intr_ops;
struct io_region;
struct leaf;
struct net;
struct p9;
struct pic8259_at;
struct pv;
struct rec;
struct typist;
struct vwatch;
struct vsk;

#define BOARD_DEVS  48
#define BOARD_DISKS 16
#define BOARD_NETS  8
#define BOARD_VCPUS 64
#define BOARD_PVS   32 /* hypercall devices */

enum board_via {
    BOARD_IDE = 1,
    BOARD_VIRTIO = 2,
    BOARD_REGDISK_PIO = 4,
    BOARD_REGDISK_MMIO = 8,
    BOARD_VIRTIO_MMIO = 16,
    BOARD_HYPERCALL = 32
};

/* How accesses of the register disk in memory space trap: docs/mechanisms.md. */
enum board_trap { BOARD_TRAP_EACH, BOARD_TRAP_PATCHED, BOARD_TRAP_WRITES };

struct board_disk {
    struct blk *blk;       /* borrowed */
    struct vfront *vfront; /* borrowed: another process serves it, and blk is NULL; else NULL */
    unsigned via;          /* enum board_via; several: one disk behind several controllers */
    const char *serial;    /* or NULL */
    unsigned queues;       /* virtio: 1 to 8; 0 is 1 */
    bool packed;           /* virtio: offer packed rings */
    enum board_trap trap;
};

enum board_nic {
    BOARD_E1000 = 1,
    BOARD_VIRTIO_NET = 2,
    BOARD_VIRTIO_NET_MMIO = 4,
    BOARD_HYPERCALL_NET = 8
};

struct board_net {
    struct net *net;       /* borrowed; NULL: no cable */
    struct vfront *vfront; /* as a disk's */
    unsigned via;          /* enum board_nic */
    unsigned queues;       /* virtio: pairs, 1 to 8; 0 is 1 */
    unsigned less;         /* virtio: enum vnet_less */
    bool packed;           /* virtio: offer packed rings */
    uint8_t mac[6];
};

struct board_share {
    struct p9 *p9; /* borrowed */
    const char *tag;
    bool mmio;   /* virtio by registers in memory; else PCI */
    bool packed; /* offer packed rings */
};

struct board_virtio { /* a virtio device with nothing more to say of */
    bool used, mmio, packed;
};

struct board_vsock {
    struct vsk *vsk; /* borrowed; NULL: no such device */
    uint32_t cid;
    bool mmio, packed;
};

#define BOARD_PORTS  8
#define BOARD_INPUTS 4

struct board_console {   /* virtio-console */
    struct chr *console; /* borrowed; NULL: named ports only */
    struct {
        const char *name;
        struct chr *chr; /* borrowed */
    } port[BOARD_PORTS];
    unsigned ports;
    bool mmio, packed;
};

struct board_input { /* virtio-input: a keyboard, or a tablet */
    bool tablet, mmio, packed;
};

enum board_leave { BOARD_POWER_OFF, BOARD_RESET, BOARD_DEBUG_EXIT };

struct board_setup { /* all borrowed for the life of the board */
    unsigned vcpus;
    struct bus *bus;
    struct ram *ram;
    struct loop *loop;
    pthread_mutex_t *lock;
    struct ledger *ledger;
    struct chr *console;    /* at COM1 */
    struct chr *pv_console; /* a hypercall console; NULL: none */
    const struct board_disk *disk;
    unsigned disks;
    const struct board_net *net;
    unsigned nets;
    const struct board_share *share;
    unsigned shares;
    const struct board_vsock *vsock; /* or NULL */
    bool debug_exit;
    struct vwatch *vwatch; /* for virtio devices; or NULL */
    struct board_virtio rng, balloon;
    const struct board_console *vconsole; /* or NULL */
    const struct board_input *input;
    unsigned inputs;
    const struct bell_sink *bells; /* or NULL */
    const struct shadow_sink *shadows;
    /* Accesses of [base, base + len) may be patched. 0 or -errno. */
    int (*patch)(void *ctx, gpa_t base, uint64_t len);
    const struct apics *apics; /* the engine keeps the local APICs; or NULL */
    struct rec *rec;           /* a recording of devices, being made or played; or NULL */
    uint64_t tsc_hz;
    uint64_t (*tsc_to_ns)(void *ctx, unsigned vcpu, uint64_t tsc); /* see irq/chip.h */
    void (*kick)(void *ctx, unsigned vcpu);
    /* The guest wants to leave. Called with the VM lock held. */
    void (*leave)(void *ctx, enum board_leave why, uint32_t value);
    void *ctx;
};

struct board {
    const struct board_class *cls;
    const struct board_setup *setup;
    struct chip *chip;
    struct pci_bus *pci;
    struct dev dev[BOARD_DEVS]; /* in order of creation; destroyed in reverse */
    unsigned devs;
    char names[BOARD_DEVS][16];
    unsigned slot;            /* next free PCI slot */
    unsigned virtios;         /* virtio disks */
    unsigned vmmios;          /* virtio devices at fixed addresses */
    unsigned regdisks[2];     /* PIO, MMIO: how many there are */
    struct typist *typist;    /* the user at keyboard and mouse; NULL: the board has none */
    struct vballoon *balloon; /* or NULL */
    struct pv *pv;            /* hypercall devices; or NULL */
    unsigned pvs;
    char pv_name[BOARD_PVS][16];
    struct acpipm *button; /* who hears the power button; NULL: nobody */
    struct vcon *vcon;     /* or NULL */
};

struct board_class {
    const char *name, *summary;
    int (*build)(struct board *b, struct error *err);
    /* Fills what is particular to this board's tables. */
    void (*acpi)(struct acpi_machine *m);
};

extern const struct board_class board_pc, board_micro;
/* board_screen.c: adds a screen to memory that nobody has seen yet; what is told of it is in *out.
 * 0 or -errno. */
#define BOARD_SCREEN_MIN 64u
#define BOARD_SCREEN_MAX 4096u
int board_screen(struct boot_screen *out, struct ram *ram, unsigned width, unsigned height);
const struct board_class *board_find(const char *name); /* NULL: no such board */

/* Builds the machine. On error nothing is left behind. */
int board_open(struct board **out, const struct board_class *cls, const struct board_setup *s,
               struct error *err);
void board_close(struct board *b);
/* As power-on; caller holds the VM lock, no vCPU runs. PCI functions are placed anew. */
void board_reset(struct board *b);
/* Writes the ACPI tables into guest RAM; *rsdp is where they start. */
int board_tables(struct board *b, uint64_t *rsdp, struct error *err);
const struct intr_ops *board_intr(struct board *b, void **ctl);
struct io_region *board_lapic(struct board *b, unsigned vcpu);

/* ---- for the parts lists ---- */

struct board_pci { /* the lines that PCI interrupts share: GSIs first, first + 1 … */
    unsigned first, lines;
};

struct dev_env board_env(struct board *b, const char *name); /* no line yet */
struct dev_env board_env_irq(struct board *b, const char *name, unsigned gsi);
int board_keep(struct board *b, int created, const struct dev_class *cls, void *dev,
               const char *name);
int board_keep_dev(struct board *b, int created, const struct dev *d);
const char *board_name(struct board *b, const char *prefix, unsigned n);
void board_reset_line(void *board); /* what reset pins and registers call */
void board_power_off(void *board);
/* Parts that all boards have alike. */
int board_com(struct board *b, const char *name, uint64_t base, unsigned gsi, struct chr *chr);
int board_rtc(struct board *b);
int board_debug_exit(struct board *b);
int board_disks(struct board *b, unsigned via_known, const struct board_pci *pci,
                struct error *err);
/* board_both.c */
int board_chip(struct board *b, unsigned ioapic_id,
               const struct pic8259_at *pic); /* pic: the old controllers as well, or NULL */
int board_bridge(struct board *b, const struct hostbridge_opts *o);
/* board_nics.c */
int board_nics(struct board *b, const struct board_pci *pci, struct error *err);
/* board_vhost.c: a disk or card that another process serves; pci NULL: registers */
int board_vfront(struct board *b, struct vfront *f, const char *name, const struct board_pci *pci);
/* board_shares.c */
int board_shares(struct board *b, const struct board_pci *pci, struct error *err);
/* board_virtio.c: gives env a place; pci NULL: registers at *mmio. 0, or -ENOSPC. */
int board_virtio_place(struct board *b, struct dev_env *env, const struct board_pci *pci,
                       uint64_t *mmio);
/* rng, balloon, vsock, console, inputs */
int board_virtio_extras(struct board *b, const struct board_pci *pci);
int board_console(struct board *b, const struct board_pci *pci); /* board_console.c */
int board_inputs(struct board *b, const struct board_pci *pci);  /* board_input.c */
void board_virtio_part(struct acpi_part *p, unsigned n); /* what ACPI says of the nth with mmio */

/* board_pv.c: hypercall devices. The leaves say whether VMCALL is seen; how many there are. */
int board_pv(struct board *b, struct error *err);
unsigned board_pv_leaves(const struct board *b, bool hcalls, struct leaf *two);
void board_pv_part(struct acpi_part *p);

/* firmware.c: gives each BAR an address, switches decoding on, writes interrupt lines. */
void firmware_place(struct board *b, unsigned pci_first, unsigned pci_lines);

#endif
