/*
 * System calls tried in jails: each by a child that enters the jail, makes the call and ends.
 * Shared by the tests of the machine's jail and of a share's server's.
 */
#ifndef TESTS_JAIL_PROBE_H
#define TESTS_JAIL_PROBE_H

#include <stdbool.h>

enum { JAIL_CALLS_END = 470 }; /* past the last system call these tests know of */

#define JAIL_SELF (-7777777L) /* as an argument: the child's own process id */

struct jail {
    int (*enter)(const void *what); /* 0: it is in */
    const void *what;
    bool elder;     /* the call is made by a thread that was there before the jail */
    char said[512]; /* the last child's stderr */
};

/* The kernel's own trampolines (uretprobe, uprobe) pass every filter. */
bool jail_sees(long nr);
/* A child in the jail makes one call: its wait status, and its errno is its exit status. It fails
 * the test if the child could not enter, or did not end. */
int jail_call(struct jail *j, long nr, const long a[6]);
bool jail_killed(int status);

#endif
