# The interrupt controllers together: lines to PIC and I/O APIC to local APIC to the CPU.
device irqchip as irq vcpus=2 lapic_hz=1000000000
let A 0xfee00000
let SEL 0xfec00000
let WIN 0xfec00010

# As PC firmware leaves it: CPU 0 is in virtual wire mode, CPU 1 is off.
read A+0x20 4 0
read A+0x30 4 0x00050014
read A+0xf0 4 0x1ff
read A+0x350 4 0x700
read A+0x360 4 0x400
read A+0x320 4 0x10000
vcpu 1
read A+0x20 4 0x01000000
read A+0xf0 4 0xff
read A+0x350 4 0x10000
vcpu 0

# ISA IRQ 0 by the PIC.
outb 0x20 0x11
outb 0x21 0x30
outb 0x21 0x04
outb 0x21 0x01
outb 0x21 0xfe
pin isa 0 high
intr pending 0 0x30
intr pending 1 none
intr ack 0 0x30
intr pending 0 none
outb 0x20 0x20
pin isa 0 low
ledger vec cpu0 0x30 writes=1
ledger irq irq 2 writes=1       # it is GSI 2
ledger irq irq 0 writes=0
# A request that goes away before the INTA becomes the PIC's spurious vector only if asked for.
pin isa 0 high
pin isa 0 low
intr pending 0 none
intr ack 0 none
# LINT0 masked: the PIC is cut off.
write A+0x350 4 0x10700
pin isa 0 high
intr pending 0 none
write A+0x350 4 0x700
intr pending 0 0x30
intr ack 0 0x30
outb 0x20 0x20
pin isa 0 low
outb 0x21 0xff
write A+0x350 4 0x10700

# The same line by the I/O APIC, pin 2; flat logical destination.
write A+0xd0 4 0x01ffffff
read A+0xd0 4 0x01000000
read A+0xe0 4 0xffffffff
write SEL 4 0x15
write WIN 4 0x01000000
write SEL 4 0x14
write WIN 4 0x00000861
pin isa 0 high
intr pending 0 0x61
read A+0x230 4 2                # IRR
intr ack 0 0x61
read A+0x230 4 0
read A+0x130 4 2                # ISR
read A+0xa0 4 0x60              # PPR
# Lower and equal classes wait, a higher one nests.
write A+0x310 4 0
write A+0x300 4 0x00040055
write A+0x300 4 0x0004006f
intr pending 0 none
write A+0x300 4 0x00040071
intr pending 0 0x71
intr ack 0 0x71
intr pending 0 none
write A+0xb0 4 0
intr pending 0 none
write A+0xb0 4 0
intr pending 0 0x6f
# The task priority holds back its class and those below; CR8 is its upper half.
write A+0x80 4 0x60
intr pending 0 none
intr tpr 0 6
write A+0x80 4 0x5f
intr pending 0 0x6f
intr ack 0 0x6f
write A+0xb0 4 0
intr pending 0 none
write A+0x80 4 0
intr ack 0 0x55
write A+0xb0 4 0
pin isa 0 low
ledger vec cpu0 * writes=6
ledger mmio lapic0 regs reads=0/0

# Level-triggered: shared line, EOI is broadcast to the I/O APIC, asks again while it is high.
write SEL 4 0x23
write WIN 4 0x01000000
write SEL 4 0x22                # pin 9
write WIN 4 0x0000a849
pin irq 9 high
pin isa 9 high
ledger irq irq 9 writes=1       # one assertion of the line
intr ack 0 0x49
read A+0x1a0 4 0x200            # TMR
pin irq 9 low
write A+0xb0 4 0
intr ack 0 0x49                 # the other device still holds it
read WIN 4 0x0000e849
pin isa 9 low
write A+0xb0 4 0
intr pending 0 none
read WIN 4 0x0000a849

# Inter-processor interrupts. CPU 1 is software-disabled: fixed ones are refused, NMI and INIT not.
write A+0x310 4 0x01000000
write A+0x300 4 0x00004060
intr pending 1 none
write A+0x300 4 0x00000400
intr nmi 1 1
intr nmi 1 0
vcpu 1
write A+0xf0 4 0x1ff
write A+0xd0 4 0x02000000
vcpu 0
write A+0x300 4 0x00004060
intr pending 1 0x60
intr ack 1 0x60
# All but self, all, logical, and lowest priority.
write A+0x300 4 0x000c0062
intr pending 0 none
intr ack 1 none                 # same class as 0x60 in service
vcpu 1
write A+0xb0 4 0
vcpu 0
intr ack 1 0x62
write A+0x300 4 0x00080090
intr ack 0 0x90
intr ack 1 0x90
write A+0xb0 4 0
write A+0x310 4 0x03000000
write A+0x300 4 0x000008a0
intr ack 0 0xa0
intr ack 1 0xa0
write A+0xb0 4 0
write A+0x300 4 0x000009c0      # lowest: CPU 0 serves nothing, CPU 1 does
intr pending 1 none
intr ack 0 0xc0
write A+0xb0 4 0
# Cluster model.
write A+0xe0 4 0
read A+0xe0 4 0x0fffffff
write A+0xd0 4 0x12000000
write A+0x310 4 0x12000000
write A+0x300 4 0x000008d0
intr ack 0 0xd0
write A+0xb0 4 0
write A+0xe0 4 0xffffffff
write A+0xd0 4 0x01000000

