/* Lines of JSON over a Unix socket; events that come between are skipped. */
#include "cli/ctl_call.h"
#include "core/error.h"
#include "core/plain.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static void passed_keep(struct ctl_call *c, struct msghdr *m)
{
    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h))
        if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
            if (c->passed >= 0)
                close(c->passed);
            memcpy(&c->passed, CMSG_DATA(h), sizeof(int)); /* there is room for one */
        }
}

static bool more(struct ctl_call *c)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec io = {c->buf, sizeof(c->buf)};
    struct msghdr m = {.msg_iov = &io,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof(control.room)};
    ssize_t n;

    do
        n = recvmsg(c->fd, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    c->at = 0;
    c->len = n > 0 ? (size_t)n : 0;
    if (n > 0)
        passed_keep(c, &m);
    return n > 0;
}

static int line_add(struct ctl_call *c, size_t *len, const char *p, size_t n)
{
    if (*len + n + 1 > c->room) {
        size_t room = 2 * (*len + n + 1);
        char *line = realloc(c->line, room);

        if (!line)
            return -ENOMEM;
        c->line = line;
        c->room = room;
    }
    memcpy(c->line + *len, p, n);
    *len += n;
    c->line[*len] = 0;
    return 0;
}

static int line_read(struct ctl_call *c, struct error *err)
{
    size_t len = 0;
    bool whole = false;

    while (!whole) {
        const char *end;
        size_t n;

        if (c->at == c->len && !more(c))
            return error_set(err, -EPIPE, "the machine has ended the connection");
        end = memchr(c->buf + c->at, '\n', c->len - c->at);
        n = end ? (size_t)(end - c->buf) - c->at : c->len - c->at;
        if (n > CTL_LINE - len)
            return error_set(err, -EPROTO, "the machine says too much");
        if (line_add(c, &len, c->buf + c->at, n))
            return error_set(err, -ENOMEM, "not enough memory");
        whole = end;
        c->at += n + whole;
    }
    if (len && c->line[len - 1] == '\r')
        c->line[len - 1] = 0;
    plain_text(c->line);
    return 0;
}

/* With its line end in one piece: who was told to quit may be gone before another one comes. */
static int line_write(struct ctl_call *c, const char *json, struct error *err)
{
    char *text;
    int n = asprintf(&text, "%s\n", json), code = 0;
    size_t len = n < 0 ? 0 : (size_t)n, at = 0;

    if (n < 0)
        return error_set(err, -ENOMEM, "not enough memory");
    while (at < len && !code) {
        ssize_t sent = send(c->fd, text + at, len - at, MSG_NOSIGNAL);

        if (sent < 0 && errno != EINTR)
            code = error_set(err, -errno, "the machine does not listen: %s", strerror(errno));
        at += sent > 0 ? (size_t)sent : 0;
    }
    free(text);
    return code;
}

int ctl_raw(struct ctl_call *c, const char *json, struct error *err)
{
    int code = line_write(c, json, err);

    for (unsigned i = 0; !code && i < CTL_EVENTS; i++) {
        cJSON *o;
        bool event;

        code = line_read(c, err);
        if (code)
            return code;
        o = cJSON_Parse(c->line);
        event = cJSON_HasObjectItem(o, "event");
        cJSON_Delete(o);
        if (!event)
            return 0;
    }
    return code ? code : error_set(err, -EPROTO, "the machine does not answer");
}

/* All strings in it. As deep as cJSON parses at most (CJSON_NESTING_LIMIT, 1000). */
static void plain_tree(cJSON *o)
{
    for (; o; o = o->next) {
        plain_text(o->valuestring);
        plain_text(o->string);
        plain_tree(o->child);
    }
}

/* An answer: what it returns, or the reason that it doesn't. */
static int judge(struct ctl_call *c, cJSON **got, struct error *err)
{
    cJSON *o = cJSON_Parse(c->line);
    const cJSON *e = cJSON_GetObjectItemCaseSensitive(o, "error");
    const cJSON *desc = cJSON_GetObjectItemCaseSensitive(e, "desc");
    cJSON *value = cJSON_DetachItemFromObjectCaseSensitive(o, "return");

    plain_tree(o);
    plain_tree(value);
    snprintf(c->said, sizeof(c->said), "%s",
             cJSON_IsString(desc) ? desc->valuestring : "an answer that makes no sense");
    cJSON_Delete(o);
    if (!value)
        return error_set(err, -EPROTO, "%s", c->said);
    if (got)
        *got = value;
    else
        cJSON_Delete(value);
    return 0;
}

int ctl_call(struct ctl_call *c, const char *name, cJSON *args, cJSON **got, struct error *err)
{
    cJSON *o = cJSON_CreateObject();
    char *text;
    int code;

    cJSON_AddStringToObject(o, "execute", name);
    if (args)
        cJSON_AddItemToObject(o, "arguments", args);
    text = cJSON_PrintUnformatted(o);
    cJSON_Delete(o);
    code = text ? ctl_raw(c, text, err) : error_set(err, -ENOMEM, "not enough memory");
    cJSON_free(text);
    return code ? code : judge(c, got, err);
}

int ctl_event(struct ctl_call *c, struct error *err)
{
    return line_read(c, err); /* nothing else comes: no command is open */
}

/* Both ways, also of connect(2): socket(7). */
static bool patient(int fd, unsigned seconds)
{
    const struct timeval t = {.tv_sec = (time_t)seconds};

    return !seconds || (!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) &&
                        !setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)));
}

int ctl_dial(const char *path, unsigned patience, struct error *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof(at.sun_path))
        return error_set(err, -EINVAL, "%s: too long for a socket", path);
    memcpy(at.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && patient(fd, patience) && !connect(fd, (const struct sockaddr *)&at, sizeof(at)))
        return fd;
    error_set(err, -EINVAL, "%s: %s; is a machine running with --ctl %s?", path, strerror(errno),
              path);
    if (fd >= 0)
        close(fd);
    return -EINVAL;
}

int ctl_greet(struct ctl_call *c, int fd, struct error *err)
{
    int code;

    c->fd = fd;
    code = line_read(c, err);
    return code ? code : ctl_call(c, "qmp_capabilities", NULL, NULL, err);
}

void ctl_hang_up(struct ctl_call *c)
{
    if (c->fd >= 0)
        close(c->fd);
    if (c->passed >= 0)
        close(c->passed);
    if (c->file)
        fclose(c->file);
    free(c->line);
}
