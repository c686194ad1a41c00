/*
 * Engine kvm: runs vCPUs through /dev/kvm. Linux Documentation/virt/kvm/api.rst sections 4 and 5.
 *
 * The interrupt controllers stay in user space (no KVM_CREATE_IRQCHIP): an interrupt is handed over
 * with KVM_INTERRUPT when the vCPU can take it, so that PIC, IOAPIC and LAPIC are the same files
 * for every engine and the ledger sees each vector. Or all but the LAPICs do (kvm_apic.c).
 * Doorbells may use ioeventfd. This file makes and ends a VM; the run loop is in kvm_run.c.
 */
#include "engine/kvm_apic.h"
#include "core/error.h"
#include "core/ledger.h"
#include "mem/ram.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Three pages for Intel's real-mode task segment and one for its identity map, in the hole below
 * 4 GiB where no board puts anything. */
#define KVM_TSS_ADDR      0xfffbd000ul
#define KVM_IDENTITY_ADDR 0xfffbc000ull

static int device_error(struct error *err, int code)
{
    switch (code) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
        return error_set(err, -ENOENT,
                         "/dev/kvm is missing: this machine offers no hardware virtualization "
                         "(load kvm_intel or kvm_amd, or use --engine dbt)");
    case EACCES:
    case EPERM:
        return error_set(err, -EACCES,
                         "no permission on /dev/kvm: add yourself to its group (usually kvm), or "
                         "use --engine dbt");
    default: return error_set(err, -code, "/dev/kvm: %s", strerror(code));
    }
}

int kvm_device_open(struct error *err)
{
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return device_error(err, errno);
    int version = ioctl(fd, KVM_GET_API_VERSION, 0);
    if (version != KVM_API_VERSION) {
        close(fd);
        return error_set(err, -ENOSYS, "/dev/kvm speaks API version %d, this program %d", version,
                         KVM_API_VERSION);
    }
    return fd;
}

static int slots_set(struct engine *e, struct error *err)
{
    const struct ram *ram = e->env.ram;
    int rc = kvm_guard_open(e);
    if (rc < 0)
        return error_set(err, rc, "engine kvm: guest memory can't be mapped: %s", strerror(-rc));
    for (unsigned i = 0; i < ram->slots && i < RAM_SLOTS_MAX; i++) {
        struct kvm_userspace_memory_region r = {
            .slot = i,
            .guest_phys_addr = ram->slot[i].gpa,
            .memory_size = ram->slot[i].len,
            .userspace_addr = (uintptr_t)kvm_slot_host(e, ram->slot[i].host),
        };
        if (ioctl(e->vm, KVM_SET_USER_MEMORY_REGION, &r) < 0)
            return error_set(err, -errno, "KVM refuses guest memory at 0x%llx: %s",
                             (unsigned long long)r.guest_phys_addr, strerror(errno));
    }
    return 0;
}

/* Let the two LAPIC MSRs trap to us; all others stay with the kernel. */
static bool msr_filter_set(int vm)
{
    uint64_t reasons = KVM_MSR_EXIT_REASON_FILTER;
    struct kvm_enable_cap cap = {.cap = KVM_CAP_X86_USER_SPACE_MSR, .args = {reasons}};
    uint8_t deny = 0; /* bit 0 clear: the one MSR of the range is filtered */
    struct kvm_msr_filter f = {.flags = KVM_MSR_FILTER_DEFAULT_ALLOW};
    uint32_t msr[] = {MSR_APIC_BASE, MSR_TSC_DEADLINE};

    for (unsigned i = 0; i < ARRAY_LEN(msr); i++) {
        f.ranges[i].flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE;
        f.ranges[i].nmsrs = 1;
        f.ranges[i].base = msr[i];
        f.ranges[i].bitmap = &deny;
    }
    return ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_X86_MSR_FILTER) > 0 &&
           ioctl(vm, KVM_ENABLE_CAP, &cap) == 0 && ioctl(vm, KVM_X86_SET_MSR_FILTER, &f) == 0;
}

