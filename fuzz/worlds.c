/* The worlds, one a target: a bench with one device, told in the language of register scripts. */
#include "worlds.h"

#define PIO(base, len)                                                                             \
    {                                                                                              \
        BUS_PIO, base, len                                                                         \
    }
#define MMIO(base, len)                                                                            \
    {                                                                                              \
        BUS_MMIO, base, len                                                                        \
    }
#define MEM(base, len)                                                                             \
    {                                                                                              \
        BUS_SPACES, base, len                                                                      \
    }

#define VBLK                                                                                       \
    "device hostbridge\n"                                                                          \
    "device virtio-blk as vd0 disk=d serial=fuzz devfn=8\n" VBLK_BARS
#define VBLK_BARS                                                                                  \
    "outl 0xcf8 0x80000810\noutl 0xcfc 0xe0000000\n"                                               \
    "outl 0xcf8 0x80000818\noutl 0xcfc 0xe0010000\n"                                               \
    "outl 0xcf8 0x80000820\noutl 0xcfc 0xe0020000\n"                                               \
    "outl 0xcf8 0x80000804\noutw 0xcfc 6\n"

/* A driver has been here: negotiated, one queue of 16 at 0x1000, 0x2000, 0x3000, a read ready. */
#define VBLK_DRIVER                                                                                \
    "write 0xe0000014 1 3\n"                                                                       \
    "write 0xe0000008 4 0\nwrite 0xe000000c 4 0x30006a00\n"                                        \
    "write 0xe0000008 4 1\nwrite 0xe000000c 4 1\n"                                                 \
    "write 0xe0000014 1 11\n"                                                                      \
    "write 0xe0000018 2 16\nwrite 0xe0000020 4 0x1000\n"                                           \
    "write 0xe0000028 4 0x2000\nwrite 0xe0000030 4 0x3000\n"                                       \
    "write 0xe000001c 2 1\nwrite 0xe0000014 1 15\n"                                                \
    "mem 0x1000 le64:0x4000 le32:16 le16:1 le16:1\n"                                               \
    "mem 0x1010 le64:0x5000 le32:512 le16:3 le16:2\n"                                              \
    "mem 0x1020 le64:0x4010 le32:1 le16:2 le16:0\n"                                                \
    "mem 0x2000 le16:0 le16:1\n"

/* A driver has been here: link, 16 descriptors to send at 0x1000, 8 to receive at 0x2000. */
#define E1000_DRIVER                                                                               \
    "net n open\n"                                                                                 \
    "device hostbridge\n"                                                                          \
    "device e1000 as nic net=n devfn=8\n"                                                          \
    "outl 0xcf8 0x80000810\noutl 0xcfc 0xe0000000\n"                                               \
    "outl 0xcf8 0x80000818\noutl 0xcfc 0xd000\n"                                                   \
    "outl 0xcf8 0x80000804\noutw 0xcfc 7\n"                                                        \
    "write 0xe0000000 4 0x40000041\n"                                                              \
    "write 0xe0003800 4 0x1000\nwrite 0xe0003808 4 0x100\nwrite 0xe0000400 4 0xa\n"                \
    "write 0xe0002800 4 0x2000\nwrite 0xe0002808 4 0x80\nwrite 0xe0002818 4 7\n"                   \
    "write 0xe0005000 4 0x30e\nwrite 0xe0000100 4 0x801a\nwrite 0xe00000d0 4 0x1ffff\n"            \
    "repeat 8 I\nmem 0x2000+I*16 le64:0x4000+I*0x800\nend\n"                                       \
    "mem 0x1000 le64:0x8000 le16:60 00 0b le32:0\n"                                                \
    "mem 0x1010 0e 18 le16:33 22 32 le16:0 le32:0x270000fa 00 36 le16:100\n"                       \
    "mem 0x1020 le64:0x8000 le32:0x2f100130 00 03 le16:0\n"                                        \
    "mem 0x8000 525400aabbcc525400123456 0800 45000000000040004006 0000 0a0000010a000002 "         \
    "1234 0050 00000000 00000099 5018 0400 1a33 0000\n"

