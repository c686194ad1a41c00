/*
 * Engine kvm: the kick signal. Linux Documentation/virt/kvm/api.rst, KVM_RUN ("-EINTR: an unmasked
 * signal is pending") and kvm_run's immediate_exit.
 */
#include "engine/kvm_signal.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static int kick_signal(void)
{
    return SIGRTMIN + 1;
}

static void signal_ignore(int sig)
{
    (void)sig; /* its arrival alone makes KVM_RUN return with EINTR */
}

int kvm_signal_setup(void)
{
    struct sigaction sa = {.sa_handler = signal_ignore};

    sigemptyset(&sa.sa_mask);
    return sigaction(kick_signal(), &sa, NULL) < 0 ? -errno : 0;
}

void kvm_signal_unblock(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, kick_signal());
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

pid_t kvm_signal_self(void)
{
    return (pid_t)syscall(SYS_gettid);
}

void kvm_signal_send(pid_t tid)
{
    /* tgkill of a thread that has just ended is a harmless ESRCH. */
    (void)syscall(SYS_tgkill, getpid(), tid, kick_signal());
}

int kvm_watchdog_start(timer_t *timer, unsigned seconds)
{
    struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = kick_signal()};
    struct itimerspec limit = {.it_value.tv_sec = (time_t)seconds};

    kvm_signal_unblock();
    ev._sigev_un._tid = kvm_signal_self();
    if (timer_create(CLOCK_MONOTONIC, &ev, timer) < 0)
        return -errno;
    return timer_settime(*timer, 0, &limit, NULL) < 0 ? -errno : 0;
}
