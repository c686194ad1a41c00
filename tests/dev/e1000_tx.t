# Sending on the 82540EM: legacy, data and context descriptors, checksums, tags, interrupts, what
# a hostile ring can do. Expected frames are written out or follow from RFC 791, 793, 768 and 1071.
net n open
device hostbridge as hb devfn=0
device e1000 as nic net=n devfn=24
let FN 0x80001800
outl 0xcf8 FN+0x10
outl 0xcfc 0xe0000000
outl 0xcf8 FN+0x18
outl 0xcfc 0xd000
outl 0xcf8 FN+4
outw 0xcfc 7
let B 0xe0000000
let CTRL B
let STATUS B+8
let EECD B+0x10
let EERD B+0x14
let MDIC B+0x20
let ICR B+0xc0
let ITR B+0xc4
let ICS B+0xc8
let IMS B+0xd0
let IMC B+0xd8
let RCTL B+0x100
let TCTL B+0x400
let RDBAL B+0x2800
let RDLEN B+0x2808
let RDH B+0x2810
let RDT B+0x2818
let RDTR B+0x2820
let RADV B+0x282c
let TDBAL B+0x3800
let TDLEN B+0x3808
let TDH B+0x3810
let TDT B+0x3818
let TIDV B+0x3820
let TADV B+0x382c
let RXCSUM B+0x5000
let MTA B+0x5200
let RAL B+0x5400
let RAH B+0x5404
let VFTA B+0x5600

# A driver has set it up: link, a ring of 16 at 0x10000 to send, one of 8 at 0x20000 to receive.
write CTRL 4 0x41
write TDBAL 4 0x10000
write TDLEN 4 0x100
write TCTL 4 0xa
write RDBAL 4 0x20000
write RDLEN 4 0x80
write RDT 4 0
write RCTL 4 0x04008002     # on, broadcast, FCS stripped, buffers of 2048
read ICR 4

# Legacy: two descriptors, one frame; RS reports, the other doesn't; short frames are padded.
mem 0x30000 ffffffffffff 525400123456 0806 "hello"
mem 0x31000 " world"
mem 0x10000 le64:0x30000 le16:19 00 00 le32:0
mem 0x10010 le64:0x31000 le16:6 00 0b le32:0
write TDT 4 2
read TDH 4 2
check 0x10000 le64:0x30000 le16:19 00 00 00
check 0x10010 le64:0x31000 le16:6 00 0b 01
net n sent ffffffffffff 525400123456 0806 "hello world" fill:35:0
net n sent none
net n flushes 1
read ICR 4 3                # TXDW, TXQE
# a burst is flushed once
mem 0x10020 le64:0x30000 le16:19 00 03 le32:0
mem 0x10030 le64:0x30000 le16:19 00 03 le32:0
mem 0x10040 le64:0x30000 le16:19 00 03 le32:0
write TDT 4 5
net n frames 3
net n drop
net n drop
net n drop
net n flushes 1
read ICR 4 2

# Without IFCS the driver brought its own FCS.
mem 0x32000 ffffffffffff 525400123456 88b5 seq:50:0 deadbeef
mem 0x10050 le64:0x32000 le16:68 00 01 le32:0
write TDT 4 6
net n sent ffffffffffff 525400123456 88b5 seq:50:0

# Legacy checksum: IC sums from CSS to the end and stores at CSO.
mem 0x33000 ffffffffffff 525400123456 88b5 0102 0304 0506 0000 fill:50:0
mem 0x10060 le64:0x33000 le16:72 14 07 00 0e le16:0
write TDT 4 7
net n part 14 0102 0304 0506 f6f3
net n drop

# Statistics: four frames of 60 bytes, one of 64, one of 72, and their FCS, all broadcast.
read B+0x40d4 4 6           # TPT
read B+0x4080 4 6           # GPTC
read B+0x40f4 4 6           # BPTC
read B+0x40d8 4 4           # PTC64
read B+0x40dc 4 2           # PTC127
read B+0x4090 4 4*64+68+76  # GOTCL
read B+0x4090 4 400         # the low half does not clear
read B+0x4094 4 0
read B+0x4080 4 0           # cleared by reading
read B+0x4090 4 0

# A context for UDP over IPv4, then a data descriptor that asks for both checksums.
mem 0x34000 525400aabbcc 525400123456 0800 4500 0020 0000 4000 4011 0000 0a000001 0a000002 1234 0035 000c 1420 "abcd" fill:14:0
mem 0x10070 0e 18 le16:33 22 28 le16:0 le32:0x22000000 00 00 le16:0
mem 0x10080 le64:0x34000 le32:0x2b10003c 00 03 le16:0
write TDT 4 9
# IP: the sum over the header is ffff; UDP: 1420 is the pseudo header; padding is summed, and zero
net n part 24 26cb 0a000001 0a000002 1234 0035 000c 14a4 "abcd"
net n look len=60 todo=0
net n drop
# A backend that takes checksums gets this one undone, as virtio says it.
net n takes 1
mem 0x10090 le64:0x34000 le32:0x2b10003c 00 03 le16:0
write TDT 4 10
net n look len=60 todo=1 csum=34 csum_at=6
net n part 24 26cb 0a000001 0a000002 1234 0035 000c 1420 "abcd"
net n drop
net n takes 0

