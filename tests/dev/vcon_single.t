# virtio-console with a console alone, by PCI's features as by MMIO: no control queues, open from the
# start, its size in the configuration. On packed rings.
device virtio-console as con mmio=0xfe800000 packed=1
let R 0xfe800000
read R+0x104 4 1
write R+0x70 4 3
read R+0x10 4 0x30000005
write R+0x14 4 1
read R+0x10 4 0x105                 # version 1, packed, ring reset
write R+0x24 4 0
write R+0x20 4 1
write R+0x24 4 1
write R+0x20 4 5
write R+0x70 4 0xb
repeat 2 q
    write R+0x30 4 q
    write R+0x38 4 4
    write R+0x80 4 0x1000+q*0x1000
    write R+0x90 4 0x1100+q*0x1000
    write R+0xa0 4 0x1200+q*0x1000
    write R+0x44 4 1
end
write R+0x30 4 2
read R+0x34 4 0
input con room 0
write R+0x70 4 0xf
# Two buffers to fill: available is bit 7, against used, bit 15.
mem 0x1000 le64:0x8000 le32:3 le16:7 le16:0x82
mem 0x1010 le64:0x8010 le32:16 le16:8 le16:0x82
write R+0x50 4 0
input con room 3
input con "abc"
check 0x8000 "abc"
check 0x1008 le32:3 le16:7 le16:0x8082
read R+0x60 4 1
write R+0x64 4 1
input con room 16
input con "defg"
check 0x8010 "defg" 00
input con room 0
# A line in two pieces, with space for one of them.
mem 0x9000 "hello, world"
mem 0x2000 le64:0x9000 le32:7 le16:1 le16:0x81
mem 0x2010 le64:0x9007 le32:5 le16:1 le16:0x80
cable con takes 6
write R+0x50 4 1
output con "hello,"
check 0x200e le16:0x81
state
cable con takes all
output con " world"
check 0x2008 le32:0 le16:1 le16:0x8080
# The terminal's size changes: a configuration interrupt.
read R+0x60 4 1
write R+0x64 4 1
read R+0xfc 4 0
cable con size 100 30
read R+0x60 4 2
write R+0x64 4 2
read R+0xfc 4 1
read R+0x100 2 100
read R+0x102 2 30
ledger chr con console writes=2 write_bytes=12 reads=2 read_bytes=7
state cut
