# virtio-blk over modern virtio-pci (VIRTIO 1.2, sections 2, 4.1, 5.2), driven as a driver would:
# find it, place its BARs, negotiate, set up a split queue and MSI-X, move sectors.
disk d open mem:1M
disk d put 5 "sector five" fill:501:0x11
device hostbridge
device virtio-blk as vb disk=d serial=SN-0042
let ADDR 0xcf8
let DATA 0xcfc
let FN 0x80000800           # bus 0, device 1, function 0
let COMMON 0xe0000000
let ISR COMMON+0x1000
let CONF COMMON+0x2000
let BELL 0xe0010000
let MSIX 0xe0020000
let STATUS COMMON+0x14
let QSEL COMMON+0x16
let DESC 0x10000
let AVAIL 0x11000
let USED 0x12000
let HDR 0x20000
let BUF 0x21000
let ST 0x22000

# Identity: a modern block device, 1af4:1042.
outl ADDR FN
inl DATA 0x10421af4
outl ADDR FN+0x08
inl DATA 0x01000000/0xff000000

# Sizing: writing ones leaves the size's complement; memory BARs, 32 bits.
outl ADDR FN+0x10
outl DATA 0xffffffff
inl DATA 0xffffc000
outl DATA COMMON
outl ADDR FN+0x18
outl DATA BELL
outl ADDR FN+0x20
outl DATA MSIX
# Nothing answers before memory space is enabled.
read STATUS 1 0xff
outl ADDR FN+0x04
outw DATA 0x0006
read STATUS 1 0

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
irq vb high
read ISR 1 1
irq vb low
irq vb edges 1
ledger mmio vb * writes=1 reads=1
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
msi none                                # masked: pending
read MSIX+0x800 4 2
write MSIX+0x1c 4 0
msi 0xfee01000 0x4041
read MSIX+0x800 4 0
irq vb low
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
