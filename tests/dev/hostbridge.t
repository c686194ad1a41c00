# Configuration mechanism #1 and function 00:00.0, PCI 3.0 section 3.2.2.3.2.
device hostbridge as host devfn=0
let ADDR 0xcf8
let DATA 0xcfc

# How Linux probes it: a byte at 0xcfb passes the register by, a dword reads back.
outb 0xcfb 1
inl ADDR 0
outl ADDR 0x80000000
inl ADDR 0x80000000
inw ADDR 0xffff
inb ADDR 0xff
inl DATA 0x12378086
outl ADDR 0x80000008
inw DATA+2 0x0600
inb DATA 0x02
outl ADDR 0x8000000c
inb DATA+2 0        # header type 0, single function

# Writable bits only: command, latency, interrupt line; ids are not.
outl ADDR 0x80000004
outl DATA 0xffffffff
inl DATA 0x00000547
outl DATA 0
outl ADDR 0x80000000
outl DATA 0
inl DATA 0x12378086
outl ADDR 0x8000003c
outb DATA 0x0b
inl DATA 0x0000000b
outl ADDR 0x80000010
outl DATA 0xffffffff
inl DATA 0          # no BARs

# Nobody there: other functions, other buses, enable bit off, reserved bits ignored.
outl ADDR 0x80000800
inl DATA 0xffffffff
outl DATA 0
outl ADDR 0x80ff0000
inl DATA 0xffffffff
outl ADDR 0x00000000
inl DATA 0xffffffff
outl ADDR 0xffffffff
inl ADDR 0x80fffffc

# Odd widths and places: cut, never across the window.
outl ADDR 0x80000000
inl 0xcfd 0xff123780/0x00ffffff
inw 0xcfe 0x1237
inb 0xcff 0x12

# Reset control: the rising edge of bit 2.
inb 0xcf9 0
outb 0xcf9 0x02
event none
outb 0xcf9 0x06
event reset
outb 0xcf9 0x06
event none
outl ADDR 0x80000004
outl DATA 0x00000103
state
inl ADDR 0x80000004
inl DATA 0x00000103
state cut
state noise 200
reset
inl ADDR 0
inb 0xcf9 0
