# IDE: probing, task file, PIO in and out, interrupts, errors.
disk d open mem:8M
disk d put 0 rand:512:1
disk d put 40 rand:8192:2
device ide as ide disk0=d serial=abc123

let DATA 0x1f0
let ERR 0x1f1
let FEAT 0x1f1
let CNT 0x1f2
let L0 0x1f3
let L1 0x1f4
let L2 0x1f5
let DEV 0x1f6
let ST 0x1f7
let CTL 0x3f6
let OK 0x50
let DRQ 0x58
let BAD 0x51

# After power-on: signature, ready. The position without a drive reads zeroes, so does its status.
inb CNT 1
inb L0 1
inb L1 0
inb L2 0
inb ERR 1
inb ST OK
outb DEV 0xb0
inb ST 0
outb CNT 0x55
inb CNT 0
inb CTL 0
outb DEV 0xa0
inb CNT 0x55
inb DEV 0xa0
# The second channel has no drives: firmware switched it off, nobody drives the lines.
inb 0x177 0xff
ledger pio ide cmd1 refused=1

# IDENTIFY, with rep insw.
irq ide0 edges 0
outb ST 0xec
irq ide0 high
inb CTL DRQ
irq ide0 high           # alternate status leaves the interrupt
inb ST DRQ
irq ide0 low
irq ide0 edges 1
inw DATA 0x0040
inw DATA 16             # cylinders of 8 MiB: 16384 / 1008
insw DATA 8
insw DATA 3 "ba1c32"
insw DATA 7 fill:14:0x20
insw DATA 39            # to word 58
inw DATA 0x0110         # multiple: 16, valid
inl DATA 16384          # words 60-61
insw DATA 20            # to word 81
inw DATA 0x4069
inw DATA 0x7400
insw DATA 16            # to word 99
insl DATA 2 le64:16384
insw DATA 152           # words 104 to 255
inb ST OK
irq ide0 edges 0        # the end of a PIO-in command is not announced
inw DATA 0xffff         # nothing left

# READ SECTORS of one: on paper 6 writes (Features is not needed: 5 task file, Command), status, data.
ledger mark
outb CNT 1
outb L0 0
outb L1 0
outb L2 0
outb DEV 0xe0
outb ST 0x20
irq ide0 edges 1
inb ST DRQ
insl DATA 128 rand:512:1
inb ST OK
ledger exit cpu0 pio writes=9
ledger pio ide cmd0 writes=6 reads=130 read_bytes=514 refused=0
ledger blk d read reads=1 read_bytes=512

# READ MULTIPLE, 16 sectors: one interrupt, one string of 4096 words. 24 would be two blocks.
outb CNT 16
outb L0 40
outb ST 0xc4
irq ide0 edges 1
inb ST DRQ
insw DATA 4096 rand:8192:2
inb ST OK
irq ide0 edges 0
outb CNT 24
outb ST 0xc4
inb ST DRQ
insw DATA 4096 rand:8192:2
irq ide0 edges 2        # the second block is there at once
inb ST DRQ
insw DATA 2048 fill:4096:0
inb ST OK
# READ SECTORS: a block a sector.
outb CNT 3
outb ST 0x20
repeat 3 i
    inb ST DRQ
    insw DATA 256
end
irq ide0 edges 3
inb ST OK

# 48-bit: 256 + 44 sectors by READ SECTORS EXT; the high byte is written first.
disk d put 299 rand:512:7
outb CNT 1
outb CNT 44
outb L0 0
outb L0 0
outb L1 0
outb L1 0
outb L2 0
outb L2 0
outb CTL 0x80
inb CNT 1               # HOB shows the older one
outb L0 0               # any write clears HOB
outb L0 0
inb CNT 44
outb ST 0x24
repeat 299 i
    inb ST DRQ
    insl DATA 128
end
insl DATA 128 rand:512:7
inb ST OK
irq ide0 edges 300

