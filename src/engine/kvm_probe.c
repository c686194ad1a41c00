/*
 * Engine kvm: what /dev/kvm of this machine can really do. Some hosts emulate it in software at a
 * millionth of the speed people expect; so the probe runs a guest of its own: long mode, a page
 * mapped somewhere else than at its own address, a counting loop, a port write. Intel SDM vol. 3
 * sections 4.5 and 10.8.5 for the tables and the state of 64-bit mode.
 *
 * Each port write ends one round of the loop; the best round of a few is the speed. A watchdog
 * timer interrupts a kernel that never comes back.
 */
#include "core/error.h"
#include "engine/kvm.h"
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PROBE_MEM   0x8000u
#define PML4        0x1000u
#define PDPT        0x2000u
#define PD          0x3000u
#define PT          0x4000u
#define DATA        0x5000u
#define CODE        0x6000u
#define STACK       0x8000u
#define ALIAS       0x40000000ull /* where DATA is mapped: 1 GiB */
#define MAGIC       0x7661646975637421ull
#define PORT        0x51
#define LOOPS       20000u
#define INSNS       (2.0 * LOOPS)
#define MIPS_MIN    50.0
#define ROUNDS      8 /* at 1 MIPS two rounds (80 ms) decide; a slow start gets six more */
#define ROUNDS_SLOW 2
#define WATCHDOG_S  2

struct probe {
    int kvm, vm, vcpu;
    struct kvm_run *run;
    size_t run_len;
    uint8_t *mem;
};

/*
 * mov rax, [ALIAS]; again: mov ecx, LOOPS; loop: dec ecx; jnz loop; out PORT, eax; jmp again.
 * rax keeps the magic value, so that each write proves the mapping.
 */
static const uint8_t guest[] = {
    0x48,
    0xa1,
    0x00,
    0x00,
    0x00,
    0x40,
    0x00,
    0x00,
    0x00,
    0x00,
    0xb9,
    LOOPS & 0xff,
    LOOPS >> 8 & 0xff,
    LOOPS >> 16,
    0x00,
    0xff,
    0xc9,
    0x75,
    0xfc,
    0xe7,
    PORT,
    0xeb,
    0xf3,
};

static void put64(uint8_t *mem, unsigned at, uint64_t v)
{
    le64_put(mem + at, v);
}

static void guest_write(uint8_t *mem)
{
    put64(mem, PML4, PDPT | 3);
    put64(mem, PDPT, PD | 3);     /* 0 … 1 GiB */
    put64(mem, PDPT + 8, PD | 3); /* 1 … 2 GiB: the same directory … */
    put64(mem, PD, PT | 3);
    put64(mem, PT, DATA | 3); /* … so page 0 and ALIAS are both DATA */
    put64(mem, PT + 8 * (CODE >> 12), CODE | 3);
    put64(mem, PT + 8 * (STACK >> 12) - 8, (STACK - 0x1000) | 3);
    put64(mem, DATA, MAGIC);
    memcpy(mem + CODE, guest, sizeof(guest));
}

static int long_mode_enter(struct probe *p)
{
    struct kvm_sregs s;
    struct kvm_regs r = {.rip = CODE, .rsp = STACK, .rflags = 2};
    struct kvm_segment data = {
        .limit = 0xffffffff, .selector = 0x10, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};
    struct kvm_segment code = data;

    if (ioctl(p->vcpu, KVM_GET_SREGS, &s) < 0)
        return -errno;
    code.selector = 8;
    code.type = 11;
    code.db = 0;
    code.l = 1;
    s.cs = code;
    s.ds = s.es = s.ss = s.fs = s.gs = data;
    s.cr3 = PML4;
    s.cr4 = 0x20;       /* PAE */
    s.cr0 = 0x80000011; /* PG, ET, PE */
    s.efer = 0x500;     /* LMA, LME */
    if (ioctl(p->vcpu, KVM_SET_SREGS, &s) < 0 || ioctl(p->vcpu, KVM_SET_REGS, &r) < 0)
        return -errno;
    return 0;
}

