# Keyboard controller and keyboard, as Linux's i8042 and atkbd use them.
device i8042 as kbd
let DATA 0x60
let CMD 0x64
inb CMD 0x14            # tested, unlocked, empty
outb CMD 0x20
inb CMD 0x1d            # output full, command written
inb DATA 0x44           # system flag, translating, interrupts off
inb CMD 0x1c

# Command byte and controller RAM.
outb CMD 0x60
outb DATA 0x47
outb CMD 0x20
inb DATA 0x47
outb CMD 0x7f
outb DATA 0x99
outb CMD 0x3f
inb DATA 0x99
outb CMD 0x60
outb DATA 0x74          # both ports off, interrupts off: as i8042 does while it probes
inb CMD 0x10/0x11

# Self tests.
outb CMD 0xaa
inb DATA 0x55
outb CMD 0xab
inb DATA 0
outb CMD 0xa9
inb DATA 0

outb CMD 0xa4
inb DATA 0xf1           # no password
outb CMD 0xa5
outb DATA 0x1e
outb DATA 0x30
outb DATA 0             # the end of one that nobody keeps
outb CMD 0xe0
inb DATA 0

# The second port: loopback, switches, and a mouse that answers.
outb CMD 0xd3
outb DATA 0xa5
inb CMD 0x21/0x21
inb DATA 0xa5
inb CMD 0/0x21
outb CMD 0xa8
outb CMD 0x20
inb DATA 0x54
outb CMD 0xa7
outb CMD 0x20
inb DATA 0x74
outb CMD 0xd4
outb DATA 0xf2
inb CMD 0x21/0x21
inb DATA 0xfa
inb DATA 0x00
inb CMD 0/0x21
outb CMD 0x20
inb DATA 0x54           # sending enabled the port
outb CMD 0x60
outb DATA 0x46          # aux interrupt on
outb CMD 0xd3
outb DATA 0x5a
irq aux high
irq kbd low
inb DATA 0x5a
irq aux low

# atkbd's conversation: reset, identify (untranslated), LEDs, typematic, enable. IRQ 1 at each byte.
outb CMD 0x60
outb DATA 0x05
irq kbd edges 2         # so far: the two reads of RAM while IRQ 1 was on
outb DATA 0xff
irq kbd high
inb DATA 0xfa
inb DATA 0xaa
irq kbd edges 2
irq kbd low
outb DATA 0xf2
inb DATA 0xfa
inb DATA 0xab
inb DATA 0x83
outb DATA 0xed
inb DATA 0xfa
outb DATA 0x04
inb DATA 0xfa
leds 4
outb DATA 0xf3
inb DATA 0xfa
outb DATA 0x00
inb DATA 0xfa
outb DATA 0xf0
inb DATA 0xfa
outb DATA 0
inb DATA 0xfa
inb DATA 2
outb DATA 0xee
inb DATA 0xee
outb DATA 0xfe
inb DATA 0xee           # resend
outb DATA 0x00
inb DATA 0xfe           # no such command
outb DATA 0xf4
inb DATA 0xfa
irq kbd edges 14

# Typing: set 2 as it comes, set 1 when translated; a release is 0xf0 and the code.
key a tap
insb DATA 1 1c
insb DATA 1 f0
inb DATA 0x1c
inb CMD 0/1
outb CMD 0x60
outb DATA 0x45
key a tap
key up tap
inb DATA 0x1e
inb DATA 0x9e
inb DATA 0xe0
inb DATA 0x48
inb DATA 0xe0
inb DATA 0xc8
inb CMD 0/1
# An answer between 0xf0 and its code: the code is still a release. Untranslated F7 is 0x83.
key f7 tap
inb DATA 0x41
outb DATA 0xee
inb DATA 0xc1
inb DATA 0xee
inb CMD 0/1
# Port off: bytes wait in the keyboard. Disabled keyboard: nothing is typed.
outb CMD 0xad
key ret down
inb CMD 0/1
outb CMD 0xae
inb CMD 1/1
inb DATA 0x1c
key ret up
inb DATA 0x9c
outb DATA 0xf5
inb DATA 0xfa
key ret tap
inb CMD 0/1
outb DATA 0xf4
inb DATA 0xfa

# A keystroke that stands in the output buffer when the controller answers comes after the answer.
key b tap
inb CMD 1/1
outb CMD 0x20
inb DATA 0x45
inb DATA 0x30
inb DATA 0xb0
outb CMD 0xd4
outb DATA 0xf4          # so does the mouse's byte
inb CMD 0x21/0x21
outb CMD 0xaa
inb CMD 0x01/0x21
inb DATA 0x55
inb CMD 0x21/0x21
inb DATA 0xfa
inb CMD 0/1
# Keyboard before mouse; each byte says whose it is.
move 1 0
key c down
inb CMD 0x21/0x21
insb DATA 1 08
inb CMD 0x01/0x21
inb DATA 0x2e
inb CMD 0x21/0x21
inb DATA 1
inb DATA 0
key c up
inb DATA 0xae
inb CMD 0/1

# Output port: A20 and the reset line.
outb CMD 0xd0
inb DATA 0x03
outb CMD 0xd1
outb DATA 0x01
event a20-off
outb CMD 0xd0
inb DATA 0x01
outb CMD 0xdf
event a20-on
outb CMD 0xd1
outb DATA 0x02
event reset
outb CMD 0xff
event none
outb CMD 0xfe
event reset
outb CMD 0xc0
inb DATA 0x80

# Wider accesses are cut into bytes; next to each port there is nobody.
outw DATA 0xffee
inw CMD 0xff15
inw DATA 0xffee

outb DATA 0xed
key a tap
state
inb DATA 0xfa           # the answer goes first, the key after it is not lost
outb DATA 0x07
leds 7
inb DATA 0x1e
inb DATA 0xfa
inb DATA 0x9e
inb CMD 0/1
key print down
outb CMD 0x20
state
inb DATA 0x45
insb DATA 4 e02ae037
state cut
state noise 200
reset
inb CMD 0x14
