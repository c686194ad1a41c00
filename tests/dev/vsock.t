# virtio-vsock (VIRTIO 1.2, section 5.10): connections begun by either side, data and credit both
# ways, half a close and a whole one, what a lying guest gets, what nobody asked for, a state walk.
vsk open
device virtio-vsock as vs mmio=0xfe800000 cid=5
let R 0xfe800000
read R+8 4 19
read R+0x100 4 5
read R+0x104 4 0
write R+0x70 4 3
write R+0x24 4 1
write R+0x20 4 1
write R+0x70 4 0xb
# Rings of 8: receive at 0x1000, transmit at 0x2000, event at 0x3000.
repeat 3 q
    write R+0x30 4 q
    write R+0x38 4 8
    write R+0x80 4 0x1000+q*0x1000
    write R+0x90 4 0x1400+q*0x1000
    write R+0xa0 4 0x1800+q*0x1000
    write R+0x44 4 1
end
write R+0x70 4 0xf
# Five receive buffers of 64 bytes: 44 of header, 20 of data. Three are given.
repeat 8 i
    mem 0x1000+i*16 le64:0x20000+i*0x100 le32:64 le16:2 le16:0
    mem 0x1404+i*2 le16:i
end
mem 0x1402 le16:3
write R+0x50 4 0
# What the guest sends: a header at 0x10000 alone, or with data at 0x10100.
mem 0x2000 le64:0x10000 le32:44 le16:0 le16:0
mem 0x2010 le64:0x10000 le32:44 le16:1 le16:2
mem 0x2020 le64:0x10100 le32:16 le16:0 le16:0
mem 0x2400 le16:0 le16:0 le16:0 le16:0 le16:0 le16:1 le16:1 le16:0 le16:0 le16:0

# Port 99 of the host has no listener: RST.
mem 0x10000 le64:5 le64:2 le32:1000 le32:99 le32:0 le16:1 le16:1 le32:0 le32:100 le32:0
mem 0x2402 le16:1
ledger mark
write R+0x50 4 1
ledger mmio vs notify writes=1
ledger net vs control writes=1 reads=1 refused=1
check 0x2802 le16:1
check 0x1802 le16:1 le32:0 le32:44
check 0x20000 le64:2 le64:5 le32:99 le32:1000 le32:0 le16:1 le16:3 le32:0
read R+0x60 4 1
write R+0x64 4 1
# Port 80 has: RESPONSE, with the room there is for what the guest sends.
vsk listen 80
mem 0x10014 le32:80
mem 0x2402 le16:2
write R+0x50 4 1
check 0x1802 le16:2
check 0x20100 le64:2 le64:5 le32:80 le32:1000 le32:0 le16:1 le16:2 le32:0 le32:262144 le32:0
vsk streams 1
vsk 0 is open
# To the host, out of the guest's own buffer.
mem 0x10018 le32:16 le16:1 le16:5
mem 0x10100 "sixteen bytes.. "
mem 0x2406 le16:0 le16:0
mem 0x2404+2*2 le16:1
mem 0x2402 le16:3
ledger mark
write R+0x50 4 1
vsk 0 heard "sixteen bytes.. "
ledger net vs data writes=1 write_bytes=16
# To the guest: 50 bytes are 20 into the buffer that is left, and 30 that wait for buffers.
vsk 0 say seq:50:1
check 0x1802 le16:3
check 0x1814 le32:2 le32:64
check 0x20200 le64:2 le64:5 le32:80 le32:1000 le32:20 le16:1 le16:5 le32:0 le32:262144 le32:16 seq:20:1
mem 0x1402 le16:7
write R+0x50 4 0
check 0x1802 le16:5
check 0x20318 le32:20 le16:1 le16:5
check 0x2032c seq:20:21
check 0x20418 le32:10 le16:1 le16:5
check 0x2042c seq:10:41
# The guest's credit was 100 bytes, and 50 are on their way: 50 of these 60 go, then credit is asked.
mem 0x1402 le16:10
write R+0x50 4 0
vsk 0 say seq:60:1
check 0x1802 le16:9
check 0x20718 le32:10 le16:1 le16:5
check 0x2001c le16:1 le16:7
# It has read them: the rest comes.
mem 0x10018 le32:0 le16:1 le16:6 le32:0 le32:100 le32:100
mem 0x2408+2*0 le16:0
mem 0x240a le16:0
mem 0x2402 le16:4
write R+0x50 4 1
check 0x1802 le16:10
check 0x20118 le32:10 le16:1 le16:5
check 0x2012c seq:10:51

