/* The signals that a service hears and the ledger that it leaves: service.h. */
#include "cli/cli.h"
#include "cli/service.h"
#include "core/ledger.h"
#include "core/log.h"
#include "core/loop.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void on_signal(void *service, uint32_t events)
{
    struct service *d = service;
    struct signalfd_siginfo info;

    (void)events;
    if (read(d->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    if (info.ssi_signo == SIGUSR1)
        d->print(d->print_owner);
    else
        loop_stop(d->heard_by);
}

int service_signals(struct service *d, struct loop *loop, void (*print)(void *owner), void *owner)
{
    struct sigaction hup;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (sigaction(SIGHUP, NULL, &hup) || hup.sa_handler != SIG_IGN) /* nohup(1) */
        sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    d->print = print;
    d->print_owner = owner;
    d->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (d->signals < 0)
        return -errno;
    d->heard_by = loop;
    return loop_fd(loop, d->signals, EPOLLIN, on_signal, d);
}

void service_deaf(struct service *d)
{
    if (!d->heard_by)
        return;
    loop_fd_drop(d->heard_by, d->signals);
    close(d->signals);
    d->heard_by = NULL;
}

int service_take_ledger(void *d, const char *value, struct error *err)
{
    ((struct service *)d)->ledger_path = value;
    return strcmp(value, "-") ? opt_output("ledger", value, err) : 0;
}

int service_ledger_place(struct service *d, struct error *err)
{
    if (d->ledger_path && !(d->ledger_file = ledger_place(d->ledger_path)))
        return error_set(err, -errno, "--ledger %s: %s", d->ledger_path, strerror(errno));
    return 0;
}

int service_ledger_write(const struct service *d, struct ledger *ledger)
{
    int code = d->ledger_file ? ledger_put(ledger, d->ledger_file) : 0;

    if (code)
        log_error("--ledger %s: %s", d->ledger_path, strerror(-code));
    return code;
}
