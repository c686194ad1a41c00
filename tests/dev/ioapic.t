# I/O APIC (82093AA data sheet). What it delivers shows as messages: ADDR = destination << 12 |
# logical << 2, DATA = level << 15 | mode << 8 | vector.
device ioapic id=2
let SEL 0xfec00000
let WIN 0xfec00010
let EOI 0xfec00040

# Identification, and the reset state: every entry masked.
write SEL 4 0
read WIN 4 0x02000000
write SEL 4 1
read WIN 4 0x00170020
repeat 24 i
    write SEL 4 0x10+2*i
    read WIN 4 0x10000
    write SEL 4 0x11+2*i
    read WIN 4 0
end
# Beyond the last entry there is nothing.
write SEL 4 0x40
read WIN 4 0
write WIN 4 0xffffffff

# Read-only bits of an entry: delivery status (12), remote IRR (14).
write SEL 4 0x10
write WIN 4 0xffffffff
read WIN 4 0x1afff
write WIN 4 0x10000

# Edge: one message for each rising edge, none while masked, and a masked edge is lost.
pin ioapic 4 pulse
msi none
write SEL 4 0x19
write WIN 4 0x03000000
write SEL 4 0x18
write WIN 4 0x10041
pin ioapic 4 pulse
write WIN 4 0x41
msi none
pin ioapic 4 high
msi 0x3000 0x41
pin ioapic 4 high
msi none
pin ioapic 4 low
pin ioapic 4 high
msi 0x3000 0x41
pin ioapic 4 low
msi none

# Level: one message, then none before the EOI; while the line is high, the EOI brings the next.
write SEL 4 0x2b
write WIN 4 0xff000000
write SEL 4 0x2a
write WIN 4 0x18952
pin ioapic 13 high
msi none
write WIN 4 0x8952
msi 0xff004 0x8152
read WIN 4 0xc952
write EOI 4 0x51
msi none
write EOI 4 0x52
msi 0xff004 0x8152
pin ioapic 13 low
write EOI 4 0x52
msi none
read WIN 4 0x8952
# The other way to clear remote IRR: through edge mode and back.
pin ioapic 13 high
msi 0xff004 0x8152
write WIN 4 0x10952
write WIN 4 0x8952
msi 0xff004 0x8152
pin ioapic 13 low

# Registers are 32 bits wide; other widths are refused and counted.
ledger mark
read SEL 1 0xff
write SEL 8 0
read SEL+2 4 0xffffffff
ledger mmio ioapic * reads=2 writes=1 refused=3

# A line that is high when its entry is opened.
pin ioapic 9 high
write SEL 4 0x22
write WIN 4 0x8033
msi 0x0 0x8033
state
read WIN 4 0xc033
write EOI 4 0x33
msi 0x0 0x8033
state cut
state noise 3000
