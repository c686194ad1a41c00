# The register disk in port space: its registers, both directions, errors, interrupt, exact traps.
disk d open mem:1M
disk d put 5 rand:512:1
disk d put 8 rand:2048:2
device regdisk as rd disk=d base=0xc000

let X 0xc000
let X_HI X+4
let Z X+8
let Z_HI X+12
let COUNT X+16
let Y X+20
let CMD X+24
let STATUS X+28
let ERROR X+32
let ENABLE X+36
let ACK X+40
let BUSY 1
let DONE 2
let FAILED 4
let OVERRUN 8

# What it says of itself.
inl X+0x38 0x4b534452
inl X+0x30 2048
inl X+0x34 0
inl X+0x2c 2048
inl X+0x3c 0
inl COUNT 1
inl STATUS 0

# Everything new, with 64-bit addresses and a count: seven writes and the look at STATUS.
ledger mark
outl X 8
outl X_HI 0
outl Z 0x50000
outl Z_HI 0
outl COUNT 4
outl Y 0
outl CMD 1
inl STATUS DONE
ledger exit cpu0 pio writes=8
check 0x50000 rand:2048:2
outl COUNT 1

# A read costs four traps to start (X, Y, Z, CMD) and one to see that it is done: five.
ledger mark
outl X 5
outl Y 0
outl Z 0x10000
outl CMD 1
inl STATUS DONE
ledger pio rd * writes=4 reads=1 refused=0
ledger exit cpu0 pio writes=5
ledger dma rd dma writes=1 write_bytes=512
ledger blk d read reads=1 read_bytes=512
check 0x10000 rand:512:1
irq rd edges 0

# Y, COUNT and the high halves stay: the next read in the same direction costs four with its status.
ledger mark
outl X 8
outl Z 0x10200
outl CMD 1
inl STATUS DONE
ledger exit cpu0 pio writes=4

# With its interrupt: X, Z, CMD, then ACK. Four as well, and nobody polled.
outl ENABLE DONE
irq rd high             # the read before is not acknowledged
outl ACK DONE
irq rd low
irq rd edges 1
ledger mark
outl X 8
outl Z 0x20000
outl COUNT 4
outl CMD 1
irq rd high
outl ACK DONE
irq rd low
irq rd edges 1
ledger exit cpu0 pio writes=5   # X, Z, CMD, ACK; COUNT because it changed
check 0x20000 rand:2048:2
inl STATUS 0

# Writing, and making it durable.
mem 0x30000 rand:1024:9
outl X 100
outl Z 0x30000
outl COUNT 2
outl Y 1
outl CMD 1
inl STATUS DONE
disk d check 100 rand:1024:9
disk d check 102 fill:512:0
outl CMD 2
inl STATUS DONE
ledger blk d flush writes=1

# One bad request fails that request only.
outl X 2047             # two sectors from the last one on
outl CMD 1
inl STATUS DONE+FAILED
inl ERROR 1
outl X_HI 1
outl X 0
outl CMD 1
inl ERROR 1
outl X_HI 0
outl COUNT 0
outl CMD 1
inl ERROR 2
outl COUNT 2049
outl CMD 1
inl ERROR 2
outl COUNT 1
outl Z 0xfffe00*1+0x200 # the first byte past memory
outl CMD 1
inl ERROR 3
outl Z 0xffff00         # the last 256 bytes: half a sector fits
outl CMD 1
inl ERROR 3
outl Z_HI 1
outl Z 0
outl CMD 1
inl ERROR 3
outl Z_HI 0
outl Y 2
outl CMD 1
inl ERROR 6
outl Y 0
outl CMD 77
inl ERROR 6
inl STATUS DONE+FAILED
outl Z 0xfffe00         # the last sector of memory, the last of the disk
outl X 2047
outl CMD 1
inl STATUS DONE
inl ERROR 0
check 0xfffe00 fill:512:0

# Widths it doesn't decode, registers that are read-only.
ledger mark
inb STATUS 0xff
inw STATUS 0xffff
outb CMD 1
inl STATUS+2 0xffffffff
outl X+0x30 7
ledger pio rd * refused=5
inl X+0x30 2048
inl CMD 0

# Reset by command: as after power-on.
outl X 77
outl ENABLE DONE
irq rd high
outl CMD 3
irq rd low
inl X 0
inl COUNT 1
inl STATUS 0
inl ENABLE 0

# State.
outl X 8
outl Z 0x40000
outl COUNT 2
outl ENABLE DONE
outl CMD 1
irq rd high
state
irq rd high
inl X 8
inl STATUS DONE
state cut
state noise 300
reset
irq rd low
inl STATUS 0
