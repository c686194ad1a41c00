/*
 * One run of the guest, or of the program: viaduct run or exec in a child process, from this same
 * binary, with the image, the guest, its console and the ledger as memory files that it inherits. A
 * child that fails, hangs or says something else than expected is an error, never a figure.
 */
#include "cli/compare_child.h"
#include "core/log.h"
#include "core/spawn.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_MS 90000 /* then it is killed: its own timeout should have ended it */
#define SAID_MAX 16384

struct files {
    int out, err, ledger;
};

static int memory_file(const char *name, struct error *err)
{
    int fd = memfd_create(name, MFD_CLOEXEC);

    return fd >= 0 ? fd : error_set(err, -errno, "no memory file: %s", strerror(errno));
}

static void files_close(struct files *f)
{
    int *fd[] = {&f->out, &f->err, &f->ledger};

    for (size_t i = 0; i < ARRAY_LEN(fd); i++)
        if (*fd[i] >= 0)
            close(*fd[i]);
}

static int files_open(struct files *f, struct error *err)
{
    *f = (struct files){-1, -1, -1};
    f->out = memory_file("console", err);
    f->err = memory_file("messages", err);
    f->ledger = memory_file("ledger", err);
    return f->out < 0 || f->err < 0 || f->ledger < 0 ? -ENOMEM : 0;
}

static int start(pid_t *pid, char **argv, const struct files *f, const int given[2])
{
    const struct spawn_fd fd[] = {{f->out, STDOUT_FILENO},
                                  {f->err, STDERR_FILENO},
                                  {f->ledger, FD_LEDGER},
                                  {given[0], FD_IMAGE},
                                  {given[1], FD_FILE}};

    return child_start(pid, "/proc/self/exe", argv, fd, ARRAY_LEN(fd));
}

int child_wait(pid_t pid, int ms, int *status)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0), got = 1;
    struct pollfd p = {.fd = fd, .events = POLLIN};

    if (fd >= 0) {
        do
            got = poll(&p, 1, ms);
        while (got < 0 && errno == EINTR);
        close(fd);
    }
    if (!got)
        kill(pid, SIGKILL);
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return got ? 0 : -ETIMEDOUT;
}

static void read_back(int fd, char *to, size_t room)
{
    ssize_t n = pread(fd, to, room - 1, 0);

    to[n > 0 ? n : 0] = 0;
}

/* The last line that starts so; with "" the last of all. */
static bool last_line(const char *text, const char *start, char *to, size_t room)
{
    bool found = false;

    while (*text) {
        size_t len = strcspn(text, "\r\n");

        if (len && !strncmp(text, start, strlen(start))) {
            snprintf(to, room, "%.*s", (int)(len < room ? len : room - 1), text);
            found = true;
        }
        text += len;
        text += strspn(text, "\r\n");
    }
    return found;
}

/* Of what an engine can't do, as viaduct run and exec say it; all else is a failure. */
static bool is_refusal(const char *line)
{
    static const char *const start[] = {"--engine ", "--irqchip ", "--disk trap="};

    for (size_t i = 0; i < ARRAY_LEN(start); i++)
        if (!strncmp(line, start[i], strlen(start[i])))
            return true;
    return false;
}

/* 1 is the guest's or the program's word that all went well. Status 2 is viaduct run refusing a
 * combination, if its message says so. */
static int judge(int status, const struct files *f, struct error *err)
{
    char said[SAID_MAX], line[300] = "";
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

    if (code == 1)
        return 0;
    read_back(f->out, said, sizeof(said));
    if (last_line(said, "FAIL", line, sizeof(line)))
        return error_set(err, -EIO, "the guest says: %s", line);
    read_back(f->err, said, sizeof(said));
    last_line(said, "", line, sizeof(line));
    if (!strncmp(line, "viaduct: error: ", 16))
        memmove(line, line + 16, strlen(line + 16) + 1);
    if (code == 2 && is_refusal(line))
        return error_set(err, -ENOTSUP, "%s", line);
    if (code < 0)
        return error_set(err, -EIO, "its process was ended by signal %d", WTERMSIG(status));
    if (code == 10)
        return error_set(err, -EIO, "not done within " CHILD_GUEST_SECONDS " s");
    return error_set(err, -EIO, "exit status %d%s%s", code, *line ? ": " : "", line);
}

/* "round I requests N ticks T", one for each round. */
static int rounds_read(struct child *k, const struct files *f, double tsc_hz, struct error *err)
{
    char said[SAID_MAX];
    unsigned found = 0;

    read_back(f->out, said, sizeof(said));
    for (char *at = said; (at = strstr(at, "round ")); at++) {
        unsigned i, n;
        unsigned long long ticks;

        if (sscanf(at, "round %u requests %u ticks %llx", &i, &n, &ticks) != 3 || i != found ||
            n != k->per_round || found >= k->rounds)
            return error_set(err, -EBADMSG, "the guest's report makes no sense");
        k->ns[found++] = (double)ticks * 1e9 / tsc_hz;
    }
    return found == k->rounds
               ? 0
               : error_set(err, -EBADMSG, "the guest reported %u rounds of %u", found, k->rounds);
}

int compare_child(struct compare *c, struct child *k, struct error *err)
{
    struct child_command m;
    struct files f;
    pid_t pid;
    int code = files_open(&f, err), status = 0;

    child_command(&m, c, k);
    k->ledger = (struct compare_ledger){0};
    if (!code) {
        code = start(&pid, m.argv, &f, (int[2]){c->image, child_file(c, k->cell)});
        if (code)
            error_set(err, code, "can't start another viaduct: %s", strerror(-code));
    }
    if (!code && (code = child_wait(pid, CHILD_MS, &status)))
        error_set(err, code, "it did not end, and was killed");
    if (!code)
        code = judge(status, &f, err);
    if (!code)
        code = rounds_read(k, &f, c->tsc_hz, err);
    if (!code)
        code = compare_ledger_read(&k->ledger, f.ledger, err);
    files_close(&f);
    return code;
}
