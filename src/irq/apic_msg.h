/* An interrupt message between APICs: what an ICR write, a redirection entry or an MSI says. */
#ifndef IRQ_APIC_MSG_H
#define IRQ_APIC_MSG_H

#include "core/types.h"

enum apic_mode { /* delivery mode, as encoded in ICR, RTE, LVT and MSI data */
                 APIC_FIXED,
                 APIC_LOWEST,
                 APIC_SMI,
                 APIC_MODE_RESERVED,
                 APIC_NMI,
                 APIC_INIT,
                 APIC_SIPI,
                 APIC_EXTINT,
};

struct apic_msg {
    uint8_t vector;
    uint8_t mode; /* enum apic_mode */
    uint8_t dest; /* physical id or logical set; 0xff is everybody */
    bool logical;
    bool level; /* trigger mode */
};

#endif
