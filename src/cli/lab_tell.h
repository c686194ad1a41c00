/* What is said of a lab's processes: how one ended, what it said last, what differs. */
#ifndef CLI_LAB_TELL_H
#define CLI_LAB_TELL_H

#include "core/types.h"

/* "powered off", "ended with status 6: guest reset", "was killed by signal 9"; -1: "ended". */
void lab_tell_status(int status, char *buf, size_t room);
/* The last lines that viaduct said of it, joined by " | "; empty: none. */
void lab_tell_tail(const char *run, const char *name, char *buf, size_t room);
/* "has A, not B"; false: they are the same. */
bool lab_tell_difference(char *const *has, char *const *wants, char *buf, size_t room);

#endif
