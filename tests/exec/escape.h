/* What the parts of escape have in common: attempts, each with the status it must end with. */
#ifndef EXEC_ESCAPE_H
#define EXEC_ESCAPE_H
#include <stdbool.h>

#define KERNEL   ((void *)0xffff800000000000ul) /* where viaduct has the GDT */
#define TOP      0x7d0000000000ul
#define DIE(sig) (128 + (sig))

struct attempt {
    const char *name; /* NULL ends a list */
    void (*run)(void);
    int status;
};
extern const struct attempt on_files[], by_calls[], on_memory[], by_cpu[], on_monitor[],
    on_narrow[];

/* Something was not refused. */
void escaped(const char *what, long r);
/* r is what a call returned: it must have failed with err. */
void want(const char *what, long r, int err);
#define WANT(x, err) want(#x, (long)(x), err)
#endif
