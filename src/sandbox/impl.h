/* Shared by the files of sandbox/. */
#ifndef SANDBOX_IMPL_H
#define SANDBOX_IMPL_H

#include "sandbox/box.h"

/* filter.c: seccomp, on all threads */
int filter_load(const struct box *b);
/* died.c: the line that a forbidden call leaves behind */
int died_prepare(const char *role);
/* land.c: Landlock. 0, or -ENOSYS where the kernel has none */
int land_enter(const struct box *b);
/* space.c: namespaces of our own */
int space_enter(const struct box *b);
/* caps.c */
int caps_drop(const struct box *b);

#define LATER_GLIBC "Debian 12's glibc does it by another call of this list"

/* Rows as one line each. */
#define CALL(name) .call = #name, .nr = __NR_##name
#define WHEN(n, v)                                                                                 \
    {                                                                                              \
        .test = BOX_IS, .arg = (n), .value = (uint64_t)(v)                                         \
    }
#define WHEN_BITS(n, m, v)                                                                         \
    {                                                                                              \
        .test = BOX_BITS, .arg = (n), .mask = (m), .value = (v)                                    \
    }
#define WHEN_SELF(n)                                                                               \
    {                                                                                              \
        .test = BOX_SELF, .arg = (n)                                                               \
    }
#define ONLY(...) .cond = {__VA_ARGS__}

struct box_list {
    const char *name;
    const struct box_row *row;
    unsigned rows;
};
#define BOX_LIST(label, array)                                                                     \
    {                                                                                              \
        label, array, ARRAY_LEN(array)                                                             \
    }

/* rows_*.c */
extern const struct box_list box_lists_base[], box_lists_engine[], box_lists_io[], box_lists_exec[];
extern const struct box_list box_lists_lab[], box_lists_client[];

#endif
