/*
 * The wires of one device: registers, configuration space, DMA, interrupt lines and messages. The
 * board hands the device a world with the tap in it (rec_env, rec_irq, rec_msi).
 */
#include "bus/bus.h"
#include "bus/pci.h"
#include "core/ledger.h"
#include "record/rec_impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- registers ---- */

/* Devices name their regions in either of two places: the ledger row's device or its name. */
static const char *label_base(const struct rec_dev *d, const struct io_region *r)
{
    const char *owner = r->row ? r->row->dev : r->name;

    return strcmp(owner, d->name) ? owner : r->row ? r->row->name : "regs";
}

const char *rec_region_label(struct rec_dev *d, struct rec_region *m)
{
    unsigned same = 1;

    if (m->label[0])
        return m->label;
    for (struct rec_region *o = d->region; o < m; o++)
        same += !strcmp(label_base(d, o->region), label_base(d, m->region));
    if (same > 1)
        snprintf(m->label, sizeof(m->label), "%.31s#%u", label_base(d, m->region), same % 100);
    else
        snprintf(m->label, sizeof(m->label), "%.31s", label_base(d, m->region));
    return m->label;
}

struct rec_region *rec_region_find(struct rec_dev *d, const char *label)
{
    for (unsigned i = 0; i < d->regions; i++)
        if (!strcmp(rec_region_label(d, &d->region[i]), label))
            return &d->region[i];
    return NULL;
}

static void tap_region(struct tap *t, struct io_region *r)
{
    struct rec_dev *d = rec_dev_of(t);

    if (d->regions == REC_REGIONS)
        d->rec->short_of = true;
    else
        d->region[d->regions++].region = r;
}

static void tap_func(struct tap *t, struct pci_func *f)
{
    rec_dev_of(t)->func = f;
}

static const char *label_of(struct rec_dev *d, const struct io_region *r)
{
    for (unsigned i = 0; i < d->regions; i++)
        if (d->region[i].region == r)
            return rec_region_label(d, &d->region[i]);
    return "?";
}

static void tap_begin(struct tap *t)
{
    rec_begin(rec_dev_of(t));
}

static void tap_end(struct tap *t, const struct tap_access *a)
{
    struct rec_dev *d = rec_dev_of(t);
    struct rec_text *line = rec_new(d);

    if (a->region)
        rec_add(line, "%c %s+%llx %u %llx", a->write ? 'w' : 'r', label_of(d, a->region),
                (unsigned long long)a->off, a->size, (unsigned long long)a->val);
    else
        rec_add(line, "%s %llx %u %llx", a->write ? "cw" : "cr", (unsigned long long)a->off,
                a->size, (unsigned long long)a->val);
    rec_head(d);
    rec_end(d);
}

/* ---- DMA ---- */

/* What the device read is an input: the whole of it stands in the line, and playing puts it where
 * the device will look. */
static void dma_in(struct rec_dev *d, const struct tap_dma *a)
{
    const char *data;

    if (!d->rec->play) {
        rec_add(&d->rec->tmp, " ");
        rec_add_data(&d->rec->tmp, a->data, a->len);
        rec_put(d);
        return;
    }
    data = rec_take(d);
    if (data && !rec_data(data, a->data, a->len))
        rec_differ(d->rec, "%s: not %zu bytes that the device could read: %.100s", d->name, a->len,
                   data);
}

static void tap_dma(struct tap *t, const struct tap_dma *a)
{
    static const char *const name[] = {[TAP_READ] = "dma r",
                                       [TAP_WRITE] = "dma w",
                                       [TAP_HOLD_READ] = "hold r",
                                       [TAP_HOLD_WRITE] = "hold w",
                                       [TAP_DROP] = "drop"};
    struct rec_dev *d = rec_dev_of(t);
    struct rec_text *line = rec_new(d);

    rec_add(line, "%s %llx %zx", name[a->kind], (unsigned long long)a->gpa, a->len);
    if (a->data && (a->kind == TAP_READ || a->kind == TAP_HOLD_READ)) {
        dma_in(d, a);
        return;
    }
    rec_add(line, " ");
    if (!a->data)
        rec_add(line, "refused");
    else if (a->kind == TAP_HOLD_WRITE)
        rec_add(line, "ok");
    else
        rec_add_sum(line, a->data, a->len);
    rec_put(d);
}

