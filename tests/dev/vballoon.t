# virtio-balloon (VIRTIO 1.2, section 5.5): pages that are given and those that are reported free
# read as zeros; what is no RAM or no page is refused and counted; what the guest is asked for.
device virtio-balloon as bal mmio=0xfe800000 want=5
let R 0xfe800000
read R+8 4 5
read R+0x100 4 5
read R+0x104 4 0
write R+0x70 4 3
write R+0x14 4 0
read R+0x10 4 0x30000024
write R+0x24 4 0
write R+0x20 4 0x24
write R+0x24 4 1
write R+0x20 4 1
write R+0x70 4 0xb
# Inflate at 0x1000, deflate at 0x4000, reporting at 0x7000.
repeat 3 q
    write R+0x30 4 q
    write R+0x38 4 8
    write R+0x80 4 0x1000+q*0x3000
    write R+0x90 4 0x2000+q*0x3000
    write R+0xa0 4 0x3000+q*0x3000
    write R+0x44 4 1
end
write R+0x70 4 0xf

mem 0x20000 fill:20480:0x77         # five pages: 0x20 to 0x24
# Upwards, downwards, alone, beyond RAM, and half a number that is not looked at.
mem 0x10000 le32:0x20 le32:0x21 le32:0x24 le32:0x23 le32:0x7fffffff 1122
mem 0x1000 le64:0x10000 le32:22 le16:0 le16:0
mem 0x2000 le16:0 le16:1 le16:0
ledger mark
write R+0x50 4 0
check 0x20000 fill:8192:0
check 0x22000 fill:4096:0x77
check 0x23000 fill:8192:0
check 0x3002 le16:1 le32:0 le32:0
ledger dma bal returned writes=3 refused=1 write_bytes=16384
write R+0x104 4 4                   # the guest says that it gave four
read R+0x104 4 4
write R+0x104 2 1                   # not in halves
read R+0x104 4 4
# Deflating is an answer, no more.
mem 0x4000 le64:0x10000 le32:4 le16:0 le16:0
mem 0x5000 le16:0 le16:1 le16:0
write R+0x50 4 1
check 0x6002 le16:1
# Free pages reported: the segments themselves. One that is not whole pages stays as it is.
mem 0x7000 le64:0x22000 le32:4096 le16:3 le16:1
mem 0x7010 le64:0x30800 le32:4096 le16:2 le16:0
mem 0x30800 fill:16:0x55
mem 0x8000 le16:0 le16:1 le16:0
ledger mark
write R+0x50 4 2
check 0x22000 fill:4096:0
check 0x30800 fill:16:0x55
ledger dma bal returned writes=2 refused=1 write_bytes=4096
state
# A reset empties the balloon; what is wanted stays.
write R+0x70 4 0
read R+0x104 4 0
read R+0x100 4 5
