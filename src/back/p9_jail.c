/*
 * What the process of a share gives up before it reads a request: capabilities, the right to gain
 * any by execve, all of the file system but the share (p9_confine.c), and all system calls but the
 * listed ones: any other ends it (seccomp(2), libseccomp's seccomp_rule_add(3)). So whoever takes
 * it over has what a guest has by asking, and nothing to start, connect to, or map.
 *
 * The list is as short as it can be: tests/fault/share_server compares it with what a server does.
 * Known gap: neither Landlock nor seccomp looks at the names in calls on metadata (chmod, utimes,
 * stat), so a server taken over could use these on this user's files elsewhere.
 */
#include "back/p9_main.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct p9_call calls[] = {
    {"recvfrom", "requests", false},
    {"sendto", "answers", false},
    {"preadv", "Tread", false},
    {"splice", "Tread of much, into the pipe only", false},
    {"pwritev", "Twrite", true},
    {"openat", "Tlopen, Tlcreate; the way up", false},
    {"openat2", "Twalk", false},
    {"close", "Tclunk", false},
    {"newfstatat", "Tgetattr; what is looked up", false},
    {"fstatfs", "Tstatfs", false},
    {"fcntl", "a second descriptor, locks: three commands", false},
    {"lseek", "Treaddir", false},
    {"getdents64", "Treaddir", false},
    {"readlinkat", "Treadlink; a fid's own name", false},
    {"fsync", "Tfsync", false},
    {"fdatasync", "Tfsync of data only", false},
    {"ftruncate", "Tsetattr", true},
    {"fchmodat", "Tsetattr, without set-ID bits", true},
    {"utimensat", "Tsetattr", true},
    {"mkdirat", "Tmkdir, without set-ID bits", true},
    {"symlinkat", "Tsymlink", true},
    {"linkat", "Tlink", true},
    {"renameat", "Trename, Trenameat", true},
    {"unlinkat", "Tunlinkat, Tremove", true},
    {"exit_group", "the end", false},
};

const struct p9_call *p9_calls(unsigned *n)
{
    *n = ARRAY_LEN(calls);
    return calls;
}

/* ---- capabilities ---- */

#define CAP(c) (1u << CAP_##c)

/* As the user who runs viaduct: of root's, those by which it reads, writes and sets modes of
 * other's files; a read-only share reads. Nobody chowns. */
bool p9_jail_caps(bool readonly)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct has[_LINUX_CAPABILITY_U32S_3];
    uint32_t keep = readonly ? CAP(DAC_READ_SEARCH) : CAP(DAC_OVERRIDE) | CAP(FOWNER);

    for (unsigned c = 0; c < 64; c++) /* as far as there are any, and we may */
        prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capget, &head, has))
        return false;
    has[0].effective &= keep;
    has[0].permitted &= keep;
    has[1].effective = has[1].permitted = 0;
    has[0].inheritable = has[1].inheritable = 0;
    return !syscall(SYS_capset, &head, has);
}

/* ---- system calls ---- */

enum { SET_IDS = S_ISUID | S_ISGID, OPEN_WRITES = O_ACCMODE | O_CREAT | O_TRUNC };

/* One more rule for a call: its argument number arg, as far as mask goes, is value. */
static int allow_where(scmp_filter_ctx f, int nr, unsigned arg, scmp_datum_t mask,
                       scmp_datum_t value)
{
    const struct scmp_arg_cmp cmp = {arg, SCMP_CMP_MASKED_EQ, mask, value};

    return seccomp_rule_add_array(f, SCMP_ACT_ALLOW, nr, 1, &cmp);
}

static int allow_fcntl(scmp_filter_ctx f)
{
    static const scmp_datum_t command[] = {F_DUPFD_CLOEXEC, F_OFD_SETLK, F_OFD_GETLK};
    int err = 0;

    for (unsigned i = 0; i < ARRAY_LEN(command) && !err; i++)
        err = allow_where(f, SCMP_SYS(fcntl), 1, UINT32_MAX, command[i]);
    return err;
}

/* The rules of a call: any arguments, but of some. 0 or -errno. */
static int allow(scmp_filter_ctx f, int nr, bool readonly)
{
    switch (nr) {
    case SCMP_SYS(fcntl): return allow_fcntl(f);
    case SCMP_SYS(splice): return allow_where(f, nr, 2, UINT32_MAX, P9_FD_PIPE);
    case SCMP_SYS(fchmodat):
    case SCMP_SYS(mkdirat): return allow_where(f, nr, 2, SET_IDS, 0);
    case SCMP_SYS(openat):
        return readonly ? allow_where(f, nr, 2, OPEN_WRITES, O_RDONLY)
                        : allow_where(f, nr, 3, SET_IDS, 0);
    default: return seccomp_rule_add(f, SCMP_ACT_ALLOW, nr, 0);
    }
}

int p9_jail_calls(bool readonly)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int err = f ? seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) : -ENOMEM;

    for (unsigned i = 0; i < ARRAY_LEN(calls) && !err; i++)
        if (!readonly || !calls[i].changes)
            err = allow(f, seccomp_syscall_resolve_name(calls[i].name), readonly);
    return err ? err : seccomp_load(f); /* f stays: letting it go might want a forbidden call */
}

unsigned p9_jail(const struct p9_server *s)
{
    unsigned lack = 0;

    p9_jail_caps(s->readonly);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (p9_confine(s))
        lack |= P9_NO_LANDLOCK;
    if (p9_jail_calls(s->readonly))
        lack |= P9_NO_SECCOMP;
    return lack;
}
