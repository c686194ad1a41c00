/*
 * What engines need while guests run. KVM's ioctls are filtered by number: those that make machines
 * and vCPUs, and KVM_CREATE_DEVICE, are over and done with before.
 */
#include "sandbox/impl.h"
#include <asm/prctl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* <linux/kvm.h> is engine/kvm's alone (tests/checks/words): the numbers of api.rst, here by what
 * they are made of. */
#define KVM(nr)             _IO(0xae, nr)
#define KVM_IN(nr, size)    _IOC(_IOC_WRITE, 0xae, nr, size)
#define KVM_OUT(nr, size)   _IOC(_IOC_READ, 0xae, nr, size)
#define KVM_INOUT(nr, size) _IOC(_IOC_READ | _IOC_WRITE, 0xae, nr, size)

#define IDLE "a guest must have booted and be idle for two seconds, as in tests/boot/lab"

static const struct box_row dbt[] = {
    {CALL(sigaltstack), .why = "faults of translated code are taken on a stack of their own"},
    {CALL(rt_sigaction), ONLY(WHEN(0, SIGSEGV)), .why = "translated code may fault"},
    {CALL(rt_sigaction), ONLY(WHEN(0, SIGBUS)), .why = "the same"},
    {CALL(rt_sigaction), ONLY(WHEN(0, SIGFPE)), .why = "the same"},
    {CALL(rt_sigaction), ONLY(WHEN(0, SIGILL)), .why = "the same"},
    {CALL(arch_prctl), ONLY(WHEN(0, ARCH_SET_GS)), .why = "GS is the vCPU"},
    {CALL(sched_yield), .why = "one vCPU waits for another to leave its code"},
    {CALL(madvise), ONLY(WHEN(2, MADV_REMOVE)), .why = "code that an idle guest does not need goes",
     .unseen = IDLE},
    {CALL(madvise), ONLY(WHEN(2, MADV_DONTNEED)), .why = "and the tables that describe it",
     .unseen = IDLE},
};

/* The cage is a process of its own with a list of its own, four calls long (monitor.c). */
static const struct box_row direct[] = {
    {CALL(pidfd_send_signal), .why = "the cage is stopped; no other process has a pidfd here"},
    {CALL(waitid), .why = "is the cage still there"},
    {CALL(wait4), .why = "how it ended"},
    {CALL(madvise), ONLY(WHEN(2, MADV_REMOVE)), .why = "the code view is emptied"},
};

static const struct box_row kvm[] = {
    {CALL(ioctl), ONLY(WHEN(1, KVM(0x80))), .why = "KVM_RUN"},
    {CALL(ioctl), ONLY(WHEN(1, KVM_IN(0x86, 4))), .why = "KVM_INTERRUPT"},
    {CALL(ioctl), ONLY(WHEN(1, KVM(0x9a))), .why = "KVM_NMI"},
    {CALL(ioctl), ONLY(WHEN(1, KVM_IN(0xe2, 24))), .why = "KVM_GET_DEVICE_ATTR: its TSC's offset"},
    {CALL(ioctl), ONLY(WHEN(1, KVM_OUT(0x81, 144))), .why = "KVM_GET_REGS"},
    {CALL(ioctl), ONLY(WHEN(1, KVM_IN(0x82, 144))), .why = "KVM_SET_REGS: an access was completed"},
    {CALL(ioctl), ONLY(WHEN(1, KVM_OUT(0x83, 312))), .why = "KVM_GET_SREGS"},
    {CALL(ioctl), ONLY(WHEN(1, KVM_IN(0x84, 312))), .why = "KVM_SET_SREGS: a vCPU starts"},
    {CALL(ioctl), ONLY(WHEN(1, KVM_INOUT(0x85, 24))), .why = "KVM_TRANSLATE: what did it execute"},
    {CALL(ioctl), ONLY(WHEN(1, KVM_IN(0x89, 8))), .why = "KVM_SET_MSRS: a vCPU starts"},
    {CALL(ioctl), ONLY(WHEN(1, KVM_IN(0x8d, 416))), .why = "KVM_SET_FPU: the same"},
    {CALL(ioctl), ONLY(WHEN(1, KVM_OUT(0x98, 4))), .why = "KVM_GET_MP_STATE: does it sleep"},
    {CALL(ioctl), ONLY(WHEN(1, KVM_IN(0x99, 4))), .why = "KVM_SET_MP_STATE"},
    {CALL(ioctl), ONLY(WHEN(1, KVM_IN(0xa0, 64))), .why = "KVM_SET_VCPU_EVENTS: a vCPU starts"},
    {CALL(ioctl), ONLY(WHEN(1, KVM_IN(0xa2, 128))), .why = "KVM_SET_DEBUGREGS: the same"},
    {CALL(ioctl), ONLY(WHEN(1, KVM_IN(0xa7, 392))), .why = "KVM_SET_XCRS: the same"},
    {CALL(ioctl), ONLY(WHEN(1, KVM_IN(0x79, 64))), .why = "KVM_IOEVENTFD: a doorbell moves"},
    {CALL(ioctl), ONLY(WHEN(1, KVM_IN(0x46, 32))),
     .why = "KVM_SET_USER_MEMORY_REGION: a page of registers is shown or hidden"},
    {CALL(eventfd2), .why = "a doorbell's"},
    {CALL(tgkill), ONLY(WHEN_SELF(0)), .why = "a vCPU of this process is kicked"},
    {CALL(gettid), .why = "a vCPU's thread tells where to kick"},
    {CALL(getpid), .why = "who we are, for tgkill"},
};

static const struct box_row kvm_chip[] = {
    {CALL(ioctl), ONLY(WHEN(1, KVM_IN(0x6a, 8))), .why = "KVM_SET_GSI_ROUTING"},
    {CALL(ioctl), ONLY(WHEN(1, KVM_IN(0xa5, 32))), .why = "KVM_SIGNAL_MSI"},
    {CALL(ioctl), ONLY(WHEN(1, KVM_IN(0x76, 32))),
     .why = "KVM_IRQFD: a vector is given to a device"},
    {CALL(ioctl), ONLY(WHEN(1, KVM_OUT(0x8e, 1024))), .why = "KVM_GET_LAPIC"},
    {CALL(ioctl), ONLY(WHEN(1, KVM_IN(0x8f, 1024))), .why = "KVM_SET_LAPIC"},
};

static const struct box_row balloon[] = {
    {CALL(madvise), ONLY(WHEN(2, MADV_REMOVE)), .why = "what the guest gave back"},
};

static const struct box_row watch[] = {
    {CALL(mprotect), ONLY(WHEN_BITS(2, PROT_EXEC, 0)), .why = "a page of registers is shown"},
};

const struct box_list box_lists_engine[] = {
    [BOX_DBT] = BOX_LIST("dbt", dbt),
    [BOX_DIRECT] = BOX_LIST("direct", direct),
    [BOX_KVM] = BOX_LIST("kvm", kvm),
    [BOX_KVM_CHIP] = BOX_LIST("kvm-chip", kvm_chip),
    [BOX_BALLOON] = BOX_LIST("balloon", balloon),
    [BOX_WATCH] = BOX_LIST("watch", watch),
};
