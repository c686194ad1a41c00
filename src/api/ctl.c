/* The listening socket: made so that nobody else can open it, removed at the end. */
#include "api/ctl_impl.h"
#include "vm/vm_ctl.h"
#include <cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG  16
#define RETRY_NS 1000000000ull /* out of descriptors: nobody is accepted for so long */

static void on_connect(void *ctl, uint32_t events)
{
    struct ctl *c = ctl;
    int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd >= 0) {
        ctl_client_open(c, fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        loop_fd_drop(c->loop, c->fd); /* else the loop would turn without end */
        loop_timer_set(&c->retry, loop_now(c->loop) + RETRY_NS);
    }
}

static void on_retry(void *ctl)
{
    struct ctl *c = ctl;

    loop_fd(c->loop, c->fd, EPOLLIN, on_connect, c);
}

/* Is somebody there? Only a socket that nobody answers at may be taken away. */
static int place_clear(const struct sockaddr_un *at, struct error *err)
{
    struct stat st;
    int fd, code;

    if (lstat(at->sun_path, &st))
        return 0;
    if (!S_ISSOCK(st.st_mode))
        return error_set(err, -EEXIST, "--ctl %s: is there, and is no socket", at->sun_path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    code = fd < 0 ? -errno : connect(fd, (const struct sockaddr *)at, sizeof(*at)) ? -errno : 0;
    if (fd >= 0)
        close(fd);
    if (code != -ECONNREFUSED)
        return error_set(err, -EADDRINUSE, "--ctl %s: %s", at->sun_path,
                         code ? strerror(-code) : "another machine is there; name another path");
    unlink(at->sun_path);
    return 0;
}

/* Nobody can connect before listen, and then the mode is right. */
static int socket_make(struct ctl *c, const struct sockaddr_un *at)
{
    struct stat st;

    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0 || bind(c->fd, (const struct sockaddr *)at, sizeof(*at)))
        return -errno;
    if (chmod(at->sun_path, 0600) || listen(c->fd, BACKLOG) || lstat(at->sun_path, &st)) {
        int code = -errno;

        unlink(at->sun_path);
        return code;
    }
    c->dev = st.st_dev;
    c->ino = st.st_ino;
    return loop_fd(c->loop, c->fd, EPOLLIN, on_connect, c);
}

int ctl_open(struct ctl **out, struct vm *vm, const char *path, struct error *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct ctl *c;
    int code;

    if (!*path || strlen(path) >= sizeof(at.sun_path))
        return error_set(err, -ENAMETOOLONG, "--ctl %s: a socket's path has 1 to %zu characters",
                         path, sizeof(at.sun_path) - 1);
    memcpy(at.sun_path, path, strlen(path));
    code = place_clear(&at, err);
    if (code)
        return code;
    c = calloc(1, sizeof(*c));
    if (!c)
        return error_set(err, -ENOMEM, "not enough memory to start");
    c->vm = vm;
    c->loop = vm_loop(vm);
    memcpy(c->path, path, strlen(path));
    for (unsigned i = 0; i < CTL_CLIENTS; i++)
        c->client[i].fd = -1;
    loop_timer_init(&c->retry, c->loop, on_retry, c);
    vm_lock(vm);
    code = socket_make(c, &at);
    vm_unlock(vm);
    if (code) {
        error_set(err, code, "--ctl %s: %s", path, strerror(-code));
        ctl_close(c, VM_FAILED);
        return code;
    }
    *out = c;
    return 0;
}

/* Names as QEMU's ShutdownCause has them. */
static const char *cause(enum vm_end end)
{
    switch (end) {
    case VM_POWER_OFF: return "guest-shutdown";
    case VM_RESET: return "guest-reset";
    case VM_TRIPLE:
    case VM_HALTED: return "guest-panic";
    case VM_QUIT: return "host-qmp-quit";
    case VM_TIMEOUT: return "host-signal";
    case VM_DEBUG_EXIT: return "guest-shutdown";
    default: return "host-error";
    }
}

static void say_end(struct ctl *c, enum vm_end end)
{
    const char *why = cause(end);

    for (unsigned i = 0; i < CTL_CLIENTS; i++) {
        cJSON *data = cJSON_CreateObject();

        cJSON_AddBoolToObject(data, "guest", !strncmp(why, "guest", 5));
        cJSON_AddStringToObject(data, "reason", why);
        if (c->client[i].fd >= 0 && c->client[i].qmp.ready)
            ctl_client_send(&c->client[i], qmp_event("SHUTDOWN", data), false);
        else
            cJSON_Delete(data);
    }
}

void ctl_close(struct ctl *c, enum vm_end end)
{
    struct stat st;

    if (!c)
        return;
    vm_lock(c->vm);
    say_end(c, end);
    for (unsigned i = 0; i < CTL_CLIENTS; i++)
        ctl_client_close(&c->client[i]);
    loop_timer_stop(&c->retry);
    if (c->fd >= 0) {
        loop_fd_drop(c->loop, c->fd);
        close(c->fd);
    }
    vm_unlock(c->vm);
    /* Only what is ours: somebody may have put something else there. */
    if (c->ino && !lstat(c->path, &st) && st.st_dev == c->dev && st.st_ino == c->ino)
        unlink(c->path);
    free(c);
}
