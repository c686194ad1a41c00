# virtio-blk over modern virtio-pci (VIRTIO 1.2, sections 2, 4.1, 5.2). First a driver from PCI
# discovery to requests with MSI-X and EVENT_IDX: the exact accesses of docs/virtio.md, and their
# counts. Then one that takes no optional feature and starts with INTx.
disk d open mem:1M
disk d put 5 seq:512:1 fill:3584:0x77
device virtio-blk as vd0 disk=d serial=SN-0042 devfn=8
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
read 0xe0000014 1 0xff               # nothing answers before memory space is enabled
outl 0xcf8 0x80000804
outw 0xcfc 6
read 0xe0000014 1 0
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

# ---- another driver: no optional feature, INTx ----
let ADDR 0xcf8
let DATA 0xcfc
let FN 0x80000800                   # bus 0, device 1, function 0
let COMMON CFG
let ISR COMMON+0x1000
let CONF COMMON+0x2000
let QSEL COMMON+0x16
let DESC 0x30000
let AVAIL 0x31000
let USED 0x32000
let HDR 0x40000
let BUF 0x41000
let ST 0x42000
write STATUS 1 0
outl ADDR FN+0x40
outw DATA+2 0                       # MSI-X off
disk d put 5 "sector five" fill:501:0x11
# Negotiation: VERSION_1 must be taken; FEATURES_OK stays.
write STATUS 1 1
write STATUS 1 3
write COMMON 4 1
read COMMON+4 4 1/1
write COMMON+8 4 1
write COMMON+12 4 1
write COMMON 4 0
read COMMON+4 4 -> features
is features 0x6004/0x6004               # SEG_MAX, DISCARD, WRITE_ZEROES: a RAM disk has no cache to flush
write COMMON+8 4 0
write COMMON+12 4 0x6004
write STATUS 1 11
read STATUS 1 11

# Capacity in 512-byte sectors.
read CONF 8 2048

# The queue: 8 entries.
write QSEL 2 0
write COMMON+0x18 2 8
write COMMON+0x20 8 DESC
write COMMON+0x28 8 AVAIL
write COMMON+0x30 8 USED
write COMMON+0x1c 2 1
read COMMON+0x1c 2 1
write STATUS 1 15
read STATUS 1 15

# A read of sector 5: header, buffer (device writes), status (device writes). INTx, as MSI-X is off.
mem HDR le32:0 le32:0 le64:5
mem ST ff
mem DESC le64:HDR le32:16 le16:1 le16:1
mem DESC+16 le64:BUF le32:512 le16:3 le16:2
mem DESC+32 le64:ST le32:1 le16:2 le16:0
mem AVAIL le16:0 le16:1 le16:0
ledger mark
write BELL 2 0
check ST 00
check BUF "sector five" fill:501:0x11
check USED le16:0 le16:1 le32:0 le32:513
irq vd0 high
read ISR 1 1
irq vd0 low
irq vd0 edges 1
ledger mmio vd0 * writes=1 reads=1
ledger blk d read reads=1 read_bytes=512

# A write of sector 6, in two buffers.
mem HDR le32:1 le32:0 le64:6
mem BUF rand:512:3
mem DESC+16 le64:BUF le32:200 le16:1 le16:3
mem DESC+48 le64:BUF+200 le32:312 le16:1 le16:2
mem AVAIL+6 le16:0
mem AVAIL+2 le16:2
mem ST ff
write BELL 2 0
check ST 00
check USED+2 le16:2
check USED+12 le32:0 le32:1
disk d check 6 rand:512:3
read ISR 1 1

# A flush; the serial number (GET_ID).
mem HDR le32:4 le32:0 le64:0
mem DESC le64:HDR le32:16 le16:1 le16:2
mem AVAIL+8 le16:0
mem AVAIL+2 le16:3
write BELL 2 0
check ST 00
mem HDR le32:8
mem DESC le64:HDR le32:16 le16:1 le16:1
mem DESC+16 le64:BUF le32:20 le16:3 le16:2
mem AVAIL+10 le16:0
mem AVAIL+2 le16:4
write BELL 2 0
check ST 00
check BUF "SN-0042" 00

# Past the end: an I/O error, the device lives. An unknown request: unsupported.
mem HDR le32:0 le32:0 le64:2048
mem DESC+16 le64:BUF le32:512 le16:3 le16:2
mem AVAIL+12 le16:0
mem AVAIL+2 le16:5
write BELL 2 0
check ST 01
mem HDR le32:77
mem AVAIL+14 le16:0
mem AVAIL+2 le16:6
write BELL 2 0
check ST 02
read STATUS 1 15

# With MSI-X on (capability at 0x40), the queue's vector 1 is sent instead of INTx.
outl ADDR FN+0x40
inb DATA 0x11
outw DATA+2 0x8000
write MSIX+0x1c 4 1
write MSIX+0x10 4 0xfee01000
write MSIX+0x14 4 0
write MSIX+0x18 4 0x4041
write COMMON+0x1a 2 1
read COMMON+0x1a 2 1
mem HDR le32:0 le32:0 le64:5
mem AVAIL+16 le16:0
mem AVAIL+2 le16:7
write BELL 2 0
check ST 00
msi none                            # masked: pending
read MSIX+0x800 4 2
write MSIX+0x1c 4 0
msi 0xfee01000 0x4041
read MSIX+0x800 4 0
irq vd0 low
mem AVAIL+18 le16:0
mem AVAIL+2 le16:8
write BELL 2 0
msi 0xfee01000 0x4041
msi none
# A vector that isn't there is refused: no vector.
write COMMON+0x1a 2 99
read COMMON+0x1a 2 0xffff
outl ADDR FN+0x40
outw DATA+2 0

# State in the middle of a session, then on with it.
state
mem HDR le32:0 le32:0 le64:6
mem ST ff
mem AVAIL+4 le16:0
mem AVAIL+2 le16:9
write BELL 2 0
check ST 00
check BUF rand:512:3
state cut
state noise 2000

# Absurd: a descriptor outside memory; the device asks for a reset (DEVICE_NEEDS_RESET, 64).
mem DESC+16 le64:0xffffffffffff0000 le32:512 le16:3 le16:2
mem AVAIL+6 le16:0
mem AVAIL+2 le16:10
write BELL 2 0
# Reset clears all; the BARs stay.
write STATUS 1 0
read STATUS 1 0
write QSEL 2 0
read COMMON+0x1c 2 0

# Odd widths of the common configuration are refused, doorbells of queues that aren't there ignored.
write STATUS 4 1
read STATUS 1 0
write BELL+0x40 2 9
write BELL+3 8 0
