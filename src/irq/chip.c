/*
 * The interrupt controllers wired together. Three things meet here: lines (devices' inputs, OR-ed
 * per line, fan out to a PIC pin and an I/O APIC pin), messages (MSI writes become APIC messages),
 * and the vCPU threads' questions.
 *
 * What each vCPU would take now is computed under the VM lock whenever it may have changed, and
 * kept in one atomic word (`ready`), so that `pending` is a load. ack and all else take the lock.
 */
#include "bus/bus.h"
#include "core/ledger.h"
#include "core/state.h"
#include "irq/chip_impl.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MSI_WINDOW  0xfee00000ull /* SDM 3, "Message Address Register Format": bits 31-20 */
#define MSI_MASK    0xfffffffffff00000ull
#define ISA_TIMER   0u
#define GSI_TIMER   2u /* where a PC wires ISA IRQ 0 to, pin 0 being the PIC's output */
#define PIC_CASCADE 2u
#define PIC_PINS    16u

/* ---- what a vCPU would take ---- */

static int vector_now(const struct chip *c, unsigned vcpu)
{
    int vector = lapic_pending(c->lapics, vcpu);

    if (vector < 0 && c->intr && lapic_extint(c->lapics, vcpu))
        vector = pic8259_peek(c->pic);
    return vector;
}

static void vcpu_changed(void *ctx, unsigned vcpu)
{
    struct chip *c = ctx;
    int now, was;

    if (!c->lapics) /* being created */
        return;
    now = vector_now(c, vcpu);
    was = __atomic_exchange_n(&c->ready[vcpu], now, __ATOMIC_ACQ_REL);
    if ((now >= 0 && now != was) || lapic_wanted(c->lapics, vcpu))
        c->o.kick(c->o.ctx, vcpu);
}

static void pic_intr(void *ctx, bool level)
{
    struct chip *c = ctx;

    c->intr = level;
    if (!level && c->lapics)
        lapic_extint_over(c->lapics);
    if (c->ioapic) /* pin 0: virtual wire mode by the I/O APIC, MultiProcessor Specification 3.6.2.2
                    */
        ioapic_set(c->ioapic, 0, level);
    if (c->o.apics)
        chip_split_intr(c);
    else if (c->lapics)
        lapic_lint(c->lapics, 0, level);
}

void chip_level_eoi(void *ctx, uint8_t vector)
{
    struct chip *c = ctx;

    if (c->ioapic)
        ioapic_eoi(c->ioapic, vector);
}

static bool message(void *ctx, const struct apic_msg *msg)
{
    struct chip *c = ctx;

    if (c->o.apics)
        return chip_split_deliver(c, msg);
    return c->lapics && lapic_deliver(c->lapics, msg);
}

/* ---- lines ---- */

static void line_drive(struct chip *c, unsigned gsi, bool level)
{
    unsigned pin = gsi == GSI_TIMER ? ISA_TIMER : gsi;

    if (level)
        ledger_add(c->line[gsi].row, true, 0);
    if (c->pic && gsi != 0 && pin < PIC_PINS)
        pic8259_set(c->pic, pin, level);
    if (c->ioapic)
        ioapic_set(c->ioapic, gsi, level);
}

static void input_set(void *chip, unsigned pin, bool level)
{
    struct chip *c = chip;
    struct chip_input *in = &c->input[pin];
    struct chip_line *line = &c->line[in->gsi];

    if (in->level == level)
        return;
    in->level = level;
    if (level && line->high++ == 0)
        line_drive(c, in->gsi, true);
    else if (!level && --line->high == 0)
        line_drive(c, in->gsi, false);
}

/* With local APICs of the engine's nobody can say. */
static bool input_waits(void *chip, unsigned pin)
{
    const struct chip *c = chip;
    unsigned gsi = c->input[pin].gsi, isa = gsi == GSI_TIMER ? ISA_TIMER : gsi;
    int vector = c->ioapic ? ioapic_edge_vector(c->ioapic, gsi) : -1;

    return (c->pic && gsi != 0 && isa < PIC_PINS && pic8259_waits(c->pic, isa)) ||
           (vector >= 0 && c->lapics && lapic_waits(c->lapics, (uint8_t)vector));
}

static void input_watch(void *chip, unsigned pin, void (*look)(void *dev), void *dev)
{
    struct chip *c = chip;

    (void)pin;
    c->look = look;
    c->look_dev = dev;
}

struct irq chip_gsi(struct chip *c, unsigned gsi)
{
    if (gsi >= IOAPIC_PINS || c->inputs == CHIP_INPUTS_MAX)
        return (struct irq){0};
    c->input[c->inputs].gsi = (uint8_t)gsi;
    return (struct irq){.set = input_set,
                        .chip = c,
                        .pin = c->inputs++,
                        .waits = c->o.apics ? NULL : input_waits,
                        .watch = c->o.apics ? NULL : input_watch};
}

