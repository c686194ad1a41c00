/* A guest that never ends: a dot now and then, for tests of what is done to it from outside. */
#include "guest.h"

void guest_main(const uint8_t *mbi)
{
    (void)mbi;
    for (;;) {
        put(".");
        for (unsigned i = 0; i < 100000; i++)
            asm volatile("pause");
    }
}
