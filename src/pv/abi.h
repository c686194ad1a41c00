/*
 * The hypercall ABI, version 1.0, as guests see it: included by the hypervisor, by bare-metal
 * guests and by Linux modules, so nothing here but numbers, layouts and one formula.
 * docs/hypercalls.md explains it; this file is the reference. All words are little-endian.
 *
 * A request is a *unit of I/O*: X where on the device, Y direction, Z guest-physical address of the
 * buffer, CMD what to do, devid which device. It comes in one of three forms, on any device, mixed
 * at will: in registers (PV_CALL_IO), in an array (PV_CALL_BATCH), in a ring (PV_CALL_RING).
 */
#ifndef PV_ABI_H
#define PV_ABI_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdint.h>
#endif

/*
 * Discovery. CPUID leaf PV_CPUID: EAX the last leaf here, EBX ECX EDX as below
 * ("ViaductHcall"). Leaf PV_CPUID + 1: EAX version, EBX PV_FEATURE_*, ECX first port, EDX global
 * system interrupt (edge-triggered, active high). ACPI has the same ports and interrupt, as device
 * PV_ACPI_HID. Without devices of this family there are neither leaves nor ports.
 */
#define PV_CPUID          0x40000100u
#define PV_CPUID_EBX      0x64616956u /* "Viad" */
#define PV_CPUID_ECX      0x48746375u /* "uctH" */
#define PV_CPUID_EDX      0x6c6c6163u /* "call" */
#define PV_ACPI_HID       "VIAD0002"
#define PV_VERSION        0x00010000u /* major << 16 | minor: minor only adds */
#define PV_FEATURE_VMCALL 1u          /* VMCALL and VMMCALL are calls (either opcode, any vendor) */
#define PV_FEATURE_PORT   2u          /* ports are; always set */

/*
 * Ports: 32-bit accesses only.
 *   PV_PORT_CALL  write: guest-physical address / PV_BLOCK_ALIGN of a struct pv_block: a call; its
 *                 result is in the block when the instruction ends. Read: PV_ID.
 *   PV_PORT_KICK  write: PV_CALL_KICK of that ring. Read: PV_VERSION.
 *   PV_PORT_LAST  read: the low half of the result of the last write to one of the two; a block
 *                 that is not RAM gives -PV_E_ADDRESS here and nowhere else.
 */
#define PV_PORT_CALL   0
#define PV_PORT_KICK   4
#define PV_PORT_LAST   8
#define PV_PORTS       12
#define PV_ID          0x4c434856u /* "VHCL" */
#define PV_BLOCK_ALIGN 64

struct pv_block {
    uint64_t call;   /* as RAX before VMCALL */
    uint64_t arg[5]; /* as RBX RCX RDX RSI RDI */
    uint64_t result; /* as RAX after it; written by the hypervisor */
    uint64_t spare;
};

/*
 * Calls. By VMCALL or VMMCALL (kernel mode): number in RAX, arguments in RBX RCX RDX RSI RDI,
 * result in RAX, no other register changes. A result that is negative is -PV_E_*.
 */
#define PV_CALL         0x56440000u
#define PV_CALL_VERSION (PV_CALL + 0) /* () → PV_VERSION */
#define PV_CALL_DEVICES (PV_CALL + 1) /* () → how many: their devids are 0 … n-1 */
#define PV_CALL_DEVICE  (PV_CALL + 2) /* (devid, gpa): writes a struct pv_device there → 0 */
#define PV_CALL_IO      (PV_CALL + 3) /* (X, Y, Z, CMD, devid) → bytes moved */
#define PV_CALL_BATCH   (PV_CALL + 4) /* (gpa of struct pv_unit[n], n, PV_BATCH_*) → n */
#define PV_CALL_RING    (PV_CALL + 5) /* (ring, gpa, entries, PV_RING_*) → 0; entries 0: none */
#define PV_CALL_KICK    (PV_CALL + 6) /* (ring) → 0 */
#define PV_CALL_TABLE   (PV_CALL + 7) /* (gpa of struct pv_end[n], n) → 0; n 0: none */
#define PV_CALL_RESET   (PV_CALL + 8) /* (): waits for all units, drops rings and table → 0 */
#define PV_CALLS        9

/* What a call, a unit and a struct pv_end say of a failure. */
#define PV_E_PENDING  1  /* no failure: the unit has begun and ends later */
#define PV_E_MEDIA    5  /* the back end failed */
#define PV_E_DEVICE   6  /* no such devid, ring or tag */
#define PV_E_AGAIN    11 /* nothing to read now */
#define PV_E_ROOM     12 /* too many units in flight, or no room for a frame */
#define PV_E_ADDRESS  14 /* Z (or an array, ring, block) is not all RAM, or wraps */
#define PV_E_ARGUMENT 22 /* an argument outside what its line says */
#define PV_E_READONLY 30
#define PV_E_RANGE    33 /* X + length is past the end of the disk */
#define PV_E_LENGTH   34 /* length 0, or more than the device takes */
#define PV_E_ALIGN    35 /* length is no multiple of the block size; a ring that isn't aligned */
#define PV_E_CALL     38 /* no such call */
#define PV_E_COMMAND  95 /* CMD or Y unknown, or not for this device */

/*
 * CMD. PV_CMD_START with Y: move `len` bytes. A disk: from sector X (of 512 bytes). A NIC: write
 * sends one Ethernet frame, read receives one. A console: write shows bytes, read takes typed ones.
 */
