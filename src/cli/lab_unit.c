/*
 * One process of a lab: started, seen to listen, told to stop in steps, its end noticed by its
 * pidfd. A machine is asked by its power button first (system_powerdown), then told to quit, then
 * killed; a network or a domain gets SIGTERM, then it is killed.
 */
#include "cli/cli.h"
#include "cli/lab_boss.h"
#include "core/log.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS          1000000000ull
#define BACKOFF     (NS / 2) /* the first wait before a restart; then twice as long each time */
#define BACKOFF_MAX (30 * NS)
#define FAILS_MAX   10u       /* in a row; then it stays down */
#define HEALTHY     (60 * NS) /* who was up for so long has not failed in a row */

void unit_state(struct boss_unit *u, enum lab_state state)
{
    u->state = state;
    u->wall = time(NULL);
    u->boss->changed = true;
}

struct boss_unit *unit_add(struct boss *b)
{
    struct boss_unit *u = b->units < LAB_UNITS ? calloc(1, sizeof(*u)) : NULL;

    if (!u)
        return NULL;
    u->boss = b;
    u->pidfd = u->ctl = u->status = -1;
    b->unit[b->units++] = u;
    return u;
}

static void process_forget(struct boss_unit *u)
{
    if (u->pidfd >= 0) {
        loop_fd_drop(u->boss->loop, u->pidfd);
        close(u->pidfd);
    }
    if (u->ctl >= 0)
        close(u->ctl);
    u->pidfd = u->ctl = -1;
    u->pid = 0;
}

void unit_drop(struct boss *b, unsigned n)
{
    struct boss_unit *u = b->unit[n];

    process_forget(u);
    lab_unit_free(&u->plan);
    free(u);
    memmove(b->unit + n, b->unit + n + 1, (b->units - n - 1) * sizeof(*b->unit));
    b->units--;
}

/* ---- its end ---- */

static bool failed(int status)
{
    return status == -1 || !WIFEXITED(status) ||
           (WEXITSTATUS(status) != EXIT_OFF && WEXITSTATUS(status) != EXIT_QUIT);
}

/* Again, after a while that doubles; not while the job that started it is still at it. */
static bool again_later(struct boss_unit *u)
{
    uint64_t now = loop_now(u->boss->loop), wait = BACKOFF;

    if (u->state == LAB_UP && now - u->due > HEALTHY) /* due: since when it is up */
        u->fails = 0;
    if (!u->plan.restart || !failed(u->status) || u->tried || u->fails >= FAILS_MAX)
        return false;
    for (unsigned i = 0; i < u->fails && wait < BACKOFF_MAX; i++) /* at most FAILS_MAX */
        wait *= 2;
    u->fails++;
    u->due = now + (wait < BACKOFF_MAX ? wait : BACKOFF_MAX);
    return true;
}

static void ended(struct boss_unit *u)
{
    bool asked = u->state == LAB_STOPPING;

    process_forget(u);
    if (asked)
        unit_state(u, LAB_OFF);
    else
        unit_state(u, again_later(u) ? LAB_WAITING : LAB_ENDED);
    boss_wake(u->boss);
}

static void on_end(void *unit, uint32_t events)
{
    struct boss_unit *u = unit;
    int status;

    (void)events;
    u->status = -1;
    if (u->child && waitpid(u->pid, &status, 0) == u->pid)
        u->status = status;
    ended(u);
}

/* ---- its start ---- */

static int watch(struct boss_unit *u)
{
    u->start = lab_process_start(u->pid);
    return loop_fd(u->boss->loop, u->pidfd, EPOLLIN, on_end, u);
}

/* The log for what it says, nothing to read. */
static int process_start(struct boss_unit *u, int log)
{
    const int fd[] = {u->boss->null, log, log};
    struct started new;
    int code = starter_start(&u->boss->starter, u->plan.argv, fd, ARRAY_LEN(fd), &new);

    if (code)
        return code;
    u->pid = new.pid;
    u->pidfd = new.pidfd;
    u->child = true;
    u->status = -1;
    code = watch(u);
    if (!code)
        return 0;
    pidfd_send_signal(u->pidfd, SIGKILL, NULL, 0);
    waitpid(u->pid, NULL, 0);
    process_forget(u);
    return code;
}

/* What a killed one left; that it listens is to mean that the new one does. */
static void sockets_clear(const struct boss_unit *u)
{
    for (char **s = u->plan.socket; *s; s++)
        unlink(*s);
}

int unit_spawn(struct boss_unit *u, bool again)
{
    char *path = lab_path(u->boss->run, u->plan.name, LAB_ERR);
    int log =
        path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (again ? 0 : O_TRUNC), 0600)
             : -1;
    int code;

    free(path);
    if (log < 0)
        return -errno;
    sockets_clear(u);
    u->restarts += again;
    code = process_start(u, log);
    close(log);
    if (code)
        return code;
    u->due = loop_now(u->boss->loop) + BOSS_START;
    unit_state(u, LAB_STARTING);
    return 0;
}

