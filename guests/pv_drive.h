/* What the files of guest pv share: units, the ring, its interrupt. */
#ifndef PV_DRIVE_H
#define PV_DRIVE_H

#include "hcall.h"

#define ENTRIES        64
#define SIZE_MAX_BYTES 4096 /* of a request that is counted or timed */
#define RING           2    /* the ring's number: any would do */

struct ring {
    volatile struct pv_ring head;
    volatile uint16_t submit[ENTRIES], done[ENTRIES];
    volatile struct pv_unit unit[ENTRIES];
};

extern struct ring ring;
extern volatile struct pv_unit batch[PV_BATCH_MAX];
extern uint8_t buf[ENTRIES * SIZE_MAX_BYTES], other[4096];
extern volatile unsigned irqs;

void irq_open(bool by_apic); /* by the APICs, or by the 8259 */
void unit_set(volatile struct pv_unit *u, uint64_t x, unsigned y, void *z, uint32_t len,
              unsigned devid);
bool moved_all(volatile struct pv_unit *u, unsigned n); /* each of its whole length */

bool ring_open(unsigned flags);
/* Slots [0, n), all of which are free. Kicks if the other side asked for it. */
void ring_submit(unsigned n);
bool ring_wait(uint32_t n); /* for n ends, by looking */
/* The interrupt comes when the last of them has ended, or is pending by now: hlt ends at once. */
bool ring_sleep(uint32_t n);
void ring_intr(uint32_t n); /* an interrupt when n more have ended; 0: none */

/* pv_net.c: each form, with two NICs of this machine on one switch; with a console. */
struct pv_nics {
    unsigned n, first;
    uint8_t mac[2][6];
};
void net_forms(const struct pv_nics *nics);
void con_forms(unsigned console);

#endif
