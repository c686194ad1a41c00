/*
 * The signal that makes KVM_RUN return; its handler does nothing. In a file of its own because
 * <signal.h> and core/cpu_regs.h both own the names REG_R8 … REG_R15.
 */
#ifndef ENGINE_KVM_SIGNAL_H
#define ENGINE_KVM_SIGNAL_H

#include <sys/types.h>
#include <time.h>

int kvm_signal_setup(void);    /* 0 or -errno */
void kvm_signal_unblock(void); /* for the calling thread */
pid_t kvm_signal_self(void);
void kvm_signal_send(pid_t tid);
/* After that many seconds, the signal goes to the calling thread. 0 or -errno. */
int kvm_watchdog_start(timer_t *timer, unsigned seconds);

#endif
