/* The interrupt controllers of one machine: shared by chip.c and chip_split.c. */
#ifndef IRQ_CHIP_IMPL_H
#define IRQ_CHIP_IMPL_H

#include "core/apics.h"
#include "irq/chip.h"
#include "irq/ioapic.h"
#include "irq/lapic.h"

#define CHIP_INPUTS_MAX 128 /* devices' inputs: the board asks at creation, a guest never */
#define CHIP_VECTORS    256

struct chip_input {
    uint8_t gsi;
    bool level;
};

struct chip_line {
    unsigned high; /* how many inputs hold it high */
    struct ledger_row *row;
};

struct chip {
    struct dev_env env;
    struct chip_opts o;
    struct pic8259 *pic;
    struct ioapic *ioapic;
    struct lapics *lapics;   /* NULL: the engine keeps them (o.apics) */
    bool intr;               /* the PIC's output */
    void (*look)(void *dev); /* the timer that wants to know what was taken; one at most */
    void *look_dev;
    unsigned inputs;
    struct chip_input input[CHIP_INPUTS_MAX];
    struct chip_line line[IOAPIC_PINS];
    struct ledger_row *stray;                  /* messages to where no interrupt controller is */
    struct ledger_row *(*taken)[CHIP_VECTORS]; /* by vCPU, vector; made when first taken */
    int *ready;                                /* by vCPU: vector or -1; atomic */
};

/* chip.c */
bool chip_msi_known(struct chip *c, uint64_t addr); /* else it is counted as a stray */
void chip_count_taken(struct chip *c, unsigned vcpu, int vector);
void chip_level_eoi(void *chip, uint8_t vector);

/* chip_split.c: the local APICs are the engine's. */
bool chip_split_deliver(struct chip *c, const struct apic_msg *msg);
void chip_split_pin(void *chip, unsigned pin, const struct apic_msg *msg);
void chip_split_intr(struct chip *c); /* the PIC's output changed */
void chip_split_send_by(void *chip, struct msi_way *w, uint64_t addr, uint32_t data);
void chip_split_way_close(void *chip, struct msi_way *w);
void chip_split_state(struct chip *c, struct state *st);
extern const struct intr_ops chip_split_ops;

#endif
