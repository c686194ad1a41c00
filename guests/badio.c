/*
 * Accesses that no hardware answers, or not in that width: unmapped ports and memory, accesses that
 * straddle, widths that chips don't decode. Reads give ones, writes do nothing, and the machine
 * goes on. Nothing here depends on time, so engines can be compared by it, row by row of the
 * ledger.
 */
#include "guest.h"

#include "board/map.h"

#define NO_PORT   0x1230
#define NO_MEMORY 0xf0000000u /* in the PCI window, behind no BAR */
#define SPOTS     64u

#define MEM(type, at) (*(volatile type *)(uintptr_t)(at))

static void no_ports(void)
{
    bool ones = true;

    for (uint16_t i = 0; i < SPOTS; i++) {
        uint16_t port = (uint16_t)(NO_PORT + i);

        outb(port, 0x55);
        outw(port, 0x5555);
        outl(port, 0x55555555);
        ones &= inb(port) == 0xff && inw(port) == 0xffff && inl(port) == 0xffffffff;
    }
    check("unmapped ports read as ones", ones);
    outl(0xffff, 1);
    check_eq("the last port, and beyond it", inl(0xffff), 0xffffffff);
}

static void no_memory(void)
{
    bool ones = true;

    for (unsigned i = 0; i < SPOTS; i++) {
        uintptr_t at = NO_MEMORY + i * 4093;

        MEM(uint8_t, at) = 0x55;
        MEM(uint16_t, at) = 0x5555;
        MEM(uint32_t, at) = 0x55555555;
        MEM(uint64_t, at) = 0x5555555555555555;
        ones &= MEM(uint8_t, at) == 0xff && MEM(uint16_t, at) == 0xffff &&
                MEM(uint32_t, at) == 0xffffffff && MEM(uint64_t, at) == ~0ull;
    }
    check("unmapped memory reads as ones", ones);
}

static void odd_widths(void)
{
    uint8_t imr = inb(MAP_PIC_MASTER + 1);

    outl(MAP_PIC_MASTER, 0x11111111);
    outw(MAP_RTC, 0x8f8f);
    outl(MAP_PIT, 0xffffffff);
    outl(MAP_KBD_COMMAND, 0x20202020);
    check("a wide read of narrow chips ends", inl(MAP_PIT) | inw(MAP_RTC) | 1);
    outb(MAP_PIC_MASTER + 1, imr);
    outl(MAP_PCI_CONFIG, 0x80000000);
    check("configuration space is still there", (inl(MAP_PCI_CONFIG + 4) & 0xffff) == 0x8086);
    outb(MAP_PCI_CONFIG, 0x12);
    outw(MAP_PCI_CONFIG + 2, 0x1234);
    check_eq("narrow writes leave its address alone", inl(MAP_PCI_CONFIG), 0x80000000);
    check_eq("a narrow read of the I/O APIC", MEM(uint8_t, MAP_IOAPIC + 0x11), 0xff);
    MEM(uint64_t, MAP_IOAPIC + 0x1c) = ~0ull;
    MEM(uint16_t, MAP_IOAPIC + 0xffe) = 0xffff;
    MEM(uint32_t, MAP_IOAPIC + 0xfff) = 0xffffffff; /* runs over the end of the page */
    check("the I/O APIC is still there", MEM(uint32_t, MAP_IOAPIC) == 0);
}

void guest_main(const uint8_t *mbi)
{
    (void)mbi;
    no_ports();
    no_memory();
    odd_widths();
    check("the machine goes on", true);
}
