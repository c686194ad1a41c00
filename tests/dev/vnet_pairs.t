# virtio-net with two pairs of queues (VIRTIO 1.2, 5.1.6.5.5): one until the driver asks for both; a
# flow comes back on the pair that it last went out on, one that never did by its hash.
net n open
net n takes 7
device hostbridge as hb devfn=0
device virtio-net as nic net=n pairs=2 devfn=8
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
read CFG+4 4 0x30ff99a7             # MQ, bit 22
write CFG+8 4 0
write CFG+0xc 4 0x00ff99a7
write CFG+8 4 1
write CFG+0xc 4 1
write STATUS 1 0xb
read DEV+8 2 2                      # pairs
read CFG+0x12 2 5                   # two each, and control behind them
# Rings of 8 at 0x1000, 0x4000, 0x7000, 0xa000, and control's at 0xd000.
repeat 5 q
    write CFG+0x16 2 q
    write CFG+0x18 2 8
    write CFG+0x20 4 0x1000+q*0x3000
    write CFG+0x28 4 0x2000+q*0x3000
    write CFG+0x30 4 0x3000+q*0x3000
    write CFG+0x1c 2 1
end
write STATUS 1 0xf
read STATUS 1 0xf
repeat 8 i
    mem 0x1000+i*16 le64:0x30000+i*0x1000 le32:2000 le16:2 le16:0
    mem 0x2004+i*2 le16:i
    mem 0x7000+i*16 le64:0x40000+i*0x1000 le32:2000 le16:2 le16:0
    mem 0x8004+i*2 le16:i
end
mem 0x2000 le16:0 le16:8
mem 0x8000 le16:0 le16:8
write BELL 2 0
write BELL+8 2 2

# Two flows from 10.0.0.1 to 10.0.0.2: the hash of the first is odd, of the second even. Pair 0 has both.
net n recv 525400123456 020000000001 0800 4500001c00000000 40110000 0a000001 0a000002 003503e8 00080000
net n recv 525400123456 020000000001 0800 4500001c00000000 40110000 0a000001 0a000002 003503e9 00080000
advance 0
check 0x3002 le16:2
check 0x9002 le16:0

# Both pairs: the odd one has a pair of its own.
mem 0xd000 le64:0x20000 le32:2 le16:1 le16:1
mem 0xd010 le64:0x20010 le32:2 le16:1 le16:2
mem 0xd020 le64:0x20020 le32:1 le16:2 le16:0
mem 0x20000 04 00
mem 0x20010 le16:2
mem 0x20020 ee
mem 0xe000 le16:0 le16:1 le16:0
write BELL+16 2 4
check 0x20020 00
net n recv 525400123456 020000000001 0800 4500001c00000000 40110000 0a000001 0a000002 003503e8 00080000
net n recv 525400123456 020000000001 0800 4500001c00000000 40110000 0a000001 0a000002 003503e9 00080000
advance 0
check 0x3002 le16:3
check 0x9002 le16:1
check 0x40000 fill:10:0 le16:1 525400123456

# The odd one answered from pair 0, the even one from pair 1: each comes there from now on.
mem 0x21000 fill:12:0 020000000001 525400123456 0800 4500001c00000000 40110000 0a000002 0a000001 03e80035 00080000
mem 0x22000 fill:12:0 020000000001 525400123456 0800 4500001c00000000 40110000 0a000002 0a000001 03e90035 00080000
mem 0x4000 le64:0x21000 le32:54 le16:0 le16:0
mem 0x5000 le16:0 le16:1 le16:0
mem 0xa000 le64:0x22000 le32:54 le16:0 le16:0
mem 0xb000 le16:0 le16:1 le16:0
write BELL+4 2 1
write BELL+12 2 3
net n drop
net n drop
net n recv 525400123456 020000000001 0800 4500001c00000000 40110000 0a000001 0a000002 003503e8 00080000
advance 0
check 0x3002 le16:4
check 0x9002 le16:1
net n recv 525400123456 020000000001 0800 4500001c00000000 40110000 0a000001 0a000002 003503e9 00080000
advance 0
check 0x3002 le16:4
check 0x9002 le16:2
state

# No pairs, more than there are: refused. One again: the other's ring gets nothing.
mem 0x20010 le16:0
mem 0xe006 le16:0
mem 0xe002 le16:2
write BELL+16 2 4
check 0x20020 01
mem 0x20010 le16:3
mem 0xe008 le16:0
mem 0xe002 le16:3
write BELL+16 2 4
check 0x20020 01
mem 0x20010 le16:1
mem 0xe00a le16:0
mem 0xe002 le16:4
write BELL+16 2 4
check 0x20020 00
net n recv 525400123456 020000000001 0800 4500001c00000000 40110000 0a000001 0a000002 003503e9 00080000
net n recv 525400123456 020000000001 0800 4500001c00000000 40110000 0a000001 0a000002 003503e8 00080000
advance 0
check 0x3002 le16:6
check 0x9002 le16:2
