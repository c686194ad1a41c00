/* The screen of a running machine, as its control socket lends it: to be read, no more. */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include "core/types.h"
#include <cJSON.h>
#include <stdio.h>

struct error;

#define SCREEN_MAX 4096u /* pixels a side */

struct screen {
    uint32_t width, height, stride; /* 32 bits a pixel: blue, green, red, nothing */
    const uint8_t *at;              /* the guest draws there meanwhile; NULL: none */
    size_t len;
};

/* Judges what the machine said and passed, and maps it. fd is closed in any case. 0 or -errno. */
int screen_map(struct screen *s, const cJSON *said, int fd, struct error *err);
/* The same, with width, height and stride in *s. */
int screen_take(struct screen *s, int fd, struct error *err);
void screen_unmap(struct screen *s);
/* A picture of it is all that the file has, then; PNG if its name ends in .png, else PPM. Closes f.
 * 0 or -errno. */
int screen_save(const struct screen *s, FILE *f, const char *name, struct error *err);

#endif
