# IDE bus-master DMA, programmed as a driver does it: PRD table, task file, command, start; interrupt.
disk d open mem:64M
disk d put 1000 rand:4096:1
disk d put 2000 rand:65536:2
device hostbridge as hb devfn=0
device ide as ide disk0=d devfn=8 bm=0xc000

let FEAT 0x1f1
let ERR 0x1f1
let CNT 0x1f2
let L0 0x1f3
let L1 0x1f4
let L2 0x1f5
let DEV 0x1f6
let ST 0x1f7
let BMC 0xc000
let BMS 0xc002
let BMT 0xc004
let OK 0x50

# PCI: PIIX4 IDE in compatibility mode, bus master at BAR 4; memory access is to be enabled first.
outl 0xcf8 0x80000800
inl 0xcfc 0x71118086
outl 0xcf8 0x80000808
inl 0xcfc 0x01018001
outl 0xcf8 0x80000820
inl 0xcfc 0xc001
outl 0xcf8 0x80000840
inl 0xcfc 0x8000        # IDETIM: primary on, secondary off
outl 0xcf8 0x80000804
inw 0xcfc 1
inb BMS 0x20
inb ST OK
irq ide0 low

# Before bus mastering is enabled the engine can't fetch its table: an error, at once.
mem 0x8000 le32:0x10000 le32:0x80001000
outl BMT 0x8000
outb CNT 8
outw L0 1000            # two registers in one access: 0xe8, 0x03
outb L2 0
outb DEV 0xe0
outb ST 0xc8
inb 0x3f6 0x58          # the drive waits for the engine
outb BMC 9
inb BMS 0x26            # error, interrupt
irq ide0 high
inb ST 0x51
inb ERR 4
outb BMC 0
outb BMS 0x26
inb BMS 0x20
outw 0xcfc 5

# A 4 KiB read as Linux's ata_piix does it, access by access: 26 of them (docs/disks.md).
irq ide0 edges 1
outb ST 0xe5            # something harmless, for a clean status
inb ST OK
irq ide0 edges 1
outb BMS 0x24
ledger mark
inb ST OK               # ata_dev_select: idle?
outb DEV 0xa0
inb 0x3f6 OK            #   pause
inb ST OK               #   idle?
outb FEAT 0             # ata_sff_tf_load
outb CNT 8
outb L0 0xe8
outb L1 3
outb L2 0
outb DEV 0xe0
inb ST OK               #   idle?
outl BMT 0x8000         # ata_bmdma_setup
inb BMC 0
outb BMC 8
outb ST 0xc8
inb 0x3f6 0x58          #   pause
inb BMC 8               # ata_bmdma_start
outb BMC 9
irq ide0 high
inb BMS 0x24            # the interrupt: engine idle, interrupt bit
inb BMC 9               # ata_bmdma_stop
outb BMC 8
inb 0x3f6 OK            #   pause
inb 0x3f6 OK            # ata_sff_irq_status
inb ST OK
irq ide0 low
inb BMS 0x24            # ata_bmdma_irq_clear
outb BMS 0x24
ledger exit cpu0 pio writes=26
ledger pio ide cmd0 writes=8 reads=4 refused=0
ledger pio ide ctl0 writes=0 reads=4 refused=0
ledger pio ide bm writes=5 reads=5 refused=0
ledger dma ide dma reads=1 read_bytes=8 writes=1 write_bytes=4096
ledger blk d read reads=1 read_bytes=4096
irq ide0 edges 1
check 0x10000 rand:4096:1

# 64 KiB in nine entries of odd sizes, one sector shared by two of them; written back elsewhere.
mem 0x8000 le32:0x20002 le32:2 le32:0x20100 le32:510 le32:0x21000 le32:0x1002
mem 0x8018 le32:0x30000 le32:0x3ffe le32:0x40000 le32:0x2000 le32:0x50000 le32:0x4000
mem 0x8030 le32:0x60000 le32:0x2000 le32:0x70000 le32:0x2000 le32:0x80000 le32:0x80001000-1024
outb CNT 127            # 0xfe00 bytes: what the entries add up to
outw L0 2000
outb ST 0xc8
outb BMC 9
inb ST OK
inb BMS 0x24
outb BMC 0
outb BMS 0x24
irq ide0 edges 1
outb CNT 127
outw L0 5000
outb ST 0xca
outb BMC 1
inb ST OK
inb BMS 0x24
outb BMC 0
outb BMS 0x24
irq ide0 edges 1
disk d check 5127 fill:512:0
mem 0x8000 le32:0x100000 le32:0 le32:0x120000 le32:0x80000000
outb CNT 128            # 64 KiB in one entry of "0", with a further entry unused
outw L0 5000
outb ST 0xc8
outb BMC 9
inb ST OK
inb BMS 0x25            # the table has more: the engine stays active until it is stopped
outb BMC 0
inb BMS 0x24
outb BMS 0x24
disk d put 6000 fill:512:0
check 0x100000 rand:65024:2 fill:512:0