# WRITE SECTORS: no interrupt before the first block, one after it and one at the end.
outb CNT 2
outb L0 100
outb DEV 0xe0
outb ST 0x30
irq ide0 edges 0
inb ST DRQ
outsw DATA rand:512:3
irq ide0 edges 1
inb ST DRQ
outsw DATA rand:512:4
inb ST OK
irq ide0 edges 1
disk d check 100 rand:512:3 rand:512:4
ledger blk d write writes=2     # one put by this script, ours in one piece
# WRITE MULTIPLE, and the 32-bit port.
outb CNT 16
outb L0 200
outb ST 0xc5
outsl DATA rand:8192:5
inb ST OK
disk d check 200 rand:8192:5
irq ide0 edges 1
# Write cache off: the flush comes before the end of the command.
outb FEAT 0x82
outb ST 0xef
inb ST OK
ledger mark
outb CNT 1
outb L0 90
outb ST 0x30
outsw DATA rand:512:6
inb ST OK
ledger blk d flush writes=1
outb FEAT 0x02
outb ST 0xef
irq ide0 edges 3
outb ST 0xe7
inb ST OK
ledger blk d flush writes=2

# CHS: cylinder 0, head 1, sector 1 is the 63rd.
disk d put 63 rand:512:8
outb CNT 1
outb L0 1
outb L1 0
outb L2 0
outb DEV 0xa1
outb ST 0x20
insw DATA 256 rand:512:8
outb L0 0               # no sector 0 there
outb ST 0x20
inb ST BAD
inb ERR 0x10
outb DEV 0xe0

# Errors: past the end, unknown commands, SET FEATURES, multiple off; each fails alone.
irq ide0 edges 3
outb L0 0
outb L1 0x40            # 16384
outb ST 0x20
inb ST BAD
inb ERR 0x10
outb L0 0xff
outb L1 0x3f
outb CNT 2
outb ST 0x40            # READ VERIFY over the end
inb ERR 0x10
outb CNT 1
outb ST 0x40
inb ST OK
outb ST 0x00            # NOP aborts
inb ST BAD
inb ERR 4
outb ST 0xfe
inb ERR 4
outb ST 0xa1            # IDENTIFY PACKET DEVICE: it is no CD-ROM
inb ERR 4
outb FEAT 0x99
outb ST 0xef
inb ERR 4
outb CNT 3
outb ST 0xc6
inb ERR 4
outb CNT 0
outb ST 0xc6
inb ST OK
outb CNT 1
outb ST 0xc4
inb ERR 4
outb CNT 8
outb ST 0xc6
inb ST OK
# SMART, power.
outb FEAT 0xda
outb ST 0xb0
inb ERR 4               # no key
outb L1 0x4f
outb L2 0xc2
outb ST 0xb0
inb ST OK
inb L1 0x4f
outb FEAT 0xd0
outb ST 0xb0
insw DATA 1 1000
insw DATA 255
outb ST 0xe0
outb ST 0xe5
inb CNT 0
outb ST 0xe1
outb ST 0xe5
inb CNT 0xff
inb ST OK

# nIEN: the line stays low, and rises when it is allowed to.
irq ide0 low
irq ide0 edges 18
outb CTL 2
outb ST 0xec
irq ide0 low
outb CTL 0
irq ide0 high
irq ide0 edges 1
# A command while data waits is dropped, and counted; data goes on.
ledger mark
outb ST 0x20
ledger pio ide cmd0 refused=1
insw DATA 256
inb ST OK
# EXECUTE DEVICE DIAGNOSTIC and soft reset leave the signature.
outb CNT 9
outb ST 0x90
irq ide0 high
inb ERR 1
inb CNT 1
inb ST OK
outb CNT 9
outb ST 0xec
outb CTL 4
inb ST 0x80
inb CTL 0x80
outb CNT 5              # not heard
outb CTL 0
inb ST OK
inb CNT 1
inb L0 1
inb L1 0
irq ide0 low

# State in the middle of a data phase.
outb CNT 2
outb L0 40
outb DEV 0xe0
outb ST 0x20
insw DATA 100
state
insw DATA 156
inb ST DRQ
insw DATA 256
inb ST OK
outb CNT 2
outb L0 50
outb DEV 0xe0
outb ST 0x30
outsw DATA rand:512:1
outsw DATA fill:20:1
state
outsw DATA fill:492:1
inb ST OK
disk d check 50 rand:512:1 fill:512:1
outb ST 0xec
state cut
state noise 300
reset
inb ST OK
