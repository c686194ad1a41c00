# virtio-net: a driver that kicks for every frame, without a pause, is looked at every 100 us instead
# (src/virtio/vnet_tx.c): no more kicks are asked for, and one interrupt tells of all that was sent.
net n open
device virtio-net as nic net=n mmio=0xfe800000
let R 0xfe800000
write R+0x70 4 3
write R+0x24 4 1
write R+0x20 4 1
write R+0x70 4 0xb
write R+0x30 4 1
write R+0x38 4 256
write R+0x80 4 0x1000
write R+0x90 4 0x3000
write R+0xa0 4 0x4000
write R+0x44 4 1
write R+0x70 4 0xf
mem 0x20000 fill:12:0 ffffffffffff 525400123456 0806 "x"
mem 0x1000 le64:0x20000 le32:27 le16:0 le16:0
advance 1 ms
# Sixteen kicks are too few to be sure.
repeat 16 i
    mem 0x3002 le16:i+1
    write R+0x50 4 1
    net n frames i+1
    check 0x4002 le16:i+1
end
check 0x4000 le16:0                  # a kick, please
# From the seventeenth on: sent, and no more kicks.
mem 0x3002 le16:17
write R+0x50 4 1
net n frames 17
check 0x4000 le16:1
irq nic edges 1
write R+0x64 4 1
mem 0x3002 le16:30
write R+0x50 4 1                     # it kicks all the same: no sooner for that
net n frames 17
advance 100 us
net n frames 30
check 0x4002 le16:30
check 0x4000 le16:1
irq nic edges 1
write R+0x64 4 1
# Three in 100 us are few: kicks again.
mem 0x3002 le16:33
advance 100 us
net n frames 33
check 0x4000 le16:0
mem 0x3002 le16:34
write R+0x50 4 1
net n frames 34
# A driver that resets the device meanwhile is not looked at.
repeat 15 i
    mem 0x3002 le16:35+i
    write R+0x50 4 1
end
check 0x4000 le16:1
mem 0x3002 le16:60
write R+0x70 4 0
advance 1 ms
net n frames 49
