# virtio-9p (device 9 of VIRTIO 1.2; 9P2000.L): the tag, a session from version to clunk, a request
# and its reply in pieces, what is no message, a reset that ends the session, and its counts.
device virtio-9p as p tag=host mmio=0xfe800000
let R 0xfe800000
let MSG 0x10000
let OUT 0x11000
read R+8 4 9
read R+0x100 4 0x6f680004           # le16 4, "host"
read R+0x104 2 0x7473
write R+0x70 4 3
write R+0x14 4 0
read R+0x10 4 0x30000001
write R+0x24 4 0
write R+0x20 4 1
write R+0x24 4 1
write R+0x20 4 1
write R+0x70 4 0xb
read R+0x34 4 128
write R+0x38 4 8
write R+0x80 4 0x1000
write R+0x90 4 0x2000
write R+0xa0 4 0x3000
write R+0x44 4 1
write R+0x70 4 0xf
# Request in MSG, reply of 4096 bytes at OUT: descriptors 0 and 1, used over and over.
mem 0x1000 le64:MSG le32:21 le16:1 le16:1
mem 0x1010 le64:OUT le32:4096 le16:2 le16:0
mem 0x2000 le16:0 le16:1 le16:0 le16:0 le16:0 le16:0 le16:0 le16:0 le16:0 le16:0

# Tversion: msize 8192. Before it nothing else is answered but with an error.
ledger mark
mem MSG le32:21 u8:100 le16:0xffff le32:8192 le16:8 "9P2000.L"
write R+0x50 4 0
check OUT le32:21 u8:101 le16:0xffff le32:8192 le16:8 "9P2000.L"
check 0x3002 le16:1 le32:0 le32:21
# Tattach of fid 1: a directory.
mem 0x1008 le32:23
mem MSG le32:23 u8:104 le16:1 le32:1 le32:0xffffffff le16:0 le16:0 le32:0xffffffff
mem 0x2002 le16:2
write R+0x50 4 0
check OUT le32:20 u8:105 le16:1 u8:0x80
# Twalk to "f" as fid 2, its request cut in two, its reply in three.
mem 0x1000 le64:MSG le32:5 le16:1 le16:2
mem 0x1020 le64:MSG+5 le32:15 le16:1 le16:3
mem 0x1030 le64:OUT+0x100 le32:3 le16:3 le16:4
mem 0x1040 le64:OUT+0x200 le32:6 le16:3 le16:5
mem 0x1050 le64:OUT+0x300 le32:100 le16:2 le16:0
mem MSG le32:20 u8:110 le16:2 le32:1 le32:2 le16:1 le16:1 "f"
mem 0x2002 le16:3
write R+0x50 4 0
check OUT+0x100 160000
check OUT+0x200 00 6f 0200 0100
check OUT+0x300 u8:0                 # a plain file
mem 0x1000 le64:MSG le32:15 le16:1 le16:1
# Tlopen, to read.
mem MSG le32:15 u8:12 le16:3 le32:2 le32:0
mem 0x2002 le16:4
write R+0x50 4 0
check OUT le32:24 u8:13 le16:3 u8:0
check OUT+20 le32:4096               # iounit: whole pages of what fits into 8192
# Tread of 100 bytes at 5: there are 9.
mem 0x1008 le32:23
mem MSG le32:23 u8:116 le16:4 le32:2 le64:5 le32:100
mem 0x2002 le16:5
write R+0x50 4 0
check OUT le32:20 u8:117 le16:4 le32:9 "the host\n"
check 0x3024 le32:0 le32:20
ledger share p read reads=1 read_bytes=9
ledger share p session reads=2
ledger share p files reads=1 refused=0

# A write to a fid that is open for reading: EBADF, with its data in a descriptor of its own.
mem 0x1000 le64:MSG le32:23 le16:1 le16:2
mem 0x1020 le64:MSG+0x100 le32:4 le16:1 le16:1
mem MSG le32:27 u8:118 le16:5 le32:2 le64:0 le32:4
mem 0x2002 le16:6
write R+0x50 4 0
check OUT le32:11 u8:7 le16:5 le32:9
ledger share p write writes=1 write_bytes=4 refused=1

# No messages: a size beyond the chain, below the head; a head cut short; no room for an answer.
mem 0x1000 le64:MSG le32:23 le16:1 le16:1
mem MSG le32:24 u8:116 le16:6 le32:2 le64:5 le32:100
mem 0x2002 le16:7
write R+0x50 4 0
check OUT le32:11 u8:7 le16:6 le32:22
mem MSG le32:6
mem 0x2002 le16:8
write R+0x50 4 0
check OUT le32:11 u8:7 le16:6 le32:22
mem 0x1008 le32:6
mem 0x2002 le16:9
write R+0x50 4 0
check OUT le32:11 u8:7 le16:0 le32:22
mem 0x1008 le32:23
mem 0x1018 le32:10
mem OUT fill:16:0xee
mem 0x2002 le16:10
write R+0x50 4 0
check OUT fill:16:0xee
check 0x3002 le16:10
check 0x300c le32:0 le32:0           # the second of eight used elements, for the tenth time round
read R+0x70 4 0xf
# Outside RAM: the room, then the request.
mem 0x1010 le64:0x7fffff000 le32:4096
mem 0x2002 le16:11
write R+0x50 4 0
check 0x3014 le32:0 le32:0
mem 0x1010 le64:OUT le32:4096
mem 0x1000 le64:0x7fffff000
mem 0x2002 le16:12
write R+0x50 4 0
check OUT le32:11 u8:7 le16:0 le32:14
mem 0x1000 le64:MSG
read R+0x70 4 0xf
state
state noise 500
state cut

# After a load, or a reset, no fid is known and no version agreed.
mem MSG le32:23 u8:116 le16:7 le32:2 le64:5 le32:100
mem 0x2002 le16:13
write R+0x50 4 0
check OUT le32:11 u8:7 le16:7 le32:71
# A head that is out of range: the driver must reset.
mem 0x2004+26 le16:9
mem 0x200e le16:200
mem 0x2002 le16:14
write R+0x50 4 0
read R+0x70 4 0x4f
write R+0x70 4 0
read R+0x70 4 0