# Errors: illegal vectors sent and received, registers that aren't there; seen after a write to ESR.
write A+0x370 4 0xfe
write A+0x300 4 0x00040008
intr ack 0 0xfe
write A+0xb0 4 0
read A+0x280 4 0
write A+0x280 4 0
read A+0x280 4 0x20
write A+0x3f0 4 1
intr ack 0 0xfe
write A+0xb0 4 0
write A+0x280 4 0
read A+0x280 4 0x80
# An error entry whose own vector is illegal ends there.
write A+0x370 4 0x05
write A+0x300 4 0x00040008
write A+0x280 4 0
read A+0x280 4 0x60
write A+0x370 4 0x10000

# Timer, one-shot: divider 16 of 1 GHz, current count, then nothing more.
write A+0x3e0 4 0x3
write A+0x320 4 0xec
write A+0x380 4 1000
read A+0x390 4 1000
advance 8 us
read A+0x390 4 500
intr pending 0 none
advance 8 us
intr ack 0 0xec
write A+0xb0 4 0
read A+0x390 4 0
advance 1 s
intr pending 0 none
# All dividers.

write A+0x320 4 0x100ec
repeat 4 i
    write A+0x3e0 4 i
    write A+0x380 4 1000
    advance 640 ns
    read A+0x390 4 -> c
    write A+0x3e0 4 8+i
    write A+0x380 4 1000
    advance 640 ns
    read A+0x390 4 -> c
end
is c 360                        # the last was 0xb: by 1
write A+0x3e0 4 0
write A+0x380 4 1000
advance 640 ns
read A+0x390 4 680              # by 2
write A+0x3e0 4 0xa
write A+0x380 4 1000
advance 640 ns
read A+0x390 4 995              # by 128
write A+0x3e0 4 0xff
read A+0x3e0 4 0x0b
# Periodic, by 1: 1 MHz asked for; the floor is 20 us.
write A+0x320 4 0x200ec
write A+0x380 4 1000000
repeat 5
    advance 1 ms
    intr ack 0 0xec
    write A+0xb0 4 0
end
advance 500 us
read A+0x390 4 500000
write A+0x380 4 1
ledger mark
repeat 10
    advance 20 us
    intr ack 0 0xec
    write A+0xb0 4 0
    intr pending 0 none
end
write A+0x380 4 0
advance 1 s
intr pending 0 none
# Masked it goes on, in phase, and asks for nothing.
write A+0x320 4 0x300ec
write A+0x380 4 1000000
advance 10500 us
intr pending 0 none
write A+0x320 4 0x200ec
read A+0x390 4 500000
advance 499 us
intr pending 0 none
advance 1 us
intr ack 0 0xec
write A+0xb0 4 0
# Deadline mode ignores the initial count; leaving it stops everything.
write A+0x320 4 0x400ec
write A+0x380 4 5
read A+0x390 4 0
advance 1 ms
intr pending 0 none
# Reserved mode 3 is taken as one-shot.
write A+0x320 4 0x600ec
read A+0x320 4 0x000ec

# Software-disabled: every entry is masked and stays so.
write A+0xf0 4 0xff
read A+0x320 4 0x100ec
write A+0x320 4 0xec
read A+0x320 4 0x100ec
write A+0xf0 4 0x1ff

# Widths and places.
read A+0x20 1 0xff
read A+0x20 8 0xffffffffffffffff
read A+0x24 4 0
write A+0x21 2 7
repeat 256 r
    read A+16*r 4
end
write A+0x280 4 0
repeat 256 r
    write A+16*r 4 0xffffffff
end
repeat 256 r
    write A+16*r 4 0
end

reset
read A+0xf0 4 0x1ff
write A+0x80 4 0x30
write A+0x3e0 4 0xb
write A+0x320 4 0x200ec
write A+0x380 4 1000000
write A+0x300 4 0x00040055
pin irq 9 high
advance 100 us
state
read A+0x80 4 0x30
read A+0x390 4 900000
intr ack 0 0x55
advance 900 us
intr ack 0 0xec
state cut
state noise 200
reset
