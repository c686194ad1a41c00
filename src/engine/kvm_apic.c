/*
 * Engine kvm, split irqchip: what goes into the kernel's local APICs. Linux
 * Documentation/virt/kvm/api.rst: KVM_CAP_SPLIT_IRQCHIP, KVM_SET_GSI_ROUTING, KVM_SIGNAL_MSI,
 * KVM_IRQFD, KVM_GET_LAPIC.
 *
 * The routing table is one array by GSI: the pins of the I/O APIC, whose level-triggered entries
 * tell the kernel which EOIs we wait for, and behind them a GSI for each message with an irqfd.
 * Setting it costs the kernel a grace period, so it changes only when a guest programs something.
 */
#include "engine/kvm_apic.h"
#include "core/apics.h"
#include "core/error.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ---- single ioctls ---- */

int kvm_apic_split(int vm)
{
    struct kvm_enable_cap cap = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {KVM_APIC_PINS}};

    return ioctl(vm, KVM_ENABLE_CAP, &cap) < 0 ? -errno : 0;
}

int kvm_apic_irqfd(int vm, unsigned gsi, int fd, bool add)
{
    struct kvm_irqfd f = {
        .fd = (uint32_t)fd,
        .gsi = gsi,
        .flags = add ? 0 : KVM_IRQFD_FLAG_DEASSIGN,
    };

    return ioctl(vm, KVM_IRQFD, &f) < 0 ? -errno : 0;
}

int kvm_apic_page_get(int vcpu, uint8_t *page)
{
    struct kvm_lapic_state s;

    if (ioctl(vcpu, KVM_GET_LAPIC, &s) < 0)
        return -errno;
    memcpy(page, s.regs, INTR_LAPIC_PAGE);
    return 0;
}

int kvm_apic_page_set(int vcpu, const uint8_t *page)
{
    struct kvm_lapic_state s;

    memcpy(s.regs, page, INTR_LAPIC_PAGE);
    return ioctl(vcpu, KVM_SET_LAPIC, &s) < 0 ? -errno : 0;
}

int kvm_routes_give(const struct kvm_routes *r, int vm)
{
    union {
        struct kvm_irq_routing head;
        uint8_t room[sizeof(struct kvm_irq_routing) +
                     KVM_APIC_ROUTES * sizeof(struct kvm_irq_routing_entry)];
    } t = {.head = {0}};

    for (unsigned gsi = 0; gsi < KVM_APIC_ROUTES; gsi++)
        if (r->at[gsi].used)
            t.head.entries[t.head.nr++] = (struct kvm_irq_routing_entry){
                .gsi = gsi,
                .type = KVM_IRQ_ROUTING_MSI,
                .u.msi = {.address_lo = (uint32_t)r->at[gsi].addr,
                          .address_hi = (uint32_t)(r->at[gsi].addr >> 32),
                          .data = r->at[gsi].data},
            };
    return ioctl(vm, KVM_SET_GSI_ROUTING, &t) < 0 ? -errno : 0;
}

/* ---- what the controllers outside call (core/apics.h) ---- */

static bool apic_send(void *ctx, uint64_t addr, uint32_t data)
{
    struct engine *e = ctx;
    struct kvm_msi m = {
        .address_lo = (uint32_t)addr, .address_hi = (uint32_t)(addr >> 32), .data = data};

    return ioctl(e->vm, KVM_SIGNAL_MSI, &m) > 0;
}

/* True: the table is another one now. */
static bool route_put(struct kvm_routes *r, unsigned gsi, uint64_t addr, uint32_t data)
{
    if (r->at[gsi].used && r->at[gsi].addr == addr && r->at[gsi].data == data)
        return false;
    r->at[gsi].used = true;
    r->at[gsi].addr = addr;
    r->at[gsi].data = data;
    return true;
}

/* What the kernel refuses here (an absurd address) would get no EOI told: that pin stays silent,
 * as a pin whose message nobody takes. */
static void apic_pin(void *ctx, unsigned pin, uint64_t addr, uint32_t data)
{
    struct engine *e = ctx;

    if (pin < KVM_APIC_PINS && route_put(e->routes, pin, addr, data))
        (void)kvm_routes_give(e->routes, e->vm);
}

