# The interrupt controllers of a machine whose local APICs the engine keeps (docs/irq.md): lines of the
# I/O APIC are messages, a level waits until the engine tells of its EOI, the PIC is as ever.
device irqchip vcpus=2 split=1
let SEL 0xfec00000
let WIN 0xfec00010
let EOIR 0xfec00040

# Nobody here answers where the local APICs are: the guest's accesses stay in the engine.
read 0xfee00030 4 0xffffffff

# An edge: logical, lowest priority, to the set 2.
write SEL 4 0x19
write WIN 4 0x02000000
write SEL 4 0x18
write WIN 4 0x931
event none
pin irqchip 4 high
msi 0xfee02004 0x131
pin irqchip 4 high
pin irqchip 4 low
msi none
write WIN 4 0x10931
pin irqchip 4 pulse
msi none

# A level: what it sends is told at once, sent once, and again after an EOI while it is high.
write SEL 4 0x25
write WIN 4 0x01000000
write SEL 4 0x24
write WIN 4 0x8041
event pin10
pin irqchip 10 high
msi 0xfee01000 0xc041
msi none
read WIN 4 0xc041
intr eoi 1 0x40
msi none
intr eoi 1 0x41
msi 0xfee01000 0xc041
pin irqchip 10 low
read WIN 4 0xc041
intr eoi 1 0x41
msi none
read WIN 4 0x8041

# Masked before its EOI: nothing new is told, and the EOI still ends it.
pin irqchip 10 high
msi 0xfee01000 0xc041
write WIN 4 0x18041
event none
pin irqchip 10 low
intr eoi 0 0x41
read WIN 4 0x18041

# The guest's own EOI register does the same.
write WIN 4 0x8041
event pin10
pin irqchip 10 high
msi 0xfee01000 0xc041
pin irqchip 10 low
write EOIR 4 0x41
write SEL 4 0x24
read WIN 4 0x8041
msi none

# No SMI, start-up or ExtINT leaves an I/O APIC; an NMI does.
write SEL 4 0x1a
write WIN 4 0x241
pin irqchip 5 pulse
write WIN 4 0x641
pin irqchip 5 pulse
write WIN 4 0x700
pin irqchip 5 pulse
msi none
write WIN 4 0x400
pin irqchip 5 pulse
msi 0xfee00000 0x400
write WIN 4 0x10000

# The PIC: any CPU may take it, one does.
outb 0x20 0x11
outb 0x21 0x20
outb 0x21 0x04
outb 0x21 0x01
outb 0x21 0xbf
pin isa 6 high
intr pending 0 0x26
intr pending 1 0x26
intr ack 1 0x26
intr pending 0 none
intr ack 0 none
outb 0x20 0x20
pin isa 6 low
msi none
ledger vec cpu1 0x26 writes=1
ledger irq irqchip 10 writes=3