/* A driver has been here: three rings of 8, two receive buffers, a frame and a command to go. */
#define VNET_DRIVER                                                                                \
    "net n open\n"                                                                                 \
    "device hostbridge\n"                                                                          \
    "device virtio-net as nic net=n devfn=8\n"                                                     \
    "outl 0xcf8 0x80000810\noutl 0xcfc 0xe0000000\n"                                               \
    "outl 0xcf8 0x80000818\noutl 0xcfc 0xe0010000\n"                                               \
    "outl 0xcf8 0x80000804\noutw 0xcfc 6\n"                                                        \
    "write 0xe0000014 1 3\nwrite 0xe000000c 4 0x30bf99a7\n"                                        \
    "write 0xe0000008 4 1\nwrite 0xe000000c 4 1\nwrite 0xe0000014 1 0xb\n"                         \
    "repeat 3 q\nwrite 0xe0000016 2 q\nwrite 0xe0000018 2 8\n"                                     \
    "write 0xe0000020 4 0x1000+q*0x400\nwrite 0xe0000028 4 0x1100+q*0x400\n"                       \
    "write 0xe0000030 4 0x1200+q*0x400\nwrite 0xe000001c 2 1\nend\n"                               \
    "write 0xe0000014 1 0xf\n"                                                                     \
    "mem 0x1000 le64:0x4000 le32:2000 le16:2 le16:0 le64:0x5000 le32:64 le16:2 le16:0\n"           \
    "mem 0x1100 le16:0 le16:2 le16:0 le16:1\n"                                                     \
    "mem 0x1400 le64:0x2000 le32:26 le16:0 le16:0\nmem 0x1500 le16:0 le16:1 le16:0\n"              \
    "mem 0x1800 le64:0x3000 le32:3 le16:1 le16:1 le64:0x3010 le32:1 le16:2 le16:0\n"               \
    "mem 0x1900 le16:0 le16:1 le16:0\n"                                                            \
    "mem 0x2000 fill:12:0 ffffffffffff 525400123456 0806\n"

/* A driver has been here: three rings of 8, receive buffers, a REQUEST and data to go. */
#define VSOCK_DRIVER                                                                               \
    "vsk open\nvsk echo\nvsk listen 80\nvsk peer 81\n"                                             \
    "device virtio-vsock as vs mmio=0xfe800000 cid=5\n"                                            \
    "write 0xfe800070 4 3\nwrite 0xfe800024 4 1\nwrite 0xfe800020 4 1\n"                           \
    "write 0xfe800070 4 0xb\n"                                                                     \
    "repeat 3 q\nwrite 0xfe800030 4 q\nwrite 0xfe800038 4 8\n"                                     \
    "write 0xfe800080 4 0x1000+q*0x1000\nwrite 0xfe800090 4 0x1400+q*0x1000\n"                     \
    "write 0xfe8000a0 4 0x1800+q*0x1000\nwrite 0xfe800044 4 1\nend\n"                              \
    "write 0xfe800070 4 0xf\n"                                                                     \
    "repeat 8 i\nmem 0x1000+i*16 le64:0x20000+i*0x100 le32:64 le16:2 le16:0\n"                     \
    "mem 0x1404+i*2 le16:i\nmem 0x2404+i*2 le16:0\nend\nmem 0x1402 le16:6\nmem 0x2406 le16:3\n"    \
    "mem 0x2000 le64:0x10000 le32:44 le16:0 le16:0\n"                                              \
    "mem 0x2030 le64:0x10040 le32:44 le16:1 le16:4 le64:0x10100 le32:256 le16:0 le16:0\n"          \
    "mem 0x10000 le64:5 le64:2 le32:1000 le32:80 le32:0 le16:1 le16:1 le32:0 le32:100 le32:0\n"    \
    "mem 0x10040 le64:5 le64:2 le32:1000 le32:80 le32:99 le16:1 le16:5 le32:0 le32:100 le32:0\n"   \
    "mem 0x3000 le64:0x40000 le32:8 le16:2 le16:0\nmem 0x3400 le16:0 le16:1 le16:0\n"