static int vm_open(struct engine *e, struct error *err)
{
    uint64_t identity = KVM_IDENTITY_ADDR;
    int len;

    e->kvm = kvm_device_open(err);
    if (e->kvm < 0)
        return e->kvm;
    e->vm = ioctl(e->kvm, KVM_CREATE_VM, 0);
    if (e->vm < 0)
        return error_set(err, -errno, "KVM can't create a VM: %s", strerror(errno));
    len = ioctl(e->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (len < (int)sizeof(struct kvm_run))
        return error_set(err, -EIO, "KVM_GET_VCPU_MMAP_SIZE gave %d", len);
    e->run_len = (size_t)len;
    /* Needed on Intel only, and only where the CPU can't run real mode itself: failure shows
     * at the first KVM_RUN there and means nothing elsewhere. */
    (void)ioctl(e->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity);
    (void)ioctl(e->vm, KVM_SET_TSS_ADDR, KVM_TSS_ADDR);
    /* Ask for the bytes of an instruction the kernel can't emulate; without it we fetch them. */
    struct kvm_enable_cap cap = {.cap = KVM_CAP_EXIT_ON_EMULATION_FAILURE, .args = {1}};
    (void)ioctl(e->vm, KVM_ENABLE_CAP, &cap);
    if (e->env.split) {
        int rc = kvm_apic_open(e, err);

        return rc < 0 ? rc : slots_set(e, err);
    }
    e->user_msr = msr_filter_set(e->vm);
    return slots_set(e, err);
}

/* What differs with who keeps the LAPIC. */
static void vcpu_apic(struct kvm_vcpu *v)
{
    struct engine *e = v->engine;
    bool offset = kvm_tsc_look(v);
    char name[16];

    v->tsc_deadline = e->user_msr && e->env.tsc_hz && offset;
    if (!e->routes)
        return;
    v->tsc_deadline = ioctl(e->kvm, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0;
    snprintf(name, sizeof(name), "cpu%u", v->index);
    v->eois = ledger_row(e->env.ledger, LEDGER_EXIT, name, "eoi");
}

static int vcpu_open(struct engine *e, unsigned index, struct error *err)
{
    struct kvm_vcpu *v = &e->vcpu[index];
    void *p;

    v->engine = e;
    v->index = index;
    v->fd = ioctl(e->vm, KVM_CREATE_VCPU, (unsigned long)index);
    if (v->fd < 0)
        return error_set(err, -errno, "KVM can't create vCPU %u: %s", index, strerror(errno));
    p = mmap(NULL, e->run_len, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
    if (p == MAP_FAILED)
        return error_set(err, -errno, "mapping vCPU %u: %s", index, strerror(errno));
    v->run = p;
    kvm_trap_open(v);
    vcpu_apic(v);
    return kvm_cpuid_give(e, v, err);
}

static void kvm_close(struct engine *e)
{
    for (unsigned i = 0; e->vcpu && i < e->vcpus; i++) {
        if (e->vcpu[i].run)
            munmap(e->vcpu[i].run, e->run_len);
        if (e->vcpu[i].fd >= 0)
            close(e->vcpu[i].fd);
    }
    if (e->vm >= 0)
        close(e->vm);
    if (e->kvm >= 0)
        close(e->kvm);
    kvm_guard_close(e);
    kvm_gate_close(e);
    kvm_apic_close(e);
    free(e->vcpu);
    free(e);
}

static int kvm_open(struct engine **out, const struct engine_env *env, struct error *err)
{
    struct engine *e;
    int rc = kvm_signal_setup();

    if (rc < 0)
        return error_set(err, rc, "sigaction: %s", strerror(-rc));
    if (env->vcpus == 0 || env->vcpus > KVM_VCPUS_MAX)
        return error_set(err, -EINVAL, "engine kvm runs 1 to %d vCPUs, not %u", KVM_VCPUS_MAX,
                         env->vcpus);
    e = calloc(1, sizeof(*e));
    if (!e)
        return error_set(err, -ENOMEM, "out of memory");
    e->env = *env;
    kvm_gate_open(e);
    e->kvm = e->vm = -1;
    e->vcpus = env->vcpus;
    e->vcpu = calloc(e->vcpus, sizeof(*e->vcpu));
    for (unsigned i = 0; e->vcpu && i < e->vcpus; i++)
        e->vcpu[i].fd = -1;
    rc = e->vcpu ? vm_open(e, err) : error_set(err, -ENOMEM, "out of memory");
    for (unsigned i = 0; rc == 0 && i < e->vcpus; i++) {
        rc = vcpu_open(e, i, err);
        if (rc == 0)
            kvm_reset(e, i);
    }
    if (rc < 0) {
        kvm_close(e);
        return rc;
    }
    *out = e;
    return 0;
}

static int kvm_bell(struct engine *e, bool mmio, uint64_t addr, unsigned size, int eventfd,
                    bool add)
{
    struct kvm_ioeventfd io = {
        .addr = addr,
        .len = size,
        .fd = eventfd,
        .flags = (mmio ? 0u : 1u << kvm_ioeventfd_flag_nr_pio) |
                 (add ? 0u : 1u << kvm_ioeventfd_flag_nr_deassign),
    };
    return ioctl(e->vm, KVM_IOEVENTFD, &io) < 0 ? -errno : 0;
}

static uint64_t kvm_footprint(const struct engine *e)
{
    return sizeof(*e) + e->vcpus * (sizeof(*e->vcpu) + e->run_len);
}

const struct engine_ops engine_kvm = {
    .name = "kvm",
    .probe = kvm_probe,
    .open = kvm_open,
    .close = kvm_close,
    .get_regs = kvm_get_regs,
    .set_regs = kvm_set_regs,
    .run = kvm_run_vcpu,
    .kick = kvm_kick,
    .reset = kvm_reset,
    .bell = kvm_bell,
    .shadow = kvm_shadow,
    .trap_regs = kvm_trap_regs,
    .quiet = kvm_quiet,
    .trap_settle = kvm_trap_settle,
    .trap_resume = kvm_trap_resume,
    .tsc_offset = kvm_tsc_offset,
    .apics = &kvm_apics,
    .apics_probe = kvm_apic_probe,
    .footprint = kvm_footprint,
};
