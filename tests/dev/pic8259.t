# Two 8259A in cascade (8259A datasheet), as a PC's firmware sets them up.
device pic8259 level_pins=0x0e00
let M 0x20
let S 0xa0

# Before initialisation nothing is delivered.
irq intr low

# ICW1..4: vectors 0x20 and 0x28, slave on pin 2, 8086 mode.
outb M 0x11
outb M+1 0x20
outb M+1 0x04
outb M+1 0x01
outb S 0x11
outb S+1 0x28
outb S+1 0x02
outb S+1 0x01

# OCW1: masks are read back; a masked request waits in IRR.
outb M+1 0xff
outb S+1 0xff
inb M+1 0xff
pin pic8259 3 high
irq intr low
intr pending 0 none
outb M 0x0a
inb M 0x08
outb M+1 0x00
irq intr high
intr pending 0 0x23

# INTA moves it from IRR to ISR; EOI ends it. An edge-triggered pin that stays high asks once.
intr ack 0 0x23
irq intr low
inb M 0x00
outb M 0x0b
inb M 0x08
outb M 0x20
inb M 0x00
intr pending 0 none
pin pic8259 3 low

# Fixed priority: a lower number wins, and a higher one waits for the EOI of the lower.
pin pic8259 4 pulse
intr pending 0 none          # the request went away before INTA: an edge needs its line to stay
pin pic8259 4 high
pin pic8259 1 high
intr ack 0 0x21
intr pending 0 none
outb M 0x20
intr ack 0 0x24
outb M 0x20
pin pic8259 4 low
pin pic8259 1 low

# The slave comes through pin 2 and needs two EOIs.
outb S+1 0x00
pin pic8259 12 high
intr ack 0 0x2c
outb M 0x0b
inb M 0x04
outb S 0x0b
inb S 0x10
outb S 0x20
inb S 0x00
inb M 0x04
outb M 0x20
inb M 0x00
pin pic8259 12 low

# Level-triggered pins (9, 10, 11 by level_pins) ask again while they are high.
inb 0x4d1 0x0e
pin pic8259 10 high
intr ack 0 0x2a
outb S 0x20
outb M 0x20
intr pending 0 0x2a
pin pic8259 10 low
intr pending 0 none

# A request that went away between INTR and INTA is spurious: IRQ 7, no ISR bit.
pin pic8259 5 high
pin pic8259 5 low
intr ack 0 0x27
outb M 0x0b
inb M 0x00

# Specific EOI (OCW2 0x60 + level).
pin pic8259 6 high
intr ack 0 0x26
outb M 0x65
inb M 0x40
outb M 0x66
inb M 0x00
pin pic8259 6 low

# Poll command (OCW3 P): one read acknowledges, bit 7 says that there was something.
pin pic8259 3 high
outb M 0x0c
inb M 0x83
outb M 0x20
outb M 0x0c
inb M 0x00/0x80
pin pic8259 3 low

# State survives a save, and no bad stream harms.
outb M+1 0x55
pin pic8259 1 high
state
inb M+1 0x55
intr ack 0 0x21
state cut
state noise 3000
