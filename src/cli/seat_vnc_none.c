/* In place of seat_vnc.c where libvncserver is not there. */
#include "cli/seat_view.h"

bool seat_vnc_can(void)
{
    return false;
}

bool seat_vnc_run(int seat, int listener)
{
    (void)seat, (void)listener;
    return false;
}
