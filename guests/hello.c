/* The smallest guest: says hello, echoes its command line, ends. */
#include "guest.h"

void guest_main(const uint8_t *mbi)
{
    say("hello from 64-bit mode, arguments: \"%s\"\n", guest_cmdline(mbi));
    TRY("ud2");
    check_trap("trap", V_UD, 0);
}