# A host that doesn't read: what its socket has no room for is kept, and goes when there is.
vsk 0 room 5
mem 0x1402 le16:16
write R+0x50 4 0
mem 0x10018 le32:16 le16:1 le16:5
mem 0x240a le16:1
mem 0x2402 le16:5
ledger mark
write R+0x50 4 1
ledger net vs kept writes=1 write_bytes=11
vsk 0 heard "sixte"
vsk 0 heard "en by"
vsk 0 room 100
vsk 0 heard "tes.. "
# The host says no more: SHUTDOWN, one direction.
vsk 0 eof
check 0x1802 le16:11
check 0x20218 le32:0 le16:1 le16:4 le32:2
vsk 0 is open
# The guest says no more either, and then closes: RST.
mem 0x10018 le32:0 le16:1 le16:4 le32:2
mem 0x240c le16:0
mem 0x2402 le16:6
write R+0x50 4 1
vsk 0 is shut
mem 0x10020 le32:3
mem 0x240e le16:0
mem 0x2402 le16:7
write R+0x50 4 1
vsk 0 is closed
check 0x1802 le16:12
check 0x2031c le16:1 le16:3

# Somebody on the host wants the guest's port 7; the guest takes it.
vsk dial 7
vsk streams 2
check 0x1802 le16:13
check 0x20400 le64:2 le64:5 le32:0x40000000 le32:7 le32:0 le16:1 le16:1 le32:0 le32:262144 le32:0
mem 0x10000 le64:5 le64:2 le32:7 le32:0x40000000 le32:0 le16:1 le16:2 le32:0 le32:100 le32:0
mem 0x2410 le16:0
mem 0x2402 le16:8
write R+0x50 4 1
vsk 1 port 0x40000000
# A lie: more was forwarded than was ever sent. RST, and the host's side ends.
mem 0x10018 le32:0 le16:1 le16:6 le32:0 le32:100 le32:1
mem 0x2412 le16:0
mem 0x2402 le16:9
ledger mark
write R+0x50 4 1
ledger net vs control refused=1
vsk 1 is closed
check 0x1802 le16:14
check 0x2051c le16:1 le16:3
# Another, whose guest says no.
vsk dial 8
mem 0x10010 le32:8 le32:0x40000001 le32:0 le16:1 le16:3
mem 0x2404 le16:0
mem 0x2402 le16:10
write R+0x50 4 1
vsk 2 is closed
check 0x1802 le16:15
# Whom nobody knows: another type, another's name, a packet of no connection; less than a header.
mem 0x10018 le32:0 le16:2 le16:1
mem 0x2406 le16:0
mem 0x2402 le16:11
write R+0x50 4 1
check 0x1802 le16:16
check 0x2071c le16:2 le16:3            # RST, of the type that was asked for
mem 0x10000 le64:6
mem 0x2408 le16:0
mem 0x2402 le16:12
write R+0x50 4 1
mem 0x2000 le64:0x10000 le32:43 le16:0 le16:0
mem 0x240a le16:0
mem 0x2402 le16:13
write R+0x50 4 1
check 0x1802 le16:16
mem 0x2000 le64:0x10000 le32:44 le16:0 le16:0

# Another machine's port: its answer comes later.
vsk peer 4000
mem 0x10000 le64:5 le64:9 le32:1001 le32:4000 le32:0 le16:1 le16:1 le32:0 le32:100 le32:0
mem 0x240c le16:0
mem 0x2402 le16:14
write R+0x50 4 1
vsk 3 is pending
mem 0x1402 le16:20
write R+0x50 4 0
check 0x1802 le16:16
vsk 3 answer yes
check 0x1802 le16:17
check 0x20000 le64:9 le64:5 le32:4000 le32:1001 le32:0 le16:1 le16:2
# More than the room there is: a lie. The descriptor says 300,000 bytes, which are there.
vsk 3 room 0
mem 0x10018 le32:300000 le16:1 le16:5
mem 0x2020 le64:0x30000 le32:300000 le16:0 le16:0
mem 0x240e le16:1
mem 0x2402 le16:15
write R+0x50 4 1
vsk 3 is closed
check 0x1802 le16:18
check 0x2011c le16:1 le16:3
# 5.10.6.7: a machine that is loaded has no connections, and is told so.
mem 0x10000 le64:5 le64:2 le32:1002 le32:80 le32:0 le16:1 le16:1 le32:0 le32:100 le32:0
mem 0x2410 le16:0
mem 0x2402 le16:16
write R+0x50 4 1
vsk 4 is open
state
vsk 4 is closed
mem 0x3000 le64:0x40000 le32:8 le16:2 le16:0
mem 0x3400 le16:0 le16:1 le16:0
mem 0x40000 fill:8:0xff
write R+0x50 4 2
check 0x40000 le32:0 fill:4:0xff
check 0x3802 le16:1 le32:0 le32:4
# A receive buffer without room for a header: the driver must reset.
mem 0x1030 le64:0x20000 le32:43 le16:2 le16:0
vsk dial 9
read R+0x70 4 0x4f
write R+0x70 4 0
read R+0x70 4 0
vsk dial refused 9
