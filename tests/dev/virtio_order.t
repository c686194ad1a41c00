# IN_ORDER and NOTIFICATION_DATA (VIRTIO 1.2, chapter 6, sections 2.7.9, 2.8.8 and 2.9), offered on
# request: a disk on PCI with split rings, its kicks 32 bits with the available index; entropy over
# MMIO with packed rings. The checker watches, and has nothing to say.
disk d open mem:1M
disk d put 5 seq:512:1
disk d put 9 seq:512:7
device virtio-blk as vd0 disk=d devfn=8 check=1 offer=0x4800000000
device hostbridge as host devfn=0
outl 0xcf8 0x80000810
outl 0xcfc 0xe0000000
outl 0xcf8 0x80000818
outl 0xcfc 0xe0010000
outl 0xcf8 0x80000804
outw 0xcfc 6
let CFG 0xe0000000
let BELL 0xe0010000
write CFG+0x14 1 0
write CFG+0x14 1 1
write CFG+0x14 1 3
write CFG 4 1
read CFG+4 4 0x149                  # VERSION_1, IN_ORDER (3), NOTIFICATION_DATA (6), RING_RESET
write CFG+8 4 1
write CFG+0xc 4 0x49
write CFG+0x14 1 0xb
read CFG+0x14 1 0xb
write CFG+0x18 2 8
write CFG+0x20 4 0x1000
write CFG+0x28 4 0x2000
write CFG+0x30 4 0x3000
write CFG+0x1c 2 1
write CFG+0x14 1 0xf
# Two reads, in ring order: heads 0 and 3.
mem 0x4000 le32:0 le32:0 le64:5
mem 0x4100 le32:0 le32:0 le64:9
mem 0x1000 le64:0x4000 le32:16 le16:1 le16:1
mem 0x1010 le64:0x5000 le32:512 le16:3 le16:2
mem 0x1020 le64:0x4010 le32:1 le16:2 le16:0
mem 0x1030 le64:0x4100 le32:16 le16:1 le16:4
mem 0x1040 le64:0x5200 le32:512 le16:3 le16:5
mem 0x1050 le64:0x4110 le32:1 le16:2 le16:0
mem 0x2000 le16:0 le16:2 le16:0 le16:3
ledger mark
write BELL 4 0x20000                # queue 0; the index is 2
check 0x5000 seq:512:1
check 0x5200 seq:512:7
check 0x3000 le16:0 le16:2 le32:0 le32:513 le32:3 le32:513
ledger mmio vd0 notify writes=1 refused=0
state
# What the kick says is not believed: this one lies, and is told of.
write BELL 4 0x630000
ledger check vd0 kick-data writes=1
ledger check vd0 * writes=1          # and nothing else

device virtio-rng as rng mmio=0xfe800000 check=1 offer=0x4800000000
let R 0xfe800000
write R+0x70 4 0
write R+0x70 4 1
write R+0x70 4 3
write R+0x14 4 1
read R+0x10 4 0x149
write R+0x24 4 1
write R+0x20 4 0x49
write R+0x70 4 0xb
read R+0x70 4 0xb
write R+0x30 4 0
write R+0x38 4 4
write R+0x80 4 0x8000
write R+0x84 4 0
write R+0x90 4 0x8100
write R+0x94 4 0
write R+0xa0 4 0x8200
write R+0xa4 4 0
write R+0x44 4 1
write R+0x70 4 0xf
mem 0x8000 le64:0x9000 le32:64 le16:2 le16:0
mem 0x8100 le16:0 le16:1 le16:0
write R+0x50 4 0x10000
check 0x8202 le16:1 le32:0 le32:64