struct irq chip_isa(struct chip *c, unsigned irq)
{
    if (irq >= PIC_PINS || (c->pic && irq == PIC_CASCADE))
        return (struct irq){0};
    return chip_gsi(c, c->pic && irq == ISA_TIMER ? GSI_TIMER : irq);
}

unsigned chip_pci_gsi(unsigned slot, unsigned pin, unsigned first, unsigned lines)
{
    return first + (slot + pin - 1) % lines;
}

/* ---- messages: SDM 3, "Message Signalled Interrupts" ---- */

static void msi_send(void *chip, uint64_t addr, uint32_t data)
{
    struct chip *c = chip;
    struct apic_msg msg = {
        .vector = (uint8_t)data,
        .mode = data >> 8 & 7,
        .dest = (uint8_t)(addr >> 12),
        .logical = addr >> 2 & 1,
        .level = data >> 15 & 1,
    };

    if (chip_msi_known(c, addr))
        message(c, &msg);
}

bool chip_msi_known(struct chip *c, uint64_t addr)
{
    bool known = (addr & MSI_MASK) == MSI_WINDOW;

    if (!known) {
        ledger_add(c->stray, true, 4);
        ledger_refuse(c->stray);
    }
    return known;
}

struct msi_sink chip_msi(struct chip *c)
{
    return (struct msi_sink){
        .send = msi_send,
        .chip = c,
        .send_by = c->o.apics ? chip_split_send_by : NULL,
        .way_close = c->o.apics ? chip_split_way_close : NULL,
    };
}

struct io_region *chip_lapic_page(struct chip *c, unsigned vcpu)
{
    return c->lapics ? lapic_page(c->lapics, vcpu) : NULL;
}

/* ---- the vCPU threads' side: intr_ops ---- */

static int chip_pending(void *ctl, unsigned vcpu)
{
    const struct chip *c = ctl;

    return __atomic_load_n(&c->ready[vcpu], __ATOMIC_ACQUIRE);
}

void chip_count_taken(struct chip *c, unsigned vcpu, int vector)
{
    struct ledger_row **row = &c->taken[vcpu][vector];
    char dev[16], name[16];

    if (!*row) {
        snprintf(dev, sizeof(dev), "cpu%u", vcpu);
        snprintf(name, sizeof(name), "0x%02x", (unsigned)vector);
        *row = ledger_row(c->env.ledger, LEDGER_VEC, dev, name);
    }
    if (*row) /* out of memory: uncounted */
        ledger_add(*row, true, 0);
}

static int chip_ack(void *ctl, unsigned vcpu)
{
    struct chip *c = ctl;
    int vector;

    pthread_mutex_lock(c->env.lock);
    vector = lapic_ack(c->lapics, vcpu);
    if (vector < 0 && c->intr && lapic_extint(c->lapics, vcpu))
        vector = pic8259_ack(c->pic);
    if (vector >= 0)
        chip_count_taken(c, vcpu, vector);
    if (vector >= 0 && c->look)
        c->look(c->look_dev);
    vcpu_changed(c, vcpu);
    pthread_mutex_unlock(c->env.lock);
    return vector;
}

static unsigned chip_tpr(void *ctl, unsigned vcpu)
{
    const struct chip *c = ctl;

    return lapic_tpr(c->lapics, vcpu);
}

static void chip_set_tpr(void *ctl, unsigned vcpu, unsigned tpr)
{
    struct chip *c = ctl;

    pthread_mutex_lock(c->env.lock);
    lapic_set_tpr(c->lapics, vcpu, tpr);
    pthread_mutex_unlock(c->env.lock);
}

static bool chip_take_nmi(void *ctl, unsigned vcpu)
{
    struct chip *c = ctl;

    return lapic_want(c->lapics, vcpu, LAPIC_WANT_NMI);
}

static bool chip_wanted(void *ctl, unsigned vcpu)
{
    const struct chip *c = ctl;

    return lapic_wanted(c->lapics, vcpu);
}

static unsigned chip_take_init(void *ctl, unsigned vcpu, uint8_t *vector)
{
    struct chip *c = ctl;
    unsigned took = lapic_want(c->lapics, vcpu, LAPIC_WANT_INIT | LAPIC_WANT_SIPI);

    if (!took)
        return 0;
    pthread_mutex_lock(c->env.lock);
    if (took & LAPIC_WANT_INIT)
        lapic_init_cpu(c->lapics, vcpu);
    *vector = lapic_sipi_vector(c->lapics, vcpu);
    pthread_mutex_unlock(c->env.lock);
    return (took & LAPIC_WANT_INIT ? 1u : 0) | (took & LAPIC_WANT_SIPI ? 2u : 0);
}

static int chip_msr_read(void *ctl, unsigned vcpu, uint32_t msr, uint64_t *val)
{
    struct chip *c = ctl;
    int err;

    pthread_mutex_lock(c->env.lock);
    err = lapic_msr_read(c->lapics, vcpu, msr, val);
    pthread_mutex_unlock(c->env.lock);
    return err;
}

