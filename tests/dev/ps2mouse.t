# The PS/2 mouse behind the controller's second port.
device i8042 as kbd
let DATA 0x60
let CMD 0x64
outb CMD 0x60
outb DATA 0x06          # aux interrupt on

# Reset, identify, status after power-on; the packets of a mouse that reports nothing yet.
outb CMD 0xd4
outb DATA 0xff
irq aux high
insb DATA 3 faaa00
irq aux low
irq aux edges 3
irq kbd edges 0
outb CMD 0xd4
outb DATA 0xf2
insb DATA 2 fa00
outb CMD 0xd4
outb DATA 0xe9
insb DATA 4 fa000264
move 5 5
button 1 down
button 1 up
inb CMD 0/1

# Streaming, three bytes: buttons and signs, x, y (up is positive).
outb CMD 0xd4
outb DATA 0xf4
insb DATA 1 fa
advance 1 s
move 5 -7
insb DATA 3 080507
move -3 0 2
inb CMD 0/1             # 100 samples a second
advance 10 ms
insb DATA 3 18fd00      # and no wheel
advance 10 ms
move 0 2
insb DATA 3 2800fe
advance 10 ms
button 1 down
insb DATA 3 090000
advance 10 ms
button 6 down
insb DATA 3 0f0000
advance 10 ms
button 7 up
insb DATA 3 080000
button 8 down           # a fourth button that nobody asked for
advance 1 s
inb CMD 0/1
button 8 up
# Nobody reads: motion adds up, and beyond nine bits the counter says so.
move 1 0
advance 1 s
move 200 0
move 200 -300
advance 1 s
insb DATA 3 080100
insb DATA 3 c8ffff
advance 1 s
move -400 400
insb DATA 3 f80000
advance 1 s
inb CMD 0/1
# A command ends the packet it interrupts; one byte of it is in the controller already.
move 1 1
insb DATA 1 28
outb CMD 0xd4
outb DATA 0xe9
insb DATA 5 01fa200264
advance 1 s
inb CMD 0/1
# 2:1 scaling.
outb CMD 0xd4
outb DATA 0xe7
insb DATA 1 fa
move 1 -2
insb DATA 3 080101
advance 1 s
move 3 -4
insb DATA 3 080306
advance 1 s
move 5 -6
insb DATA 3 08090c
advance 1 s
move 200 0
insb DATA 3 48ff00
advance 1 s
outb CMD 0xd4
outb DATA 0xe9
insb DATA 4 fa300264
outb CMD 0xd4
outb DATA 0xe6
insb DATA 1 fa

# Resolution and rate; what they can't be is refused, twice is an error.
outb CMD 0xd4
outb DATA 0xe8
insb DATA 1 fa
outb CMD 0xd4
outb DATA 3
insb DATA 1 fa
outb CMD 0xd4
outb DATA 0xf3
insb DATA 1 fa
outb CMD 0xd4
outb DATA 13
insb DATA 1 fe
outb CMD 0xd4
outb DATA 200           # said again, rightly
insb DATA 1 fa
outb CMD 0xd4
outb DATA 0xe9
insb DATA 4 fa2003c8
move 1 0
insb DATA 3 080100
move 2 0
advance 5 ms            # 200 samples a second
insb DATA 3 080200
outb CMD 0xd4
outb DATA 0xe8
insb DATA 1 fa
outb CMD 0xd4
outb DATA 4
insb DATA 1 fe
outb CMD 0xd4
outb DATA 5
insb DATA 1 fc
outb CMD 0xd4
outb DATA 0xe1          # no such command
insb DATA 1 fe
outb CMD 0xd4
outb DATA 0xe1
insb DATA 1 fc

# Remote mode: only when asked; button 1 is down in the status too.
outb CMD 0xd4
outb DATA 0xf0
insb DATA 1 fa
advance 1 s
move 4 4
button 5 down
inb CMD 0/1
outb CMD 0xd4
outb DATA 0xeb
insb DATA 4 fa2d04fc
outb CMD 0xd4
outb DATA 0xfe          # again
insb DATA 4 fa2d04fc
outb CMD 0xd4
outb DATA 0xeb
insb DATA 4 fa0d0000
outb CMD 0xd4
outb DATA 0xe9
insb DATA 4 fa6603c8
button 5 up
outb CMD 0xd4
outb DATA 0xea
insb DATA 1 fa
insb DATA 3 080000      # the buttons came up meanwhile
# Wrap: an echo of all but its end and reset.
outb CMD 0xd4
outb DATA 0xee
insb DATA 1 fa
outb CMD 0xd4
outb DATA 0xfe
insb DATA 1 fe
outb CMD 0xd4
outb DATA 0xf4
insb DATA 1 f4
advance 1 s
move 1 1
inb CMD 0/1
outb CMD 0xd4
outb DATA 0xec
insb DATA 1 fa
insb DATA 3 2801ff

# The knock for the wheel: 200, 100, 80. Then packets of four bytes.
outb CMD 0xd4
outb DATA 0xf6
insb DATA 1 fa
outb CMD 0xd4
outb DATA 0xf3
insb DATA 1 fa
outb CMD 0xd4
outb DATA 200
insb DATA 1 fa
outb CMD 0xd4
outb DATA 0xf3
insb DATA 1 fa
outb CMD 0xd4
outb DATA 100
insb DATA 1 fa
outb CMD 0xd4
outb DATA 0xf3
insb DATA 1 fa
outb CMD 0xd4
outb DATA 80
insb DATA 1 fa
outb CMD 0xd4
outb DATA 0xf2
insb DATA 2 fa03
outb CMD 0xd4
outb DATA 0xf4
insb DATA 1 fa
advance 1 s
move 0 0 1
insb DATA 4 080000ff
advance 1 s
move 2 0 -3
insb DATA 4 08020003
advance 1 s
move 0 0 -100           # as far as it goes
insb DATA 4 08000007
# The knock for five buttons: 200, 200, 80.
outb CMD 0xd4
outb DATA 0xf3
insb DATA 1 fa
outb CMD 0xd4
outb DATA 200
insb DATA 1 fa
outb CMD 0xd4
outb DATA 0xf3
insb DATA 1 fa
outb CMD 0xd4
outb DATA 200
insb DATA 1 fa
outb CMD 0xd4
outb DATA 0xf3
insb DATA 1 fa
outb CMD 0xd4
outb DATA 80
insb DATA 1 fa
outb CMD 0xd4
outb DATA 0xf2
insb DATA 2 fa04
advance 1 s
button 8 down
insb DATA 4 08000010
advance 1 s
button 16 down
insb DATA 4 08000030
state
advance 1 s
move 0 0 1
insb DATA 4 0800003f
advance 1 s
button 24 up
insb DATA 4 08000000

# Port off: the packet waits in the mouse. Interrupt off: no line.
outb CMD 0xa7
advance 1 s
move 9 0
inb CMD 0/1
outb CMD 0xa8
insb DATA 4 08090000
irq aux low
outb CMD 0x60
outb DATA 0x04
advance 1 s
move 9 0
irq aux low
inb CMD 0x21/0x21
state
insb DATA 2 0809
state cut
state noise 300
