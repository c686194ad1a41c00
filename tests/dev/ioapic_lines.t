# I/O APIC, Intel data sheet 290566. Messages: address = dest << 12 | logical << 2.
device ioapic as io
let SEL 0xfec00000
let WIN 0xfec00010
let EOI 0xfec00040

write SEL 4 0
read WIN 4 0
write WIN 4 0xff000000
read WIN 4 0x0f000000
write SEL 4 1
read WIN 4 0x00170020   # 24 pins
write WIN 4 0
read WIN 4 0x00170020
# Every entry is masked; reserved and read-only bits stay 0.
repeat 24 i
    write SEL 4 0x10+2*i
    read WIN 4 0x00010000
    write WIN 4 0xffffffff
    read WIN 4 0x0001afff
    write WIN 4 0x00010000
    write SEL 4 0x11+2*i
    write WIN 4 0xffffffff
    read WIN 4 0xff000000
    write WIN 4 0
end

# Edge: one message a rising edge, none while masked, and that one is lost.
write SEL 4 0x19
write WIN 4 0x05000000
write SEL 4 0x18        # pin 4
pin io 4 high
msi none
write WIN 4 0x00000941  # logical, lowest priority, vector 0x41
msi none
pin io 4 low
pin io 4 high
msi 0x5004 0x0141
pin io 4 high
msi none
pin io 4 low
msi none

# Level: remote IRR until the EOI, then again while the line is high.
write SEL 4 0x20        # pin 8
write WIN 4 0x0000a052  # level, low-active: asserted is asserted
pin io 8 high
msi 0 0x8052
read WIN 4 0x0000e052
write EOI 4 0x51
msi none
write EOI 4 0x52
msi 0 0x8052
pin io 8 low
write EOI 4 0x52
msi none
read WIN 4 0x0000a052
# Masked while high: unmasking sends.
write WIN 4 0x0001a052
pin io 8 high
msi none
write WIN 4 0x0000a052
msi 0 0x8052
# How old OSes clear remote IRR: to edge and back.
write WIN 4 0x00012052
read WIN 4 0x00012052
write WIN 4 0x0000a052
msi 0 0x8052
pin io 8 low
write EOI 4 0x52

# Pins and registers that aren't there, widths that aren't.
pin io 24 high
write SEL 4 0x40
write WIN 4 0
read WIN 4 0
write SEL 4 0xffffff18
read SEL 4 0x18
read 0xfec00020 4 0
read WIN 1 0xff
read WIN 8 0xffffffffffffffff
write WIN 2 0
read WIN 4 0x00000941
msi none

pin io 8 high
msi 0 0x8052
state
read WIN 4 0x00000941
write SEL 4 0x20
read WIN 4 0x0000e052
state cut
state noise 200
reset
write SEL 4 0x20
read WIN 4 0x00010000
