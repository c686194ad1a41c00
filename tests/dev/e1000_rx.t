# Receiving on the 82540EM: filters, descriptors of every size, FCS, tags, checksums, delays, what
# is counted, and what lies about its buffers.
net n open
device hostbridge as hb devfn=0
device e1000 as nic net=n devfn=24
let FN 0x80001800
outl 0xcf8 FN+0x10
outl 0xcfc 0xe0000000
outl 0xcf8 FN+0x18
outl 0xcfc 0xd000
outl 0xcf8 FN+4
outw 0xcfc 7
let B 0xe0000000
let CTRL B
let STATUS B+8
let EECD B+0x10
let EERD B+0x14
let MDIC B+0x20
let ICR B+0xc0
let ITR B+0xc4
let ICS B+0xc8
let IMS B+0xd0
let IMC B+0xd8
let RCTL B+0x100
let TCTL B+0x400
let RDBAL B+0x2800
let RDLEN B+0x2808
let RDH B+0x2810
let RDT B+0x2818
let RDTR B+0x2820
let RADV B+0x282c
let TDBAL B+0x3800
let TDLEN B+0x3808
let TDH B+0x3810
let TDT B+0x3818
let TIDV B+0x3820
let TADV B+0x382c
let RXCSUM B+0x5000
let MTA B+0x5200
let RAL B+0x5400
let RAH B+0x5404
let VFTA B+0x5600

# A driver has set it up: link, a ring of 16 at 0x10000 to send, one of 8 at 0x20000 to receive.
write CTRL 4 0x41
write TDBAL 4 0x10000
write TDLEN 4 0x100
write TCTL 4 0xa
write RDBAL 4 0x20000
write RDLEN 4 0x80
write RDT 4 0
write RCTL 4 0x04008002     # on, broadcast, FCS stripped, buffers of 2048
read ICR 4


repeat 8 I
mem 0x20000+I*16 le64:0x40000+I*0x1000 fill:8:0xaa
end

# No descriptor: the frame waits outside, once counted.
net n recv refused ffffffffffff 525400123456 0806 "hello" fill:41:0
net n recv refused ffffffffffff 525400123456 0806 "hello" fill:41:0
read B+0x40a0 4 1           # RNBC
read ICR 4 0
write RDT 4 4
net n readys 1
write RDT 4 4
net n readys 0
net n recv ffffffffffff 525400123456 0806 "hello" fill:41:0
check 0x40000 ffffffffffff 525400123456 0806 "hello" fill:41:0
# status: DD, EOP, IXSM; the packet checksum is the sum of it all
check 0x20000 le64:0x40000 le16:60 d294 07 00 0000
read RDH 4 1
read ICR 4 0x80             # RXT0
write RDT 4 0

# Short ones are filled up; in several pieces or one, all is the same.
net n recv ffffffffffff 525400123456 0806 "hi"
check 0x41000 ffffffffffff 525400123456 0806 "hi" fill:44:0
check 0x20018 le16:60
net n recv pieces ffffffffffff 525400123456 0806 seq:100:1
check 0x42000 ffffffffffff 525400123456 0806 seq:100:1
check 0x20028 le16:114

# With the FCS.
write RCTL 4 0x8002
net n recv ffffffffffff 525400123456 0806 fill:46:0
check 0x43000 ffffffffffff 525400123456 0806 fill:46:0 31daea33
check 0x20038 le16:64
read ICR 4 0x90             # RXDMT0 too: half of the ring is free

# Exact addresses: RAL/RAH 0 is the card's own; others when AV is set and AS is zero.
write RCTL 4 0x04008002
write RDT 4 3
net n recv 525400123456 020000000001 88b5 fill:46:1
read RDH 4 5
net n recv 525400123457 020000000001 88b5 fill:46:1
read RDH 4 5
write B+0x5478 4 0x12005452
write B+0x547c 4 0x80005734
net n recv 525400123457 020000000001 88b5 fill:46:1
read RDH 4 6
write B+0x547c 4 0x80015734
net n recv 525400123457 020000000001 88b5 fill:46:1
write B+0x547c 4 0x00005734
net n recv 525400123457 020000000001 88b5 fill:46:1
read RDH 4 6
# RCTL.UPE takes any unicast, and says that it was no exact match (PIF).
write RCTL 4 0x0400800a
net n recv 525400123457 020000000001 88b5 fill:46:1
read RDH 4 7
check 0x2006c 87
# broadcast without BAM
write RCTL 4 0x04000002
net n recv ffffffffffff 020000000001 88b5 fill:46:1
read RDH 4 7

