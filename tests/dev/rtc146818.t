# MC146818. The bench starts on Saturday, 2000-01-01 00:00:00.
device rtc146818 as rtc
let I 0x70
let D 0x71

# BCD, 24 hours, divider running, valid.
outb I 10
inb D 0x26
outb I 11
inb D 0x02
outb I 13
inb D 0x80
outb I 0
inb D 0
outb I 6
inb D 7
outb I 7
inb D 1
outb I 8
inb D 1
outb I 9
inb D 0
inb I 0xff

# A leap year's end of February, then a year.
advance 5097599 s       # 2000-02-28 23:59:59 is day 58
outb I 7
inb D 0x28
outb I 4
inb D 0x23
outb I 2
inb D 0x59
outb I 0
inb D 0x59
# UIP: in the last 244 us of a second.
outb I 10
inb D 0x26
advance 999755 us
inb D 0x26
advance 2 us
inb D 0xa6
advance 243 us
inb D 0x26
outb I 7
inb D 0x29
outb I 8
inb D 0x02
advance 86400 s
inb D 0x03
outb I 7
inb D 0x01
outb I 6
inb D 4                 # Wednesday

# Setting it: SET stops the updates, then time goes on from there, first update after 500 ms.
outb I 11
outb D 0x82
outb I 9
outb D 0x24
outb I 8
outb D 0x12
outb I 7
outb D 0x31
outb I 4
outb D 0x23
outb I 2
outb D 0x59
outb I 0
outb D 0x58
advance 10 s
inb D 0x58
outb I 11
outb D 0x02
outb I 0
advance 499 ms
inb D 0x58
advance 2 ms
inb D 0x59
advance 1 s
inb D 0
outb I 9
inb D 0x25
outb I 7
inb D 1
# Binary and 12 hours: the format of what is read.
outb I 4
outb D 0x15
outb I 11
outb D 0x00
outb I 4
inb D 0x83              # 3 p.m.
outb I 11
outb D 0x06
outb I 4
inb D 15
outb I 0
outb D 59
outb I 11
outb D 0x02
outb I 0
inb D 0x59

# Flags are kept whether enabled or not; reading C clears them.
outb I 12
inb D
inb D 0
advance 1 s
inb D 0x50
inb D 0

# Periodic: 1024 Hz; the line stays up until C is read.
outb I 11
outb D 0x42
irq rtc low
advance 977 us
irq rtc high
advance 10 ms
irq rtc edges 1
outb I 12
inb D 0xc0
irq rtc low
repeat 10
    advance 976563 ns
    inb D 0xc0/0xc0
end
irq rtc edges 10
# Rate 0 is off; 1 and 2 are 256 and 128 Hz.
outb I 10
outb D 0x20
outb I 12
inb D
advance 1500 ms
irq rtc low
outb I 10
outb D 0x21
outb I 12
inb D
irq rtc edges 0/0
repeat 256
    advance 3906250 ns
    inb D 0xc0/0xc0
end
irq rtc edges 256

# Update-ended.
outb I 10
outb D 0x26
outb I 11
outb D 0x12
outb I 12
inb D
irq rtc edges 0/0
advance 1 s
irq rtc edges 1
inb D 0x90/0xb0
# Alarm: at a time of day, and with don't-care bytes once a minute.
outb I 11
outb D 0x82
outb I 4
outb D 0x10
outb I 2
outb D 0
outb I 0
outb D 0
outb I 5
outb D 0x10
outb I 3
outb D 0x01
outb I 1
outb D 0x30
outb I 11
outb D 0x22
outb I 12
inb D
irq rtc edges 0/0
advance 89 s
irq rtc low
advance 1 s
irq rtc high
inb D 0xa0/0xa0
irq rtc low
advance 86399 s
irq rtc low
advance 2 s
irq rtc high
outb I 5
outb D 0xff
outb I 3
outb D 0xc0
outb I 12
inb D
irq rtc edges 0/0
repeat 3
    advance 60 s
    inb D 0xa0/0xa0
end
irq rtc edges 3
# An alarm that no time matches never comes.
outb I 1
outb D 0x75
outb I 12
inb D
advance 200000 s
irq rtc low
inb D 0x00/0x20

# CMOS memory, index bit 7 ignored; C and D are read-only.
outb I 0x90
outb D 0xa5
outb I 0x10
inb D 0xa5
outb I 13
outb D 0
inb D 0x80
# Absurd times are brought into range.
outb I 8
outb D 0xff
outb I 7
outb D 0xff
outb I 4
outb D 0xff
inb D
outb I 8
inb D
outw I 0x3410
inb D 0x34

state
state cut
state noise 200
reset
outb I 0x10
inb D 0x34
outb I 11
inb D 0x02
irq rtc low
