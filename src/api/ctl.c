/* The listening socket, and who may come in. */
#include "api/ctl_impl.h"
#include "vm/vm_ctl.h"
#include <cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define BACKLOG  16
#define RETRY_NS 1000000000ull /* out of descriptors: nobody is accepted for so long */

static void on_connect(void *ctl, uint32_t events)
{
    struct ctl *c = ctl;
    int fd = accept4(c->at.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd >= 0) {
        ctl_client_open(c, fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        loop_fd_drop(c->loop, c->at.fd); /* else the loop would turn without end */
        loop_timer_set(&c->retry, loop_now(c->loop) + RETRY_NS);
    }
}

static void on_retry(void *ctl)
{
    struct ctl *c = ctl;

    loop_fd(c->loop, c->at.fd, EPOLLIN, on_connect, c);
}

int ctl_open(struct ctl **out, struct vm *vm, const char *path, struct error *err)
{
    struct ctl *c = calloc(1, sizeof(*c));
    int code;

    if (!c)
        return error_set(err, -ENOMEM, "not enough memory to start");
    c->vm = vm;
    c->loop = vm_loop(vm);
    for (unsigned i = 0; i < CTL_CLIENTS; i++)
        c->client[i].fd = -1;
    loop_timer_init(&c->retry, c->loop, on_retry, c);
    code = listen_open(&c->at, "--ctl", path, BACKLOG, err);
    if (!code) {
        vm_lock(vm);
        code = loop_fd(c->loop, c->at.fd, EPOLLIN, on_connect, c);
        vm_unlock(vm);
        if (code)
            error_set(err, code, "--ctl %s: %s", path, strerror(-code));
    }
    if (code)
        ctl_close(c, VM_FAILED);
    else
        *out = c;
    return code;
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
    if (!c)
        return;
    vm_lock(c->vm);
    say_end(c, end);
    for (unsigned i = 0; i < CTL_CLIENTS; i++)
        ctl_client_close(&c->client[i]);
    loop_timer_stop(&c->retry);
    if (c->at.fd >= 0)
        loop_fd_drop(c->loop, c->at.fd);
    vm_unlock(c->vm);
    listen_close(&c->at);
    free(c);
}
