# The front end of vhost-user (docs/vhost-user.md) with a disk behind it that another end serves:
# what a driver finds is the back end's; requests cross both ends' rings; a request that reaches
# for what is no RAM fails alone; queues are stopped, made anew; reset.
device vhost-user as vd0 mmio=0xfe800000 queues=2 packed=1
let R 0xfe800000
read R 4 0x74726976
read R+8 4 2                        # a block device
read R+0x100 4 2048                 # capacity: the back end's
read R+0x122 2 2                    # its queues
read R+0x10c 4 254                  # seg_max
read R+0x14 4 0
write R+0x14 4 0
read R+0x10 4 0x30007446            # EVENT_IDX, INDIRECT; those of the disk
write R+0x14 4 1
read R+0x10 4 0x105                 # RING_RESET, PACKED, VERSION_1
ledger vhost vd0 GET_FEATURES writes=1 reads=1
ledger vhost vd0 GET_CONFIG writes=1 reads=1
ledger vhost vd0 SET_FEATURES writes=0

write R+0x70 4 3
write R+0x24 4 1
write R+0x20 4 0x101                # split rings with the driver: no matter what the other end has
write R+0x70 4 0xb
repeat 2 q
    write R+0x30 4 q
    read R+0x34 4 256
    write R+0x38 4 8
    write R+0x80 4 0x1000+q*0x4000
    write R+0x90 4 0x2000+q*0x4000
    write R+0xa0 4 0x3000+q*0x4000
    write R+0x44 4 1
end
write R+0x70 4 0xf
await ledger vhost vd0 SET_VRING_ENABLE writes=2 reads=2

# A write of 512 bytes to sector 5, in two pieces, by the second queue; then it is read by the first.
mem 0x10000 le32:1 le32:0 le64:5
mem 0x10010 ee
mem 0x11000 seq:512:7
mem 0x5000 le64:0x10000 le32:16 le16:1 le16:1
mem 0x5010 le64:0x11000 le32:100 le16:1 le16:2
mem 0x5020 le64:0x11064 le32:412 le16:1 le16:3
mem 0x5030 le64:0x10010 le32:1 le16:2 le16:0
mem 0x6000 le16:0 le16:1 le16:0
irq vd0 low
write R+0x50 4 1
await check 0x7000 le16:0 le16:1 le32:0 le32:1
check 0x10010 00
await irq vd0 high
read R+0x60 4 1
write R+0x64 4 1
irq vd0 low
mem 0x10000 le32:0 le32:0 le64:5
mem 0x10010 ee
mem 0x12000 fill:512:0
mem 0x1000 le64:0x10000 le32:16 le16:1 le16:1
mem 0x1010 le64:0x12000 le32:512 le16:3 le16:2
mem 0x1020 le64:0x10010 le32:1 le16:2 le16:0
mem 0x2000 le16:0 le16:1 le16:0
write R+0x50 4 0
await check 0x3000 le16:0 le16:1 le32:0 le32:513
check 0x12000 seq:512:7
check 0x10010 00
await irq vd0 high
write R+0x64 4 1
ledger bell vd0 kick writes=2
ledger irq vd0 call writes=4            # two of them for descriptors that are new
ledger dma vd0 dma write_bytes=534     # data, two status bytes, what two used rings say

# A buffer that is no RAM: that request ends with an error here, and the back end never hears of it.
mem 0x10010 ee
mem 0x1010 le64:0x7fffff000 le32:512 le16:3 le16:2
mem 0x2002 le16:2 le16:0 le16:0
write R+0x50 4 0
await check 0x3002 le16:2
check 0x10010 01
ledger bell vd0 kick writes=2

# The first queue taken back, and made anew elsewhere: it starts from nothing, at both ends.
write R+0x30 4 0
write R+0x44 4 0
ledger vhost vd0 GET_VRING_BASE writes=1 reads=1
write R+0x90 4 0x8000
write R+0xa0 4 0x9000
write R+0x80 4 0x1000
write R+0x38 4 4
write R+0x44 4 1
await ledger vhost vd0 SET_VRING_ENABLE writes=3 reads=3
mem 0x1010 le64:0x12000 le32:512 le16:3 le16:2
mem 0x12000 fill:512:0
mem 0x8000 le16:0 le16:1 le16:0
write R+0x50 4 0
await check 0x9002 le16:1
check 0x12000 seq:512:7

# A head that is out of range: the driver must reset, and can begin anew on the same connection.
mem 0x8006 le16:9
mem 0x8002 le16:2
write R+0x50 4 0
read R+0x70 4 0x4f
write R+0x70 4 0
read R+0x70 4 0
ledger vhost vd0 GET_VRING_BASE writes=3 reads=3
write R+0x70 4 3
write R+0x24 4 1
write R+0x20 4 0x105                # packed now, at both ends
write R+0x70 4 0xb
write R+0x38 4 8
write R+0x80 4 0x1000
write R+0x90 4 0x2000
write R+0xa0 4 0x3000
write R+0x44 4 1
write R+0x70 4 0xf
mem 0x10010 ee
mem 0x12000 fill:512:0
mem 0x1000 le64:0x10000 le32:16 le16:7 le16:0x81
mem 0x1010 le64:0x12000 le32:512 le16:7 le16:0x83
mem 0x1020 le64:0x10010 le32:1 le16:7 le16:0x82
write R+0x50 4 0
await check 0x1000 le64:0x10000 le32:513 le16:7 le16:0x8082
check 0x12000 seq:512:7
ledger vhost vd0 SET_FEATURES writes=2
ledger vhost vd0 ADD_MEM_REG writes=2
ledger vhost vd0 unknown writes=0