bool unit_adopt(struct boss_unit *u)
{
    uint64_t start = u->start;

    if (u->pid <= 0 || lab_process_start(u->pid) != start)
        return false;
    u->pidfd = pidfd_open(u->pid, 0);
    if (u->pidfd < 0 || watch(u))
        return false;
    u->child = false;
    if (u->start == start) /* still: the pidfd is that process's */
        return true;
    process_forget(u);
    return false;
}

/* ---- does it listen? (proc(5), /proc/net/unix: flag 10000 is SO_ACCEPTCON) ---- */

static bool listens(const char *table, const char *path)
{
    size_t n = strlen(path);

    for (const char *at = strstr(table, path); at; at = strstr(at + 1, path)) {
        const char *line = at;
        unsigned flags = 0;

        while (line > table && line[-1] != '\n')
            line--;
        if (at[n] == '\n' && at[-1] == ' ' && sscanf(line, "%*s %*s %*s %x", &flags) == 1 &&
            flags & 0x10000)
            return true;
    }
    return false;
}

static bool all_listen(const struct boss_unit *u)
{
    if (!u->boss->sockets)
        return false;
    for (char **s = u->plan.socket; *s; s++)
        if (!listens(u->boss->sockets, *s))
            return false;
    return true;
}

/* ---- its stop ---- */

static void tell(struct boss_unit *u, const char *what)
{
    if (u->ctl >= 0)
        (void)!send(u->ctl, what, strlen(what), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void ctl_open_for_stop(struct boss_unit *u)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char *path = lab_path(u->boss->run, u->plan.name, LAB_CTL);

    if (path && strlen(path) < sizeof(at.sun_path)) {
        memcpy(at.sun_path, path, strlen(path));
        u->ctl = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (u->ctl >= 0 && connect(u->ctl, (const struct sockaddr *)&at, sizeof(at))) {
            close(u->ctl);
            u->ctl = -1;
        }
    }
    free(path);
    tell(u, "{\"execute\":\"qmp_capabilities\"}");
}

enum { STEP_BUTTON, STEP_QUIT, STEP_KILL };

static void stop_step(struct boss_unit *u, unsigned step)
{
    uint64_t now = loop_now(u->boss->loop);

    u->step = step;
    if (step == STEP_BUTTON) {
        u->due = now + u->plan.stop_s * NS;
        tell(u, "{\"execute\":\"system_powerdown\"}");
    } else if (step == STEP_QUIT) {
        u->due = now + (u->plan.kind == LAB_VM ? BOSS_QUIT : u->plan.stop_s * NS);
        if (u->plan.kind == LAB_VM)
            tell(u, "{\"execute\":\"quit\"}");
        else
            pidfd_send_signal(u->pidfd, SIGTERM, NULL, 0);
    } else {
        u->due = now + NS;
        pidfd_send_signal(u->pidfd, SIGKILL, NULL, 0);
    }
}

void unit_stop(struct boss_unit *u, bool quick)
{
    if (!boss_lives(u)) {
        unit_state(u, LAB_OFF);
        return;
    }
    unit_state(u, LAB_STOPPING);
    if (u->plan.kind == LAB_VM)
        ctl_open_for_stop(u);
    stop_step(u, u->plan.kind == LAB_VM && u->plan.button && !quick ? STEP_BUTTON : STEP_QUIT);
    boss_wake(u->boss);
}

/* A board without a power button says so: on to the next step at once. */
static bool no_button(struct boss_unit *u)
{
    char said[1024];
    ssize_t n = u->ctl < 0 ? 0 : recv(u->ctl, said, sizeof(said) - 1, MSG_DONTWAIT);

    if (n <= 0)
        return false;
    said[n] = 0;
    return u->step == STEP_BUTTON && strstr(said, "DeviceNotFound");
}

/* ---- what time brings ---- */

void unit_tick(struct boss_unit *u)
{
    uint64_t now = loop_now(u->boss->loop);
    bool late = now >= u->due;

    if (u->state == LAB_STARTING && all_listen(u)) {
        unit_state(u, LAB_UP);
        u->due = now;
        job_say(u->boss, "%s %s is up", lab_kind_name(u->plan.kind), u->plan.name);
    } else if (u->state == LAB_STARTING && late) {
        log_error("%s: does not listen after %llu s, and is killed", u->plan.name, BOSS_START / NS);
        u->due = now + NS;
        pidfd_send_signal(u->pidfd, SIGKILL, NULL, 0);
    } else if (u->state == LAB_STOPPING && (no_button(u) || late)) {
        stop_step(u, u->step < STEP_KILL ? u->step + 1 : STEP_KILL);
    } else if (u->state == LAB_WAITING && late && unit_spawn(u, true)) {
        unit_state(u, LAB_ENDED);
    }
}
