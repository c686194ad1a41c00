/* SIGINT, SIGTERM and SIGHUP end the run in order, SIGWINCH tells of the terminal, SIGUSR1 asks for
 * the ledger: signalfd(2). */
#include "vm/vm_signal.h"
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

int signals_open(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGWINCH);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

enum signals_said signals_take(int fd)
{
    struct signalfd_siginfo info;

    if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return SIGNALS_NONE;
    switch (info.ssi_signo) {
    case SIGWINCH: return SIGNALS_SIZE;
    case SIGUSR1: return SIGNALS_TELL;
    default: return SIGNALS_END;
    }
}
