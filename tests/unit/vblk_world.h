/* virtio-blk behind PCI, driven through the bus as a guest does: the machine around it. */
#ifndef TESTS_VBLK_WORLD_H
#define TESTS_VBLK_WORLD_H

#include "unit.h"
#include "back/blk.h"
#include "bus/bus.h"
#include "bus/pci.h"
#include "core/bell.h"
#include "core/ledger.h"
#include "core/state.h"
#include "mem/ram.h"
#include "virtio/vblk.h"
#include "virtio/vevil.h"
#include "virtio/vwatch.h"

enum { DEVFN = 0x18, CFG = 0xe0000000, BELL = 0xe0010000, MSIX = 0xe0020000 };
enum { STATUS = CFG + 0x14, ISR = CFG + 0x1000, DEVCFG = CFG + 0x2000 };
enum { SIZE = 16, DESC = 0x1000, AVAIL = 0x2000, USED = 0x3000, HDR = 0x4000, DATA = 0x10000 };
enum { NEXT = 1, WRITE = 2 };
enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, ZEROES = 13 };

/* A backend that finishes when told to. */
struct slow {
    struct blk blk;
    struct blk_req *list;
    unsigned seen[BLK_OPS];
};

struct world {
    struct ram ram;
    struct ledger *ledger;
    struct bus *bus;
    struct pci_bus *pci;
    pthread_mutex_t lock;
    struct loop *loop;
    struct blk *blk;
    struct slow slow;
    struct vblk *d;
    struct dev_env env;
    struct vwatch watch;
    unsigned msis;
    uint32_t msi_data;
    bool level;
    uint16_t avail;
    struct bell_sink bells;
    struct bell *bell; /* the one that hangs */
    unsigned hangs, drops;
};

void slow_finish(struct slow *s, int err);
void slow_drain(struct blk *b);
void wr(struct world *w, uint64_t at, unsigned size, uint64_t val);
uint64_t rd(struct world *w, uint64_t at, unsigned size);
void settle(struct world *w);
void place(struct world *w);
unsigned cap_find(struct world *w, uint8_t id, uint8_t type);
void negotiate(struct world *w, uint32_t low);
void queue(struct world *w, uint16_t size, uint64_t desc);
void drive(struct world *w, uint32_t features);
void desc(struct world *w, unsigned i, uint64_t addr, uint32_t len, uint16_t flags);
/* Header at HDR + 32 i, status after it; len bytes at DATA + 64 KiB i in two pieces. */
void request(struct world *w, unsigned slot, uint32_t type, uint64_t sector, uint32_t len);
void kick(struct world *w);
unsigned status(struct world *w, unsigned slot);
unsigned used(struct world *w);
unsigned one(struct world *w, uint32_t type, uint64_t sector, uint32_t len);
int setup_mem(void **state);
int setup_bells(void **state);
int setup_slow(void **state);
/* A slow backend, a watched driver; RAM in MiB, registers at mmio or on PCI, features offered. */
struct world *watched(uint64_t mib, uint64_t mmio, uint64_t offer);
/* A disk in memory whose device misbehaves. */
struct world *evil(const struct vevil_opts *o);
int teardown(void **state);

#define BELLS(f) cmocka_unit_test_setup_teardown(f, setup_bells, teardown)
#define MEM(f)   cmocka_unit_test_setup_teardown(f, setup_mem, teardown)
#define SLOW(f)  cmocka_unit_test_setup_teardown(f, setup_slow, teardown)

#endif
