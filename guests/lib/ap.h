/* One more CPU for a guest that only wants somebody to work beside CPU 0: smp_ap.S brings it to
 * ap_main. guests/smp.c looks at how CPUs start; this trusts it. */
#ifndef AP_H
#define AP_H

#include "irq.h"

#define AP_ENTRY 0x8000u /* where the start-up message sends it: SDM vol. 3, 9.4.4 */

extern uint8_t ap_start[], ap_start_end[];
extern volatile uint32_t ap_starts, ap_efer;
void ap_main(void);

/* True once it has counted a round of its work. */
static inline bool ap_go(const volatile unsigned *rounds)
{
    enum { INIT = 5u << 8, SIPI = 6u << 8, ASSERT = 1u << 14 };
    uint64_t end = rdtsc() + 3000 * tsc_10ms(); /* a nested machine on a busy host */

    mem_copy((void *)(uintptr_t)AP_ENTRY, ap_start, (size_t)(ap_start_end - ap_start));
    ap_efer = (uint32_t)rdmsr(0xc0000080);
    lapic_enable();
    lapic_set(LAPIC_ICR_HI, 1u << 24);
    lapic_set(LAPIC_ICR, INIT | ASSERT);
    lapic_set(LAPIC_ICR_HI, 1u << 24);
    lapic_set(LAPIC_ICR, SIPI | ASSERT | AP_ENTRY >> 12);
    while (!*rounds && rdtsc() < end)
        asm volatile("pause" ::: "memory");
    return *rounds;
}

/* Its last words, */
static inline void ap_end(void)
{
    ap_starts = 2;
    for (;;)
        asm volatile("cli; hlt");
}

/* and CPU 0 waits for them. */
static inline void ap_wait(void)
{
    while (ap_starts != 2)
        asm volatile("pause" ::: "memory");
}

#endif
