# The bench and the language themselves, with no device on it.

# Nobody answers: all ones, counted as refused.
inb 0x80 0xff
inw 0x80 0xffff
inl 0x80 0xffffffff
outl 0x80 1
insw 0x100 3 ffff fill:4:0xff
outsb 0x100 "abc"
read 0xd0000000 8 0xffffffffffffffff
read 0xd0000001 3 0xffffff
write 0xd0000000 4 1
ledger pio bus unclaimed reads=6 writes=4 read_bytes=13 write_bytes=7 refused=10
ledger mmio bus unclaimed reads=2 writes=1 refused=3
ledger exit cpu0 pio writes=6
ledger exit cpu0 mmio writes=3
ledger exit * * read_bytes=24 write_bytes=11

# Bytes and memory.
mem 0x1000 00 0102 "a\n\x7f" le16:0x1234 le32:5 le64:6 u8:0xee
check 0x1000 000102 610a7f 3412 05000000 0600000000000000 ee
mem 0x2000 fill:16:0xaa seq:4:0xfe rand:8:1
check 0x2000 fill:16:170 feff0001
check 0x2014 rand:8:1
let BASE 0x3000
repeat 4 i
    mem BASE+i u8:i*3
end
check BASE 00030609
repeat 3 i
    repeat 2 j
        mem BASE+16+i*2+j u8:16*i+j
    end
end
check BASE+16 00 01 10 11 20 21

# Values that are kept.
inb 0x80 -> x
is x 0xff
is x+1 0x100
is x 0xf/0x0f

# The ledger from a mark on.
ledger mark
outb 0x80 0
ledger pio bus unclaimed reads=0 writes=1
vcpu 1
outb 0x80 0
ledger exit cpu1 pio writes=1

irq nobody low
irq nobody edges 0
msi none
event none
advance 5 ms
hcall 1 2 3 = 0xffffffffffffffda    # -ENOSYS

disk d open mem:1M
disk d check 0 fill:512:0
disk d put 3 rand:1024:7
disk d check 3 rand:1024:7
disk d check 5 fill:512:0
