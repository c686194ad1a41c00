/* The roles that unit_box.c looks at, and the sets that docs/containment.md gives them. */
#ifndef TESTS_BOX_ROLES_H
#define TESTS_BOX_ROLES_H

#include "sandbox/box.h"

/* A directory that is up's, of the test's making. */
#define BOX_RUN "viaduct-box-run"

enum { ROLES = 16 };

extern const struct role {
    const char *name;
    int (*enter)(const void *what); /* into the jail, as the role does: 0 */
    const void *what;
    uint64_t sets;
} roles[ROLES];

#endif
