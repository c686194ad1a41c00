# virtio-input as a tablet, on packed rings: places and buttons; a whole frame or none.
device virtio-input as tablet0 mmio=0xfe800000 tablet=1 packed=1
let R 0xfe800000
write R+0x100 1 0x10
read R+0x102 1 4
read R+0x108 4 1                    # a pointer
write R+0x100 2 0x0311
read R+0x102 1 1
read R+0x108 1 3                    # x and y
write R+0x100 2 0x0112
read R+0x102 1 20
read R+0x108 4 0
read R+0x10c 4 0x7fff
read R+0x110 4 0
write R+0x100 2 0x0212
read R+0x102 1 0                    # no third axis
write R+0x100 2 0x0111
read R+0x102 1 35
read R+0x128 4 0x001f0000           # 0x110 to 0x114
write R+0x70 4 3
write R+0x24 4 1
write R+0x20 4 5
write R+0x70 4 0xb
write R+0x38 4 4
write R+0x80 4 0x1000
write R+0x90 4 0x1100
write R+0xa0 4 0x1200
write R+0x44 4 1
write R+0x70 4 0xf
repeat 4 i
    mem 0x1000+i*16 le64:0x8000+i*8 le32:8 le16:i le16:0x82
end
write R+0x50 4 0
room 4
frame 3 0 1000 3 1 0x7fff
check 0x8000 le16:3 le16:0 le32:1000 le16:3 le16:1 le32:0x7fff le16:0 le16:0 le32:0
check 0x1008 le32:8 le16:0 le16:0x8082
check 0x1028 le32:8 le16:2 le16:0x8082
room 1
frame lost 1 0x110 1
room 1
# The driver gives three back: the ring wraps around, and so do both counters.
repeat 3 i
    mem 0x1000+i*16 le64:0x9000+i*8 le32:8 le16:i le16:0x8002
end
room 4
frame 1 0x110 1
check 0x8018 le16:1 le16:0x110 le32:1
check 0x9000 le16:0 le16:0 le32:0
check 0x1038 le32:8 le16:3 le16:0x8082
check 0x1008 le32:8 le16:0 le16:0x0002
room 2
state
room 2
