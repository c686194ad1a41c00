/*
 * The hypervisor as a device: ACPI's VIAD0002 has the ports and the interrupt, CPUID says whether
 * VMCALL works too. Its disks become platform devices, so that each can be bound and unbound. The
 * interrupt is an edge and says only "look": every disk is looked at.
 */
#include "hc.h"
#include "module.h"
#include <asm/processor.h>
#include <linux/acpi.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/module.h>

#define HC_MASK DMA_BIT_MASK(38) /* what the port takes: 32 bits of units of 64 */

s64 hc_call(struct hc *hc, struct pv_block *b, dma_addr_t at)
{
    u64 rax = b->call;

    if (hc->vmcall) {
        asm volatile("vmcall"
                     : "+a"(rax)
                     : "b"(b->arg[0]), "c"(b->arg[1]), "d"(b->arg[2]), "S"(b->arg[3]),
                       "D"(b->arg[4])
                     : "memory");
        return rax;
    }
    barrier(); /* the block is in memory before the instruction, and read behind it */
    outl(at / PV_BLOCK_ALIGN, hc->port + PV_PORT_CALL);
    barrier();
    return READ_ONCE(b->result);
}

/* A call of the family, by nobody but probe and remove. */
static s64 hc_ask(struct hc *hc, u64 call, u64 a, u64 b)
{
    *hc->block = (struct pv_block){.call = call, .arg = {a, b}};
    return hc_call(hc, hc->block, hc->block_at);
}

void hc_kick(struct hc_disk *p)
{
    *p->block = (struct pv_block){.call = PV_CALL_KICK, .arg = {p->number}};
    if (p->hc->vmcall) {
        hc_call(p->hc, p->block, p->block_at);
    } else {
        barrier();
        outl(p->number, p->hc->port + PV_PORT_KICK);
        barrier();
    }
}

void hc_listen(struct hc_disk *p)
{
    spin_lock_irq(&p->hc->lock);
    list_add_tail(&p->node, &p->hc->disks);
    spin_unlock_irq(&p->hc->lock);
}

void hc_unlisten(struct hc_disk *p)
{
    spin_lock_irq(&p->hc->lock);
    list_del(&p->node);
    spin_unlock_irq(&p->hc->lock);
}

static irqreturn_t hc_irq(int irq, void *data)
{
    struct hc *hc = data;
    struct hc_disk *p;

    spin_lock(&hc->lock);
    list_for_each_entry(p, &hc->disks, node) hc_disk_look(p);
    spin_unlock(&hc->lock);
    return IRQ_HANDLED;
}

static bool hc_vmcall(void)
{
    u32 eax, ebx, ecx, edx;

    cpuid(PV_CPUID, &eax, &ebx, &ecx, &edx);
    if (ebx != PV_CPUID_EBX || ecx != PV_CPUID_ECX || edx != PV_CPUID_EDX || eax < PV_CPUID + 1)
        return false;
    return cpuid_ebx(PV_CPUID + 1) & PV_FEATURE_VMCALL;
}

static int hc_reach(struct hc *hc, struct platform_device *pdev)
{
    struct resource *io = platform_get_resource(pdev, IORESOURCE_IO, 0);

    if (!io || resource_size(io) < PV_PORTS)
        return -ENODEV;
    if (!devm_request_region(hc->dev, io->start, PV_PORTS, "viaduct_pv"))
        return -EBUSY;
    hc->port = io->start;
    if (inl(hc->port + PV_PORT_CALL) != PV_ID ||
        inl(hc->port + PV_PORT_KICK) >> 16 != PV_VERSION >> 16)
        return -ENODEV;
    hc->vmcall = way_vmcall(hc_vmcall());
    hc->irq = platform_get_irq(pdev, 0);
    return hc->irq < 0 ? hc->irq : dma_coerce_mask_and_coherent(hc->dev, HC_MASK);
}

