/*
 * Rows into a filter: seccomp(2) by libseccomp. What is in no row raises SIGSYS before it is done,
 * whose handler says which call it was and ends the process (died.c). The handler can't be taken
 * away again: rt_sigaction is in the lists for the signals they name only.
 */
#include "sandbox/impl.h"
#include <errno.h>
#include <seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct scmp_arg_cmp cond_of(const struct box_cond *c)
{
    switch (c->test) {
    case BOX_BITS: return SCMP_CMP(c->arg, SCMP_CMP_MASKED_EQ, c->mask, c->value);
    case BOX_SELF: return (struct scmp_arg_cmp){c->arg, SCMP_CMP_EQ, (uint64_t)getpid(), 0};
    default: return (struct scmp_arg_cmp){c->arg, SCMP_CMP_EQ, c->value, 0};
    }
}

static int row_add(scmp_filter_ctx f, const struct box_row *r)
{
    struct scmp_arg_cmp cond[ARRAY_LEN(r->cond)];
    uint32_t action = r->answer ? SCMP_ACT_ERRNO((uint16_t)r->answer) : SCMP_ACT_ALLOW;
    unsigned n = 0;

    for (unsigned i = 0; i < ARRAY_LEN(r->cond); i++)
        if (r->cond[i].test != BOX_NONE)
            cond[n++] = cond_of(&r->cond[i]);
    return seccomp_rule_add_array(f, action, r->nr, n, cond);
}

/* No arguments are what both say. */
static bool apart(const struct box_row *a, const struct box_row *b)
{
    for (unsigned i = 0; i < ARRAY_LEN(a->cond); i++)
        for (unsigned k = 0; k < ARRAY_LEN(b->cond); k++) {
            const struct box_cond *x = &a->cond[i], *y = &b->cond[k];
            uint64_t judged = (x->test == BOX_IS ? UINT64_MAX : x->mask) &
                              (y->test == BOX_IS ? UINT64_MAX : y->mask);

            if (x->test != BOX_NONE && x->test != BOX_SELF && y->test != BOX_NONE &&
                y->test != BOX_SELF && x->arg == y->arg && ((x->value ^ y->value) & judged))
                return true;
        }
    return false;
}

/* What one set only answers, another may really need. */
static bool done_elsewhere(uint64_t sets, const struct box_row *answer)
{
    for (enum box_set s = 0; s < BOX_SETS; s++) {
        const struct box_row *row;
        unsigned n = sets & BOX_BIT(s) ? box_rows(s, &row) : 0;

        for (unsigned i = 0; i < n; i++)
            if (row[i].nr == answer->nr && !row[i].answer && !apart(&row[i], answer))
                return true;
    }
    return false;
}

static int rows_add(scmp_filter_ctx f, uint64_t sets)
{
    int err = 0;

    for (enum box_set s = 0; s < BOX_SETS && !err; s++) {
        const struct box_row *row;
        unsigned n = sets & BOX_BIT(s) ? box_rows(s, &row) : 0;

        for (unsigned i = 0; i < n && !err; i++) {
            if (row[i].answer && done_elsewhere(sets, &row[i]))
                continue;
            err = row_add(f, &row[i]);
            if (err == -EEXIST) /* two sets want the same */
                err = 0;
        }
    }
    return err;
}

int filter_load(const struct box *b)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_TRAP);
    int err = f ? 0 : -ENOMEM;

    if (!err) /* 32-bit calls, and x32's, are nobody's */
        err = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (!err) /* threads that are there already are in it too */
        err = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
    if (!err) /* a tree: KVM_RUN is found as fast as any */
        err = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (!err)
        err = rows_add(f, b->sets);
    if (!err)
        err = seccomp_load(f);
    if (f)
        seccomp_release(f);
    return err;
}
