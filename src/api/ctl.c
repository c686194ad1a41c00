/* The listening socket, and who may come in. */
#include "api/ctl_impl.h"
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
        loop_fd_drop(c->o.loop, c->at.fd); /* else the loop would turn without end */
        loop_timer_set(&c->retry, loop_now(c->o.loop) + RETRY_NS);
    }
}

static void on_retry(void *ctl)
{
    struct ctl *c = ctl;

    loop_fd(c->o.loop, c->at.fd, EPOLLIN, on_connect, c);
}

int ctl_listen(struct ctl **out, const struct ctl_opts *o, struct error *err)
{
    struct ctl *c = calloc(1, sizeof(*c));
    int code;

    if (!c)
        return error_set(err, -ENOMEM, "not enough memory to start");
    c->o = *o;
    for (unsigned i = 0; i < CTL_CLIENTS; i++)
        c->client[i].fd = -1;
    loop_timer_init(&c->retry, o->loop, on_retry, c);
    code = listen_open(&c->at, "--ctl", o->path, BACKLOG, err);
    if (!code) {
        code = loop_fd(o->loop, c->at.fd, EPOLLIN, on_connect, c);
        if (code)
            error_set(err, code, "--ctl %s: %s", o->path, strerror(-code));
    }
    if (code)
        ctl_leave(c, "host-error");
    else
        *out = c;
    return code;
}

static void say_end(struct ctl *c, const char *why)
{
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

void ctl_leave(struct ctl *c, const char *reason)
{
    if (!c)
        return;
    say_end(c, reason);
    for (unsigned i = 0; i < CTL_CLIENTS; i++)
        ctl_client_close(&c->client[i]);
    loop_timer_stop(&c->retry);
    if (c->at.fd >= 0)
        loop_fd_drop(c->o.loop, c->at.fd);
    listen_close(&c->at);
    free(c);
}
