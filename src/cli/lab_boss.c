/*
 * The supervisor's life: lock, socket, loop (lab_boss.h says what it is for). After its start it is
 * in a jail (sandbox/rows_lab.c): it may read files (labs are anywhere, and /proc), change those of
 * the run directory and of no other, speak to Unix sockets and signal what it started; it starts
 * nothing itself but asks a process for it which is outside (starter.h).
 */
#include "cli/lab_boss.h"
#include "cli/cli.h"
#include "cli/run_box.h"
#include "core/log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKETS_MAX (4u << 20) /* bytes of /proc/net/unix that are looked at */

bool boss_lives(const struct boss_unit *u)
{
    return u->pid > 0;
}

struct boss_unit *boss_find(struct boss *b, const char *name)
{
    for (unsigned i = 0; i < b->units; i++)
        if (!strcmp(b->unit[i]->plan.name, name))
            return b->unit[i];
    return NULL;
}

void boss_wake(struct boss *b)
{
    loop_timer_set(&b->tick, loop_now(b->loop));
}

/* ---- a turn ---- */

static bool any_in(const struct boss *b, enum lab_state state)
{
    for (unsigned i = 0; i < b->units; i++)
        if (b->unit[i]->state == state)
            return true;
    return false;
}

static char *sockets_read(void)
{
    int fd = open("/proc/net/unix", O_RDONLY | O_CLOEXEC);
    char *text = fd < 0 ? NULL : malloc(SOCKETS_MAX + 1);
    size_t len = 0;
    ssize_t n = 1;

    while (text && n > 0 && len < SOCKETS_MAX) { /* each takes a byte or ends */
        n = read(fd, text + len, SOCKETS_MAX - len);
        len += n > 0 ? (size_t)n : 0;
    }
    if (text)
        text[len] = 0;
    if (fd >= 0)
        close(fd);
    return text;
}

static void on_tick(void *boss)
{
    struct boss *b = boss;

    b->sockets = any_in(b, LAB_STARTING) ? sockets_read() : NULL;
    for (unsigned i = 0; i < b->units; i++)
        unit_tick(b->unit[i]);
    free(b->sockets);
    b->sockets = NULL;
    job_tick(b);
    if (b->changed && !b->over && state_save(b))
        log_warn("lab %s: its state can't be written", b->name);
    b->changed = false;
    if (b->over)
        loop_stop(b->loop);
    else if (b->job.kind != JOB_NONE || any_in(b, LAB_STARTING) || any_in(b, LAB_STOPPING) ||
             any_in(b, LAB_WAITING))
        loop_timer_set(&b->tick, loop_now(b->loop) + BOSS_TICK);
}

/* ---- clients ---- */

static void asker_drop(struct boss *b)
{
    loop_fd_drop(b->loop, b->asker);
    loop_timer_stop(&b->patience);
    b->asker = -1;
    b->asked = 0;
}

static void request(struct boss *b, int fd)
{
    char *words = strchr(b->ask, ' ');

    words = words ? words + 1 : b->ask + strlen(b->ask);
    b->job.client = fd;
    if (!strncmp(b->ask, "up ", 3))
        job_up(b, words);
    else
        job_down(b, words);
    boss_wake(b);
}