/* A driver has been here: eight rings of 8, control buffers given, ports one and two told of, the
 * console and one opened, a line of each to go, two buffers each to fill. */
#define VCON_DRIVER(packed, high, from, to)                                                        \
    "device virtio-console as con mmio=0xfe800000 ports=2 packed=" packed "\n"                     \
    "write 0xfe800070 4 3\nwrite 0xfe800024 4 0\nwrite 0xfe800020 4 7\n"                           \
    "write 0xfe800024 4 1\nwrite 0xfe800020 4 " high "\nwrite 0xfe800070 4 0xb\n"                  \
    "repeat 8 q\nwrite 0xfe800030 4 q\nwrite 0xfe800038 4 8\n"                                     \
    "write 0xfe800080 4 0x1000+q*0x400\nwrite 0xfe800090 4 0x1100+q*0x400\n"                       \
    "write 0xfe8000a0 4 0x1200+q*0x400\nwrite 0xfe800044 4 1\nend\n"                               \
    "write 0xfe800070 4 0xf\n"                                                                     \
    "repeat 8 i\nmem 0x1800+i*16 le64:0x8000+i*32 le32:32 le16:" to "\n"                           \
    "mem 0x1904+i*2 le16:i\nmem 0x1c00+i*16 le64:0x9000+i*8 le32:8 le16:" from "\n"                \
    "mem 0x1d04+i*2 le16:i\nend\n"                                                                 \
    "repeat 2 p\nmem 0x1400+p*0x1000 le64:0xa000 le32:60 le16:" from "\n"                          \
    "mem 0x1500+p*0x1000 le16:0 le16:1 le16:0\n"                                                   \
    "mem 0x1000+p*0x1000 le64:0xb000 le32:60 le16:" to "\n"                                        \
    "mem 0x1100+p*0x1000 le16:0 le16:1 le16:0\nend\n"                                              \
    "mem 0x9000 le32:0 le16:0 le16:1 le32:0 le16:3 le16:1 le32:1 le16:3 le16:1\n"                  \
    "mem 0x9018 le32:0 le16:6 le16:1 le32:1 le16:6 le16:1 le32:2 le16:3 le16:1\n"                  \
    "mem 0x1902 le16:8\nmem 0x1d02 le16:3\nwrite 0xfe800050 4 3\n"

#define VCON_WINDOWS                                                                               \
    {                                                                                              \
        MMIO(0xfe800050, 4), MMIO(0xfe800000, 0x10c), MEM(0x1d00, 0x14), MEM(0x1c00, 0x80),        \
            MEM(0x9000, 0x40), MEM(0x1800, 0x114), MEM(0x2000, 0x600), MEM(0x1000, 0x600)          \
    }

/* A driver has been here: 8 buffers of one event each, two lights to go. */
#define VINPUT_DRIVER(more, high, from, to)                                                        \
    "device virtio-input as in mmio=0xfe800000 " more "\n"                                         \
    "write 0xfe800070 4 3\nwrite 0xfe800024 4 1\nwrite 0xfe800020 4 " high "\n"                    \
    "write 0xfe800070 4 0xb\n"                                                                     \
    "repeat 2 q\nwrite 0xfe800030 4 q\nwrite 0xfe800038 4 8\n"                                     \
    "write 0xfe800080 4 0x1000+q*0x400\nwrite 0xfe800090 4 0x1100+q*0x400\n"                       \
    "write 0xfe8000a0 4 0x1200+q*0x400\nwrite 0xfe800044 4 1\nend\n"                               \
    "write 0xfe800070 4 0xf\n"                                                                     \
    "repeat 8 i\nmem 0x1000+i*16 le64:0x8000+i*8 le32:8 le16:" to "\nmem 0x1104+i*2 le16:i\nend\n" \
    "mem 0x1102 le16:8\nmem 0x1400 le64:0x9000 le32:16 le16:" from "\n"                            \
    "mem 0x1500 le16:0 le16:1 le16:0\nmem 0x9000 le16:0x11 le16:1 le32:1 le16:0x11 le16:0 "        \
    "le32:1\n"