#define PV_CMD_START   1
#define PV_CMD_FLUSH   2    /* disk: all that was written is durable */
#define PV_CMD_DISCARD 3    /* disk: len bytes from X are not needed any more */
#define PV_CMD_ZEROES  4    /* disk: len bytes from X read as zeroes */
#define PV_CMD_WHAT    0x0f /* mask of the above */
#define PV_CMD_WAIT    0x40 /* PV_CALL_IO: the call comes back when the unit has ended */
#define PV_CMD_INTR    0x80 /* PV_CALL_IO, batch: interrupt if it ended after the call had */

#define PV_READ  0 /* Y: device to memory */
#define PV_WRITE 1 /* Y: memory to device */

/*
 * Registers of PV_CALL_IO: X; Y | len << PV_Y_LEN; Z; CMD | tag << PV_CMD_TAG; devid. If the unit
 * has not ended when the call comes back, the result is -PV_E_PENDING, and its end is written to
 * table[tag] later. It always has ended if CMD has PV_CMD_WAIT or no table holds the tag.
 */
#define PV_Y_LEN   8
#define PV_CMD_TAG 16

struct pv_unit {
    uint64_t x;
    uint64_t z;
    uint32_t len; /* bytes */
    uint8_t cmd;
    uint8_t y;
    uint16_t devid;
    int32_t status; /* written by the hypervisor, last: 0, -PV_E_*; -PV_E_PENDING while it runs */
    uint32_t moved; /* written by the hypervisor: bytes moved */
};

/* An entry of the table. The guest writes -PV_E_PENDING to status before the call. */
struct pv_end {
    uint32_t moved;
    int32_t status; /* written last, as in a unit */
};

/* The array is read once, then the units begin in its order; each has a status of its own, and
 * those that can't end in the call have -PV_E_PENDING when it comes back. Reads of NICs and
 * consoles never wait: PV_E_AGAIN. */
#define PV_BATCH_MAX  1024
#define PV_BATCH_WAIT 1u /* comes back when all have ended */

struct pv_device { /* PV_CALL_DEVICE */
    uint32_t kind; /* PV_KIND_* */
    uint32_t flags;
    uint64_t sectors;    /* disk: of 512 bytes */
    uint32_t block_size; /* disk: len is a multiple of it */
    uint32_t phys_size;  /* disk: better a multiple of this */
    uint32_t len_max;    /* most bytes of PV_CMD_START */
    uint32_t depth;      /* most units in flight */
    uint8_t mac[6];      /* NIC */
    uint16_t mtu;        /* NIC: bytes behind the Ethernet header */
    char name[16];       /* its instance, as the ledger has it */
    uint64_t spare;
};

#define PV_KIND_DISK    1
#define PV_KIND_NET     2
#define PV_KIND_CONSOLE 3

#define PV_DEVICE_READONLY 1u /* disk */
#define PV_DEVICE_FLUSH    2u /* disk: writes are durable only after a flush */
#define PV_DEVICE_DISCARD  4u /* disk */
#define PV_DEVICE_ZEROES   8u /* disk */

/*
 * A ring, in guest memory that is contiguous: this header, then uint16_t submit[entries], then
 * uint16_t done[entries], then struct pv_unit unit[entries]. Entries are a power of two, 16 to
 * PV_RING_MAX; the header is aligned to 64 bytes and zeroed before PV_CALL_RING.
 *
 * The guest fills unit[s] for an s that is not in flight, writes submit[avail % entries] = s, then
 * avail + 1. It kicks if pv_passed(kick_at, new avail, old avail), read after avail was written
 * (a full barrier between the two). The hypervisor writes unit[s].moved and .status, then
 * done[used % entries] = s, then used + 1, in any order of units, and interrupts if
 * pv_passed(intr_at, new used, old used). So intr_at = the used that was seen last: interrupt at
 * the next end (then look at used once more); intr_at = that - 1: don't, I poll.
 * Reads of NICs and consoles stay in flight until there is something to read. PV_CMD_WAIT and
 * PV_CMD_INTR mean nothing here.
 *
 * A guest that breaks these rules (more in flight than entries, s not below entries or in flight)
 * finds PV_RING_BROKEN in state, and nothing moves until PV_CALL_RING sets the ring up anew.
 */
struct pv_ring {
    uint32_t avail, intr_at; /* written by the guest */
    uint32_t spare0[14];
    uint32_t used, kick_at, state; /* written by the hypervisor */
    uint32_t spare1[13];
};

#define PV_RINGS       16 /* ring numbers are 0 … 15 */
#define PV_RING_MIN    16
#define PV_RING_MAX    1024
#define PV_RING_POLL   1u /* PV_CALL_RING: keep looking for a while after a kick, without kicks */
#define PV_RING_BROKEN 1u /* state */

#define PV_RING_SUBMIT           128u
#define PV_RING_DONE(entries)    (128u + 2u * (entries))
#define PV_RING_UNIT(entries, s) (128u + 4u * (entries) + 32u * (s))
#define PV_RING_BYTES(entries)   PV_RING_UNIT(entries, entries)

/* Did an index that went from old to now pass at? */
static inline int pv_passed(uint32_t at, uint32_t now, uint32_t old)
{
    return (uint32_t)(now - at - 1) < (uint32_t)(now - old);
}

#endif
