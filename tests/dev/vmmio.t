# Virtio over MMIO (VIRTIO 1.2, section 4.2) with a disk behind it: what a driver finds, negotiation,
# a request with its kick and its line, a queue stopped and made anew, widths, reset.
disk d open mem:1M
disk d put 5 seq:512:1
device virtio-blk as vd0 disk=d mmio=0xfe800000
let R 0xfe800000
read R 4 0x74726976
read R+4 4 2
read R+8 4 2                        # a block device
read R+0x0c 4 0x44414956
read R+0x70 4 0
read R+0xfc 4 0
read R+0xb0 4 0xffffffff            # no shared memory
read R+0x100 4 2048                 # capacity: sectors
read R+0x114 2 512
read R+0x100 1 0
read R+1 1 0                        # registers have 32 bits
ledger mark
write R 4 1
write R+0x70 1 1
write R+0x200 4 1                   # configuration: nothing there to write
ledger mmio vd0 cfg writes=3 refused=2
read R+0x70 4 0

write R+0x70 4 3
write R+0x14 4 1
read R+0x10 4 0x101                 # VERSION_1, RING_RESET
write R+0x24 4 1
write R+0x20 4 0x101
write R+0x70 4 0xb
read R+0x70 4 0xb
write R+0x30 4 1
read R+0x34 4 0                     # no second queue
write R+0x38 4 8
write R+0x30 4 0
read R+0x34 4 256
read R+0x44 4 0
write R+0x38 4 8
write R+0x80 4 0x1000
write R+0x84 4 0
write R+0x90 4 0x2000
write R+0x94 4 0
write R+0xa0 4 0x3000
write R+0xa4 4 0
write R+0x44 4 1
read R+0x44 4 1
write R+0x70 4 0xf
read R+0x60 4 0

mem 0x4000 le32:0 le32:0 le64:5
mem 0x1000 le64:0x4000 le32:16 le16:1 le16:1
mem 0x1010 le64:0x10000 le32:512 le16:3 le16:2
mem 0x1020 le64:0x4010 le32:1 le16:2 le16:0
mem 0x2000 le16:0 le16:1 le16:0
ledger mark
irq vd0 low
write R+0x50 4 0
check 0x10000 seq:512:1
check 0x4010 00
check 0x3000 le16:0 le16:1 le32:0 le32:513
irq vd0 high
read R+0x60 4 1
write R+0x64 4 1
irq vd0 low
read R+0x60 4 0
ledger mmio vd0 notify writes=1
state

# The queue taken back, and made anew elsewhere: it starts from nothing.
write R+0x44 4 0
read R+0x44 4 0
write R+0x50 4 0                    # a kick to nobody
write R+0x38 4 4
write R+0x80 4 0x1000
write R+0x90 4 0x6000
write R+0xa0 4 0x7000
write R+0x44 4 1
read R+0x44 4 1
mem 0x6000 le16:0 le16:1 le16:0
mem 0x4010 ee
write R+0x50 4 0
check 0x7002 le16:1
check 0x4010 00
write R+0xc0 4 1                    # the same by QueueReset
read R+0xc0 4 0
read R+0x44 4 0
write R+0x50 4 7                    # no such queue

# Reset.
write R+0x64 4 3
write R+0x70 4 0
read R+0x70 4 0
irq vd0 low