# A tag: CTRL.VME, VLE, VET, the special field. Its four bytes count for the least length.
write B+0x38 4 0x8100
write CTRL 4 0x40000041
mem 0x100a0 le64:0x30000 le16:19 00 4b 00 00 le16:0x6007
write TDT 4 11
net n sent ffffffffffff 525400123456 8100 6007 0806 "hello" fill:37:0
write CTRL 4 0x41
mem 0x100b0 le64:0x30000 le16:19 00 4b 00 00 le16:0x6007
write TDT 4 12
net n sent ffffffffffff 525400123456 0806 "hello" fill:41:0

# IDE: TXDW comes TIDV after the last, at the latest TADV after the first; 1.024 us each.
read ICR 4
write IMS 4 1
write TIDV 4 8
write TADV 4 12
mem 0x100c0 le64:0x30000 le16:60 00 8b le32:0
mem 0x100d0 le64:0x30000 le16:60 00 8b le32:0
write TDT 4 13
irq nic low
advance 5 us
write TDT 4 14
advance 5 us
irq nic low
advance 2200
irq nic low
advance 100
irq nic high
read ICR 4 3
irq nic low
# the next one not within 100 us of that (docs/e1000.md), saved state or not
mem 0x100e0 le64:0x30000 le16:60 00 8b le32:0
write TDT 4 15
state
advance 90 us
irq nic low
advance 11 us
irq nic high
read ICR 4 3
net n drop
write TDH 4 14
write TDT 4 14
# without delay at once
mem 0x100e0 le64:0x30000 le16:60 00 0b le32:0
write TDT 4 15
irq nic high
read ICR 4 3
net n drop
net n drop
net n drop

# Backpressure: what the backend has no room for stays in the ring.
net n full on
mem 0x100f0 le64:0x30000 le16:60 00 0b le32:0
write TDT 4 0
read TDH 4 15
irq nic low
net n sent none
net n full off
read TDH 4 0
irq nic high
net n drop
read ICR 4

# No link: frames go nowhere, the ring goes on.
net n link off
mem 0x10000 le64:0x30000 le16:60 00 0b le32:0
write TDT 4 1
read TDH 4 1
net n sent none
net n link on
read ICR 4
write IMC 4 1

# TCTL.EN off: nothing moves until it is on.
write TCTL 4 8
mem 0x10010 le64:0x30000 le16:60 00 0b le32:0
write TDT 4 2
read TDH 4 1
write TCTL 4 0xa
read TDH 4 2
net n drop

# TXD_LOW: fewer than LWTHRESH * 8 are left.
write B+0x3828 4 0x02000000
mem 0x10020 fill:208:0
read ICR 4
write TDT 4 12
read ICR 4 0x8002
write B+0x3828 4 0

# ---- bad input ----
# Bytes that are nowhere: that frame is not sent, the next one is.
mem 0x100c0 le64:0xffffffffff000 le16:60 00 0b le32:0
mem 0x100d0 le64:0x30000 le16:60 00 0b le32:0
write TDT 4 14
read TDH 4 14
net n frames 1
net n drop
# No EOP in a whole turn of the ring, each with the most it can name: too long, and it ends.
repeat 16 I
mem 0x10000+I*16 le64:0x100000 le16:0xffff 00 08 le32:0
end
write TDT 4 13
advance 1 ms
read TDH 4 13
net n sent none
mem 0x100d0 le64:0x30000 le16:60 00 09 le32:0
write TDT 4 14
net n sent none            # it was the end of that long frame
# An index outside the ring: nothing happens; nor with a ring of no length.
write TDT 4 16
read TDH 4 14
write TDT 4 0xffff
read TDH 4 14
write TDLEN 4 0
write TDT 4 2
read TDH 4 14
write TDLEN 4 0x100
write B+0x3810 4 0x1234     # TDH
write TDT 4 3
read TDH 4 0x1234
write TDH 4 0
write TDT 4 0
# The ring itself is nowhere: refused once, the transmitter stands.
ledger mark
write B+0x3804 4 0xffffff
write TDT 4 5
read TDH 4 0
ledger dma nic dma reads=1 refused=1
write B+0x3804 4 0
# Bus mastering off: the same; TDH stands.
outl 0xcf8 FN+4
outw 0xcfc 3
write TDT 4 6
read TDH 4 0
outw 0xcfc 7
# A ring longer than one go: the rest is done from the loop; reset drops it.
write TDLEN 4 0xfff80
write TDBAL 4 0
write TDT 4 0x8000
advance 1 s
read TDH 4 0x8000
write TCTL 4 8
write TDH 4 0
write TDT 4 0xff00
write TCTL 4 0xa
read TDH 4 0x8000/0xc000    # some of it, in turns
advance 1 s
read TDH 4 0xff00
write TDH 4 0
write TDT 4 0x8000
write CTRL 4 0x04000000
advance 1 s
read TDH 4 0
net n sent none
# A frame half gathered survives a state walk.
write CTRL 4 0x41
write TDBAL 4 0x10000
write TDLEN 4 0x100
mem 0x30000 ffffffffffff 525400123456 0806 "hello"
mem 0x31000 " world"
mem 0x10000 le64:0x30000 le16:19 00 02 le32:0
mem 0x10010 le64:0x31000 le16:6 00 0b le32:0
write TCTL 4 0xa
write TDT 4 1
state
write TDT 4 2
net n sent ffffffffffff 525400123456 0806 "hello world" fill:35:0
state cut
state noise 300
