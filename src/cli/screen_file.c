/* screen_file.h tells. */
#include "cli/screen_file.h"
#include "cli/cli.h"
#include "core/error.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* It reads nothing: not of the machine, and not of the child but its status. */
_Noreturn static void guard(pid_t child, const char *path, bool is_new)
{
    int status = 0;

    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (status && is_new)
        unlink(path);
    if (WIFSIGNALED(status)) { /* what was its end is ours: who called sees the same */
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_VMM);
}

static int file_open(const char *path, bool *is_new)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    *is_new = fd >= 0;
    return fd >= 0 || errno != EEXIST ? fd : open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
}

FILE *screen_file_open(const char *path, struct error *err)
{
    bool is_new;
    int fd = file_open(path, &is_new);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    pid_t child = f ? fork() : -1;

    if (child > 0)
        guard(child, path, is_new);
    if (!child) {
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* who ends the other one means both */
        return f;
    }
    error_set(err, -errno, "%s: %s", path, strerror(errno));
    if (f)
        fclose(f);
    else if (fd >= 0)
        close(fd);
    if (fd >= 0 && is_new)
        unlink(path);
    return NULL;
}
