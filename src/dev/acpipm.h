/*
 * ACPI power management: fixed hardware (PM1a, PM timer, GPE0) or hardware-reduced (sleep control
 * and status), and the reset register. The board's tables say where it put them.
 */
#ifndef DEV_ACPIPM_H
#define DEV_ACPIPM_H

#include "bus/dev.h"

#define ACPIPM_S5_TYP      5u    /* SLP_TYP of S5, for the _S5 package */
#define ACPIPM_RESET_VALUE 0x10u /* what the FADT tells OSes to write to the reset register */
#define ACPIPM_TIMER_HZ    3579545u

struct acpipm;

struct acpipm_opts {               /* port bases; 0: not there */
    uint64_t pm1_evt;              /* 4 ports: status, enable */
    uint64_t pm1_cnt;              /* 2 ports; SCI_EN is always 1 (the FADT's SMI_CMD is 0) */
    uint64_t pm_tmr;               /* 4 ports; 24 bits */
    uint64_t gpe0;                 /* 4 ports: 2 of status, 2 of enable */
    uint64_t reset;                /* 1 port */
    uint64_t sleep_ctl, sleep_sts; /* 1 port each */
    void (*power_off)(void *ctx);
    void (*reset_vm)(void *ctx);
    void *ctx;
};

/* env->irq is the SCI (level); unused when hardware-reduced. */
int acpipm_create(struct acpipm **out, const struct dev_env *env, const struct acpipm_opts *o);
void acpipm_power_button(struct acpipm *pm); /* caller holds the VM lock */
extern const struct dev_class acpipm_class;

#endif
