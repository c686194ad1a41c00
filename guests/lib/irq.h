/* Interrupt controllers for the guests: two 8259s, the local APIC, the I/O APIC. */
#ifndef IRQ_H
#define IRQ_H

#include "board/map.h"
#include "guest.h"

#define PIC_BASE 0x20 /* vector of IRQ 0 */

enum { /* local APIC registers, SDM vol. 3 table 11-1 */
       LAPIC_ID = 0x20,
       LAPIC_VERSION = 0x30,
       LAPIC_TPR = 0x80,
       LAPIC_EOI = 0xb0,
       LAPIC_SVR = 0xf0,
       LAPIC_ISR = 0x100,
       LAPIC_IRR = 0x200,
       LAPIC_ICR = 0x300,
       LAPIC_ICR_HI = 0x310,
       LAPIC_LVT_TIMER = 0x320,
       LAPIC_LINT0 = 0x350,
       LAPIC_TIMER_INIT = 0x380,
       LAPIC_TIMER_NOW = 0x390,
       LAPIC_TIMER_DIV = 0x3e0,
};

static inline uint32_t lapic_get(unsigned reg)
{
    return *(volatile uint32_t *)(uintptr_t)(MAP_LAPIC + reg);
}

static inline void lapic_set(unsigned reg, uint32_t v)
{
    *(volatile uint32_t *)(uintptr_t)(MAP_LAPIC + reg) = v;
}

static inline void lapic_enable(void)
{
    lapic_set(LAPIC_SVR, 0x1ff);
    lapic_set(LAPIC_TPR, 0);
}

static inline uint32_t ioapic_get(unsigned reg)
{
    *(volatile uint32_t *)(uintptr_t)MAP_IOAPIC = reg;
    return *(volatile uint32_t *)(uintptr_t)(MAP_IOAPIC + 0x10);
}

static inline void ioapic_set(unsigned reg, uint32_t v)
{
    *(volatile uint32_t *)(uintptr_t)MAP_IOAPIC = reg;
    *(volatile uint32_t *)(uintptr_t)(MAP_IOAPIC + 0x10) = v;
}

/* Both 8259s: vectors from PIC_BASE, all masked. */
static inline void pic_init(void)
{
    outb(0x20, 0x11);
    outb(0x21, PIC_BASE);
    outb(0x21, 4);
    outb(0x21, 1);
    outb(0xa0, 0x11);
    outb(0xa1, PIC_BASE + 8);
    outb(0xa1, 2);
    outb(0xa1, 1);
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
}

static inline void pic_unmask(unsigned irq)
{
    if (irq >= 8) {
        outb(0xa1, (uint8_t)(inb(0xa1) & ~(1u << (irq - 8))));
        irq = 2;
    }
    outb(0x21, (uint8_t)(inb(0x21) & ~(1u << irq)));
}

static inline void pic_eoi(unsigned irq)
{
    if (irq >= 8)
        outb(0xa0, 0x20);
    outb(0x20, 0x20);
}

/* Requests the 8259s hold (OCW3: read IRR). */
static inline unsigned pic_irr(void)
{
    outb(0x20, 0x0a);
    outb(0xa0, 0x0a);
    return inb(0x20) | (unsigned)inb(0xa0) << 8;
}

/* The PIT's channel 0 in a mode (2: periodic, 0: once) with a count; 1.193182 MHz. */
static inline void pit_start(unsigned mode, uint16_t count)
{
    outb(0x43, (uint8_t)(0x30 | mode << 1));
    outb(0x40, (uint8_t)count);
    outb(0x40, (uint8_t)(count >> 8));
}

/* TSC ticks in 10 ms, by the PIT's channel 2. */
static inline uint64_t tsc_10ms(void)
{
    uint64_t t;

    outb(0x61, (uint8_t)((inb(0x61) & ~2u) | 1));
    outb(0x43, 0xb0);
    outb(0x42, 11932 & 0xff);
    outb(0x42, 11932 >> 8);
    t = rdtsc();
    while (!(inb(0x61) & 0x20))
        ;
    return rdtsc() - t;
}

#endif