static void refuse(int fd, const char *why)
{
    (void)!send(fd, why, strlen(why), MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

static void on_asker(void *boss, uint32_t events)
{
    struct boss *b = boss;
    int fd = b->asker;
    ssize_t n = recv(fd, b->ask + b->asked, sizeof(b->ask) - 1 - b->asked, MSG_DONTWAIT);
    char *end;

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    b->asked += n > 0 ? (size_t)n : 0;
    b->ask[b->asked] = 0;
    end = strchr(b->ask, '\n');
    if (!end && n > 0 && b->asked < sizeof(b->ask) - 1)
        return;
    asker_drop(b);
    if (end)
        *end = 0;
    if (!end || (strncmp(b->ask, "up ", 3) && strncmp(b->ask, "down", 4)))
        refuse(fd, "-no such request\n");
    else if (b->job.kind != JOB_NONE)
        refuse(fd, "-the lab is busy with another up or down; try again when it is through\n");
    else
        request(b, fd);
}

static void on_patience(void *boss)
{
    struct boss *b = boss;
    int fd = b->asker;

    asker_drop(b);
    refuse(fd, "-that took too long\n");
}

/* One is heard at a time; a second one finds the door shut. */
static void on_connect(void *boss, uint32_t events)
{
    struct boss *b = boss;
    int fd = accept4(b->door.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd < 0)
        return;
    if (b->asker >= 0) {
        refuse(fd, "-the lab is busy; try again\n");
        return;
    }
    b->asker = fd;
    b->asked = 0;
    loop_timer_set(&b->patience, loop_now(b->loop) + BOSS_ASK);
    if (loop_fd(b->loop, fd, EPOLLIN, on_asker, b)) {
        loop_timer_stop(&b->patience);
        b->asker = -1;
        close(fd);
    }
}

/* Told to end: everything goes down in order. Asked again: at once, and the machines live on. */
static void on_signal(void *boss, uint32_t events)
{
    struct signalfd_siginfo info;
    struct boss *b = boss;
    char none[1] = "";

    (void)events;
    if (read(b->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    if (b->job.kind != JOB_NONE) {
        loop_stop(b->loop);
        return;
    }
    job_down(b, none);
    boss_wake(b);
}

/* ---- start and end ---- */

void boss_leave(struct boss *b)
{
    b->over = true;
    if (b->door.fd >= 0)
        loop_fd_drop(b->loop, b->door.fd);
    listen_close(&b->door);
}

/* All files of the run directory, and itself. */
void boss_clean(struct boss *b)
{
    DIR *d = opendir(b->run);
    struct dirent *e;

    while (d && (e = readdir(d)))
        if (e->d_name[0] != '.')
            unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    rmdir(b->run);
}

static int lock_take(struct boss *b)
{
    char path[LAB_RUN + 64];

    snprintf(path, sizeof(path), "%s/%s", b->run, LAB_LOCK);
    b->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (b->lock < 0)
        return -errno;
    return flock(b->lock, LOCK_EX | LOCK_NB) ? -errno : 0;
}

static int signals_start(struct boss *b)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    b->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return b->signals < 0 ? -errno : loop_fd(b->loop, b->signals, EPOLLIN, on_signal, b);
}

/* What a lab is made of, and of this binary: nothing else is ever started. */
static bool starts(char *const argv[])
{
    static const char *const verb[] = {"run", "switch", "domain", "seat"};

    for (unsigned i = 0; argv[0] && argv[1] && i < ARRAY_LEN(verb); i++)
        if (!strcmp(argv[1], verb[i]))
            return true;
    return false;
}

static int starter_make(struct boss *b)
{
    const struct starter_opts o = {.program = b->exe, .may = starts, .privileges = true};

    b->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    return b->null < 0 ? -errno : starter_open(&b->starter, &o);
}

static int core_open(struct boss *b, struct error *err)
{
    char run[LAB_RUN], exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    int code = lab_run_dir(run, sizeof(run), b->name, err);

    if (code)
        return code;
    exe[n > 0 ? n : 0] = 0;
    b->run = strdup(run);
    b->exe = strdup(exe);
    b->loop = loop_open(NULL, false);
    code = b->run && b->exe && b->loop ? lock_take(b) : -ENOMEM;
    if (!code)
        code = starter_make(b);
    return code ? error_set(err, code, "lab %s: %s", b->name, strerror(-code)) : 0;
}

static int boss_open(struct boss *b, struct error *err)
{
    int code = core_open(b, err);
    char *door = code ? NULL : lab_path(b->run, "lab", LAB_DOOR);

    if (code)
        return code;
    loop_timer_init(&b->tick, b->loop, on_tick, b);
    loop_timer_init(&b->patience, b->loop, on_patience, b);
    code = door ? signals_start(b) : -ENOMEM;
    if (code)
        error_set(err, code, "lab %s: %s", b->name, strerror(-code));
    else
        state_load(b);
    if (!code)
        code = listen_open(&b->door, "lab", door, 8, err);
    if (!code)
        code = loop_fd(b->loop, b->door.fd, EPOLLIN, on_connect, b);
    free(door);
    if (!code)
        code = boss_box_enter(b->run, err);
    if (!code)
        boss_wake(b);
    return code;
}

static void boss_close(struct boss *b)
{
    while (b->units)
        unit_drop(b, b->units - 1);
    listen_close(&b->door);
    if (b->signals >= 0)
        close(b->signals);
    if (b->null >= 0)
        close(b->null);
    if (b->lock >= 0)
        close(b->lock);
    starter_close(&b->starter);
    if (b->loop)
        loop_close(b->loop);
    free(b->run);
    free(b->exe);
    free(b->file);
    free(b);
}

int boss_run(const char *name)
{
    struct boss *b = calloc(1, sizeof(*b));
    struct error err = {0};
    int code;

    if (!b)
        return EXIT_VMM;
    b->lock = b->signals = b->null = b->asker = b->job.client = b->door.fd = -1;
    snprintf(b->name, sizeof(b->name), "%s", name);
    code = boss_open(b, &err);
    if (code == -EWOULDBLOCK) /* another one has the lock: it is asked instead */
        code = 0;
    else if (code)
        log_error("%s", err.text);
    else
        code = loop_run(b->loop);
    boss_close(b);
    return code ? EXIT_VMM : EXIT_OFF;
}
