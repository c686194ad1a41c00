/*
 * What others say, before a terminal or a log shows it: nothing in it moves the cursor, sets titles
 * or answers for the user. Consoles and their logs are shown as they are: that is what they are
 * for.
 */
#ifndef CORE_PLAIN_H
#define CORE_PLAIN_H

/* C0 but newline and tab, DEL, and C1 as UTF-8 has it (ECMA-48, 5.2 and 5.3) become '?'. */
void plain_text(char *s); /* NULL is fine */
/* ... and newline and tab, which would make two lines of one. */
void plain_line(char *s);

#endif
