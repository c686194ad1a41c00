# A driver from PCI discovery to a read: the exact accesses of docs/virtio.md, and their counts.
disk d open mem:1M
disk d put 5 seq:512:1 fill:3584:0x77
device virtio-blk as vd0 disk=d serial=viaduct-1 devfn=8
device hostbridge as host devfn=0

# What a driver finds: vendor, device, revision, subsystem, class.
outl 0xcf8 0x80000800
inl 0xcfc 0x10421af4
outl 0xcf8 0x80000808
inl 0xcfc 0x01800001
# Memory decoding on, three BARs placed, bus mastering.
outl 0xcf8 0x80000810
outl 0xcfc 0xffffffff
inl 0xcfc 0xffffc000
outl 0xcfc 0xe0000000
outl 0xcf8 0x80000818
outl 0xcfc 0xe0010000
outl 0xcf8 0x80000820
outl 0xcfc 0xe0020000
outl 0xcf8 0x80000804
outw 0xcfc 6
# The capability list: common, ISR, device, notify, PCI window, MSI-X.
outl 0xcf8 0x80000834
inb 0xcfc -> cap
outl 0xcf8 0x80000800+cap
inl 0xcfc 0x01100009/0xffff00ff     # vendor-specific, 16 bytes, common configuration
outl 0xcf8 0x80000804+cap
inb 0xcfc 0                         # in BAR 0
outl 0xcf8 0x80000808+cap
inl 0xcfc 0

let CFG 0xe0000000
let STATUS CFG+0x14
let BELL 0xe0010000
let MSIX 0xe0020000

ledger mark
# Reset, acknowledge, driver; features: everything but VERSION_1 is optional. EVENT_IDX here.
write STATUS 1 0
read STATUS 1 0
write STATUS 1 1
write STATUS 1 3
write CFG+0x00 4 0
read CFG+0x04 4 0x30006446
write CFG+0x00 4 1
read CFG+0x04 4 0x101
write CFG+0x08 4 0
write CFG+0x0c 4 0x20000000
write CFG+0x08 4 1
write CFG+0x0c 4 1
write STATUS 1 0xb
read STATUS 1 0xb
read CFG+0x2000 4 2048              # capacity
read CFG+0x2014 4 512               # block size
ledger mmio vd0 cfg writes=10 reads=6 refused=0

# MSI-X: vector 0 for configuration changes, 1 for the queue.
repeat 2 i
    write MSIX+16*i 4 0xfee00000
    write MSIX+16*i+4 4 0
    write MSIX+16*i+8 4 0x51+i
    write MSIX+16*i+12 4 0
end
outl 0xcf8 0x80000840               # MSI-X was the first capability made
inl 0xcfc 0x00010011/0x07ff00ff
outw 0xcfe 0x8001
write CFG+0x10 2 0
read CFG+0x10 2 0
write CFG+0x16 2 0
write CFG+0x1a 2 1
read CFG+0x1a 2 1
write CFG+0x1a 2 7                  # there is no vector 7
read CFG+0x1a 2 0xffff
write CFG+0x1a 2 1

# One queue of 8.
read CFG+0x18 2 256
write CFG+0x18 2 8
write CFG+0x20 4 0x1000
write CFG+0x24 4 0
write CFG+0x28 4 0x2000
write CFG+0x2c 4 0
write CFG+0x30 4 0x3000
write CFG+0x34 4 0
write CFG+0x1c 2 1
read CFG+0x1e 2 0
write STATUS 1 0xf
read STATUS 1 0xf
ledger mmio vd0 msix writes=8 reads=0
ledger mmio vd0 notify writes=0
state
msi none

# A read of 4 KiB at sector 5, in two pieces: header, data, data, status.
mem 0x4000 le32:0 le32:0 le64:5
mem 0x4010 u8:0xee
mem 0x1000 le64:0x4000 le32:16 le16:1 le16:1
mem 0x1010 le64:0x10000 le32:512 le16:3 le16:2
mem 0x1020 le64:0x12000 le32:3584 le16:3 le16:3
mem 0x1030 le64:0x4010 le32:1 le16:2 le16:0
mem 0x2000 le16:0 le16:1 le16:0
ledger mark
write BELL 2 0
check 0x10000 seq:512:1
check 0x12000 fill:3584:0x77
check 0x4010 00
check 0x3000 le16:0 le16:1 le32:0 le32:4097
check 0x3044 le16:1                  # avail_event: kick again for the next
msi 0xfee00000 0x52
msi none
# What a request costs: one kick, one interrupt, nothing else.
ledger mmio * * writes=1 reads=0
ledger pio * * writes=0 reads=0
ledger exit * mmio writes=1
ledger msi vd0 * writes=1
ledger blk d read reads=1 read_bytes=4096
# used_event asks for an interrupt at the third completion: two more requests, one interrupt.
mem 0x1040 le64:0x4000 le32:16 le16:1 le16:5
mem 0x1050 le64:0x14000 le32:512 le16:3 le16:6
mem 0x1060 le64:0x4011 le32:1 le16:2 le16:0
mem 0x2004 le16:0 le16:0 le16:4
mem 0x2014 le16:2
ledger mark
mem 0x2002 le16:3
write BELL 2 0
check 0x3002 le16:3
msi 0xfee00000 0x52
msi none
ledger mmio * * writes=1
ledger msi vd0 * writes=1
ledger blk d read reads=2

# A write, and what is on the disk then.
mem 0x4000 le32:1 le32:0 le64:9
mem 0x10000 fill:512:0xa5
mem 0x1010 le64:0x10000 le32:512 le16:1 le16:3
mem 0x200a le16:0
mem 0x2014 le16:3
mem 0x2002 le16:4
write BELL 2 0
disk d check 9 fill:512:0xa5
msi any

# A request outside the disk fails alone.
mem 0x4000 le32:1 le32:0 le64:2048
mem 0x200c le16:0
mem 0x2002 le16:5
write BELL 2 0
check 0x4010 01
read STATUS 1 0xf
# A head that is none: the device waits for a reset, and says so.
mem 0x200e le16:8
mem 0x2002 le16:6
write BELL 2 0
read STATUS 1 0x4f
msi 0xfee00000 0x51
state
read STATUS 1 0x4f
# Absurd addresses: refused when the queue is enabled; other widths of a field are refused, counted.
write STATUS 1 0
write STATUS 1 3
write CFG+0x08 4 1
write CFG+0x0c 4 1
write STATUS 1 0xb
write CFG+0x20 4 0xfee00000
write CFG+0x1c 2 1
read STATUS 1 0x4b
ledger mark
write STATUS 4 0
write CFG+0x18 1 3
ledger mmio vd0 cfg writes=2 refused=2
state cut
state noise 200
