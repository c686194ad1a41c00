# TCP segmentation on the 82540EM: over IPv4 and IPv6, cut up by back/net or here, left whole for a
# backend that takes it, tagged; UDP and odd headers as the context says; contexts that lie.
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


# Headers as Linux leaves them: no lengths, the pseudo header's sum without one. Identification
# and sequence number wrap on the way; FIN and PSH stay with the last.
mem 0x30000 525400aabbcc525400123456080045000000fffe4000400600000a0000010a00000212340050ffffff80000000995019040014090000 seq:250:0
mem 0x10000 0e 18 le16:33 22 32 le16:0 le32:0x270000fa 00 36 le16:100
mem 0x10010 le64:0x30000 le32:0x26100036 00 03 le16:0
mem 0x10020 le64:0x30036 le32:0x2f1000fa 00 03 le16:0
write TDT 4 3
net n sent 525400aabbcc52540012345608004500008cfffe40004006266b0a0000010a00000212340050ffffff800000009950100400e9020000 seq:100:0
net n sent 525400aabbcc52540012345608004500008cffff40004006266a0a0000010a00000212340050ffffffe400000099501004004d030000 seq:100:100
net n sent 525400aabbcc52540012345608004500005a000040004006269c0a0000010a000002123400500000004800000099501904008e230000 seq:50:200
net n sent none
check 0x1002c 01
read B+0x40f8 4 1           # TSCTC
read B+0x4080 4 3           # GPTC: what went over the wire
read B+0x4090 4 54*3+250+12 # GOTCL
read B+0x4094 4
# A backend that takes it gets it whole: headers filled in, the rest said beside the frame.
net n takes 7
mem 0x10030 le64:0x30000 le32:0x2f100130 00 03 le16:0
write TDT 4 4
net n look len=304 todo=3 gso=100 hdr=54 csum=34 csum_at=16
net n part 16 0122 fffe 4000 4006 25d5
net n drop
net n frames 0
read B+0x4080 4 3
net n takes 0
# Tagged: every segment is.
write CTRL 4 0x40000041
mem 0x10040 le64:0x30000 le32:0x6f100130 00 03 le16:0x2005
write TDT 4 5
net n sent 525400aabbcc5254001234568100200508004500008cfffe40004006266b0a0000010a00000212340050ffffff800000009950100400e9020000 seq:100:0
net n sent 525400aabbcc5254001234568100200508004500008cffff40004006266a0a0000010a00000212340050ffffffe400000099501004004d030000 seq:100:100
net n sent 525400aabbcc5254001234568100200508004500005a000040004006269c0a0000010a000002123400500000004800000099501904008e230000 seq:50:200
write CTRL 4 0x41

# IPv6.
mem 0x30000 525400aabbcc52540012345686dd6000000000000640000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f12340050000003e80000009950180400f1060000 seq:250:0
mem 0x10050 0e 00 le16:0 36 46 le16:0 le32:0x250000fa 00 4a le16:125
mem 0x10060 le64:0x30000 le32:0x2f100144 00 02 le16:0
write TDT 4 7
net n sent 525400aabbcc52540012345686dd6000000000910640000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f12340050000003e80000009950100400523f0000 seq:125:0
net n sent 525400aabbcc52540012345686dd6000000000910640000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f1234005000000465000000995018040070550000 seq:125:125
net n takes 7
mem 0x10070 le64:0x30000 le32:0x2f100144 00 02 le16:0
write TDT 4 8
net n look len=324 todo=5 gso=125
net n drop
net n takes 0

# Looped back the card cuts it up itself: the same segments arrive.
write RCTL 4 0x0400804a
repeat 8 I
mem 0x20000+I*16 le64:0x40000+I*0x1000 fill:8:0
end
write RDT 4 7
mem 0x10080 le64:0x30000 le32:0x2f100144 00 02 le16:0
write TDT 4 9
check 0x40000 525400aabbcc52540012345686dd6000000000910640000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f12340050000003e80000009950100400523f0000 seq:125:0
check 0x41000 525400aabbcc52540012345686dd6000000000910640000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f1234005000000465000000995018040070550000 seq:125:125
write RCTL 4 0x04008002

# Headers that nobody knows, as the context says where things are: three bytes before IP.
mem 0x30000 525400aabbcc52540012345688b56162634500000000074000400600000a0000010a0000021234005000000005000000995018040014090000 seq:250:0
mem 0x10090 11 1b le16:36 25 35 le16:0 le32:0x270000fa 00 39 le16:100
mem 0x100a0 le64:0x30000 le32:0x2f100133 00 03 le16:0
write TDT 4 11
net n sent 525400aabbcc52540012345688b56162634500008c00074000400626630a0000010a00000212340050000000050000009950100400e87e0000 seq:100:0
net n sent 525400aabbcc52540012345688b56162634500008c00084000400626620a0000010a000002123400500000006900000099501004004c7f0000 seq:100:100
net n sent 525400aabbcc52540012345688b56162634500005a00094000400626930a0000010a00000212340050000000cd00000099501804008d9f0000 seq:50:200

