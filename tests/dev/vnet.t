# virtio-net (VIRTIO 1.2, section 5.1): sending with work left to do, receiving into merged buffers,
# filters and the other commands of the control queue, what a driver may not do.
net n open
net n takes 7                       # checksums and segments go out as they are
device hostbridge as hb devfn=0
device virtio-net as nic net=n devfn=8
outl 0xcf8 0x80000800
inl 0xcfc 0x10411af4
outl 0xcf8 0x80000808
inl 0xcfc 0x02000001
outl 0xcf8 0x80000810
outl 0xcfc 0xe0000000
outl 0xcf8 0x80000818
outl 0xcfc 0xe0010000
outl 0xcf8 0x80000804
outw 0xcfc 6
let CFG 0xe0000000
let STATUS CFG+0x14
let DEV CFG+0x2000
let BELL 0xe0010000

write STATUS 1 3
write CFG 4 0
read CFG+4 4 0x30bf99a7             # no MQ with one pair
# CSUM, GUEST_CSUM, offloads, MAC, TSO both ways, MRG_RXBUF, STATUS, control with all of it
write CFG+8 4 0
write CFG+0xc 4 0x00bf99a7
write CFG+8 4 1
write CFG+0xc 4 1
write STATUS 1 0xb
read STATUS 1 0xb
read DEV 4 0x12005452
read DEV+4 2 0x5634
read DEV+6 2 1                      # link up
read CFG+0x12 2 3                   # queues: receive, transmit, control

# Rings of 8: receive at 0x1000, transmit at 0x4000, control at 0x7000.
repeat 3 q
    write CFG+0x16 2 q
    write CFG+0x18 2 8
    write CFG+0x20 4 0x1000+q*0x3000
    write CFG+0x28 4 0x2000+q*0x3000
    write CFG+0x30 4 0x3000+q*0x3000
    write CFG+0x1c 2 1
end
write STATUS 1 0xf
read STATUS 1 0xf

# A frame in two pieces, nothing to do on it: one kick, one flush, one interrupt.
mem 0x20000 fill:12:0 ffffffffffff 525400123456 0806 "hello"
mem 0x21000 " world"
mem 0x4000 le64:0x20000 le32:31 le16:1 le16:1
mem 0x4010 le64:0x21000 le32:6 le16:0 le16:0
mem 0x5000 le16:0 le16:1 le16:0
ledger mark
write BELL+4 2 1
net n look len=25 todo=0
net n sent ffffffffffff 525400123456 0806 "hello world"
net n flushes 1
check 0x6000 le16:0                  # kicks are wanted again
check 0x6002 le16:1 le32:0 le32:0
ledger mmio nic notify writes=1
ledger net n * writes=1 write_bytes=25

# A checksum to be made from byte 14 on, at its byte 2; then a segment of TCP over IPv4.
mem 0x20000 01 00 le16:0 le16:0 le16:14 le16:2 le16:0 525400aabbcc 525400123456 0800 fill:40:7
mem 0x4000 le64:0x20000 le32:66 le16:0 le16:0
mem 0x5006 le16:0
mem 0x5002 le16:2
write BELL+4 2 1
net n look len=54 todo=1 csum=14 csum_at=2
net n drop
mem 0x20000 01 01 le16:54 le16:1448 le16:34 le16:16 le16:0 525400aabbcc 525400123456 0800 45000bb8000040004006 0000 0a0000010a000002 1234 0050 00000000 00000099 5018 0400 0000 0000 fill:2960:7
mem 0x4000 le64:0x20000 le32:3026 le16:0 le16:0
mem 0x5008 le16:0
mem 0x5002 le16:3
write BELL+4 2 1
net n look len=3014 todo=3 gso=1448 hdr=54 csum=34 csum_at=16
net n drop
# Unknown segmentation, a header alone, less than a header: dropped, answered, and the device goes on.
mem 0x20000 00 03 le16:0 le16:0 le16:0 le16:0 le16:0 ffffffffffff 525400123456 0806 "udp"
mem 0x4000 le64:0x20000 le32:29 le16:0 le16:0
mem 0x4010 le64:0x20000 le32:12 le16:0 le16:0
mem 0x4020 le64:0x20000 le32:3 le16:0 le16:0
mem 0x500a le16:0 le16:1 le16:2
mem 0x5002 le16:6
write BELL+4 2 1
net n sent none
check 0x6002 le16:6
read STATUS 1 0xf

# No buffers: the backend keeps the frame, and is told when there are some.
net n readys 1                      # since the driver was ready
net n recv refused ffffffffffff 020000000001 0806 "early"
# Four buffers of 16, 20, 64 and 2000 bytes.
repeat 4 i
    mem 0x1000+i*16 le64:0x30000+i*0x1000 le32:2000 le16:2 le16:0
    mem 0x2004+i*2 le16:i
