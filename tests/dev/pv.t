# The hypercall family: a disk in registers, arrays and rings; every error as its unit's own.
disk d open mem:1M
disk d put 5 rand:512:1
disk d put 8 rand:4096:2
disk e open mem:64K
device pv as pv disk=d disk1=e console=tty

let CALL 0x56440000
let IO CALL+3
let BATCH CALL+4
let RING CALL+5
let KICK CALL+6
let TABLE CALL+7
let RESET CALL+8
let READ 0
let WRITE 1
let PORT 0xe00
let E_DEVICE 0-6
let E_AGAIN 0-11
let E_ADDRESS 0-14
let E_ARGUMENT 0-22
let E_RANGE 0-33
let E_LENGTH 0-34
let E_ALIGN 0-35
let E_CALL 0-38
let E_COMMAND 0-95

# ---- what there is ----
inl PORT 0x4c434856
inl PORT+4 0x10000
hcall CALL = 0x10000
hcall CALL+1 = 3
hcall CALL+2 0 0x8000 = 0
check 0x8000 le32:1 le32:12 le64:2048 le32:512 le32:4096 le32:0x100000 le32:1024 fill:8:0 "pvdisk"
hcall CALL+2 2 0x8000 = 0
check 0x8000 le32:3 le32:0 le64:0 le32:0 le32:0 le32:4096
hcall CALL+2 3 0x8000 = E_DEVICE
hcall CALL+2 0 0xfffff0 = E_ADDRESS
hcall CALL+2 0 0xfffffffffffffff0 = E_ADDRESS
hcall CALL+9 = E_CALL
hcall CALL-1 = E_CALL
hcall 0 = E_CALL

# ---- in registers: one trap, one unit ----
ledger mark
hcall IO 5 READ+512*256 0x10000 1 0 = 512
ledger exit cpu0 hcall writes=1
ledger exit * * writes=1
ledger way pvdisk call reads=1 read_bytes=512 refused=0
ledger hcall pv device_io writes=1 refused=0
ledger dma pvdisk dma writes=1 write_bytes=512
check 0x10000 rand:512:1
mem 0x11000 rand:1024:3
hcall IO 20 WRITE+1024*256 0x11000 1 0 = 1024
disk d check 20 rand:1024:3
hcall IO 0 0 0 2 0 = 0
ledger blk d flush writes=1
hcall IO 0 WRITE+512*256 0x11000 1 1 = 512
disk e check 0 rand:512:3
irq pv edges 0

# Errors.
hcall IO 2048 READ+512*256 0x10000 1 0 = E_RANGE
hcall IO 2047 READ+1024*256 0x10000 1 0 = E_RANGE
hcall IO 0xffffffffffffffff READ+512*256 0x10000 1 0 = E_RANGE
hcall IO 0 READ 0x10000 1 0 = E_LENGTH
hcall IO 0 READ+0x100200*256 0x10000 1 0 = E_LENGTH
hcall IO 0 READ+0x100000000*256 0x10000 1 0 = E_LENGTH
hcall IO 0 READ+513*256 0x10000 1 0 = E_ALIGN
hcall IO 0 READ+512*256 0xffff00 1 0 = E_ADDRESS
hcall IO 0 READ+512*256 0xffffffffffffff00 1 0 = E_ADDRESS
hcall IO 0 2+512*256 0x10000 1 0 = E_COMMAND
hcall IO 0 READ+512*256 0x10000 5 0 = E_COMMAND
hcall IO 0 READ+512*256 0x10000 0x101 0 = E_COMMAND
hcall IO 0 READ+512*256 0x10000 0x100000001 0 = E_ARGUMENT
hcall IO 0 READ+512*256 0x10000 1 3 = E_DEVICE
hcall IO 0 READ+512*256 0x10000 1 0x100000000 = E_DEVICE
hcall IO 0 512*256 0 3 0 = 512                  # discard
hcall IO 20 1024*256 0 4 0 = 1024               # zeroes
disk d check 20 fill:1024:0
hcall IO 2047 1024*256 0 4 0 = E_RANGE
hcall IO 0 READ+512*256 0x10000 1 2 = E_AGAIN   # nobody typed
hcall IO 0 READ+512*256 0x10000 2 2 = E_COMMAND
hcall IO 0 READ+4097*256 0x10000 1 2 = E_LENGTH