# Started first, command after: the same. 48-bit, 512 KiB: eight entries.
repeat 8 i
    mem 0x9000+8*i le32:0x200000+0x10000*i le32:0
end
mem 0x9000+60 le32:0x80000000
outl BMT 0x9000
outb BMC 9
inb BMS 0x21
outb CNT 4
outb CNT 0              # 1024 sectors
outb L0 0
outb L0 0xd0
outb L1 0
outb L1 7
outb L2 0
outb L2 0
outb ST 0x25
irq ide0 high
inb ST OK
inb BMS 0x24
outb BMC 0
outb BMS 0x24
check 0x200000 rand:65536:2
check 0x210000 fill:512:0

# A table that is too short: what it says is moved, then the engine idles and the drive waits, silently.
mem 0x8000 le32:0x90000 le32:0x80000400
outl BMT 0x8000
irq ide0 low
outb CNT 8
outw L0 1000
outb L2 0
outb ST 0xc8
outb BMC 9
irq ide0 low
inb BMS 0x20
inb 0x3f6 0x58
outb BMC 0
# Start again with another table: the drive goes on with the third sector.
mem 0x8000 le32:0x91000 le32:0x80000c00
outb BMC 9
irq ide0 high
inb ST OK
inb BMS 0x24
check 0x90000 rand:1024:1
disk d put 7000 fill:512:1
outb BMC 0
outb BMS 0x24

# Tables that point nowhere: error and abort, for this command only.
mem 0x8000 le32:0xe0000000 le32:0x80001000
outb CNT 8
outb ST 0xc8
outb BMC 9
inb ST 0x51
inb BMS 0x26
outb BMC 0
outb BMS 0x26
outl BMT 0xf0000000
outb ST 0xc8
outb BMC 9
inb ST 0x51
inb BMS 0x26
outb BMC 0
outb BMS 0x26
# Second entry bad: nothing is moved at all.
mem 0x8000 le32:0xa0000 le32:0x200 le32:0xfffff0 le32:0x80000e00
outl BMT 0x8000
mem 0xa0000 fill:512:0xee
outb ST 0xc8
outb BMC 9
inb ST 0x51
check 0xa0000 fill:512:0xee
outb BMC 0
outb BMS 0x26
# The wrong direction is an error too.
mem 0x8000 le32:0xa0000 le32:0x80001000
outb ST 0xc8
outb BMC 1
inb ST 0x51
inb BMS 0x26
outb BMC 0
outb BMS 0x26
# Past the end of the disk: the drive says so, the engine never runs.
outb CNT 8
outb L0 0xfc
outb L1 0xff
outb L2 1
outb ST 0xc8
inb ST 0x51
inb ERR 0x10

# Entries of two bytes, the smallest there are: more of them than one piece takes.
repeat 2048 i
    mem 0xb0000+8*i le32:0xc0000+2*i le32:2
end
outl BMT 0xb0000
outb CNT 8
outw L0 1000
outb L2 0
outb ST 0xc8
outb BMC 9
await inb 0x3f6 OK      # eight pieces of 256 entries, each a turn of the loop
inb ST OK
check 0xc0000 rand:4096:1
outb BMC 0
outb BMS 0x24

# TRIM: two ranges of a list that comes by DMA.
disk d put 3000 rand:4096:5
mem 0xd0000 fill:512:0
mem 0xd0000 le32:3001 le16:0 le16:2 le32:3006 le16:0 le16:1
mem 0x8000 le32:0xd0000 le32:0x80000200
outl BMT 0x8000
outb FEAT 1
outb CNT 0
outb CNT 1
outb ST 0x06
outb BMC 1
await inb 0x3f6 OK
inb ST OK
inb BMS 0x24
outb BMC 0
outb BMS 0x24
disk d check 3001 fill:1024:0
disk d check 3006 fill:512:0
ledger blk d discard writes=2
mem 0xd0000 le32:0xffffffff le16:0xffff le16:1
outb ST 0x06
outb BMC 1
inb ST 0x51
inb ERR 0x14
outb BMC 0
outb BMS 0x26
outb CNT 0
outb CNT 9              # more blocks than it says it takes
outb ST 0x06
inb ST 0x51

outb BMS 0x24

# Reset with a command waiting for the engine; state likewise.
outb CNT 8
outw L0 1000
outb L2 0
outb ST 0xc8
state
inb 0x3f6 0x58
outb 0x3f6 4
outb 0x3f6 0
inb ST OK
mem 0x8000 le32:0xe0000 le32:0x80001000
outb BMC 9
inb BMS 0x21            # nobody asks for data
irq ide0 low
outb BMC 0
outb DEV 0xe0
outb CNT 8
outw L0 1000
outb ST 0xc8
state save
outb BMC 9
state load
inb 0x3f6 0x58
inb BMC 0
outb BMC 9
inb ST OK
check 0xe0000 rand:4096:1
state cut
state noise 300
reset
inb BMS 0x20
outl 0xcf8 0x80000840
inl 0xcfc 0x8000
# Switched off by its enable bit, the channel is gone.
outl 0xcfc 0
inb ST 0xff
outl 0xcfc 0x8000
inb ST OK