# A header of odd length: a byte of data counts to it, and is in every segment.
mem 0x30000 525400aabbcc52540012345608004500000000074000400600000a0000010a00000212340050000000050000009950180400140900005a seq:250:0
write TCTL 4 8
write TDH 4 0
write TDT 4 0
write TCTL 4 0xa
mem 0x10000 0e 18 le16:33 22 32 le16:0 le32:0x270000fa 00 37 le16:100
mem 0x10010 le64:0x30000 le32:0x2f100131 00 03 le16:0
write TDT 4 2
net n sent 525400aabbcc52540012345608004500008d00074000400626620a0000010a000002123400500000000500000099501004005caf00005a seq:100:0
net n sent 525400aabbcc52540012345608004500008d00084000400626610a0000010a00000212340050000000690000009950100400c0af00005a seq:100:100
net n sent 525400aabbcc52540012345608004500005b00094000400626920a0000010a00000212340050000000cd00000099501804001ab700005a seq:50:200
write TCTL 4 8
write TDH 4 11
write TDT 4 11
write TCTL 4 0xa

# UDP: datagrams, each with its length.
mem 0x30000 525400aabbcc52540012345608004500000000094000401100000a0000010a0000020001000200001414 seq:250:0
mem 0x100b0 0e 18 le16:33 22 28 le16:0 le32:0x260000fa 00 2a le16:200
mem 0x100c0 le64:0x30000 le32:0x2f100124 00 03 le16:0
write TDT 4 13
net n sent 525400aabbcc5254001234560800450000e400094000401125fe0a0000010a0000020001000200d01712 seq:200:0
net n sent 525400aabbcc52540012345608004500004e000a4000401126930a0000010a00000200010002003af565 seq:50:200

# Longer than any packet: 130000 bytes are segments all the same, sent on the way.
write TDLEN 4 0x100
mem 0x30000 525400aabbcc525400123456080045000000fffe4000400600000a0000010a00000212340050ffffff80000000995019040014090000
mem 0x60000 rand:65000:1
write TCTL 4 8
write TDH 4 0
write TDT 4 0
write TCTL 4 0xa
mem 0x10000 0e 18 le16:33 22 32 le16:0 le32:0x2701fbd0 00 36 le16:1000
mem 0x10010 le64:0x30000 le32:0x26100036 00 03 le16:0
mem 0x10020 le64:0x60000 le32:0x2610fde8 00 03 le16:0
mem 0x10030 le64:0x60000 le32:0x2f10fde8 00 03 le16:0
write TDT 4 4
net n frames 130
net n look len=1054
net n part 18 fffe
net n part 38 ffffff80
net n part 47 10
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n look len=1054
net n part 18 003e
net n part 38 0000f980
net n part 47 10
net n drop
net n look len=1054
net n part 18 003f
net n part 38 0000fd68
net n part 47 10
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n drop
net n look len=1054
net n part 18 007f
net n part 38 0001f768
net n part 47 19
net n drop

# ---- bad input ----
# No segment size; headers longer than the packet; headers that reach over their own end; more
# segments than there could be. Each is one frame that isn't sent (TSCTFC), the ring goes on.
read B+0x40fc 4
write TDH 4 0
write TDT 4 0
mem 0x10000 0e 18 le16:33 22 32 le16:0 le32:0x270000fa 00 36 le16:0
mem 0x10010 le64:0x60000 le32:0x2f1000c8 00 03 le16:0
write TDT 4 2
read TDH 4 2
net n sent none
mem 0x10020 0e 18 le16:33 22 32 le16:0 le32:0x270000fa 00 ff le16:100
mem 0x10030 le64:0x60000 le32:0x2f1000c8 00 03 le16:0
write TDT 4 4
read TDH 4 4
net n sent none
mem 0x10040 30 18 le16:33 22 32 le16:0 le32:0x270000fa 00 36 le16:100
mem 0x10050 le64:0x60000 le32:0x2f1000c8 00 03 le16:0
write TDT 4 6
read TDH 4 6
net n sent none
mem 0x10060 0e 18 le16:33 2f 32 le16:0 le32:0x270000fa 00 36 le16:100
mem 0x10070 le64:0x60000 le32:0x2f1000c8 00 03 le16:0
write TDT 4 8
read TDH 4 8
net n sent none
mem 0x10080 0e 18 le16:33 22 32 le16:0 le32:0x270000fa 00 36 le16:0xffff
mem 0x10090 le64:0x60000 le32:0x2f1000c8 00 03 le16:0
write TDT 4 10
read TDH 4 10
net n sent none
mem 0x100a0 0e 18 le16:33 22 32 le16:0 le32:0x270000fa 00 00 le16:100
mem 0x100b0 le64:0x60000 le32:0x2f1000c8 00 03 le16:0
write TDT 4 12
read TDH 4 12
net n sent none
read B+0x40fc 4 6
mem 0x100c0 0e 18 le16:33 22 32 le16:0 le32:0x270000fa 00 36 le16:1
mem 0x100d0 le64:0x60000 le32:0x2f10fde8 00 03 le16:0
write TDT 4 14
net n sent none
read B+0x40fc 4 1
# Checksum offsets outside the header: that checksum is left out, the frame goes.
mem 0x100e0 0e ff le16:33 22 ff le16:0 le32:0x270000fa 00 36 le16:100
mem 0x100f0 le64:0x60000 le32:0x2f1000c8 00 03 le16:0
write TDT 4 0
net n frames 2
state
state noise 200
