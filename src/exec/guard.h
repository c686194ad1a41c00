/* What the thread that serves a program's calls may no longer do. */
#ifndef EXEC_GUARD_H
#define EXEC_GUARD_H

/* From now on, for this thread and those it starts: 0, or -errno (no seccomp on this host). */
int guard_thread(void);

#endif
