# 8254, data sheet "Mode Definitions"; the tick is 1/1193182 s = 838.095 ns.
device pit8254 as pit
let CH0 0x40
let CH2 0x42
let CTL 0x43
let B 0x61

# Nothing runs after reset.
irq pit edges 1         # a line whose output is high from the start
advance 100 ms
irq pit edges 0
inb CTL 0xff

# Mode 2 on channel 0, as OSes set their tick: 1193 ticks are 999.847 us.
outb CTL 0x34
outb CH0 0xa9
irq pit edges 0
outb CH0 0x04
advance 999 us
irq pit edges 0
advance 1 us
irq pit edges 1
advance 98 ms
irq pit edges 98
# Latched counts stand still; low byte first, then high; a second latch is ignored.
outb CTL 0x34
outb CH0 0
outb CH0 0
advance 838096 ns       # 1000 ticks
outb CTL 0x00
advance 1 ms
outb CTL 0x00
inb CH0 0x18
inb CH0 0xfc            # 65536 - 1000
# Read-back: status first (output high, word access, mode 2), then count.
outb CTL 0xc2
inb CH0 0xb4
inb CH0
inb CH0
# Unlatched reads alternate too.
outb CTL 0x34
outb CH0 0x10
outb CH0 0x20
inb CH0 0x10
inb CH0 0x20

# Mode 0: low, then high at the terminal count, once.
outb CTL 0x30
irq pit low
irq pit edges 0
outb CH0 0x10
outb CH0 0x00
irq pit low
outb CTL 0xe2
inb CH0 0x30
advance 13 us
irq pit low
advance 1 us
irq pit high
irq pit edges 1
outb CTL 0xe2
inb CH0 0xb0
advance 1 s
irq pit edges 0
# Mode 4 is one edge too; mode 3 one a period; one-byte access.
outb CTL 0x18
outb CH0 100
advance 83 us
irq pit edges 0         # the output is high while it counts
advance 1 us
irq pit edges 1
advance 1 s
irq pit edges 0
outb CTL 0x16
outb CH0 0              # 65536? one byte: 0 is the greatest count
irq pit edges 0
advance 54 ms
irq pit edges 0
advance 1 ms
irq pit edges 1

# BCD.
outb CTL 0x35
outb CH0 0x00
outb CH0 0x10           # 1000
advance 838 us          # 999 ticks
outb CTL 0x00
inb CH0 0x01
inb CH0 0x00
advance 1 us
irq pit edges 1

# A count of 1 asks for 1.19 million interrupts a second; the floor is 20 us.
outb CTL 0x34
outb CH0 1
outb CH0 0
irq pit edges 0/0
advance 1 ms
irq pit edges 50

# Channel 2: the gate is port B bit 0, its output bit 5. How Linux measures the TSC by it.
inb B 0x20/0x2f
outb B 0x01
outb CTL 0xb0
outb CH2 0x9c
outb CH2 0x2e           # 11932 ticks: 10 ms
inb B 0/0x20
advance 9 ms
inb B 0/0x20
outb B 0                # gate low: it waits
advance 5 ms
inb B 0/0x20
outb B 1
advance 999 us
inb B 0/0x20
advance 2 us
inb B 0x20/0x20
# Mode 3 on the speaker: square wave of 1 ms.
outb B 3
outb CTL 0xb6
outb CH2 0xa9
outb CH2 0x04
inb B 0x23/0x23
advance 510 us
inb B 0x03/0x23
advance 500 us
inb B 0x23/0x23
# Mode 1: a one-shot the gate's rising edge triggers.
outb B 0
outb CTL 0xb2
outb CH2 0xff
outb CH2 0x00
inb B 0x20/0x20
outb B 1
inb B 0/0x20
advance 220 us
inb B 0x20/0x20
# The refresh bit toggles every 15 us.
inb B -> was
advance 15085 ns
inb B -> now
is was+now 0x10/0x10

# Mode 6 is mode 2 again. Widths: control and counters are bytes, wider is cut.
outb CTL 0x3c
outb CTL 0xe2
inb CH0 0xfc
outw CH0 0x0001
inw CH0
outb CTL 0x34
outb CH0 0xa9
outb CH0 0x04
state
state cut
state noise 200
reset
