# The same controller in memory space: only the way differs. 64-bit stores save traps there.
disk d open mem:1M
disk d put 5 rand:512:1
device regdisk as rd disk=d space=mmio base=0xd0000000
let R 0xd0000000

# X and Z by 64-bit stores, COUNT and Y by one: a request with everything given costs five traps.
ledger mark
write R 8 5
write R+8 8 0x10000
write R+0x10 8 1
write R+0x18 4 1
read R+0x1c 4 2
ledger mmio rd * writes=4 reads=1 refused=0
ledger exit cpu0 mmio writes=5
check 0x10000 rand:512:1

# And one that changes X, Z only, as in port space: three, and the look at STATUS.
ledger mark
write R 4 5
write R+8 4 0x10200
write R+0x18 4 1
read R+0x1c 4 2
ledger exit cpu0 mmio writes=4
check 0x10200 rand:512:1

# STATUS and ERROR in one load.
write R+0x14 4 9
write R+0x18 4 1
read R+0x1c 4 6
read R+0x20 4 6
read R+0x30 8 2048
read R 8 5
read R+1 1 0xff
read R+0x1d 4 0xffffffff
read R+0x3c 8 0xffffffffffffffff
write R+0x1c 4 0

# A read-only disk says so.
disk ro open mem:64K readonly
device regdisk as rr disk=ro space=mmio base=0xd0001000
let Q 0xd0001000
read Q+0x3c 4 1
write Q+0x14 4 1
write Q+0x18 4 1
read Q+0x1c 4 6
read Q+0x20 4 4
ledger blk ro write writes=0