# Multicast: bit of MTA by MO. 01005e0a0b0c: 0x0c0b >> 4, 3, 2, 0 & 0xfff.
write RDT 4 6
repeat 4 M
write RCTL 4 0x04000002+M*0x1000
net n recv 01005e0a0b0c 020000000001 88b5 fill:46:1
end
read RDH 4 7
write MTA+6*4 4 1           # 0x0c0
net n recv 01005e0a0b0c 020000000001 88b5 fill:46:1
read RDH 4 7
write RCTL 4 0x04000002
net n recv 01005e0a0b0c 020000000001 88b5 fill:46:1
read RDH 4 0
check 0x2007c 87
write RCTL 4 0x04001002
write MTA+12*4 4 2          # 0x181
net n recv 01005e0a0b0c 020000000001 88b5 fill:46:1
read RDH 4 1
write RCTL 4 0x04002002
write MTA+24*4 4 4          # 0x302
net n recv 01005e0a0b0c 020000000001 88b5 fill:46:1
read RDH 4 2
write RCTL 4 0x04003002
write MTA+96*4 4 0x800      # 0xc0b
net n recv 01005e0a0b0c 020000000001 88b5 fill:46:1
read RDH 4 3
write MTA+96*4 4 0
net n recv 01005e0a0b0c 020000000001 88b5 fill:46:1
read RDH 4 3
write RCTL 4 0x04000012     # MPE
net n recv 01005e0a0b0d 020000000001 88b5 fill:46:1
read RDH 4 4
read B+0x407c 4 5           # MPRC
read B+0x4078 4 4           # BPRC
read B+0x4074 4 12          # GPRC

# VLANs: VFTA decides with VFE, CTRL.VME takes the tag out, CFI by CFIEN.
write RCTL 4 0x04048002
net n recv ffffffffffff 020000000001 8100 6007 0806 fill:46:1
read RDH 4 4
write VFTA 4 0x80
net n recv ffffffffffff 020000000001 8100 6007 0806 fill:46:1
read RDH 4 5
check 0x44000 ffffffffffff 020000000001 8100 6007 0806 fill:46:1
check 0x20048 le16:64
write CTRL 4 0x40000041
write RDT 4 4
net n recv ffffffffffff 020000000001 8100 6007 0806 fill:46:1
read RDH 4 6
check 0x45000 ffffffffffff 020000000001 0806 fill:46:1
check 0x20058 le16:60
check 0x2005c 0f 00 0760
# the same when it comes in pieces
write RDH 4 5
mem 0x20058 fill:8:0
mem 0x45000 fill:64:0
net n recv pieces ffffffffffff 020000000001 8100 6007 0806 fill:46:1
read RDH 4 6
check 0x45000 ffffffffffff 020000000001 0806 fill:46:1 fill:4:0
check 0x20058 le16:60
check 0x2005c 0f 00 0760
write RCTL 4 0x040c8002     # CFIEN: CFI must be 0
net n recv ffffffffffff 020000000001 8100 7007 0806 fill:46:1
read RDH 4 6
write RCTL 4 0x041c8002     # must be 1
net n recv ffffffffffff 020000000001 8100 7007 0806 fill:46:1
read RDH 4 7
write CTRL 4 0x41
write RCTL 4 0x04008002

# Length: 1518 bytes with FCS, 1522 tagged; longer ones only with LPE.
write RDT 4 6
net n recv ffffffffffff 020000000001 88b5 fill:1500:1
read RDH 4 0
net n recv ffffffffffff 020000000001 88b5 fill:1501:1
read RDH 4 0
net n recv ffffffffffff 020000000001 8100 0001 88b5 fill:1500:1
read RDH 4 1
read B+0x40ac 4 1           # ROC
# LPE and buffers of 256: a frame of 1000 takes four; DD in each, EOP in the last.
write RCTL 4 0x04038022
mem 0x20018 fill:8:0xaa
mem 0x20028 fill:8:0xaa
mem 0x20038 fill:8:0xaa
mem 0x20048 fill:8:0xaa
net n recv ffffffffffff 020000000001 88b5 seq:986:0
read RDH 4 5
check 0x41000 ffffffffffff 020000000001 88b5 seq:242:0
check 0x42000 seq:256:242
check 0x44000 seq:232:242+512
check 0x20018 le16:256 0000 01 00 0000
check 0x20028 le16:256 0000 01 00 0000
check 0x20038 le16:256 0000 01 00 0000
check 0x20048 le16:232
check 0x2004c 07 00 0000
# the next needs two, one is free
net n recv refused ffffffffffff 020000000001 88b5 seq:286:0
net n recv ffffffffffff 020000000001 88b5 seq:46:0
read RDH 4 6
# more than the whole ring could hold is dropped, not waited for
net n recv ffffffffffff 020000000001 88b5 fill:3000:0
read RDH 4 6
# extended sizes: 4096, 8192, 16384
write RCTL 4 0x06038022
mem 0x20060 le64:0x100000
mem 0x20070 le64:0x110000
write RDT 4 0
net n recv ffffffffffff 020000000001 88b5 fill:4083:7
read RDH 4 0
check 0x20068 le16:4096
check 0x20078 le16:1
write RDT 4 2
write RCTL 4 0x06018022
mem 0x20000 le64:0x100000
net n recv ffffffffffff 020000000001 88b5 fill:16000:7
read RDH 4 1
check 0x20008 le16:16014
# beyond the FIFO
net n recv ffffffffffff 020000000001 88b5 fill:17000:7
read RDH 4 1
write RCTL 4 0x04008002