# The same by the port: the block gets the result.
mem 0x9000 le64:IO le64:8 le64:READ+4096*256 le64:0x20000 le64:1 le64:0 le64:0x5555
ledger mark
outl PORT 0x240
ledger exit cpu0 pio writes=1
ledger exit * * writes=1
check 0x9030 le64:4096
check 0x20000 rand:4096:2
inl PORT+8 4096
mem 0x9000 le64:IO le64:4096
outl PORT 0x240
check 0x9030 le64:E_RANGE
inl PORT+8 0xffffffdf
outl PORT 0x3ffff       # the last block of memory
inl PORT+8 0xffffffda   # E_CALL: it is zero
outl PORT 0x40000       # behind it
inl PORT+8 0xfffffff2   # E_ADDRESS
outl PORT 0xffffffff
inl PORT+8 0xfffffff2
outl PORT+4 3           # no such ring
inl PORT+8 0xfffffffa
ledger mark
outb PORT 1
outw PORT+4 0
inb PORT+8 0xff
outl PORT+8 0
ledger pio pv * refused=4

# ---- in an array: several devices, each unit its own status ----
disk d put 8 rand:4096:2
let U 0xa000
mem U le64:8 le64:0x30000 le32:2048 u8:1 u8:READ le16:0 le32:7 le32:7
mem U+32 le64:0 le64:0x11000 le32:512 u8:1 u8:WRITE le16:1 le32:7 le32:7
mem U+64 le64:2048 le64:0x30000 le32:512 u8:1 u8:READ le16:0 le32:7 le32:7
mem U+96 le64:0 le64:0x30000 le32:512 u8:1 u8:READ le16:9 le32:7 le32:7
mem U+128 le64:0 le64:0xb000 le32:5 u8:1 u8:WRITE le16:2 le32:7 le32:7
mem U+160 le64:0 le64:0xb100 le32:5 u8:1 u8:READ le16:2 le32:7 le32:7
mem 0xb000 "hello"
ledger mark
hcall BATCH U 6 0 = 6
ledger exit * * writes=1
ledger way pvdisk batch reads=2 read_bytes=2048 refused=1
ledger hcall pv batch writes=1
ledger dma pv dma reads=1 read_bytes=192
check U+24 le32:0 le32:2048
check U+56 le32:0 le32:512
check U+88 le32:E_RANGE le32:0
check U+120 le32:E_DEVICE le32:0
check U+152 le32:0 le32:5
check U+184 le32:E_AGAIN le32:0
check 0x30000 rand:2048:2
output tty "hello"
input tty "abc"
hcall BATCH U+160 1 1 = 1
check U+184 le32:0 le32:3
check 0xb100 "abc"
# A unit that overwrites the array itself: the copy is what counts.
mem U le64:8 le64:U le32:512 u8:1 u8:READ le16:0 le32:7 le32:7
mem U+32 le64:9 le64:0x30000 le32:512 u8:1 u8:READ le16:0 le32:7 le32:7
hcall BATCH U 2 0 = 2
check U+24 le32:0 le32:512
check U+56 le32:0 le32:512
hcall BATCH U 1025 0 = E_ARGUMENT
hcall BATCH U 0xffffffffffffffff 0 = E_ARGUMENT
hcall BATCH U 1 2 = E_ARGUMENT
hcall BATCH U+4 1 0 = E_ALIGN
hcall BATCH 0xffffe8 1 0 = E_ADDRESS
hcall BATCH 0xfffffffffffffff8 1 0 = E_ADDRESS
hcall BATCH 0 0 0 = 0

# ---- the table of ends ----
hcall TABLE 0x8004 1 = E_ALIGN
hcall TABLE 0xfffff8 2 = E_ADDRESS
hcall TABLE 0x8000 0x10001 = E_ARGUMENT
hcall TABLE 0x8000 4 = 0
hcall TABLE 0 0 = 0