/* ---- what comes by no wire of the bus ---- */

static void tap_input(struct tap *t, const char *what, const int v[3])
{
    struct rec_dev *d = rec_dev_of(t);

    rec_add(rec_new(d), "input %s %d %d %d", what, v[0], v[1], v[2]);
    rec_head(d);
    rec_end(d);
}

static const struct tap_ops tap_ops = {tap_region, tap_func, tap_begin,
                                       tap_end,    tap_dma,  tap_input};

/* ---- interrupts ---- */

static void line_set(void *chip, unsigned pin, bool level)
{
    struct rec_line *l = chip;

    if (l->level != level) { /* devices say their level after each access: only news is a line */
        l->level = level;
        rec_add(rec_new(l->dev), "irq %u %u", pin, level);
        rec_put(l->dev);
    }
    if (!l->dev->rec->play)
        irq_set(&l->to, level);
}

/* Would an edge be lost now? The interrupt controllers know: an answer from outside. */
static bool line_waits(void *chip, unsigned pin)
{
    struct rec_line *l = chip;
    struct rec *r = l->dev->rec;
    const char *answer;
    bool waits;

    rec_add(rec_new(l->dev), "irq waits %u", pin);
    if (r->play) {
        answer = rec_take(l->dev);
        return answer && *answer == '1';
    }
    waits = l->to.waits(l->to.chip, l->to.pin);
    rec_add(&r->tmp, " %u", waits);
    rec_put(l->dev);
    return waits;
}

/* A CPU has taken some interrupt. Few of these mean anything to the device. */
static void line_look(struct rec_line *l)
{
    struct rec_dev *d = l->dev;

    rec_begin(d);
    rec_add(rec_new(d), "irq look %u", l->number);
    rec_head(d);
    if (l->look)
        l->look(l->look_dev);
    rec_end_quiet(d);
}

static void on_look(void *line)
{
    line_look(line);
}

static void line_watch(void *chip, unsigned pin, void (*look)(void *dev), void *dev)
{
    struct rec_line *l = chip;

    (void)pin;
    l->look = look;
    l->look_dev = dev;
    if (!l->dev->rec->play && l->to.watch)
        l->to.watch(l->to.chip, l->to.pin, look ? on_look : NULL, look ? l : NULL);
}

void rec_irq_play(struct rec_dev *d, const char *rest)
{
    uint64_t n;

    if (!rec_number(&rest, 10, &n) || *rest || n >= d->lines || !d->line[n]->look)
        rec_differ(d->rec, "%s: has no line that it watches so", d->name);
    else
        line_look(d->line[n]);
}

struct irq rec_irq(struct tap *t, struct irq irq)
{
    struct rec_dev *d = t ? rec_dev_of(t) : NULL;
    struct rec_line *l = d ? calloc(1, sizeof(*l)) : NULL;

    if (!d)
        return irq;
    if (!l || d->lines == REC_LINES) {
        d->rec->short_of = true;
        free(l);
        return irq;
    }
    *l = (struct rec_line){.dev = d, .to = irq, .number = d->lines};
    d->line[d->lines] = l;
    return (struct irq){.set = line_set,
                        .chip = l,
                        .pin = d->lines++,
                        .waits = irq.waits && !d->rec->m.split ? line_waits : NULL,
                        .watch = irq.watch && !d->rec->m.split ? line_watch : NULL};
}

static void msi_send(void *chip, uint64_t addr, uint32_t data)
{
    struct rec_dev *d = chip;

    rec_add(rec_new(d), "msi %llx %x", (unsigned long long)addr, data);
    rec_put(d);
    if (!d->rec->play && d->msi.send)
        d->msi.send(d->msi.chip, addr, data);
}

