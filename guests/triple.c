/* Triple fault: with no IDT at all, any exception ends the machine; nothing may come after. */
#include "guest.h"

void guest_main(const uint8_t *mbi)
{
    struct {
        uint16_t limit;
        word base;
    } __attribute__((packed)) none = {0, 0};

    (void)mbi;
    put("ok before the triple fault\n");
    asm volatile("lidt %0; ud2" ::"m"(none));
    put("FAIL alive after a triple fault\n");
    guest_exit(1);
}
