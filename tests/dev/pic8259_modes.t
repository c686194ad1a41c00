# Two 8259A in cascade, Intel data sheet 231468.
device pic8259 as pic
let M 0x20
let S 0xa0

# As firmware leaves it: all masked.
inb M+1 0xff
inb S+1 0xff
pin pic 1 high
irq intr low
intr pending 0 none
pin pic 1 low

# Linux's initialization: vectors 0x30 and 0x38.
outb M 0x11
outb M+1 0x30
outb M+1 0x04
outb M+1 0x01
outb S 0x11
outb S+1 0x38
outb S+1 0x02
outb S+1 0x01
inb M+1 0
outb M+1 0xff
# The driver's probe: the mask register reads back.
outb S+1 0xfb
inb S+1 0xfb
outb M+1 0
outb S+1 0

# Edge: latched until INTA, but an edge that goes away leaves a spurious IRQ 7.
pin pic 1 high
irq intr high
inb M 0x02
intr pending 0 0x31
intr ack 0 0x31
irq intr low
inb M 0
outb M 0x0b
inb M 0x02              # in service
outb M 0x0a
pin pic 1 low
pin pic 1 high
irq intr low            # it waits for the EOI
outb M 0x20
irq intr high
intr ack 0 0x31
outb M 0x20
pin pic 1 low
pin pic 3 high
pin pic 3 low
irq intr low
intr ack 0 0x37
outb M 0x0b
inb M 0                 # spurious: nothing in service
outb M 0x0a

# Priority: 0 over 1, the slave's at 2, then 3.
pin pic 3 high
pin pic 12 high
pin pic 0 high
pin pic 8 high
intr ack 0 0x30
irq intr low
outb M 0x60             # specific EOI
intr ack 0 0x38
irq intr low            # slave 4 is lower than slave 0 in service
outb S 0x20
irq intr low            # and the cascade is still in service
outb M 0x62
intr ack 0 0x3c
outb S 0x20
outb M 0x20
intr ack 0 0x33
pin pic 0 low
pin pic 0 high
intr ack 0 0x30         # a higher one nests
outb M 0x20
outb M 0x20
pin pic 0 low
pin pic 3 low
pin pic 8 low
pin pic 12 low
intr pending 0 none

# The mask holds a request back, and no longer.
outb M+1 0x02
pin pic 1 high
irq intr low
outb M+1 0
irq intr high
intr ack 0 0x31
outb M 0x20
pin pic 1 low

# Level: asks again until the line falls.
inb 0x4d0 0
outw 0x4d0 0xffff
inw 0x4d0 0xdef8
outw 0x4d0 0x0800
pin pic 11 high
intr ack 0 0x3b
outb S 0x20
outb M 0x20
intr ack 0 0x3b
pin pic 11 low
outb S 0x20
outb M 0x20
irq intr low
# The slave's spurious interrupt: only the master has something in service.
pin pic 11 high
irq intr high
pin pic 11 low
irq intr low

# Special mask mode lets lower ones by.
pin pic 4 high
intr ack 0 0x34
outb M+1 0x10
outb M 0x68
pin pic 5 high
intr ack 0 0x35
outb M 0x48
outb M+1 0
outb M 0x20
outb M 0x20
pin pic 4 low
pin pic 5 low

# Rotation: after it, the served one is the lowest.
pin pic 0 high
pin pic 1 high
intr ack 0 0x30
outb M 0xa0
intr ack 0 0x31
outb M 0xa0
pin pic 0 low
pin pic 1 low
pin pic 0 high
pin pic 2 high          # the cascade has no pin
pin pic 3 high
intr ack 0 0x33
outb M 0x20
intr ack 0 0x30
outb M 0x20
pin pic 0 low
pin pic 3 low
outb M 0xc7             # back: 7 is the lowest

# Automatic EOI.
outb M 0x11
outb M+1 0x20
outb M+1 0x04
outb M+1 0x03
pin pic 6 high
intr ack 0 0x26
outb M 0x0b
inb M 0
outb M 0x0a
pin pic 6 low

# Poll: the read is the INTA.
pin pic 6 high
outb M 0x0c
inb M 0x86
outb M 0x0c
inb M 0
pin pic 6 low

# Absurd: every byte to every register, then state.
repeat 256 v
    outb M v
    outb M+1 v
    outb S v
    outb S+1 255-v
    outb 0x4d0 v
    outb 0x4d1 v
    pin pic v low
    inb M
    inb S+1
end
pin pic 9 high
state
state cut
state noise 200
reset
inb M+1 0xff
inw 0x4d0 0
irq intr low
