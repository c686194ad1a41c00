# virtio-console (VIRTIO 1.2, section 5.3) with two named ports: what the control queues say, bytes
# both ways, backends that take little or nothing, ports that go and come, a size that changes.
device virtio-console as con mmio=0xfe800000 ports=2
let R 0xfe800000
cable con size 80 25
cable two away
read R+8 4 3
read R+0x100 2 80                   # cols, rows, ports
read R+0x102 2 25
read R+0x104 4 3
# Emergency output works before there is a driver (5.3.5.2).
write R+0x108 4 0x121
output con "!"
write R+0x70 4 3
write R+0x14 4 0
read R+0x10 4 0x30000007            # size, multiport, emergency write; indirect, event index
write R+0x24 4 0
write R+0x20 4 3
write R+0x24 4 1
write R+0x20 4 1
write R+0x70 4 0xb
# Eight queues: console, control, one, two; each receiving, then sending. 8 entries each.
repeat 8 q
    write R+0x30 4 q
    read R+0x34 4 128
    write R+0x38 4 8
    write R+0x80 4 0x1000+q*0x400
    write R+0x90 4 0x1100+q*0x400
    write R+0xa0 4 0x1200+q*0x400
    write R+0x44 4 1
end
write R+0x30 4 8
read R+0x34 4 0                     # no ninth
write R+0x70 4 0xf

# Control buffers: eight of 16 bytes at 0x8000.
repeat 8 i
    mem 0x1800+i*16 le64:0x8000+i*16 le32:16 le16:2 le16:0
    mem 0x1904+i*2 le16:i
end
# The driver is ready: it is told of three ports, in the two buffers that it gave, then the third.
mem 0x1900 le16:0 le16:2
mem 0x1c00 le64:0x9000 le32:8 le16:0 le16:0
mem 0x9000 le32:0 le16:0 le16:1
mem 0x1d00 le16:0 le16:1 le16:0
ledger mark
write R+0x50 4 3
check 0x1e02 le16:1 le32:0 le32:0
check 0x1a02 le16:2 le32:0 le32:8 le32:1 le32:8
check 0x8000 le32:0 le16:1 le16:1
check 0x8010 le32:1 le16:1 le16:1
mem 0x1900 le16:0 le16:3
write R+0x50 4 2
check 0x1a02 le16:3
check 0x8020 le32:2 le16:1 le16:1
read R+0x60 4 1
write R+0x64 4 1
# A port that isn't there, and one of a driver that failed: nothing.
mem 0x9000 le32:9 le16:3 le16:1
mem 0x1d02 le16:2 le16:0 le16:0
write R+0x50 4 3
mem 0x9000 le32:1 le16:3 le16:0
mem 0x1d02 le16:3
write R+0x50 4 3
check 0x1a02 le16:3
# Port 0 is ready: it is the console, 80 by 25, and open.
mem 0x9000 le32:0 le16:3 le16:1
mem 0x1900 le16:0 le16:8
mem 0x1d02 le16:4
write R+0x50 4 3
check 0x8030 le32:0 le16:4 le16:1
check 0x8040 le32:0 le16:5 le16:1 le16:80 le16:25
check 0x8050 le32:0 le16:6 le16:1
check 0x1a02 le16:6
# Ports 1 and 2: names; one is open at the host, two is not. A buffer of 16 bytes holds it.
mem 0x9000 le32:1 le16:3 le16:1
mem 0x1d02 le16:5
write R+0x50 4 3
check 0x8060 le32:1 le16:7 le16:1 "one"
check 0x8070 le32:1 le16:6 le16:1
check 0x1a1c le32:3 le32:8 le32:4 le32:12 le32:5 le32:8 le32:6 le32:11 le32:7 le32:8
mem 0x1900 le16:0 le16:16
mem 0x9000 le32:2 le16:3 le16:1
mem 0x1d02 le16:6
write R+0x50 4 3
check 0x8000 le32:2 le16:7 le16:1 "two"
check 0x1a02 le16:9                 # and no more
cable two here
check 0x8010 le32:2 le16:6 le16:1
cable two away
check 0x8020 le32:2 le16:6 le16:0
cable con size 132 43
check 0x8030 le32:0 le16:5 le16:1 le16:132 le16:43
state

