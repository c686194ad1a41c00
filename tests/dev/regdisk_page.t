# trap=writes (docs/mechanisms.md): the page that the guest reads has in it what the registers have.
disk d open mem:1M
disk d put 5 rand:512:1
device regdisk as rd disk=d space=mmio base=0xd0000000 page=1
let R 0xd0000000

# From the start: what never changes, and what is 1 after reset. Behind the registers, nobody.
page R+0x38 4 0x4b534452
page R+0x2c 4 2048
page R+0x30 8 2048
page R+0x10 4 1
page R+0x1c 4 0
page R+0x40 8 0xffffffffffffffff
page R+0xff8 8 0xffffffffffffffff

# Each register as it is written, both halves of a wide store.
repeat 3 I
  write R+8*I 8 0x1111222233330000+I
  page R+8*I 8 0x1111222233330000+I
  read R+8*I 8 -> V
  page R+8*I 8 V
  write R+8*I 8 0
end

# A request: STATUS and ERROR follow at once, and the line comes with them.
write R+0x24 4 2
page R+0x24 4 2
write R 8 5
write R+8 8 0x10000
write R+0x10 8 1
ledger mark
write R+0x18 4 1
page R+0x1c 4 2
irq rd high
page R+0x18 4 0
page R+0x28 4 0
check 0x10000 rand:512:1
write R+0x28 4 2
page R+0x1c 4 0
irq rd low
ledger mmio rd * reads=0 writes=2

# One that fails.
write R 8 2048
write R+0x18 4 1
page R+0x1c 4 6
page R+0x20 4 1
# One that is none, reset, and a write to what can't be written.
write R+0x18 4 99
page R+0x20 4 6
write R+0x18 4 3
page R 8 0
page R+0x10 8 1
page R+0x1c 8 0
write R+0x38 4 7
page R+0x38 4 0x4b534452

# What is loaded is shown too.
write R 4 77
state
page R 4 77
write R 4 78
state save
write R 4 79
state load
page R 4 78
reset
page R 4 0

# FEATURES says that there is a page.
page R+0x3c 4 2