# RXDMT0 when free ones go down to a half (2 of RDMTS 0), SRPD for short ones.
repeat 8 I
mem 0x20000+I*16 le64:0x40000+I*0x1000 fill:8:0xaa
end
write RDT 4 6
read ICR 4
net n recv ffffffffffff 020000000001 88b5 fill:46:0
read ICR 4 0x90
net n recv ffffffffffff 020000000001 88b5 fill:46:0
read ICR 4 0x80
write B+0x2c00 4 64
net n recv ffffffffffff 020000000001 88b5 fill:46:0
read ICR 4 0x10080
net n recv ffffffffffff 020000000001 88b5 fill:100:0
read ICR 4 0x80
write B+0x2c00 4 60
write RDT 4 0
net n recv ffffffffffff 020000000001 88b5 fill:46:0
read ICR 4 0x10080
write RDH 4 5
write B+0x2c00 4 59
net n recv ffffffffffff 020000000001 88b5 fill:46:0
read ICR 4 0x80/0x10080
write RDH 4 5
write RDT 4 6
write B+0x2c00 4 0

# Checksums: good ones, bad ones, none; TCP over IPv6; a fragment.
write RXCSUM 4 0x300
write RDT 4 4
net n recv ffffffffffff02000000000108004500002112340000401154960a0000010a00000203e80035000da3e268656c6c6f00000000000000000000000000
check 0x2005c 63 00
net n recv ffffffffffff02000000000108004500002112340000401154860a0000010a00000203e80035000da3e268656c6c6f00000000000000000000000000
check 0x2006c 63 40
net n recv ffffffffffff02000000000108004500002112340000401154960a0000010a00000203e80035000da3c268656c6c6f00000000000000000000000000
check 0x2007c 63 20
net n recv ffffffffffff02000000000108004500002112340000401154960a0000010a00000203e80035000d000068656c6c6f00000000000000000000000000
check 0x2000c 43 00
net n recv ffffffffffff02000000000186dd6000000000190640000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f00500400000000010000000250100064c05500006461746121
check 0x2001c 23 00
net n recv ffffffffffff02000000000108004500002112342000401134960a0000010a00000203e80035000da3e268656c6c6f00000000000000000000000000
check 0x2002c 43 00
read RDH 4 3
write RXCSUM 4 0
net n recv ffffffffffff02000000000108004500002112340000401154960a0000010a00000203e80035000da3e268656c6c6f00000000000000000000000000
check 0x2003c 07 00
# PCSS: where the packet checksum starts
write RXCSUM 4 14
write RDT 4 7
net n recv ffffffffffff02000000000108004500002112340000401154960a0000010a00000203e80035000da3e268656c6c6f606162636465666768696a6b6c
check 0x2004a 52ab

write RXCSUM 4 15
net n recv ffffffffffff02000000000108004500002112340000401154960a0000010a00000203e80035000da3e268656c6c6f00000000000000000000000000
check 0x2005a dea6
write RDH 4 5

# RDTR: RXT0 waits until it was quiet for so long, RADV at most; FPD ends it; ITR spaces lines.
read ICR 4
write IMS 4 0x80
write RDTR 4 10
write RADV 4 15
net n recv ffffffffffff 020000000001 88b5 fill:46:0
advance 8 us
net n recv ffffffffffff 020000000001 88b5 fill:46:0
write RDT 4 3
advance 7 us
irq nic low
advance 400
irq nic high
read ICR 4 0x90/0x80
irq nic low
net n recv ffffffffffff 020000000001 88b5 fill:46:0
irq nic low
write RDTR 4 0x8000000a
irq nic high
read ICR 4 0x80/0x80
write RDTR 4 0
write ITR 4 200             # 51.2 us
irq nic edges 2
net n recv ffffffffffff 020000000001 88b5 fill:46:0
irq nic high
read ICR 4 0x80/0x80
net n recv ffffffffffff 020000000001 88b5 fill:46:0
irq nic low
advance 51 us
irq nic low
advance 200
irq nic high
irq nic edges 2
# masked, the time goes on and costs no timer; unmasking after it raises the line at once
read ICR 4
write IMC 4 0x80
net n recv ffffffffffff 020000000001 88b5 fill:46:0
advance 100 us
irq nic low
write IMS 4 0x80
irq nic high
read ICR 4
write ITR 4 0

