/* box_asked.h tells. */
#include "box_asked.h"
#include "unit.h"
#include <seccomp.h>
#include <sys/wait.h>

struct jail jail_of(const struct role *r)
{
    return (struct jail){.enter = r->enter, .what = r->what};
}

bool any_row(const struct role *r, bool (*f)(const struct box_row *row, void *ctx), void *ctx)
{
    for (enum box_set s = 0; s < BOX_SETS; s++) {
        const struct box_row *row;
        unsigned n = r->sets & BOX_BIT(s) ? box_rows(s, &row) : 0;

        for (unsigned i = 0; i < n; i++)
            if (f(&row[i], ctx))
                return true;
    }
    return false;
}

bool row_names(const struct box_row *row, void *ctx)
{
    return row->nr == ((struct asked *)ctx)->nr;
}

bool row_is_plain(const struct box_row *row, void *ctx)
{
    return row_names(row, ctx) && row->cond[0].test == BOX_NONE && !row->answer;
}

bool row_answers(const struct box_row *row, void *ctx)
{
    return row_names(row, ctx) && row->answer;
}

static bool holds(const struct box_cond *c, const long a[6])
{
    uint64_t v = (uint64_t)a[c->arg];

    switch (c->test) {
    case BOX_IS: return v == c->value;
    case BOX_BITS: return (v & c->mask) == c->value;
    case BOX_SELF: return a[c->arg] == JAIL_SELF;
    default: return true;
    }
}

bool row_matches(const struct box_row *row, void *ctx)
{
    const struct asked *q = ctx;

    return row_names(row, ctx) && holds(&row->cond[0], q->a) && holds(&row->cond[1], q->a);
}

bool row_does(const struct box_row *row, void *ctx)
{
    return !row->answer && row_matches(row, ctx);
}

void expect_death(struct jail *j, const struct role *r, const struct asked *q)
{
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)q->nr);
    int status = jail_call(j, q->nr, q->a);
    char line[128], role[64];

    if (!jail_killed(status))
        fail_msg("%s: system call %ld (%s): status %#x", r->name, q->nr, name ? name : "nameless",
                 (unsigned)status);
    snprintf(line, sizeof(line), "system call %s (%ld: ", name ? name : "of an unknown name",
             q->nr);
    if (name && strstr(j->said, "call of an unknown name")) /* libseccomp may know more */
        snprintf(line, sizeof(line), "system call of an unknown name (%ld: ", q->nr);
    snprintf(role, sizeof(role), "is not in the list of role %s:", r->name);
    if (!strstr(j->said, line) || !strstr(j->said, role))
        fail_msg("%s: system call %ld (%s; %#lx, %#lx, %#lx)%s said: %s", r->name, q->nr, name,
                 (unsigned long)q->a[0], (unsigned long)q->a[1], (unsigned long)q->a[2],
                 j->elder ? " of an elder thread" : "", j->said);
    free(name);
}

int expect_life(struct jail *j, const struct role *r, const struct asked *q)
{
    int status = jail_call(j, q->nr, q->a);

    if (jail_killed(status))
        fail_msg("%s: system call %ld is listed: %s", r->name, q->nr, j->said);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
