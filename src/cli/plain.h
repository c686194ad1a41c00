/*
 * What others say, before a terminal shows it: nothing in it moves the cursor, sets titles or
 * answers for the user. Consoles and their logs are shown as they are: that is what they are for.
 */
#ifndef CLI_PLAIN_H
#define CLI_PLAIN_H

#include <cJSON.h>

/* C0 but newline and tab, DEL, and C1 as UTF-8 has it (ECMA-48, 5.2 and 5.3) become '?'. */
void plain_text(char *s);
/* The same of all strings in it. */
void plain_tree(cJSON *o);

#endif
