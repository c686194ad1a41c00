# NICs of the hypercall family: frames in each form, reads that wait in a ring, a wire that is full.
net n open
net m open
device pv as pv net=n net1=m

let IO 0x56440003
let BATCH IO+1
let RING IO+2
let KICK IO+3
let READ 0
let WRITE 1
let E_AGAIN 0-11
let E_ROOM 0-12
let E_ADDRESS 0-14
let E_LENGTH 0-34

hcall IO-2 = 2
hcall IO-1 0 0x8000 = 0
check 0x8000 le32:2 le32:0 le64:0 le32:0 le32:0 le32:1518 le32:1024 020000000001 le16:1500 "pvnic"

# Sending: one flush a call.
mem 0x10000 ffffffffffff020000000001 0806 "hello"
mem 0x11000 020000000002020000000001 0800 "world!"
hcall IO 0 WRITE+19*256 0x10000 1 0 = 19
net n sent ffffffffffff020000000001 0806 "hello"
net n flushes 1
mem 0xa000 le64:0 le64:0x10000 le32:19 u8:1 u8:WRITE le16:0 le64:7
mem 0xa020 le64:0 le64:0x11000 le32:20 u8:1 u8:WRITE le16:1 le64:7
mem 0xa040 le64:0 le64:0x11000 le32:13 u8:1 u8:WRITE le16:0 le64:7
mem 0xa060 le64:0 le64:0x11000 le32:1519 u8:1 u8:WRITE le16:0 le64:7
mem 0xa080 le64:0 le64:0xfffffe le32:20 u8:1 u8:WRITE le16:0 le64:7
mem 0xa0a0 le64:0 le64:0x12000 le32:1518 u8:1 u8:READ le16:0 le64:7
hcall BATCH 0xa000 6 0 = 6
check 0xa018 le32:0 le32:19
check 0xa038 le32:0 le32:20
check 0xa058 le32:E_LENGTH le32:0
check 0xa078 le32:E_LENGTH le32:0
check 0xa098 le32:E_ADDRESS le32:0
check 0xa0b8 le32:E_AGAIN le32:0
net n sent ffffffffffff020000000001 0806 "hello"
net n sent none
net m sent 020000000002020000000001 0800 "world!"
net n flushes 1
net m flushes 1
ledger way pvnic * reads=1 writes=5 write_bytes=38 refused=4

# Receiving: kept until it is asked for, oldest first, in pieces or not.
net n recv 020000000001020000000009 0800 "first"
net n recv pieces 020000000001020000000009 0800 "second"
hcall IO 0 READ+1518*256 0x12000 1 0 = 19
check 0x12000 020000000001020000000009 0800 "first"
hcall IO 0 READ+19*256 0x12000 1 0 = E_ROOM         # too small: lost
hcall IO 0 READ+1518*256 0x12000 1 0 = E_AGAIN
hcall IO 0 READ 0x12000 1 0 = E_LENGTH
hcall IO 0 READ+1518*256 0xfffffe 1 0 = E_ADDRESS
repeat 64 i
    net n recv 020000000001020000000009 0800 le32:i
end
net n recv refused 020000000001020000000009 0800 "too many"
hcall IO 0 READ+64*256 0x12000 1 0 = 18
check 0x1200e le32:0
net n readys 1
net n recv 020000000001020000000009 0800 le32:64
repeat 64 i
    hcall IO 0 READ+64*256 0x12000 1 0 = 18
    check 0x1200e le32:i+1
end

# In a ring, reads wait; a frame wakes whoever asked for it.
let R 0x40000
hcall RING 3 R 16 0 = 0
repeat 3 i
    mem R+192+32*i le64:0 le64:0x20000+0x1000*i le32:1518 u8:1 u8:READ le16:0 le64:7
    mem R+128+2*i le16:i
end
mem R le32:3 le32:0
hcall KICK 3 = 0
check R+64 le32:0 le32:3
ledger mark
net n recv 020000000001020000000009 0800 "one"
net n recv 020000000001020000000009 0800 "two"
irq pv edges 1                       # intr_at was passed once
ledger exit * * writes=0
check R+64 le32:2 le32:3
check R+160 le16:0 le16:1
check R+192+24 le32:0 le32:17
check R+224+24 le32:0 le32:17
check 0x2000e "one"
check 0x2100e "two"
# Saved and loaded, the third still waits.
state
net n recv 020000000001020000000009 0800 "three"
check R+64 le32:3 le32:3
check 0x2200e "three"

# No room on the wire: frames of a ring wait for it, others are told.
net n full on
hcall IO 0 WRITE+19*256 0x10000 1 0 = E_ROOM
mem R+192 le64:0 le64:0x10000 le32:19 u8:1 u8:WRITE le16:0 le64:7
mem R+224 le64:0 le64:0x10000 le32:19 u8:1 u8:WRITE le16:0 le64:7
mem R+134 le16:0 le16:1
mem R le32:5
hcall KICK 3 = 0
check R+64 le32:3 le32:5
net n sent none
net n full off
check R+64 le32:5 le32:5
net n sent ffffffffffff020000000001 0806 "hello"
net n sent ffffffffffff020000000001 0806 "hello"
net n sent none
# A ring that goes takes with it what waits.
mem R+192 le64:0 le64:0x20000 le32:1518 u8:1 u8:READ le16:0 le64:7
mem R+138 le16:0
mem R le32:6
mem 0x20000 fill:64:9
hcall KICK 3 = 0
hcall RING 3 0 0 0 = 0
net n recv 020000000001020000000009 0800 "four"
check 0x20000 fill:64:9
hcall IO 0 READ+64*256 0x20000 1 0 = 18
state cut
state noise 200
