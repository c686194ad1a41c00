/* The calls of before openat(2): each is one of those with "at", in the current directory. */
#include "exec/call.h"
#include <fcntl.h>

#define HERE ((uint64_t)(int64_t)AT_FDCWD)

int64_t call_open(struct prog *p, const uint64_t a[6])
{
    return call_openat(p, (const uint64_t[6]){HERE, a[0], a[1], a[2]});
}

int64_t call_creat(struct prog *p, const uint64_t a[6])
{
    return call_openat(p, (const uint64_t[6]){HERE, a[0], O_CREAT | O_WRONLY | O_TRUNC, a[1]});
}

int64_t call_stat(struct prog *p, const uint64_t a[6])
{
    return call_fstatat(p, (const uint64_t[6]){HERE, a[0], a[1], 0});
}

int64_t call_lstat(struct prog *p, const uint64_t a[6])
{
    return call_fstatat(p, (const uint64_t[6]){HERE, a[0], a[1], AT_SYMLINK_NOFOLLOW});
}

int64_t call_access(struct prog *p, const uint64_t a[6])
{
    return call_faccessat(p, (const uint64_t[6]){HERE, a[0], a[1]});
}

int64_t call_readlink(struct prog *p, const uint64_t a[6])
{
    return call_readlinkat(p, (const uint64_t[6]){HERE, a[0], a[1], a[2]});
}

int64_t call_unlink(struct prog *p, const uint64_t a[6])
{
    return call_unlinkat(p, (const uint64_t[6]){HERE, a[0], 0});
}

int64_t call_rmdir(struct prog *p, const uint64_t a[6])
{
    return call_unlinkat(p, (const uint64_t[6]){HERE, a[0], AT_REMOVEDIR});
}

int64_t call_mkdir(struct prog *p, const uint64_t a[6])
{
    return call_mkdirat(p, (const uint64_t[6]){HERE, a[0], a[1]});
}

int64_t call_rename(struct prog *p, const uint64_t a[6])
{
    return call_renameat2(p, (const uint64_t[6]){HERE, a[0], HERE, a[1], 0});
}

int64_t call_renameat(struct prog *p, const uint64_t a[6])
{
    return call_renameat2(p, (const uint64_t[6]){a[0], a[1], a[2], a[3], 0});
}

int64_t call_link(struct prog *p, const uint64_t a[6])
{
    return call_linkat(p, (const uint64_t[6]){HERE, a[0], HERE, a[1], 0});
}

int64_t call_symlink(struct prog *p, const uint64_t a[6])
{
    return call_symlinkat(p, (const uint64_t[6]){a[0], HERE, a[1]});
}

int64_t call_chmod(struct prog *p, const uint64_t a[6])
{
    return call_fchmodat(p, (const uint64_t[6]){HERE, a[0], a[1]});
}

int64_t call_chown(struct prog *p, const uint64_t a[6])
{
    return call_fchownat(p, (const uint64_t[6]){HERE, a[0], a[1], a[2], 0});
}

int64_t call_lchown(struct prog *p, const uint64_t a[6])
{
    return call_fchownat(p, (const uint64_t[6]){HERE, a[0], a[1], a[2], AT_SYMLINK_NOFOLLOW});
}

int64_t call_pipe(struct prog *p, const uint64_t a[6])
{
    return call_pipe2(p, (const uint64_t[6]){a[0], 0});
}