static int probe_open(struct probe *p, struct error *err)
{
    int len;
    void *m;

    p->kvm = kvm_device_open(err);
    if (p->kvm < 0)
        return p->kvm;
    m = mmap(NULL, PROBE_MEM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    p->mem = m == MAP_FAILED ? NULL : m;
    p->vm = p->mem ? ioctl(p->kvm, KVM_CREATE_VM, 0) : -1;
    if (p->vm < 0)
        return error_set(err, -errno, "KVM can't create a VM: %s", strerror(errno));
    struct kvm_userspace_memory_region slot = {.memory_size = PROBE_MEM,
                                               .userspace_addr = (uintptr_t)p->mem};
    len = ioctl(p->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (ioctl(p->vm, KVM_SET_USER_MEMORY_REGION, &slot) < 0 || len < (int)sizeof(*p->run))
        return error_set(err, -EIO, "KVM refuses guest memory");
    p->run_len = (size_t)len;
    p->vcpu = ioctl(p->vm, KVM_CREATE_VCPU, 0ul);
    if (p->vcpu < 0)
        return error_set(err, -errno, "KVM can't create a vCPU: %s", strerror(errno));
    m = mmap(NULL, p->run_len, PROT_READ | PROT_WRITE, MAP_SHARED, p->vcpu, 0);
    if (m == MAP_FAILED)
        return error_set(err, -errno, "mapping a vCPU: %s", strerror(errno));
    p->run = m;
    return 0;
}

static void probe_close(struct probe *p)
{
    if (p->run)
        munmap(p->run, p->run_len);
    if (p->mem)
        munmap(p->mem, PROBE_MEM);
    if (p->vcpu >= 0)
        close(p->vcpu);
    if (p->vm >= 0)
        close(p->vm);
    if (p->kvm >= 0)
        close(p->kvm);
}

/* CPUID decides what EFER and CR4 accept: give the vCPU all that KVM supports. */
static int cpuid_all(struct probe *p)
{
    union kvm_cpuid_set set = {.head.nent = KVM_CPUID_MAX};

    if (ioctl(p->kvm, KVM_GET_SUPPORTED_CPUID, &set) < 0 ||
        ioctl(p->vcpu, KVM_SET_CPUID2, &set) < 0)
        return -errno;
    return 0;
}

/* One round: seconds until the guest's port write, or a negative errno. */
static double round_run(struct probe *p)
{
    struct timespec a, b;
    uint32_t value;

    clock_gettime(CLOCK_MONOTONIC, &a);
    if (ioctl(p->vcpu, KVM_RUN, 0) < 0)
        return -errno;
    clock_gettime(CLOCK_MONOTONIC, &b);
    if (p->run->exit_reason != KVM_EXIT_IO || p->run->io.port != PORT || p->run->io.size != 4)
        return -EIO;
    memcpy(&value, (uint8_t *)p->run + p->run->io.data_offset, sizeof(value));
    if (value != (uint32_t)MAGIC)
        return -EIO;
    return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

static int speed_judge(struct probe *p, struct error *err)
{
    double best = 0;

    for (int i = 0; i < ROUNDS; i++) {
        double s = round_run(p);
        if (s == -EINTR)
            return error_set(err, -EAGAIN,
                             "/dev/kvm runs a guest of a few thousand instructions "
                             "for over %d s: it is not usable",
                             WATCHDOG_S);
        if (s < 0)
            return error_set(err, -EIO,
                             "/dev/kvm can't run 64-bit code with paging (exit reason "
                             "%u): it is not a complete KVM",
                             p->run->exit_reason);
        double mips = INSNS / 1e6 / (s > 1e-9 ? s : 1e-9);
        best = mips > best ? mips : best;
        if (best >= MIPS_MIN)
            return 0;
        if (i + 1 >= ROUNDS_SLOW && best < MIPS_MIN / 10)
            break;
    }
    return error_set(err, -EAGAIN,
                     "/dev/kvm is a software KVM, about %.0f MIPS (a real one: over "
                     "1000)",
                     best < 1 ? 1 : best);
}

int kvm_probe(struct error *err)
{
    struct probe p = {.kvm = -1, .vm = -1, .vcpu = -1};
    timer_t timer;
    int rc = probe_open(&p, err);

    if (rc == 0) {
        guest_write(p.mem);
        if (cpuid_all(&p) < 0 || long_mode_enter(&p) < 0)
            rc = error_set(err, -EIO, "/dev/kvm can't enter 64-bit mode: it is not a complete KVM");
    }
    if (rc == 0 && (kvm_signal_setup() < 0 || kvm_watchdog_start(&timer, WATCHDOG_S) < 0))
        rc = error_set(err, -EIO, "no timer for the probe of /dev/kvm: %s", strerror(errno));
    else if (rc == 0) {
        rc = speed_judge(&p, err);
        timer_delete(timer);
    }
    probe_close(&p);
    return rc;
}
