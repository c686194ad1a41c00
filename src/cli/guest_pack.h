/* viaduct guest pack. */
#ifndef CLI_GUEST_PACK_H
#define CLI_GUEST_PACK_H

/* The verb's words, from "pack" on. The exit status. */
int guest_pack(int argc, char **argv);

#endif