# Out of the guest: port one, two chains, of which the backend has space for a part.
mem 0xa000 seq:100:1
mem 0x2400 le64:0xa000 le32:60 le16:1 le16:1
mem 0x2410 le64:0xa03c le32:40 le16:0 le16:0
mem 0x2420 le64:0xa000 le32:5 le16:0 le16:0
mem 0x2500 le16:0 le16:2 le16:0 le16:2
cable one takes 70
write R+0x50 4 5
output one seq:70:1
check 0x2602 le16:0                 # not given back
state                               # how much of it went isn't forgotten
cable one takes 10
output one seq:10:71
cable one takes 21
output one seq:20:81 01
check 0x2602 le16:1 le32:0 le32:0
cable one takes all
output one seq:4:2
check 0x2602 le16:2 le32:0 le32:0 le32:2 le32:0
ledger chr con one write_bytes=105 refused=0

# Into the guest: nothing until the guest has opened the port; then as much as there are buffers.
input one room 0
mem 0x2000 le64:0xb000 le32:10 le16:2 le16:0
mem 0x2010 le64:0xb010 le32:4 le16:2 le16:0
mem 0x2100 le16:0 le16:2 le16:0 le16:1
write R+0x50 4 4
input one room 0
mem 0x9000 le32:1 le16:6 le16:1
mem 0x1d02 le16:7
write R+0x50 4 3
input one room 10
input one "hello"
check 0xb000 "hello" 00
check 0x2202 le16:1 le32:0 le32:5
input one room 4
input one "abcd"
check 0x2202 le16:2 le32:0 le32:5 le32:1 le32:4
input one room 0
# A buffer that holds nothing goes back; one outside RAM loses what is put there, and is counted.
mem 0x2000 le64:0xb000 le32:10 le16:0 le16:0
mem 0x2010 le64:0x7fffff000 le32:4 le16:2 le16:0
mem 0x2108 le16:0 le16:1
mem 0x2102 le16:4
write R+0x50 4 4
input one room 4
check 0x2202 le16:3
input one "xy"
check 0x2214 le32:0 le32:0 le32:1 le32:0
ledger chr con one reads=3 read_bytes=11 refused=1
# The guest closes it: no more.
mem 0x2000 le64:0xb000 le32:10 le16:2 le16:0
mem 0x210c le16:0
mem 0x2102 le16:5
write R+0x50 4 4
input one room 10
mem 0x9000 le32:1 le16:6 le16:0
mem 0x1d02 le16:8
write R+0x50 4 3
input one room 0

# Taken away and given back while the guest has no control buffer: it hears both, in order.
plug two out
check 0x8040 le32:2 le16:2 le16:1
plug two in
check 0x8050 le32:2 le16:1 le16:1
plug one out
plug one in
check 0x8060 le32:1 le16:2 le16:1
check 0x8070 le32:1 le16:1 le16:1
check 0x1a02 le16:16
plug two out
plug two in
plug two out
check 0x1a02 le16:16                # no buffers
mem 0x1900 le16:0 le16:24
write R+0x50 4 2
check 0x8000 le32:2 le16:2 le16:1   # gone, once
check 0x1a02 le16:17
plug two in
check 0x8010 le32:2 le16:1 le16:1
# A port that was taken away swallows what the guest still sends.
plug two out
mem 0x2c00 le64:0xa000 le32:5 le16:0 le16:0
mem 0x2d00 le16:0 le16:1 le16:0
write R+0x50 4 7
check 0x2e02 le16:1
output two none
ledger chr con two refused=1

# The console: a guest that waits with its CPU is let go after a second, and what it said is lost.
mem 0x1400 le64:0xa000 le32:5 le16:0 le16:0
mem 0x1500 le16:0 le16:1 le16:0
cable con takes 3
write R+0x50 4 1
output con 010203
check 0x1602 le16:0
advance 900 ms
check 0x1602 le16:0
advance 200 ms
check 0x1602 le16:1
output con none
ledger chr con console refused=1
mem 0x1502 le16:2 le16:0 le16:0     # lost at once now
write R+0x50 4 1
check 0x1602 le16:2
cable con takes 100                 # somebody reads again
mem 0x1502 le16:3 le16:0 le16:0 le16:0
write R+0x50 4 1
output con 0102030405
# Nobody there at all: no second is waited.
cable con away
cable con takes 0
mem 0x1502 le16:4 le16:0 le16:0 le16:0 le16:0
write R+0x50 4 1
advance 1 ms
check 0x1602 le16:4

# A broken ring of one port stops the device until it is reset; then all begins anew.
mem 0x2504 le16:0 le16:0 le16:9
mem 0x2502 le16:3
write R+0x50 4 5
read R+0x70 4 0x4f
write R+0x70 4 0
read R+0x70 4 0
input one room 0
state cut
