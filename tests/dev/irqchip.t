# The interrupt controllers of a machine, wired together, with two local APICs (Intel SDM volume 3,
# chapter 11): lines reach the CPU through PIC and I/O APIC; IPIs, priorities, timers.
device irqchip vcpus=2 lapic_hz=1000000000
let APIC 0xfee00000
let ID APIC+0x20
let TPR APIC+0x80
let EOI APIC+0xb0
let SVR APIC+0xf0
let ICRL APIC+0x300
let ICRH APIC+0x310
let LVT_TIMER APIC+0x320
let LINT0 APIC+0x350
let INIT APIC+0x380
let CUR APIC+0x390
let DIV APIC+0x3e0
let SEL 0xfec00000
let WIN 0xfec00010

# Each CPU sees its own page at the same address.
read ID 4 0
read APIC+0x30 4 0x14/0xff
vcpu 1
read ID 4 0x01000000
vcpu 0

# Virtual wire: the PIC reaches CPU 0 before any APIC is set up.
outb 0x20 0x11
outb 0x21 0x20
outb 0x21 0x04
outb 0x21 0x01
outb 0x21 0xfe
pin isa 0 high
intr pending 0 0x20
intr pending 1 none
intr ack 0 0x20
outb 0x20 0x20
pin isa 0 low
outb 0x21 0xff
write LINT0 4 0x10000

# Software enable.
write SVR 4 0x1ff
vcpu 1
write SVR 4 0x1ff
vcpu 0

# Virtual wire by the I/O APIC: pin 0 is the PIC's output, and ExtINT hands the PIC to the CPU named.
write SEL 4 0x11
write WIN 4 0x01000000
write SEL 4 0x10
write WIN 4 0x700
outb 0x21 0xfe
pin isa 0 high
intr pending 0 none
intr pending 1 0x20
state
intr pending 1 0x20
intr ack 1 0x20
intr pending 1 none
pin isa 0 low
pin isa 0 high
intr pending 1 none                 # in service
outb 0x20 0x20
intr pending 1 0x20
outb 0x21 0xff                      # taken back
intr pending 1 none
outb 0x21 0xfe
intr ack 1 0x20
outb 0x20 0x20
pin isa 0 low
outb 0x21 0xff
write SEL 4 0x10
write WIN 4 0x10000

# A self IPI; in service it holds back its own class, not a higher one.
write ICRL 4 0x40051
intr pending 0 0x51
intr ack 0 0x51
read APIC+0x120 4 0x00020000
write ICRL 4 0x40055
intr pending 0 none
write ICRL 4 0x40061
intr ack 0 0x61
write EOI 4 0
intr pending 0 none
write EOI 4 0
intr ack 0 0x55
write EOI 4 0
intr pending 0 none

# The task priority holds back vectors of its class and below.
write TPR 4 0x60
write ICRL 4 0x40062
intr pending 0 none
intr tpr 0 6
write TPR 4 0x50
intr ack 0 0x62
write EOI 4 0
write TPR 4 0

# To the other CPU, by physical id; all but self.
write ICRH 4 0x01000000
write ICRL 4 0x4071
intr pending 0 none
intr ack 1 0x71
vcpu 1
write EOI 4 0
write ICRL 4 0xc4072
vcpu 0
intr pending 1 none
intr ack 0 0x72
write EOI 4 0
# NMI to the other CPU.
write ICRL 4 0x4400
intr nmi 1 1
intr nmi 1 0

# Vectors below 16 are illegal: nothing is sent.
write ICRL 4 0x4400f
intr pending 0 none

# A GSI through the I/O APIC, level: EOI at the local APIC asks again while the line is high.
write SEL 4 0x2b
write WIN 4 0
write SEL 4 0x2a
write WIN 4 0x8081
pin irqchip 13 high
intr ack 0 0x81
intr pending 0 none
write EOI 4 0
intr pending 0 0x81
pin irqchip 13 low
intr ack 0 0x81
write EOI 4 0
intr pending 0 none
write WIN 4 0x10000

# Timer: one shot of 1000 ticks at 1 GHz, divided by 2.
write DIV 4 0
write LVT_TIMER 4 0x90
write INIT 4 1000
advance 1 us
read CUR 4 500
intr pending 0 none
advance 999
intr pending 0 none
advance 1
intr ack 0 0x90
write EOI 4 0
read CUR 4 0
advance 1 s
intr pending 0 none

# Periodic, divided by 16: 10,000 ticks are 160 us.
write DIV 4 3
write LVT_TIMER 4 0x20091
write INIT 4 10000
repeat 5
    advance 160 us
    intr ack 0 0x91
    write EOI 4 0
end
advance 159 us
intr pending 0 none
write INIT 4 0
advance 1 ms
intr pending 0 none

# TSC deadline (the bench's TSC counts its nanoseconds).
write LVT_TIMER 4 0x40092
msr 0 0x6e0 = 2000000000
msr 0 0x6e0 2000000000
intr pending 0 none
msr 0 0x6e0 = 0
advance 1 s
intr pending 0 none
msr 0 0x6e0 = 1
advance 0
intr ack 0 0x92
write EOI 4 0
msr 0 0x6e0 0
msr 0 0x1b 0xfee00900
msr 1 0x1b 0xfee00800
msr 0 0x12345 gp

# Everything at once, saved and loaded.
write TPR 4 0x20
write ICRL 4 0x40051
write LVT_TIMER 4 0x20091
write INIT 4 10000
state
intr ack 0 0x51
advance 160 us
write EOI 4 0
intr ack 0 0x91
state cut
state noise 3000