# ---- a ring of 16 ----
let R 0x40000
let SUBMIT R+128
let DONE R+160
let UNIT R+192
hcall RING 0 R 15 0 = E_ARGUMENT
hcall RING 0 R 48 0 = E_ARGUMENT
hcall RING 0 R 2048 0 = E_ARGUMENT
hcall RING 0 R 16 2 = E_ARGUMENT
hcall RING 0 R+32 16 0 = E_ALIGN
hcall RING 0 0xffffc0 16 0 = E_ADDRESS
hcall RING 16 R 16 0 = E_DEVICE
hcall KICK 0 = E_DEVICE
hcall RING 0 R 16 0 = 0
hcall KICK 0 = 0
mem UNIT le64:8 le64:0x50000 le32:512 u8:1 u8:READ le16:0 le32:7 le32:7
mem UNIT+32 le64:9 le64:0x50200 le32:512 u8:1 u8:READ le16:0 le32:7 le32:7
mem UNIT+64 le64:2049 le64:0x50200 le32:512 u8:1 u8:READ le16:0 le32:7 le32:7
mem UNIT+96 le64:0 le64:0x50200 le32:512 u8:1 u8:READ le16:77 le32:7 le32:7
mem SUBMIT le16:0 le16:2 le16:1 le16:3
mem R le32:4 le32:3     # avail, and an interrupt at the fourth end
ledger mark
hcall KICK 0 = 0
ledger exit * * writes=1
ledger way pvdisk ring reads=3 read_bytes=1024 refused=1
irq pv edges 1
check R+64 le32:4 le32:4 le32:0
check DONE le16:0 le16:2 le16:1 le16:3
check UNIT+24 le32:0 le32:512
check UNIT+56 le32:0 le32:512
check UNIT+88 le32:E_RANGE le32:0
check UNIT+120 le32:E_DEVICE le32:0
check 0x50000 rand:1024:2
# No interrupt is wanted: intr_at is left behind. By the port of kicks.
mem SUBMIT+8 le16:1
mem R le32:5
outl PORT+4 0
check R+64 le32:5 le32:5 le32:0
irq pv edges 0
# Reads of the console wait in the ring, over a save and a load.
mem UNIT+160 le64:0 le64:0x51000 le32:4 u8:1 u8:READ le16:2 le32:7 le32:7
mem UNIT+192 le64:0 le64:0x51010 le32:4 u8:1 u8:READ le16:2 le32:7 le32:7
mem SUBMIT+10 le16:5 le16:6
mem R le32:7 le32:5
hcall KICK 0 = 0
check R+64 le32:5 le32:7 le32:0
irq pv edges 0
state
irq pv edges 1          # the line was up, and is again
input tty "uvwxyz"
irq pv edges 1
check R+64 le32:7 le32:7 le32:0
check UNIT+184 le32:0 le32:4
check UNIT+216 le32:0 le32:2
check 0x51000 "uvwx"
check 0x51010 "yz"

# A ring around its end: slots and indexes wrap apart from each other.
mem SUBMIT le16:7 le16:7 le16:7 le16:7 le16:7 le16:7 le16:7 le16:7
mem SUBMIT+16 le16:7 le16:7 le16:7 le16:7 le16:7 le16:7 le16:7 le16:7
disk d put 8 rand:20480:4
repeat 40 i
mem UNIT+32*7 le64:8+i le64:0x52000 le32:512 u8:1 u8:READ le16:0 le32:7 le32:7
mem R le32:8+i
hcall KICK 0 = 0
check R+64 le32:8+i le32:8+i le32:0
check UNIT+32*7+24 le32:0
end
hcall RING 0 0 0 0 = 0
hcall KICK 0 = E_DEVICE

# What breaks a ring: too many, a slot that is none, a slot in flight twice. An interrupt tells.
let B 0x60000
hcall RING 1 B 16 0 = 0
mem B le32:17
irq pv edges 0
hcall KICK 1 = 0
irq pv edges 1
check B+72 le32:1
mem B le32:1
hcall KICK 1 = 0
check B+64 le32:0
mem B fill:704:0
hcall RING 1 B 16 0 = 0
check B+72 le32:0
mem B+128 le16:16
mem B le32:1
hcall KICK 1 = 0
check B+72 le32:1
mem B fill:704:0
hcall RING 1 B 16 0 = 0
mem B+192 le64:0 le64:0x51000 le32:4 u8:1 u8:READ le16:2
mem B le32:2
hcall KICK 1 = 0
check B+72 le32:1
check B+64 le32:0

irq pv edges 2
# Kicks while it looks by itself: none is wanted until nothing has come for a while.
mem B fill:704:0
hcall RING 1 B 16 1 = 0
mem B+192 le64:8 le64:0x52000 le32:512 u8:1 u8:READ le16:0
mem B le32:1 le32:0xffffffff
hcall KICK 1 = 0
check B+64 le32:1 le32:0
ledger mark
mem B le32:2
advance 30 us
check B+64 le32:2 le32:0
irq pv edges 0
state
irq pv edges 1
mem B le32:3
advance 30 us
check B+64 le32:3 le32:0
advance 10 ms
check B+64 le32:3 le32:3
ledger exit * * writes=0
mem B le32:4
advance 10 ms
check B+64 le32:3
hcall KICK 1 = 0
check B+64 le32:4 le32:3
irq pv edges 0

# Gone with all it had.
hcall RESET = 0
hcall KICK 1 = E_DEVICE
hcall IO 5 READ+512*256 0x10000 1 0 = 512
hcall RING 0 R 16 1 = 0
hcall TABLE 0x8000 4 = 0
mem R fill:704:0
mem SUBMIT le16:5 le16:6
mem UNIT+160 le64:0 le64:0x51000 le32:4 u8:1 u8:READ le16:2 le32:7 le32:7
mem UNIT+192 le64:0 le64:0x51010 le32:4 u8:1 u8:READ le16:2 le32:7 le32:7
mem R le32:2
hcall KICK 0 = 0
state
state cut
state noise 300
reset
irq pv low
