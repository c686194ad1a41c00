/* eye.h tells. */
#include "cli/eye.h"
#include "cli/lab_ask.h"
#include "cli/lab_boss.h"
#include "core/log.h"
#include <errno.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOK_MS 100

static bool lives(const char *unit)
{
    struct lab_view_unit *u;
    struct lab_view v;
    struct error none;
    bool yes = !lab_unit_meant(&v, &u, unit, &none) && (u->pid || u->state == LAB_WAITING);

    lab_view_free(&v);
    return yes;
}

_Noreturn static void become(int sock, const struct client *client, const char *unit)
{
    const struct client own = {.role = "logs' eye",
                               .mode = client->mode,
                               .sets = BOX_BIT(BOX_CORE) | BOX_BIT(BOX_LOOK) | BOX_BIT(BOX_WAIT)};
    struct pollfd maker = {.fd = STDIN_FILENO, .events = POLLIN};
    struct error err = {0};

    prctl(PR_SET_NAME, "eye");
    if (dup2(sock, STDIN_FILENO) < 0 || close(STDOUT_FILENO) || close_range(3, ~0u, 0))
        _exit(EXIT_VMM);
    if (client_box_enter(&own, &err)) {
        log_error("%s", err.text);
        _exit(EXIT_VMM);
    }
    while (lives(unit) && !poll(&maker, 1, LOOK_MS)) /* until either ends */
        ;
    _exit(EXIT_OFF);
}

int eye_open(const struct client *client, const char *unit)
{
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return -errno;
    pid = fork();
    if (!pid)
        become(pair[1], client, unit);
    close(pair[1]);
    if (pid > 0)
        return pair[0];
    close(pair[0]);
    return -EAGAIN;
}