# Pause frames are for the MAC: counted with RFCE, passed only with PMCF.
write RDT 4 1
read RDH 4 -> H
write B+0x28 4 0x00c28001
write B+0x2c 4 0x0100
write B+0x30 4 0x8808
write CTRL 4 0x08000041
net n recv 0180c2000001 020000000001 8808 0001 ffff fill:42:0
net n recv 0180c2000001 020000000001 8808 0001 0000 fill:42:0
net n recv 0180c2000001 020000000001 8808 0002 0000 fill:42:0
read RDH 4 H
read B+0x4048 4 1           # XONRXC
read B+0x4050 4 1           # XOFFRXC
read B+0x4058 4 1           # FCRUC
write CTRL 4 0x41

# Not listening: frames pass by, and none waits.
write RCTL 4 0x04008000
net n recv ffffffffffff 020000000001 88b5 fill:46:0
outl 0xcf8 FN+4
outw 0xcfc 3
write RCTL 4 0x04008002
net n recv ffffffffffff 020000000001 88b5 fill:46:0
outw 0xcfc 7
outl 0xcf8 FN+0xe0
outw 0xcfc 0x2003
net n recv ffffffffffff 020000000001 88b5 fill:46:0
outw 0xcfc 0x2000
write CTRL 4 0x41
write RDBAL 4 0x20000
write RDLEN 4 0x80
write RCTL 4 0x04008002
read RDH 4 0

# MSI instead of the line.
write IMS 4 0x80
outl 0xcf8 FN+0xf4
outl 0xcfc 0xfee00000
outl 0xcf8 FN+0xfc
outl 0xcfc 0x4041
outl 0xcf8 FN+0xf0
outl 0xcfc 0x00810005
write RDT 4 7
net n recv ffffffffffff 020000000001 88b5 fill:46:0
msi 0xfee00000 0x4041
irq nic low
net n recv ffffffffffff 020000000001 88b5 fill:46:0
msi none                    # not before ICR was read
state
read ICR 4 0x80/0x80
net n recv ffffffffffff 020000000001 88b5 fill:46:0
msi 0xfee00000 0x4041
outl 0xcf8 FN+0xf0
outl 0xcfc 0x00800005

# ---- bad input ----
# A buffer that is nowhere loses its bytes; a null one too, without a bus error.
read RDH 4 3
mem 0x20030 le64:0xffffffffff000
mem 0x20040 le64:0
mem 0 fill:64:0x5a
ledger mark
net n recv ffffffffffff 020000000001 88b5 fill:46:0
net n recv ffffffffffff 020000000001 88b5 fill:46:0
ledger dma nic dma refused=1
read RDH 4 5
check 0x2004c 07
check 0 fill:64:0x5a
# The ring is nowhere, has no length, or indices outside: dropped or left waiting.
write B+0x2804 4 0xffffff
net n recv ffffffffffff 020000000001 88b5 fill:46:0
read RDH 4 5
write B+0x2804 4 0
write RDLEN 4 0
net n recv refused ffffffffffff 020000000001 88b5 fill:46:0
write RDLEN 4 0x80
write RDT 4 0x100
net n recv refused ffffffffffff 020000000001 88b5 fill:46:0
write RDT 4 7
write RDH 4 0x100
net n recv refused ffffffffffff 020000000001 88b5 fill:46:0
write RDH 4 0
# Loopback that feeds itself: the buffers received into are the frames to send. It ends, counted.
write TDBAL 4 0x10000
write TDLEN 4 0x100
write TCTL 4 0xa
write RCTL 4 0x04008042
mem 0x40000 ffffffffffff 525400123456 88b5 fill:46:9
repeat 16 I
mem 0x10000+I*16 le64:0x40000 le16:60 00 0b le32:0
end
repeat 8 I
mem 0x20000+I*16 le64:0x40000 le64:0
end
read B+0x4010 4
read ICR 4
write TDT 4 15
read TDH 4 15
read RDH 4 7
read B+0x4010 4 8           # MPC: fifteen sent, seven buffers
read ICR 4 0xd3/0xd3        # TXDW, TXQE, RXDMT0, RXO, RXT0
net n sent none
# By the PHY as well; what comes from the cable is not heard meanwhile.
write RCTL 4 0x04008002
write MDIC 4 0x04204140
net n recv ffffffffffff 020000000001 88b5 fill:46:0
write RDH 4 0
write RDT 4 7
write TDT 4 0
read RDH 4 1
net n sent none
# A frame waits outside when the card is reset: the network is told that nothing holds it any more.
write MDIC 4 0x04200140
write RDH 4 0
write RDT 4 0
net n readys 4
net n recv refused ffffffffffff 020000000001 88b5 fill:46:0
write CTRL 4 0x04000000
net n readys 1
state
state noise 300
