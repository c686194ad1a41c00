# virtio-rng (VIRTIO 1.2, section 5.4): buffers filled, a long one in part, one that isn't RAM left.
device virtio-rng as rng mmio=0xfe800000
let R 0xfe800000
read R+8 4 4
write R+0x70 4 3
write R+0x24 4 1
write R+0x20 4 1
write R+0x70 4 0xb
read R+0x34 4 8
write R+0x38 4 8
write R+0x80 4 0x1000
write R+0x90 4 0x2000
write R+0xa0 4 0x3000
write R+0x44 4 1
write R+0x70 4 0xf
# 40 bytes over two pieces; 5,000 bytes, of which 4,096 come; memory that isn't there.
mem 0x1000 le64:0x4000 le32:10 le16:3 le16:1
mem 0x1010 le64:0x5000 le32:30 le16:2 le16:0
mem 0x1020 le64:0x6000 le32:5000 le16:2 le16:0
mem 0x1030 le64:0x7fffff000 le32:16 le16:2 le16:0
mem 0x7000 fill:16:0xee
mem 0x2000 le16:0 le16:3 le16:0 le16:2 le16:3
ledger mark
write R+0x50 4 0
check 0x4000 seq:10:1
check 0x5000 seq:30:11
check 0x6000 seq:255:1
check 0x7000 fill:16:0xee           # where the 4,096 end
check 0x3002 le16:3 le32:0 le32:40 le32:2 le32:4096 le32:3 le32:0
ledger mmio rng notify writes=1
read R+0x60 4 1
write R+0x64 4 1
state
# A buffer to read from has no room for anything.
mem 0x1000 le64:0x4000 le32:10 le16:0 le16:0
mem 0x200a le16:0
mem 0x2002 le16:4
write R+0x50 4 0
check 0x301c le32:0 le32:0
# A head that is out of range: the driver must reset.
mem 0x200c le16:9
mem 0x2002 le16:5
write R+0x50 4 0
read R+0x70 4 0x4f
write R+0x70 4 0
read R+0x70 4 0
