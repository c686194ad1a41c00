# 16550A, PC16550D data sheet section 8, and how Linux's 8250 driver finds it.
device uart16550 as com1 base=0x3f8
let RBR 0x3f8
let IER 0x3f9
let IIR 0x3fa
let FCR 0x3fa
let LCR 0x3fb
let MCR 0x3fc
let LSR 0x3fd
let MSR 0x3fe
let SCR 0x3ff

# Reset state: FIFOs off, transmitter empty, the other end connected and ready.
inb IER 0
inb IIR 0x01
inb LCR 0
inb MCR 0
inb LSR 0x60
inb MSR 0xb0

# Autoconfiguration: IER keeps four bits; scratch; loopback shows the modem outputs in MSR.
outb IER 0xff
inb IER 0x0f
outb IER 0
outb SCR 0x5a
inb SCR 0x5a
outb MCR 0x1a
inb MSR 0x90/0xf0
outb MCR 0
inb MSR 0xb0/0xf0
# 16550A and no better: IIR says FIFOs, EFR at LCR=0xbf isn't there, no 64-byte mode, no sleep bit.
outb FCR 0x01
inb IIR 0xc1
outb LCR 0xbf
inb IIR 0xc1
outb LCR 0x80
outb FCR 0x21
inb IIR 0xc1
outb LCR 0
outb IER 0x40
inb IER 0

# The divisor latch hides behind DLAB.
outb LCR 0x83
outb RBR 0x01
outb IER 0x02
inb RBR 0x01
inb IER 0x02
outb LCR 0x03
inb IER 0
output com1 none

# Output; and a string write is one trap.
outb RBR 0x41
outsb RBR "bc"
output com1 "Abc"

# Interrupts need OUT2. Enabling THRE with the transmitter empty raises it, reading IIR clears it,
# enabling it again raises it again (the driver's test), so does sending.
outb IER 0x02
irq com1 low
outb MCR 0x0b
irq com1 high
inb IIR 0xc2
irq com1 low
inb IIR 0xc1
outb IER 0
outb IER 0x02
irq com1 high
inb IIR 0xc2
outb RBR 0x64
irq com1 high
inb IIR 0xc2
output com1 "d"
irq com1 low

# Input: below the trigger it is a time-out, from the trigger on data; reading empties it.
outb IER 0x01
outb FCR 0x81
input com1 "hello, w"
irq com1 high
inb IIR 0xc4
inb LSR 0x61
inb RBR 0x68
inb IIR 0xcc
insb RBR 7 "ello, w"
inb IIR 0xc1
irq com1 low
inb LSR 0x60
inb RBR 0

# Receiver before transmitter, errors before both. Loopback overruns at the 17th byte.
outb FCR 0x07
outb MCR 0x1b
inb MSR
repeat 17 i
    outb RBR i
end
inb LSR 0x63
inb LSR 0x61
insb RBR 16 seq:16:0
inb LSR 0x60
output com1 none
outb IER 0x04
repeat 17
    outb RBR 0xaa
end
inb IIR 0xc6
irq com1 low            # in loopback the pin is off
inb LSR 0x63
inb IIR 0xc1
outb FCR 0x03
inb LSR 0x60

# Without FIFOs a second byte overwrites the first.
outb FCR 0
outb RBR 1
outb RBR 2
inb LSR 0x63
inb RBR 2
inb LSR 0x60

# Modem status: changes are latched until read; RI counts when it falls.
outb MCR 0x10
inb MSR
outb IER 0x08
outb MCR 0x12
inb IIR 0x00
inb MSR 0x11
inb IIR 0x01
outb MCR 0x14
inb MSR 0x41
outb MCR 0x10
inb MSR 0x04
outb MCR 0
inb MSR

# Wider accesses are cut into bytes.
outw SCR-1 0x7700
inb SCR 0x77
inl 0x3fc 0x77b06000

outb IER 0x0f
outb FCR 0xc1
outb MCR 0x0b
input com1 "xyz"
state
irq com1 high
inb RBR 0x78
state cut
state noise 200
reset
inb IER 0
inb LSR 0x60
irq com1 low
