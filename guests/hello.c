/* The smallest guest: says hello, echoes its command line, ends. */
#include "guest.h"

void guest_main(const uint8_t *mbi)
{
    say("hello from %u-bit mode, arguments: \"%s\"\n", (unsigned)sizeof(word) * 8,
        guest_cmdline(mbi));
    TRY("ud2");
    check_trap("trap", V_UD, 0);
}
