# Every command byte in every state that a byte before it can leave behind: to the controller, the
# keyboard, the mouse. Whatever was said, a reset of each is answered as always.
device i8042 as kbd
let DATA 0x60
let CMD 0x64

repeat 256 i
    repeat 256 j
        outb CMD i
        outb CMD j
        outb DATA i
        inb DATA
    end
    key a tap
    move 3 -3 1
    outb CMD 0x60           # the command byte: translating, both ports on
    outb DATA 0x44
    insb DATA 32
    insb DATA 32
    outb CMD 0xaa
    inb DATA 0x55
    outb DATA 0xff
    insb DATA 16
end
event reset
reset
repeat 256 i
    repeat 256 j
        outb DATA i
        outb DATA j
        inb DATA
    end
    key f7 tap
    advance 700 ms
    insb DATA 32
    outb DATA 0xff
    insb DATA 2 faaa
    inb CMD 0/1
end
repeat 256 i
    repeat 256 j
        outb CMD 0xd4
        outb DATA i
        outb CMD 0xd4
        outb DATA j
        inb DATA
    end
    button i down
    move 3 -3 1
    advance 700 ms
    button i up
    insb DATA 32
    outb CMD 0xd4
    outb DATA 0xff
    insb DATA 3 faaa00
    inb CMD 0/1
end
state
state noise 100
