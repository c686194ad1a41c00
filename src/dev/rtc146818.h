/* Motorola MC146818 clock with the PC's 128 bytes of CMOS memory. */
#ifndef DEV_RTC146818_H
#define DEV_RTC146818_H

#include "bus/dev.h"

struct rtc146818;

/* env->irq is IRQ 8. base: index and data port (0x70). The time is loop_wall's, in UTC. */
int rtc146818_create(struct rtc146818 **out, const struct dev_env *env, uint64_t base);
/* What firmware would put into CMOS memory (0x0e..0x7f); survives reset. */
void rtc146818_cmos(struct rtc146818 *r, unsigned at, uint8_t val);
extern const struct dev_class rtc146818_class;

#endif