#define VINPUT_WINDOWS                                                                             \
    {                                                                                              \
        MMIO(0xfe800050, 4), MMIO(0xfe800000, 0x100), MMIO(0xfe800100, 0x88), MEM(0x1000, 0x114),  \
            MEM(0x1400, 0x114), MEM(0x9000, 0x40)                                                  \
    }

const struct world worlds[] = {
    {"acpipm",
     "device acpipm pm1_evt=0x600 pm1_cnt=0x604 pm_tmr=0x608 gpe0=0x620 reset=0x610 "
     "sleep_ctl=0x611 sleep_sts=0x612\n",
     {PIO(0x600, 0x28)}},
    {"chip_split",
     "device irqchip vcpus=2 split=1\n",
     {MMIO(0xfec00000, 0x44), PIO(0x20, 2), PIO(0xa0, 2), PIO(0x4d0, 2)}},
    {"debugexit", "device debugexit\n", {PIO(0xf4, 4)}},
    {"e1000",
     E1000_DRIVER,
     {MMIO(0xe0003818, 4), MMIO(0xe0000000, 0x110), MMIO(0xe0002800, 0x30), MMIO(0xe0003800, 0x30),
      MMIO(0xe0000400, 4), MMIO(0xe0004000, 0x1c00), PIO(0xd000, 8), MEM(0x1000, 0x100)}},
    {"hostbridge", "device hostbridge\n", {PIO(0xcf8, 8)}},
    {"i8042", "device i8042\n", {PIO(0x60, 1), PIO(0x64, 1), PIO(0x60, 8)}},
    {"ide",
     "device hostbridge\ndevice ide disk0=d devfn=9\n"
     "outl 0xcf8 0x80000904\noutw 0xcfc 5\noutl 0xcf8 0x80000920\noutl 0xcfc 0xc001\n",
     {PIO(0x1f0, 8), PIO(0x3f6, 1), PIO(0xc000, 16), PIO(0x170, 8), PIO(0x376, 1), PIO(0xcf8, 8),
      MEM(0x1000, 64)}},
    {"ioapic", "device ioapic\n", {MMIO(0xfec00000, 0x20), MMIO(0xfec00000, 0x100)}},
    {"lapic",
     "device irqchip vcpus=2\n",
     {MMIO(0xfee00000, 0x400), MMIO(0xfec00000, 0x20), PIO(0x20, 2), PIO(0xa0, 2), PIO(0x4d0, 2)}},
    {"pic8259", "device pic8259\n", {PIO(0x20, 2), PIO(0xa0, 2), PIO(0x4d0, 2)}},
    {"pit8254", "device pit8254\n", {PIO(0x40, 4), PIO(0x61, 1)}},
    {"pv",
     "net n open\ndevice pv disk=d net=n console=tty\n"
     "hcall 0x56440005 0 0x2000 16 0\nhcall 0x56440005 1 0x3000 16 1\n"
     "hcall 0x56440007 0x4000 8\n"
     "mem 0x1000 le64:0x56440004 le64:0x1100 le64:8 le64:0\n"
     "mem 0x1040 le64:0x56440003 le64:1 le64:0x20000 le64:0x8000 le64:0x20081 le64:0\n"
     "mem 0x1080 le64:0x56440005 le64:0 le64:0x2000 le64:16\n"
     "repeat 8 i\nmem 0x1100+32*i le64:i le64:0x8000 le32:512 u8:1 u8:0 le16:i\n"
     "mem 0x20c0+32*i le64:i le64:0x8000 le32:512 u8:1 u8:0 le16:i\n"
     "mem 0x30c0+32*i le64:i le64:0x8000 le32:64 u8:1 u8:0 le16:i\n"
     "mem 0x2080+2*i le16:i\nmem 0x3080+2*i le16:i\nend\n"
     "mem 0x2000 le32:3 le32:0\nmem 0x3000 le32:2 le32:0\noutl 0xe04 0\noutl 0xe04 1\n",
     {PIO(0xe00, 4), PIO(0xe04, 4), PIO(0xe00, 12), MEM(0x1000, 0x100), MEM(0x1100, 0x100),
      MEM(0x2000, 0x2c0), MEM(0x3000, 0x2c0), MEM(0x4000, 0x40)}},
    {"regdisk_mmio", "device regdisk disk=d space=mmio\n", {MMIO(0xd0000000, 0x1000)}},
    {"regdisk_page", "device regdisk disk=d space=mmio page=1\n", {MMIO(0xd0000000, 0x1000)}},
    {"regdisk_pio", "device regdisk disk=d\n", {PIO(0xc000, 0x40)}},
    {"rtc146818", "device rtc146818\n", {PIO(0x70, 2)}},
    {"uart16550", "device uart16550 as com1\n", {PIO(0x3f8, 8)}},
    {"vblk",
     VBLK VBLK_DRIVER,
     {MMIO(0xe0010000, 4), MMIO(0xe0000000, 0x38), MMIO(0xe0002000, 0x40), MMIO(0xe0001000, 4),
      PIO(0xcf8, 8), MEM(0x1000, 0x100), MEM(0x2000, 0x28), MEM(0x4000, 0x80)}},
    {"vevil",
     "device hostbridge\n"
     "device virtio-blk as vd0 disk=d devfn=8 evil=7\n" VBLK_BARS VBLK_DRIVER,
     {MMIO(0xe0010000, 4), MMIO(0xe0000000, 0x38), MMIO(0xe0002000, 0x40), MMIO(0xe0001000, 4),
      PIO(0xcf8, 8), MEM(0x1000, 0x100), MEM(0x2000, 0x28), MEM(0x4000, 0x80)}},
    {"v9p",
     "device virtio-9p as p mmio=0xfe800000\n"
     "write 0xfe800070 4 3\nwrite 0xfe800024 4 0\nwrite 0xfe800020 4 1\n"
     "write 0xfe800024 4 1\nwrite 0xfe800020 4 1\nwrite 0xfe800070 4 0xb\n"
     "write 0xfe800038 4 8\nwrite 0xfe800080 4 0x1000\nwrite 0xfe800090 4 0x2000\n"
     "write 0xfe8000a0 4 0x3000\nwrite 0xfe800044 4 1\nwrite 0xfe800070 4 0xf\n"
     "mem 0x1000 le64:0x4000 le32:21 le16:1 le16:1 le64:0x5000 le32:4096 le16:2 le16:0\n"
     "mem 0x2000 le16:0 le16:1 le16:0 le16:0 le16:0 le16:0\n"
     "mem 0x4000 le32:21 u8:100 le16:0 le32:8192 le16:8 \"9P2000.L\"\nwrite 0xfe800050 4 0\n"
     "mem 0x1008 le32:23\nmem 0x2002 le16:2\n"
     "mem 0x4000 le32:23 u8:104 le16:0 le32:0 le32:0xffffffff le16:0 le16:0 le32:0\n"
     "write 0xfe800050 4 0\nmem 0x4000 le32:23 u8:110 le16:0 le32:0 le32:1 le16:1 le16:1 \"f\"\n",
     {MMIO(0xfe800050, 4), MMIO(0xfe800000, 0x100), MEM(0x1000, 0x40), MEM(0x2000, 0x20),
      MEM(0x4000, 0x40)}},
    {"vballoon",
     "device virtio-balloon as bal mmio=0xfe800000 want=5\n"
     "write 0xfe800070 4 3\nwrite 0xfe800024 4 0\nwrite 0xfe800020 4 0x24\n"
     "write 0xfe800024 4 1\nwrite 0xfe800020 4 1\nwrite 0xfe800070 4 0xb\n"
     "repeat 3 q\nwrite 0xfe800030 4 q\nwrite 0xfe800038 4 8\n"
     "write 0xfe800080 4 0x1000+q*0x400\nwrite 0xfe800090 4 0x1100+q*0x400\n"
     "write 0xfe8000a0 4 0x1200+q*0x400\nwrite 0xfe800044 4 1\nend\n"
     "write 0xfe800070 4 0xf\n"
     "mem 0x1000 le64:0x2000 le32:16 le16:0 le16:0\nmem 0x1100 le16:0 le16:1 le16:0\n"
     "mem 0x1800 le64:0x5000 le32:4096 le16:2 le16:0\nmem 0x1900 le16:0 le16:1 le16:0\n"
     "mem 0x2000 le32:8 le32:9 le32:7 le32:64\n",
     {MMIO(0xfe800050, 4), MMIO(0xfe800000, 0x100), MMIO(0xfe800100, 0x10), MEM(0x1000, 0x40),
      MEM(0x1100, 0x20), MEM(0x1800, 0x40), MEM(0x2000, 0x20)}},
    {"vcon", VCON_DRIVER("0", "1", "0 le16:0", "2 le16:0"), VCON_WINDOWS},
    {"vcon_packed", VCON_DRIVER("1", "5", "i le16:0x80", "0 le16:0x82"), VCON_WINDOWS},
    {"vinput", VINPUT_DRIVER("", "1", "0 le16:0", "2 le16:0"), VINPUT_WINDOWS},
    {"vinput_packed", VINPUT_DRIVER("tablet=1 packed=1", "5", "0 le16:0x80", "i le16:0x82"),
     VINPUT_WINDOWS},
    {"vmmio",
     "device virtio-blk as vd0 disk=d mmio=0xfe800000\n"
     "write 0xfe800070 4 3\nwrite 0xfe800024 4 1\nwrite 0xfe800020 4 0x101\n"
     "write 0xfe800070 4 0xb\nwrite 0xfe800038 4 8\nwrite 0xfe800080 4 0x1000\n"
     "write 0xfe800090 4 0x2000\nwrite 0xfe8000a0 4 0x3000\nwrite 0xfe800044 4 1\n"
     "write 0xfe800070 4 0xf\n"
     "mem 0x4000 le32:0 le32:0 le64:5\nmem 0x1000 le64:0x4000 le32:16 le16:1 le16:1\n"
     "mem 0x1010 le64:0x10000 le32:512 le16:3 le16:2\nmem 0x1020 le64:0x4010 le32:1 le16:2 le16:0\n"
     "mem 0x2000 le16:0 le16:1 le16:0\n",
     {MMIO(0xfe800050, 4), MMIO(0xfe800000, 0x100), MMIO(0xfe800100, 0x40), MEM(0x1000, 0x100),
      MEM(0x2000, 0x28), MEM(0x4000, 0x20)}},
    {"vnet",
     VNET_DRIVER,
     {MMIO(0xe0010000, 12), MMIO(0xe0000000, 0x3c), MMIO(0xe0002000, 0x10), PIO(0xcf8, 8),
      MEM(0x1000, 0x40), MEM(0x1400, 0x140), MEM(0x1800, 0x140), MEM(0x2000, 0x20)}},
    {"vrng",
     "device virtio-rng as rng mmio=0xfe800000\n"
     "write 0xfe800070 4 3\nwrite 0xfe800024 4 1\nwrite 0xfe800020 4 1\n"
     "write 0xfe800070 4 0xb\nwrite 0xfe800038 4 8\nwrite 0xfe800080 4 0x1000\n"
     "write 0xfe800090 4 0x2000\nwrite 0xfe8000a0 4 0x3000\nwrite 0xfe800044 4 1\n"
     "write 0xfe800070 4 0xf\n"
     "mem 0x1000 le64:0x4000 le32:40 le16:2 le16:0\nmem 0x2000 le16:0 le16:1 le16:0\n",
     {MMIO(0xfe800050, 4), MMIO(0xfe800000, 0x100), MEM(0x1000, 0x80), MEM(0x2000, 0x20)}},
    {"vpci",
     VBLK,
     {MMIO(0xe0000000, 0x38), MMIO(0xe0020000, 0x20), MMIO(0xe0000000, 0x4000), PIO(0xcf8, 8),
      MMIO(0xe0010000, 0x1000), MMIO(0xe0020800, 8)}},
    {"vsock",
     VSOCK_DRIVER,
     {MMIO(0xfe800050, 4), MMIO(0xfe800000, 0x108), MEM(0x10000, 0x80), MEM(0x2000, 0x40),
      MEM(0x2400, 0x20), MEM(0x1000, 0x80), MEM(0x1400, 0x20)}},
    {0},
};