static int chip_msr_write(void *ctl, unsigned vcpu, uint32_t msr, uint64_t val)
{
    struct chip *c = ctl;
    int err;

    pthread_mutex_lock(c->env.lock);
    err = lapic_msr_write(c->lapics, vcpu, msr, val);
    pthread_mutex_unlock(c->env.lock);
    return err;
}

const struct intr_ops *chip_intr(const struct chip *c)
{
    return c->o.apics ? &chip_split_ops : &chip_intr_ops;
}

const struct intr_ops chip_intr_ops = {
    .pending = chip_pending,
    .ack = chip_ack,
    .tpr = chip_tpr,
    .set_tpr = chip_set_tpr,
    .nmi = chip_take_nmi,
    .wanted = chip_wanted,
    .init = chip_take_init,
    .msr_read = chip_msr_read,
    .msr_write = chip_msr_write,
};

/* ---- state, reset, create ---- */

static void chip_state(void *dev, struct state *st)
{
    struct chip *c = dev;
    uint32_t inputs = c->inputs;

    state_section(st, "chip", 1);
    state_u32(st, &inputs);
    if (!state_check(st, inputs == c->inputs))
        return;
    if (c->pic)
        pic8259_class.state(c->pic, st);
    if (c->ioapic)
        ioapic_class.state(c->ioapic, st);
    if (c->lapics)
        lapic_class.state(c->lapics, st);
    else
        chip_split_state(c, st);
    for (unsigned i = 0; i < IOAPIC_PINS && st->load; i++)
        c->line[i].high = 0;
    for (unsigned i = 0; i < c->inputs; i++) {
        state_bool(st, &c->input[i].level);
        if (st->load)
            c->line[c->input[i].gsi].high += c->input[i].level;
    }
}

/* Inputs are their devices' outputs: they fall when the devices reset. */
static void chip_reset(void *dev)
{
    struct chip *c = dev;

    if (c->pic)
        pic8259_class.reset(c->pic);
    if (c->ioapic)
        ioapic_class.reset(c->ioapic);
    if (c->lapics)
        lapic_class.reset(c->lapics);
}

static void chip_destroy(void *dev)
{
    struct chip *c = dev;

    if (c->pic)
        pic8259_class.destroy(c->pic);
    if (c->ioapic)
        ioapic_class.destroy(c->ioapic);
    if (c->lapics)
        lapic_class.destroy(c->lapics);
    free(c->taken);
    free(c->ready);
    free(c);
}

static int rows_make(struct chip *c)
{
    char name[16];

    c->stray = ledger_row(c->env.ledger, LEDGER_MSI, c->env.name, "stray");
    for (unsigned i = 0; i < IOAPIC_PINS; i++) {
        snprintf(name, sizeof(name), "%u", i);
        c->line[i].row = ledger_row(c->env.ledger, LEDGER_IRQ, c->env.name, name);
        if (!c->line[i].row)
            return -ENOMEM;
    }
    c->taken = calloc(c->o.vcpus, sizeof(*c->taken));
    c->ready = calloc(c->o.vcpus, sizeof(*c->ready));
    return c->stray && c->taken && c->ready ? 0 : -ENOMEM;
}

static int parts_make(struct chip *c)
{
    const struct chip_opts *o = &c->o;
    struct lapic_opts lo = {
        .vcpus = o->vcpus,
        .base = o->lapic,
        .timer_hz = o->lapic_hz,
        .tsc_to_ns = o->tsc_to_ns,
        .tsc_ctx = o->ctx,
        .virtual_wire = o->virtual_wire,
        .eoi = chip_level_eoi,
        .changed = vcpu_changed,
        .ctx = c,
    };
    int err = rows_make(c);

    if (!err && o->pic)
        err = pic8259_create(&c->pic, &c->env, o->pic, pic_intr, c);
    if (!err && o->ioapic)
        err = ioapic_create(&c->ioapic, &c->env, o->ioapic, o->ioapic_id, message, c);
    if (!err && o->ioapic && o->apics)
        ioapic_tell(c->ioapic, chip_split_pin);
    return err || o->apics ? err : lapic_create(&c->lapics, &c->env, &lo);
}

int chip_create(struct chip **out, const struct dev_env *env, const struct chip_opts *o)
{
    struct chip *c;
    int err;

    if (o->vcpus == 0 || o->vcpus > LAPIC_MAX || !o->kick)
        return -EINVAL;
    c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->env = *env;
    c->o = *o;
    err = parts_make(c);
    if (err) {
        chip_destroy(c);
        return err;
    }
    for (unsigned i = 0; i < o->vcpus; i++)
        c->ready[i] = -1;
    *out = c;
    return 0;
}

const struct dev_class chip_class = {
    .name = "irqchip",
    .summary = "the interrupt controllers: PIC, I/O APIC, local APICs",
    .reset = chip_reset,
    .state = chip_state,
    .destroy = chip_destroy,
};
