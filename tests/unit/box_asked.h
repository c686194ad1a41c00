/* What a jail of box_roles.h is asked, what its rows say to that, and what came of it. */
#ifndef TESTS_BOX_ASKED_H
#define TESTS_BOX_ASKED_H

#include "box_roles.h"
#include "jail_probe.h"

struct asked { /* one system call */
    const struct role *role;
    long nr, a[6];
};

struct jail jail_of(const struct role *r);
/* f is called with each row of the role's sets, till it says true. */
bool any_row(const struct role *r, bool (*f)(const struct box_row *row, void *ctx), void *ctx);

/* Such an f, of a struct asked: rows as box.h says what they mean. */
bool row_names(const struct box_row *row, void *asked);    /* it is of that call */
bool row_is_plain(const struct box_row *row, void *asked); /* ... whatever its arguments */
bool row_answers(const struct box_row *row, void *asked);  /* ... with an error */
bool row_matches(const struct box_row *row, void *asked);  /* ... with these arguments */
bool row_does(const struct box_row *row, void *asked);     /* ... and lets it through */

/* It ended of it, and said which call it was, by whom. */
void expect_death(struct jail *j, const struct role *r, const struct asked *q);
/* Let through, whatever it then came to; its errno, or -1 where a signal ended it. */
int expect_life(struct jail *j, const struct role *r, const struct asked *q);

#endif
