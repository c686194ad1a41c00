/*
 * The seat's own control socket, its owner's alone: a line asks, lines answer, and the connection
 * ends. "list": every machine, '*' before the one that has the seat; "switch NAME". The last line
 * is "ok", or "no" and why.
 */
#include "cli/seat.h"
#include "cli/cli.h"
#include "core/error.h"
#include "core/log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS  8u
#define LINE     128u
#define AGAIN_NS 1000000000ull /* out of descriptors */

struct client {
    struct seating *s;
    int fd;
    char line[LINE];
    size_t len;
};

static void client_close(struct client *c)
{
    loop_fd_drop(c->s->loop, c->fd);
    close(c->fd);
    c->s->ctl_clients--;
    free(c);
}

static size_t list(const struct seating *s, char *out, size_t room)
{
    size_t n = 0;

    for (unsigned i = 0; i < s->vms; i++) /* each at most 64 bytes: all fit */
        n += (size_t)snprintf(out + n, room - n, "%c %s %s\n", i == s->seat.focus ? '*' : ' ',
                              s->vm[i].name, svm_word(&s->vm[i]));
    return n + (size_t)snprintf(out + n, room - n, "ok\n");
}

static size_t answer(struct seating *s, const char *line, char *out, size_t room)
{
    static const char to[] = "switch ";

    if (!strcmp(line, "list"))
        return list(s, out, room);
    for (unsigned i = 0; i < s->vms && !strncmp(line, to, strlen(to)); i++)
        if (!strcmp(line + strlen(to), s->vm[i].name)) {
            seating_focus(s, i);
            return (size_t)snprintf(out, room, "ok\n");
        }
    return (size_t)snprintf(out, room, "no %s\n",
                            strncmp(line, to, strlen(to)) ? "such command"
                                                          : "machine of that name");
}

static void on_client(void *arg, uint32_t events)
{
    struct client *c = arg;
    char out[SEAT_VMS * 80], *end;
    ssize_t n = recv(c->fd, c->line + c->len, LINE - 1 - c->len, MSG_DONTWAIT);

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    c->len += n > 0 ? (size_t)n : 0;
    c->line[c->len] = 0;
    end = strchr(c->line, '\n');
    if (!end && n > 0 && c->len < LINE - 1)
        return;
    if (end) {
        *end = 0;
        /* Fits a socket's buffer: who does not read it waits for himself. */
        (void)!send(c->fd, out, answer(c->s, c->line, out, sizeof(out)),
                    MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    client_close(c);
}

static void on_connect(void *arg, uint32_t events)
{
    struct seating *s = arg;
    int fd = accept4(s->ctl.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct client *c = fd >= 0 && s->ctl_clients < CLIENTS ? calloc(1, sizeof(*c)) : NULL;

    (void)events;
    if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED) {
        loop_fd_drop(s->loop, s->ctl.fd); /* else the loop would turn without end */
        loop_timer_set(&s->ctl_again, loop_now(s->loop) + AGAIN_NS);
    }
    if (c) {
        *c = (struct client){.s = s, .fd = fd};
        s->ctl_clients++;
        if (!loop_fd(s->loop, fd, EPOLLIN, on_client, c))
            return;
        s->ctl_clients--;
        free(c);
    }
    if (fd >= 0)
        close(fd);
}

static void on_again(void *arg)
{
    struct seating *s = arg;

    loop_fd(s->loop, s->ctl.fd, EPOLLIN, on_connect, s);
}

int seat_ctl_open(struct seating *s, const char *path, struct error *err)
{
    int code = listen_open(&s->ctl, "--ctl", path, (int)CLIENTS, err);

    loop_timer_init(&s->ctl_again, s->loop, on_again, s);
    if (!code)
        code = loop_fd(s->loop, s->ctl.fd, EPOLLIN, on_connect, s);
    return code;
}

void seat_ctl_close(struct seating *s)
{
    if (s->ctl.fd < 0)
        return;
    loop_timer_stop(&s->ctl_again);
    loop_fd_drop(s->loop, s->ctl.fd);
    listen_close(&s->ctl);
}
