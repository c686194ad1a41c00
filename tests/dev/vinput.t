# virtio-input (VIRTIO 1.2, section 5.8): what a keyboard says it is, frames that arrive whole or not
# at all, lights that come back.
device virtio-input as kbd0 mmio=0xfe800000
let R 0xfe800000
read R+8 4 18
read R+0x100 4 0                    # nothing is selected
write R+0x100 1 1
read R+0x102 1 23
read R+0x108 4 0x64616976           # "viad"
read R+0x11b 1 0x6f
read R+0x11e 1 0x64                 # "o…d"
read R+0x11f 1 0
write R+0x100 1 2
read R+0x102 1 4
read R+0x108 4 0x3064626b           # "kbd0"
write R+0x100 1 3
read R+0x102 1 8
read R+0x108 4 0x1af40006           # a virtual bus, a vendor
read R+0x10c 4 0x00010001           # a product, a version
write R+0x100 1 0x10
read R+0x102 1 0                    # no properties
# Keys: bits 1 to 83, and others; 84 and 85 are no keys of ours.
write R+0x100 2 0x0111
read R+0x100 1 0x11
read R+0x101 1 1
read R+0x102 1 29
read R+0x108 4 0xfffffffe
read R+0x110 4 0x7fcfffff
write R+0x101 1 0x11
read R+0x102 1 1
read R+0x108 4 7                    # three lights
write R+0x101 1 0x14
read R+0x102 1 1                    # repeat: there, with no codes
read R+0x108 4 0
write R+0x101 1 3
read R+0x102 1 0                    # no places
write R+0x100 2 0x0012
read R+0x102 1 0
write R+0x100 2 0x0101              # a name has no second selector
read R+0x102 1 0
write R+0x100 2 0x00ff
read R+0x102 1 0
write R+0x102 1 7                   # not the driver's to write
read R+0x102 1 0

write R+0x70 4 3
read R+0x10 4 0x30000000
write R+0x24 4 1
write R+0x20 4 1
write R+0x70 4 0xb
repeat 2 q
    write R+0x30 4 q
    read R+0x34 4 64
    write R+0x38 4 8
    write R+0x80 4 0x1000+q*0x1000
    write R+0x90 4 0x1100+q*0x1000
    write R+0xa0 4 0x1200+q*0x1000
    write R+0x44 4 1
end
frame lost 1 30 1                   # no driver yet
write R+0x70 4 0xf
room 0
idle 1
frame lost 1 30 1
repeat 8 i
    mem 0x1000+i*16 le64:0x8000+i*8 le32:8 le16:2 le16:0
    mem 0x1104+i*2 le16:i
end
mem 0x1102 le16:3
write R+0x50 4 0
room 3
ledger mark
frame 1 30 1
check 0x8000 le16:1 le16:30 le32:1 le16:0 le16:0 le32:0
check 0x1202 le16:2 le32:0 le32:8 le32:1 le32:8
room 1
idle 0
# Too few for the next: nothing of it, and the buffer is still there afterwards.
frame lost 1 30 0
check 0x1202 le16:2
room 1
ledger input kbd0 events reads=2 read_bytes=16 refused=1
mem 0x1102 le16:8
write R+0x50 4 0
idle 1
frame 1 30 0 1 31 1 2 8 0xffffffff
check 0x8010 le16:1 le16:30 le32:0 le16:1 le16:31 le32:1 le16:2 le16:8 le32:0xffffffff 0000 0000 00000000
check 0x1202 le16:6
read R+0x60 4 1
write R+0x64 4 1
state
room 2
# One that is too short for an event, and one outside RAM: given back empty.
mem 0x1060 le64:0x8030 le32:4 le16:2 le16:0 le64:0x7fffff000 le32:8 le16:2 le16:0
frame 1 32 1
check 0x1234 le32:6 le32:0 le32:7 le32:0

# Lights: caps on, then num on and caps off in one buffer; what is no light, or half an event, isn't one.
mem 0x9000 le16:0x11 le16:1 le32:1 le16:0x11 le16:0 le32:1 le16:0x11 le16:1 le32:0 le16:0x14 le16:0 le32:250 le16:0x11 le16:9 le32:1 1100
mem 0x2000 le64:0x9000 le32:8 le16:0 le16:0
mem 0x2010 le64:0x9008 le32:34 le16:0 le16:0
mem 0x2100 le16:0 le16:1 le16:0 le16:1
write R+0x50 4 1
leds 2
check 0x2202 le16:1 le32:0 le32:0
mem 0x2102 le16:2
write R+0x50 4 1
leds 1
check 0x2202 le16:2
ledger input kbd0 events writes=5
state
leds 1
write R+0x70 4 0
leds 0
frame lost 1 30 1
state cut
