/*
 * PCI host bridge: function 00:00.0 and configuration mechanism #1 (PCI Local Bus Specification
 * 3.0, section 3.2.2.3.2). CONFIG_ADDRESS answers 32-bit accesses only; narrower ones pass it by,
 * where a PC has its reset control register (ICH data sheets, "RST_CNT").
 */
#include "dev/hostbridge.h"
#include "bus/pci.h"
#include "core/state.h"
#include <errno.h>
#include <stdlib.h>

enum { ADDRESS = 0, RST_CNT = 1, DATA = 4, PORTS = 8 };
#define ADDR_ENABLE   0x80000000u
#define ADDR_WRITABLE 0x80fffffcu
enum { RST_SYSTEM = 2, RST_CPU = 4, RST_FULL = 8 };
#define CLASS_HOST 0x060000u

struct hostbridge {
    uint32_t address;
    uint8_t rst_cnt;
    struct pci_func func;
    struct io_region ports;
    struct hostbridge_opts o;
};

/* The function addressed now, or an impossible one: bus 0 is all there is. */
static unsigned target(const struct hostbridge *h)
{
    bool ours = (h->address & ADDR_ENABLE) && !(h->address >> 16 & 0xff);

    return ours ? h->address >> 8 & 0xff : ~0u;
}

static void rst_write(struct hostbridge *h, uint8_t val)
{
    bool fire = (val & RST_CPU) && !(h->rst_cnt & RST_CPU);

    h->rst_cnt = val & (RST_SYSTEM | RST_CPU | RST_FULL);
    if (fire)
        h->o.reset(h->o.ctx);
}

static uint64_t hostbridge_read(void *dev, uint64_t off, unsigned size)
{
    struct hostbridge *h = dev;

    if (off >= DATA)
        return pci_cfg_read(h->func.env.pci, target(h),
                            (h->address & 0xfc) + (unsigned)(off - DATA), size);
    if (off == ADDRESS && size == 4)
        return h->address;
    if (off == RST_CNT && size == 1 && h->o.reset)
        return h->rst_cnt;
    return UINT32_MAX;
}

static void hostbridge_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct hostbridge *h = dev;

    if (off >= DATA)
        pci_cfg_write(h->func.env.pci, target(h), (h->address & 0xfc) + (unsigned)(off - DATA),
                      size, (uint32_t)val);
    else if (off == ADDRESS && size == 4)
        h->address = (uint32_t)val & ADDR_WRITABLE;
    else if (off == RST_CNT && size == 1 && h->o.reset)
        rst_write(h, (uint8_t)val);
}

static const struct io_ops hostbridge_ops = {
    .read = hostbridge_read, .write = hostbridge_write, .sizes = 1 | 2 | 4, .split = true};

static void hostbridge_state(void *dev, struct state *st)
{
    struct hostbridge *h = dev;

    state_section(st, "hostbridge", 1);
    state_u32(st, &h->address);
    state_u8(st, &h->rst_cnt);
    pci_func_state(&h->func, st);
    h->address &= ADDR_WRITABLE;
}

static void hostbridge_reset(void *dev)
{
    struct hostbridge *h = dev;

    h->address = 0;
    h->rst_cnt = 0;
    pci_func_reset(&h->func);
}

static void hostbridge_destroy(void *dev)
{
    struct hostbridge *h = dev;

    bus_unmap(h->func.env.bus, &h->ports);
    pci_func_detach(&h->func);
    free(h);
}

int hostbridge_create(struct hostbridge **out, const struct dev_env *env,
                      const struct hostbridge_opts *o)
{
    struct hostbridge *h = calloc(1, sizeof(*h));
    struct pci_ids ids = {
        .vendor = o->vendor ? o->vendor : 0x8086,
        .device = o->vendor ? o->device : 0x1237, /* 440FX: every OS has met it */
        .class_rev = CLASS_HOST << 8 | 2,
    };
    int err;

    if (!h)
        return -ENOMEM;
    h->o = *o;
    h->ports = (struct io_region){.name = env->name,
                                  .ops = &hostbridge_ops,
                                  .dev = h,
                                  .lock = env->lock,
                                  .space = BUS_PIO,
                                  .base = o->base,
                                  .len = PORTS};
    err = pci_func_init(&h->func, env, &ids, h);
    if (!err)
        err = pci_func_attach(&h->func);
    if (!err)
        err = bus_map(env->bus, &h->ports);
    if (err) {
        hostbridge_destroy(h);
        return err;
    }
    *out = h;
    return 0;
}

const struct dev_class hostbridge_class = {
    .name = "hostbridge",
    .summary = "PCI host bridge and configuration ports",
    .reset = hostbridge_reset,
    .state = hostbridge_state,
    .destroy = hostbridge_destroy,
};
