# The PS/2 keyboard: scan code sets, repeat, buffer, commands (IBM PS/2 technical reference).
device i8042 as kbd
let DATA 0x60
let CMD 0x64
outb CMD 0x60
outb DATA 0x04          # untranslated

# Set 2: plain, extended, and the four odd ones.
key a tap
insb DATA 3 1cf01c
key ctrl_r tap
insb DATA 5 e014e0f014
key kp_enter tap
insb DATA 5 e05ae0f05a
key pause tap
insb DATA 8 e11477e1f014f077
key print tap
insb DATA 10 e012e07ce0f07ce0f012
key ctrl down
key pause tap
key print tap
key ctrl up
insb DATA 11 14e07ee0f07ee07ce0f07c
insb DATA 2 f014
key alt down
key print tap
key alt up
insb DATA 6 1184f084f011
inb CMD 0/1
# Keys that the key pad has too: Shift is taken back around them, Num Lock gives one.
key shift down
key left tap
insb DATA 11 12e0f012e06be0f06be012
key kp_divide tap
insb DATA 10 e0f012e04ae0f04ae012
key shift up
insb DATA 2 f012
key shift_r down
key insert down
key insert up
insb DATA 11 59e0f059e070e0f070e059
key shift_r up
insb DATA 2 f059
outb DATA 0xed
insb DATA 1 fa
outb DATA 2
leds 2
insb DATA 1 fa
key up tap
insb DATA 10 e012e075e0f075e0f012
key shift down
key up tap
key shift up
insb DATA 8 12e075e0f075f012
outb DATA 0xed
insb DATA 1 fa
outb DATA 0
insb DATA 1 fa
leds 0

# Set 1 by the keyboard itself.
outb DATA 0xf0
insb DATA 1 fa
outb DATA 1
insb DATA 1 fa
key a tap
insb DATA 2 1e9e
key pause tap
insb DATA 6 e11d45e19dc5
key delete tap
insb DATA 4 e053e0d3
outb DATA 0xf0
insb DATA 1 fa
outb DATA 0
insb DATA 2 fa01

# Set 3: what a key does is its own: repeat without release, release, or neither.
outb DATA 0xf0
insb DATA 1 fa
outb DATA 3
insb DATA 1 fa
key a tap
insb DATA 1 1c
key ctrl tap
insb DATA 3 11f011
key f1 tap
insb DATA 1 07
key f13 tap             # there is none in set 3
inb CMD 0/1
outb DATA 0xfc          # make and break: a, f1
insb DATA 1 fa
outb DATA 0x1c
insb DATA 1 fa
outb DATA 0x07
insb DATA 1 fa
outb DATA 0xfd          # the next command; make only: left Ctrl
insb DATA 1 fa
outb DATA 0x11
insb DATA 1 fa
outb DATA 0xf4
insb DATA 1 fa
key a tap
key f1 tap
key ctrl tap
insb DATA 7 1cf01c07f00711
key a down
advance 600 ms
inb DATA 0x1c
advance 600 ms
inb CMD 0/1             # make and break does not repeat
key a up
insb DATA 2 f01c
outb DATA 0xfa          # all: repeat, make, break
insb DATA 1 fa
key f1 down
advance 600 ms
insb DATA 2 0707
key f1 up
insb DATA 2 f007
outb DATA 0xf7
insb DATA 1 fa
key ctrl tap
insb DATA 1 11
outb DATA 0xf8
insb DATA 1 fa
key ctrl tap
insb DATA 3 11f011
outb DATA 0xf9
insb DATA 1 fa
key ctrl tap
insb DATA 1 11
outb DATA 0xf6          # defaults: set 2 again
insb DATA 1 fa
outb DATA 0xf0
insb DATA 1 fa
outb DATA 0
insb DATA 2 fa02
outb DATA 0xf0
insb DATA 1 fa
outb DATA 4
insb DATA 1 fe          # no such set
outb DATA 0xfe
insb DATA 1 fe

# Repeat: after 500 ms, 10.9 a second; at most one ahead of the reader; the last key pressed.
key a down
insb DATA 1 1c
advance 499 ms
inb CMD 0/1
advance 1 ms
insb DATA 1 1c
advance 91 ms
inb CMD 0/1
advance 1 ms
insb DATA 1 1c
advance 5 s             # nobody reads: one in the output buffer, one in the keyboard
insb DATA 2 1c1c
inb CMD 0/1
key b down
insb DATA 1 32
key a up
insb DATA 2 f01c
advance 500 ms
insb DATA 1 32
key b up
insb DATA 2 f032
advance 5 s
inb CMD 0/1
outb DATA 0xf3
insb DATA 1 fa
outb DATA 0x7f          # slowest: 1 s, 2 a second
insb DATA 1 fa
key spc down
insb DATA 1 29
advance 999 ms
inb CMD 0/1
advance 1 ms
insb DATA 1 29
state
advance 500 ms
inb CMD 0/1
advance 1 ms
insb DATA 1 29
outb DATA 0xf3
insb DATA 1 fa
outb DATA 0x00          # fastest: 250 ms, 30 a second
insb DATA 1 fa
advance 500 ms
insb DATA 1 29
advance 33 ms
inb CMD 0/1
advance 1 ms
insb DATA 1 29
key pause down          # does not repeat, and ends what did
insb DATA 8 e11477e1f014f077
advance 5 s
inb CMD 0/1
key spc up
insb DATA 2 f029
outb DATA 0xf6
insb DATA 1 fa

# 16 bytes fit behind the output buffer's one; then 0 for "overrun", and keys are lost as wholes.
repeat 8
    key a tap
end
key b tap
insb DATA 1 1c
repeat 5
    insb DATA 3 f01c1c
end
insb DATA 1 00
inb CMD 0/1
key b tap
insb DATA 3 32f032
outb DATA 0xf0
insb DATA 1 fa
outb DATA 1
insb DATA 1 fa
repeat 20
    key up tap
end
insb DATA 16 e048e0c8e048e0c8e048e0c8e048e0c8
insb DATA 1 ff          # one byte was free: a key goes as a whole
outb DATA 0xff          # reset: self test passed, set 2
insb DATA 2 faaa
outb DATA 0xf0
insb DATA 1 fa
outb DATA 0
insb DATA 2 fa02

# Every command where an argument is waited for is a command; what is none is refused.
outb DATA 0xed
insb DATA 1 fa
outb DATA 0xed
insb DATA 1 fa
outb DATA 0x05
leds 5
insb DATA 1 fa
outb DATA 0xf3
insb DATA 1 fa
outb DATA 0xf2
insb DATA 3 faab83
outb DATA 0x05
insb DATA 1 fe
outb DATA 0xef
insb DATA 1 fe
outb DATA 0xf1
insb DATA 1 fe
outb DATA 0xf5          # off; the finger stays where it is
insb DATA 1 fa
key a down
advance 2 s
inb CMD 0/1
outb DATA 0xf4
insb DATA 1 fa
key a up
insb DATA 2 f01c
key a up                # it was up
inb CMD 0/1
outb DATA 0xff
leds 0
state
insb DATA 2 faaa