struct msi_sink rec_msi(struct tap *t, struct msi_sink msi)
{
    if (!t)
        return msi;
    rec_dev_of(t)->msi = msi;
    return (struct msi_sink){.send = msi_send, .chip = rec_dev_of(t)};
}

/* ---- which devices ---- */

/* Those of which the board taps all that reaches them. A new one is named here when that is so. */
static const char *const tapped[] = {"acpi",   "com",         "debugexit",   "i8042",
                                     "ide",    "nic",         "pit",         "rtc",
                                     "virtio", "regdisk-pio", "regdisk-mmio"};

static const char *refusal(const char *name)
{
    size_t n = strcspn(name, "0123456789");

    if (!strcmp(name, "irq"))
        return "interrupt controllers are driven by the vCPUs";
    if (!strcmp(name, "hostbridge"))
        return "it only passes on what is recorded at the PCI functions";
    if (!strncmp(name, "i8042", 5))
        n = 5;
    for (size_t i = 0; i < ARRAY_LEN(tapped); i++)
        if (strlen(tapped[i]) == n && !strncmp(name, tapped[i], n))
            return NULL;
    return "not all that reaches it passes by a tap";
}

static bool picked(const struct rec *r, const char *name)
{
    for (unsigned i = 0; i < r->m.picks; i++)
        if (!strcmp(r->m.pick[i], name))
            return true;
    return !r->m.picks && !r->play;
}

static struct rec_dev *dev_make(struct rec *r, const char *name)
{
    struct rec_dev *d = r->devs < REC_DEVS ? calloc(1, sizeof(*d)) : NULL;

    if (!d) {
        r->short_of = true;
        return NULL;
    }
    d->tap.ops = &tap_ops;
    d->rec = r;
    snprintf(d->name, sizeof(d->name), "%s", name);
    if (rec_time_open(d)) {
        r->short_of = true;
        free(d);
        return NULL;
    }
    r->dev[r->devs++] = d;
    return d;
}

void rec_env(struct rec *r, struct dev_env *env)
{
    struct rec_dev *d = NULL;

    if (!r)
        return;
    if (picked(r, env->name)) {
        if (!refusal(env->name))
            d = dev_make(r, env->name);
        else if (r->m.picks)
            snprintf(r->refused, sizeof(r->refused), "%s", env->name);
    }
    bus_tap(env->bus, d ? &d->tap : NULL);
    if (!d)
        return;
    env->tap = &d->tap;
    env->loop = d->view;
    env->bells = NULL;   /* a doorbell or a page that does not trap */
    env->shadows = NULL; /* would pass by the tap */
    if (!r->play) {
        rec_add(rec_new(d), "device %s\n", d->name);
        rec_write(r, &r->tmp);
    }
}

static const struct rec_dev *dev_named(const struct rec *r, const char *name)
{
    for (unsigned i = 0; i < r->devs; i++)
        if (!strcmp(r->dev[i]->name, name))
            return r->dev[i];
    return NULL;
}

int rec_ready(struct rec *r, struct error *err)
{
    const char *what = r->play ? r->in.name : "--record";

    if (r->refused[0])
        return error_set(err, -EINVAL, "%s: device %s can't be recorded: %s", what, r->refused,
                         refusal(r->refused));
    if (r->short_of)
        return error_set(err, -ENOMEM, "%s: too many devices, or out of memory", what);
    for (unsigned i = 0; i < r->m.picks; i++)
        if (!dev_named(r, r->m.pick[i]))
            return error_set(err, -EINVAL, "%s: this machine has no device %s", what, r->m.pick[i]);
    return 0;
}

void rec_reset(struct rec *r, const struct dev *dev)
{
    struct rec_dev *d = r ? (struct rec_dev *)(uintptr_t)dev_named(r, dev->name) : NULL;

    if (d) {
        rec_begin(d);
        rec_add(rec_new(d), "reset");
        rec_head(d);
    }
    dev->cls->reset(dev->dev);
    if (d)
        rec_end(d);
}
