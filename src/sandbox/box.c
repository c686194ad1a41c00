/*
 * Into the jail, from the outermost layer to the one that forbids making layers. Each is told when
 * it can't be had; the order matters: namespaces need the capabilities that go next, Landlock needs
 * paths, and the filter comes last.
 */
#include "core/error.h"
#include "core/log.h"
#include "sandbox/impl.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

extern void __gcov_dump(void) __attribute__((weak));

bool box_built_without(const char **why)
{
#ifdef SANITIZED
    *why = "a build with a sanitizer";
    return true;
#else
    *why = "a build that counts coverage";
    return __gcov_dump != NULL;
#endif
}

static const struct box_list *list_of(enum box_set set)
{
    switch (set) {
    case BOX_DBT:
    case BOX_DIRECT:
    case BOX_KVM:
    case BOX_KVM_CHIP:
    case BOX_BALLOON:
    case BOX_WATCH: return &box_lists_engine[set];
    case BOX_CORE:
    case BOX_LOOP:
    case BOX_THREADS:
    case BOX_TERMINAL:
    case BOX_CHR:
    case BOX_REPORT:
    case BOX_FEW:
    case BOX_OUTPUT: return &box_lists_base[set];
    case BOX_SERVE:
    case BOX_TREE:
    case BOX_CHANGE: return &box_lists_exec[set];
    case BOX_SEAT:
    case BOX_LAB: return &box_lists_lab[set];
    case BOX_TELL:
    case BOX_ASK:
    case BOX_PAUSE:
    case BOX_WINDOW:
    case BOX_PICTURE:
    case BOX_WAIT:
    case BOX_RAW:
    case BOX_COPY:
    case BOX_LOOK:
    case BOX_COST:
    case BOX_MAKE:
    case BOX_DIAL:
    case BOX_TABLE:
    case BOX_CARVE:
    case BOX_SIZES:
    case BOX_PARTS: return &box_lists_client[set];
    default: return &box_lists_io[set];
    }
}

unsigned box_rows(enum box_set set, const struct box_row **rows)
{
    *rows = list_of(set)->row;
    return list_of(set)->rows;
}

const char *box_set_name(enum box_set set)
{
    return list_of(set)->name;
}

/* ---- what could not be had ---- */

static int lacks(const struct box *b, const char *what, int code, struct error *err)
{
    if (b->mode == BOX_REQUIRE)
        return error_set(err, code, "--sandbox require: %s: %s", what, strerror(-code));
    log_warn("%s runs without %s: %s (docs/containment.md)", b->role, what, strerror(-code));
    return 0;
}

static int aside(const struct box *b, struct error *err)
{
    const char *why;

    if (b->mode == BOX_OFF) {
        log_warn("--no-sandbox: %s runs without a filter of system calls, without Landlock, with "
                 "its capabilities and in the host's namespaces: whatever takes it over can do all "
                 "that this user can",
                 b->role);
        return 1;
    }
    if (!box_built_without(&why))
        return 0;
    if (b->mode == BOX_REQUIRE)
        return error_set(err, -ENOTSUP, "--sandbox require: %s can't be in a jail", why);
    log_warn("%s is outside its jail: %s", b->role, why);
    return 1;
}

int box_enter(const struct box *b, struct error *err)
{
    /* A core would have the guest's memory in it. 1: none to a program either, core(5). */
    static const struct rlimit no_core = {1, 1};
    int code = aside(b, err), rc;

    if (code)
        return code < 0 ? code : 0;
    (void)space_enter(b); /* many hosts forbid them */
    (void)setrlimit(RLIMIT_CORE, &no_core);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        code = lacks(b, "no_new_privs", -errno, err);
    rc = code ? 0 : caps_drop(b);
    if (rc)
        code = lacks(b, "giving up capabilities", rc, err);
    rc = code ? 0 : land_enter(b);
    if (rc)
        code = lacks(b, "Landlock", rc, err);
    rc = code ? 0 : died_prepare(b->role);
    if (!rc && !code)
        rc = filter_load(b);
    if (rc)
        code = lacks(b, "a filter of system calls", rc, err);
    return code;
}
