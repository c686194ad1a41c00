/* The scripts of the bundled guest. */
#ifndef CLI_GUEST_INIT_H
#define CLI_GUEST_INIT_H

extern const char guest_init[];   /* /init */
extern const char guest_demo[];   /* /bin/viaduct-demo */
extern const char guest_udhcpc[]; /* /etc/udhcpc/default.script */

#endif