static unsigned gsi_free(const struct kvm_routes *r)
{
    for (unsigned gsi = KVM_APIC_PINS; gsi < KVM_APIC_ROUTES; gsi++)
        if (!r->at[gsi].used)
            return gsi;
    return 0;
}

static int way_make(struct engine *e, struct msi_way *w, unsigned gsi)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), rc;

    if (fd < 0)
        return -errno;
    rc = kvm_apic_irqfd(e->vm, gsi, fd, true);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    w->fd = e->routes->fd[gsi - KVM_APIC_PINS] = fd;
    w->gsi = gsi;
    return 0;
}

static int way_open(void *ctx, struct msi_way *w)
{
    struct engine *e = ctx;
    struct kvm_routes *r = e->routes;
    unsigned gsi = w->gsi ? w->gsi : gsi_free(r);
    int rc = 0;

    if (!gsi)
        return -ENOSPC;
    if (route_put(r, gsi, w->addr, w->data))
        rc = kvm_routes_give(r, e->vm);
    if (rc == 0 && !w->gsi)
        rc = way_make(e, w, gsi);
    if (rc < 0 && !w->gsi)
        r->at[gsi].used = false; /* the kernel may keep it: nothing signals it */
    return rc;
}

static void way_close(void *ctx, struct msi_way *w)
{
    struct engine *e = ctx;

    if (!w->gsi)
        return;
    (void)kvm_apic_irqfd(e->vm, w->gsi, w->fd, false);
    close(w->fd);
    e->routes->at[w->gsi].used = false;
    e->routes->fd[w->gsi - KVM_APIC_PINS] = -1;
    w->gsi = 0;
}

static int apic_page(void *ctx, unsigned vcpu, uint8_t *page, bool set)
{
    struct engine *e = ctx;
    int fd = vcpu < e->vcpus ? e->vcpu[vcpu].fd : -1;

    return set ? kvm_apic_page_set(fd, page) : kvm_apic_page_get(fd, page);
}

const struct apics_ops kvm_apics = {
    .send = apic_send,
    .pin = apic_pin,
    .way_open = way_open,
    .way_close = way_close,
    .page = apic_page,
};

/* ---- life ---- */

int kvm_apic_open(struct engine *e, struct error *err)
{
    int rc;

    e->routes = calloc(1, sizeof(*e->routes));
    if (!e->routes)
        return error_set(err, -ENOMEM, "out of memory");
    for (unsigned i = 0; i < KVM_APIC_WAYS; i++)
        e->routes->fd[i] = -1;
    rc = kvm_apic_split(e->vm);
    if (rc < 0)
        return error_set(err, rc, "KVM can't keep the local APICs: %s; use --irqchip user",
                         strerror(-rc));
    return 0;
}

void kvm_apic_close(struct engine *e)
{
    for (unsigned i = 0; e->routes && i < KVM_APIC_WAYS; i++)
        if (e->routes->fd[i] >= 0)
            close(e->routes->fd[i]);
    free(e->routes);
}

/* The kernel starts vCPUs but the first when a start-up message comes. */
void kvm_apic_reset(struct kvm_vcpu *v)
{
    const struct engine_env *env = &v->engine->env;
    struct kvm_mp_state mp = {.mp_state =
                                  v->index ? KVM_MP_STATE_UNINITIALIZED : KVM_MP_STATE_RUNNABLE};
    uint8_t page[INTR_LAPIC_PAGE];

    env->intr->lapic(env->intr_ctl, v->index, page);
    (void)kvm_apic_page_set(v->fd, page);
    (void)ioctl(v->fd, KVM_SET_MP_STATE, &mp);
}

bool kvm_apic_dead(struct kvm_vcpu *v)
{
    struct kvm_mp_state mp;

    if (ioctl(v->fd, KVM_GET_MP_STATE, &mp) < 0)
        return false;
    if (mp.mp_state == KVM_MP_STATE_UNINITIALIZED || mp.mp_state == KVM_MP_STATE_INIT_RECEIVED)
        return true;
    return mp.mp_state == KVM_MP_STATE_HALTED && !v->run->if_flag;
}