static int hc_share(struct hc *hc)
{
    hc->block = dmam_alloc_coherent(hc->dev, sizeof(struct pv_block) + sizeof(struct pv_device),
                                    &hc->block_at, GFP_KERNEL);
    hc->table = dmam_alloc_coherent(hc->dev, HC_DISKS * HC_UNITS * sizeof(struct pv_end),
                                    &hc->table_at, GFP_KERNEL);
    if (!hc->block || !hc->table)
        return -ENOMEM;
    if (hc_ask(hc, PV_CALL_RESET, 0, 0) ||
        hc_ask(hc, PV_CALL_TABLE, hc->table_at, HC_DISKS * HC_UNITS))
        return -EIO;
    return devm_request_irq(hc->dev, hc->irq, hc_irq, 0, "viaduct_pv", hc);
}

static void hc_children_del(struct hc *hc)
{
    for (unsigned i = 0; i < HC_DISKS; i++)
        platform_device_unregister(hc->child[i]); /* NULL: nothing */
}

static int hc_child_add(struct hc *hc, unsigned number, const struct hc_found *found)
{
    struct platform_device_info info = {
        .parent = hc->dev,
        .name = "viaduct_pvdisk",
        .id = number,
        .data = found,
        .size_data = sizeof(*found),
        .dma_mask = DMA_BIT_MASK(64),
    };
    struct platform_device *child = platform_device_register_full(&info);

    if (IS_ERR(child))
        return PTR_ERR(child);
    hc->child[number] = child;
    return 0;
}

static int hc_children_add(struct hc *hc)
{
    s64 devices = hc_ask(hc, PV_CALL_DEVICES, 0, 0);
    unsigned disks = 0;
    int rc = 0;

    for (s64 i = 0; i < devices && disks < HC_DISKS && !rc; i++) {
        struct hc_found found = {.hc = hc, .devid = i, .number = disks};

        if (hc_ask(hc, PV_CALL_DEVICE, i, hc->block_at + sizeof(struct pv_block)))
            return -EIO;
        found.about = *(struct pv_device *)(hc->block + 1);
        if (found.about.kind == PV_KIND_DISK)
            rc = hc_child_add(hc, disks++, &found);
    }
    return rc;
}

static int hc_probe(struct platform_device *pdev)
{
    struct hc *hc = devm_kzalloc(&pdev->dev, sizeof(*hc), GFP_KERNEL);
    int rc;

    if (!hc)
        return -ENOMEM;
    hc->dev = &pdev->dev;
    spin_lock_init(&hc->lock);
    INIT_LIST_HEAD(&hc->disks);
    platform_set_drvdata(pdev, hc);
    rc = hc_reach(hc, pdev);
    if (!rc)
        rc = hc_share(hc);
    if (rc)
        return rc;
    dev_info(hc->dev, "hypercalls by %s, interrupt %d\n", hc->vmcall ? "VMCALL" : "port", hc->irq);
    rc = hc_children_add(hc);
    if (!rc)
        return 0;
    hc_children_del(hc);
    hc_ask(hc, PV_CALL_RESET, 0, 0);
    return rc;
}

static int hc_remove(struct platform_device *pdev)
{
    struct hc *hc = platform_get_drvdata(pdev);

    hc_children_del(hc);
    hc_ask(hc, PV_CALL_RESET, 0, 0); /* nothing is written to what is freed now */
    return 0;
}

static const struct acpi_device_id hc_ids[] = {{PV_ACPI_HID}, {}};
MODULE_DEVICE_TABLE(acpi, hc_ids);

static struct platform_driver hc_driver = {
    .probe = hc_probe,
    .remove = hc_remove,
    .driver = {.name = "viaduct_pv", .acpi_match_table = hc_ids},
};

int hc_register(void)
{
    int rc = platform_driver_register(&hc_disk_driver);

    if (rc)
        return rc;
    rc = platform_driver_register(&hc_driver);
    if (rc)
        platform_driver_unregister(&hc_disk_driver);
    return rc;
}

void hc_unregister(void)
{
    platform_driver_unregister(&hc_driver);
    platform_driver_unregister(&hc_disk_driver);
}
