/* HTTP/1.0 and 1.1 requests as far as RFC 9112, sections 2.2 and 3 go: a request line, header lines
 * that are skipped, an empty line. The connection is closed after the answer. */
#include "api/metrics_door.h"
#include "api/metrics.h"
#include "back/listen.h"
#include "core/error.h"
#include "core/loop.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_NS 5000000000ull
#define RETRY_NS    1000000000ull
#define BACKLOG     16
#define SENDS       64u /* pieces of an answer in one turn */

struct scraper {
    struct metrics_door *door;
    int fd; /* -1: free */
    char ask[METRICS_ASK];
    size_t asked;
    char *answer; /* NULL: still asking */
    size_t len, sent;
    struct loop_timer patience;
};

struct metrics_door {
    struct metrics_door_opts o;
    struct listen_place at;
    struct loop_timer retry;
    struct scraper scraper[METRICS_CLIENTS];
};

/* ---- what is answered ---- */

static char *answer_make(const char *status, const char *body)
{
    char *text;

    return asprintf(&text,
                    "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                    "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                    status, strlen(body), body) < 0
               ? NULL
               : text;
}

/* The word of the request line that starts at ask; its length. */
static size_t word_length(const char *ask)
{
    return strcspn(ask, " \r\n");
}

static bool word_is(const char *at, size_t n, const char *word)
{
    return strlen(word) == n && !memcmp(at, word, n);
}

char *metrics_http_answer(const char *ask, const struct metrics_source *s, const char *name)
{
    size_t method = word_length(ask), path;
    const char *at = ask + method + 1;
    char *body, *text;

    if (!method || ask[method] != ' ')
        return answer_make("400 Bad Request", "this is not HTTP\n");
    path = word_length(at);
    if (at[path] != ' ' || strncmp(at + path + 1, "HTTP/1.", 7))
        return answer_make("400 Bad Request", "this is not HTTP 1\n");
    if (!strstr(ask, "\r\n\r\n") && !strstr(ask, "\n\n"))
        return answer_make("431 Request Header Fields Too Large", "that is too long\n");
    if (!word_is(ask, method, "GET"))
        return answer_make("405 Method Not Allowed", "only GET\n");
    if (!word_is(at, path, "/metrics") && !word_is(at, path, "/"))
        return answer_make("404 Not Found", "only /metrics\n");
    body = metrics_text(s, name);
    text = body ? answer_make("200 OK", body) : NULL;
    free(body);
    return text;
}

/* ---- a connection ---- */

static void scraper_close(struct scraper *c)
{
    if (c->fd < 0)
        return;
    loop_timer_stop(&c->patience);
    loop_fd_drop(c->door->o.loop, c->fd);
    close(c->fd);
    free(c->answer);
    c->answer = NULL;
    c->fd = -1;
}

static void on_patience(void *scraper)
{
    scraper_close(scraper);
}

static void answer_send(struct scraper *c)
{
    ssize_t n = 1;

    for (unsigned i = 0; i < SENDS && c->sent < c->len && n > 0; i++) {
        n = send(c->fd, c->answer + c->sent, c->len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        c->sent += n > 0 ? (size_t)n : 0;
    }
    if (c->sent == c->len || (n < 0 && errno != EAGAIN && errno != EINTR))
        scraper_close(c);
}

static void on_scraper(void *scraper, uint32_t events);

static void answer_start(struct scraper *c)
{
    struct metrics_source s = {0};

    c->door->o.source(c->door->o.ctx, &s);
    c->answer = metrics_http_answer(c->ask, &s, c->door->o.name);
    c->len = c->answer ? strlen(c->answer) : 0;
    c->sent = 0;
    if (!c->answer || loop_fd(c->door->o.loop, c->fd, EPOLLOUT, on_scraper, c))
        scraper_close(c);
    else
        answer_send(c);
}

static void on_scraper(void *scraper, uint32_t events)
{
    struct scraper *c = scraper;
    ssize_t n;

    if (c->answer) {
        if (events & (EPOLLERR | EPOLLHUP))
            scraper_close(c);
        else
            answer_send(c);
        return;
    }
    n = recv(c->fd, c->ask + c->asked, sizeof(c->ask) - 1 - c->asked, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) { /* it has gone, or will say no more: that was no request */
        scraper_close(c);
        return;
    }
    c->asked += (size_t)n;
    c->ask[c->asked] = 0;
    if (strstr(c->ask, "\r\n\r\n") || strstr(c->ask, "\n\n") || c->asked == sizeof(c->ask) - 1)
        answer_start(c);
}

/* ---- the door ---- */

static struct scraper *scraper_free(struct metrics_door *d)
{
    for (unsigned i = 0; i < METRICS_CLIENTS; i++)
        if (d->scraper[i].fd < 0)
            return &d->scraper[i];
    return NULL;
}

static void on_connect(void *door, uint32_t events)
{
    struct metrics_door *d = door;
    int fd = accept4(d->at.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct scraper *c = fd < 0 ? NULL : scraper_free(d);

    (void)events;
    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
        loop_fd_drop(d->o.loop, d->at.fd); /* else the loop would turn without end */
        loop_timer_set(&d->retry, loop_now(d->o.loop) + RETRY_NS);
    }
    if (fd < 0)
        return;
    if (!c || loop_fd(d->o.loop, fd, EPOLLIN, on_scraper, c)) {
        close(fd);
        return;
    }
    c->fd = fd;
    c->asked = 0;
    c->ask[0] = 0;
    loop_timer_set(&c->patience, loop_now(d->o.loop) + PATIENCE_NS);
}

static void on_retry(void *door)
{
    struct metrics_door *d = door;

    loop_fd(d->o.loop, d->at.fd, EPOLLIN, on_connect, d);
}

int metrics_door_open(struct metrics_door **out, const struct metrics_door_opts *o,
                      struct error *err)
{
    struct metrics_door *d = calloc(1, sizeof(*d));
    int code;

    if (!d)
        return error_set(err, -ENOMEM, "not enough memory to start");
    d->o = *o;
    for (unsigned i = 0; i < METRICS_CLIENTS; i++) {
        d->scraper[i].door = d;
        d->scraper[i].fd = -1;
        loop_timer_init(&d->scraper[i].patience, o->loop, on_patience, &d->scraper[i]);
    }
    loop_timer_init(&d->retry, o->loop, on_retry, d);
    code = listen_open(&d->at, o->option, o->path, BACKLOG, err);
    if (!code) {
        code = loop_fd(o->loop, d->at.fd, EPOLLIN, on_connect, d);
        if (code)
            error_set(err, code, "%s %s: %s", o->option, o->path, strerror(-code));
    }
    if (code)
        metrics_door_close(d);
    else
        *out = d;
    return code;
}

void metrics_door_close(struct metrics_door *d)
{
    if (!d)
        return;
    for (unsigned i = 0; i < METRICS_CLIENTS; i++)
        scraper_close(&d->scraper[i]);
    loop_timer_stop(&d->retry);
    if (d->at.fd >= 0)
        loop_fd_drop(d->o.loop, d->at.fd);
    listen_close(&d->at);
    free(d);
}