end
mem 0x1008 le32:16
mem 0x1018 le32:20
mem 0x1028 le32:64
mem 0x2000 le16:0 le16:3
write BELL 2 0
net n readys 1
ledger mark
# 12 + 19 bytes over the first two, 4 of them in the second's 20.
net n recv ffffffffffff 020000000001 0806 "early"
advance 0
check 0x30000 fill:10:0 le16:2 ffffffff
check 0x31000 ffff 020000000001 0806 "early"
check 0x3002 le16:2 le32:0 le32:16 le32:1 le32:15
ledger net n * reads=1 read_bytes=19
ledger dma nic dma write_bytes=49     # header, frame, two used elements, the index
# Work left to do stays so for a driver that takes it.
net n recv pieces ffffffffffff 020000000001 0806 "third, in pieces"
advance 0
check 0x32000 fill:10:0 le16:1 ffffffffffff 020000000001 0806 "third, in pieces"
net n recv refused ffffffffffff 020000000001 0806 "no more"

# Filters: by the driver's wish only broadcast and its own address arrive.
mem 0x2000 le16:0 le16:4
write BELL 2 0
net n recv 010000000001 020000000001 0806 "a group"     # gone by, and no buffer used
net n recv 525400123457 020000000001 0806 "another"
advance 0
check 0x3002 le16:3
# The control queue: header and data, then the answer.
mem 0x7000 le64:0x40000 le32:2 le16:1 le16:1
mem 0x7010 le64:0x40010 le32:1 le16:1 le16:2
mem 0x7020 le64:0x40020 le32:1 le16:2 le16:0
mem 0x40000 00 00                   # RX, promiscuous
mem 0x40010 01
mem 0x40020 ee
mem 0x8000 le16:0 le16:1 le16:0
write BELL+8 2 2
check 0x40020 00
check 0x9002 le16:1 le32:0 le32:1
net n recv 525400123457 020000000001 0806 "another"
advance 0
check 0x33000 fill:10:0 le16:1 525400123457
check 0x3002 le16:4
mem 0x40000 00 09                   # no such mode
mem 0x8006 le16:0
mem 0x8002 le16:2
write BELL+8 2 2
check 0x40020 01
mem 0x40000 63 00                   # no such class
mem 0x8008 le16:0
mem 0x8002 le16:3
write BELL+8 2 2
check 0x40020 01
# A table of one unicast and one group address; promiscuous mode off first.
mem 0x40000 00 00
mem 0x40010 00
mem 0x800a le16:0
mem 0x8002 le16:4
write BELL+8 2 2
check 0x40020 00
mem 0x40000 01 00
mem 0x40010 le32:1 02000000aa01 le32:1 010000000001
mem 0x7018 le32:20
mem 0x800c le16:0
mem 0x8002 le16:5
write BELL+8 2 2
check 0x40020 00
# Two buffers more; what the table lists arrives, what it doesn't goes by.
mem 0x1028 le32:2000
mem 0x200c le16:2 le16:3
mem 0x2002 le16:6
write BELL 2 0
net n recv 010000000001 020000000001 0806 "a group"
net n recv 010000000002 020000000001 0806 "another"
net n recv 02000000aa01 020000000001 0806 "listed"
advance 0
check 0x3002 le16:6
check 0x33000 fill:10:0 le16:1 02000000aa01
# A table that claims more than the command holds: refused, and the old one stays.
mem 0x40010 le32:0x10000000
mem 0x800e le16:0
mem 0x8002 le16:6
write BELL+8 2 2
check 0x40020 01

# Link down and up again: the status says so, and asks for an announcement.
net n link off
read DEV+6 2 0
net n link on
read DEV+6 2 3
mem 0x40000 03 00
mem 0x7010 le64:0x40020 le32:1 le16:2 le16:0
mem 0x8010 le16:0
mem 0x8002 le16:7
write BELL+8 2 2
check 0x40020 00
read DEV+6 2 1

# A full backend stops the walk; room brings it back.
net n full on
mem 0x20000 fill:12:0 ffffffffffff 525400123456 0806 "late"
mem 0x4000 le64:0x20000 le32:30 le16:0 le16:0
mem 0x5010 le16:0
mem 0x5002 le16:7
write BELL+4 2 1
net n sent none
net n full off
advance 0
net n sent ffffffffffff 525400123456 0806 "late"
state

# A receive buffer without room for a header: the driver must reset.
mem 0x1000 le64:0x30000 le32:8 le16:2 le16:0
mem 0x2010 le16:0
mem 0x2002 le16:7
write BELL 2 0
net n recv ffffffffffff 020000000001 0806 "x"
advance 0
read STATUS 1 0x4f
write STATUS 1 0
read STATUS 1 0
net n recv ffffffffffff 020000000001 0806 "to nobody"
advance 0
