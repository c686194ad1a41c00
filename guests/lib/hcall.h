/* Hypercalls for the guests (pv/abi.h): by VMCALL or by the port, as hcall_port says. */
#ifndef HCALL_H
#define HCALL_H

#include "guest.h"
#include "irq.h"
#include "pv/abi.h"

extern bool hcall_port; /* by the port; else VMCALL */
extern bool hcall_amd;  /* VMMCALL rather than VMCALL */
static volatile struct pv_block hcall_block __attribute__((aligned(PV_BLOCK_ALIGN)));
extern word hcalls; /* how many there were: each is one trap */

static inline int64_t hcall_by_port(const uint64_t *a)
{
    hcall_block.call = a[0];
    for (unsigned i = 0; i < 5; i++)
        hcall_block.arg[i] = a[i + 1];
    asm volatile("outl %0, %1" ::"a"((uint32_t)((uintptr_t)&hcall_block / PV_BLOCK_ALIGN)),
                 "Nd"((uint16_t)(MAP_PV + PV_PORT_CALL))
                 : "memory");
    return (int64_t)hcall_block.result;
}

static inline int64_t hcall_by_regs(const uint64_t *a)
{
    word r = (word)a[0];

    if (hcall_amd)
        asm volatile("vmmcall"
                     : "+a"(r)
                     : "b"((word)a[1]), "c"((word)a[2]), "d"((word)a[3]), "S"((word)a[4]),
                       "D"((word)a[5])
                     : "memory");
    else
        asm volatile("vmcall"
                     : "+a"(r)
                     : "b"((word)a[1]), "c"((word)a[2]), "d"((word)a[3]), "S"((word)a[4]),
                       "D"((word)a[5])
                     : "memory");
    return (long)r;
}

static inline int64_t hcall(unsigned what, uint64_t b, uint64_t c, uint64_t d, uint64_t si,
                            uint64_t di)
{
    const uint64_t a[6] = {what, b, c, d, si, di};

    hcalls++;
    return hcall_port ? hcall_by_port(a) : hcall_by_regs(a);
}

/* device_io(X, Y, Z, CMD, devid), and how many bytes */
static inline int64_t device_io(uint64_t x, unsigned y, const volatile void *z, unsigned cmd,
                                unsigned devid, uint32_t len)
{
    return hcall(PV_CALL_IO, x, y | (uint64_t)len << PV_Y_LEN, (uintptr_t)z, cmd, devid);
}

static inline void hcall_kick(unsigned ring)
{
    hcalls++;
    if (hcall_port)
        outl(MAP_PV + PV_PORT_KICK, ring);
    else
        hcall_by_regs((const uint64_t[6]){PV_CALL_KICK, ring});
}

#endif
