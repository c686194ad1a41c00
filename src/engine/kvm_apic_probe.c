/*
 * Engine kvm: can this kernel keep the local APICs while PIC and I/O APIC stay here ("split")?
 * Linux Documentation/virt/kvm/api.rst: KVM_CAP_SPLIT_IRQCHIP, KVM_SET_GSI_ROUTING, KVM_IRQFD,
 * KVM_SIGNAL_MSI, KVM_EXIT_IOAPIC_EOI. Not only asked but tried, with a guest of its own: 32-bit
 * protected mode, no paging, interrupts on, in a loop. Its one handler writes a port, then EOI.
 *
 *   an irqfd is signalled, a level-triggered message sent  ->  port write, port write, EOI exit
 *
 * Some KVMs that are software themselves call an interrupt done when it begins: then a level line
 * asks again under its own handler. Those work, more or less, for whoever insists.
 *
 * A watchdog timer interrupts a kernel that never comes back.
 */
#include "core/error.h"
#include "engine/kvm_apic.h"
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEM        0x4000u
#define GDT        0x1000u
#define IDT        0x1200u
#define CODE       0x2000u
#define HANDLER    0x2010u
#define STACK      0x4000u
#define PORT       0x51
#define VEC_LEVEL  0x41u /* by KVM_SIGNAL_MSI, level */
#define VEC_FD     0x51u /* by irqfd, edge; a higher class: it goes first */
#define SEL_CODE   8u
#define SEL_DATA   16u
#define GSI_LEVEL  0u
#define GSI_FD     KVM_APIC_PINS
#define SVR        0xf0u
#define ISR        0x100u
#define WATCHDOG_S 2

struct trial {
    int kvm, vm, vcpu, event;
    struct kvm_run *run;
    size_t run_len;
    uint8_t *mem;
};

/* sti; again: jmp again */
static const uint8_t loop[] = {0xfb, 0xeb, 0xfe};
/* out PORT, al; mov dword [0xfee000b0], 0; sti; again: jmp again. No iret: kernels that run a guest
 * by emulation alone don't know it in this mode. */
static const uint8_t handler[] = {
    0xe6, PORT, 0xc7, 0x05, 0xb0, 0x00, 0xe0, 0xfe, 0x00, 0x00, 0x00, 0x00, 0xfb, 0xeb, 0xfe,
};

static void guest_write(uint8_t *mem)
{
    le64_put(mem + GDT + SEL_CODE, 0x00cf9b000000ffffull);
    le64_put(mem + GDT + SEL_DATA, 0x00cf93000000ffffull);
    for (unsigned v = VEC_LEVEL; v <= VEC_FD; v++)
        le64_put(mem + IDT + v * 8, 0x00008e0000000000ull | SEL_CODE << 16 | HANDLER);
    memcpy(mem + CODE, loop, sizeof(loop));
    memcpy(mem + HANDLER, handler, sizeof(handler));
}

static int ask(int vm, struct error *err)
{
    static const struct {
        long cap;
        const char *name;
    } need[] = {{KVM_CAP_SPLIT_IRQCHIP, "KVM_CAP_SPLIT_IRQCHIP"},
                {KVM_CAP_IRQ_ROUTING, "KVM_CAP_IRQ_ROUTING"},
                {KVM_CAP_IRQFD, "KVM_CAP_IRQFD"},
                {KVM_CAP_SIGNAL_MSI, "KVM_CAP_SIGNAL_MSI"},
                {KVM_CAP_MP_STATE, "KVM_CAP_MP_STATE"}};

    for (size_t i = 0; i < ARRAY_LEN(need); i++)
        if (ioctl(vm, KVM_CHECK_EXTENSION, need[i].cap) <= 0)
            return error_set(err, -ENOTSUP, "this kernel has no %s", need[i].name);
    return 0;
}

static int trial_open(struct trial *t, struct error *err)
{
    void *m;
    int len, rc;

    t->kvm = kvm_device_open(err);
    if (t->kvm < 0)
        return t->kvm;
    t->vm = ioctl(t->kvm, KVM_CREATE_VM, 0);
    if (t->vm < 0)
        return error_set(err, -errno, "KVM can't create a VM: %s", strerror(errno));
    rc = ask(t->vm, err);
    if (rc < 0)
        return rc;
    m = mmap(NULL, MEM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    t->mem = m == MAP_FAILED ? NULL : m;
    struct kvm_userspace_memory_region slot = {.memory_size = MEM,
                                               .userspace_addr = (uintptr_t)t->mem};
    len = ioctl(t->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (!t->mem || ioctl(t->vm, KVM_SET_USER_MEMORY_REGION, &slot) < 0 ||
        len < (int)sizeof(*t->run))
        return error_set(err, -EIO, "KVM refuses guest memory");
    rc = kvm_apic_split(t->vm);
    if (rc < 0)
        return error_set(err, rc, "KVM_CAP_SPLIT_IRQCHIP: %s", strerror(-rc));
    t->run_len = (size_t)len;
    t->vcpu = ioctl(t->vm, KVM_CREATE_VCPU, 0ul);
    m = t->vcpu < 0 ? MAP_FAILED
                    : mmap(NULL, t->run_len, PROT_READ | PROT_WRITE, MAP_SHARED, t->vcpu, 0);
    if (m == MAP_FAILED)
        return error_set(err, -errno, "KVM can't create a vCPU: %s", strerror(errno));
    t->run = m;
    return 0;
}

static void trial_close(struct trial *t)
{
    const int fd[] = {t->event, t->vcpu, t->vm, t->kvm};

    if (t->run)
        munmap(t->run, t->run_len);
    if (t->mem)
        munmap(t->mem, MEM);
    for (size_t i = 0; i < ARRAY_LEN(fd); i++)
        if (fd[i] >= 0)
            close(fd[i]);
}

static int cpu_set(struct trial *t)
{
    struct kvm_sregs s;
    struct kvm_regs r = {.rip = CODE, .rsp = STACK, .rflags = 2};
    struct kvm_segment data = {.limit = UINT32_MAX,
                               .selector = SEL_DATA,
                               .type = 3,
                               .present = 1,
                               .db = 1,
                               .s = 1,
                               .g = 1};
    uint8_t page[INTR_LAPIC_PAGE];

    if (ioctl(t->vcpu, KVM_GET_SREGS, &s) < 0)
        return -errno;
    s.ds = s.es = s.ss = s.fs = s.gs = s.cs = data;
    s.cs.selector = SEL_CODE;
    s.cs.type = 11;
    s.gdt = (struct kvm_dtable){.base = GDT, .limit = SEL_DATA + 7};
    s.idt = (struct kvm_dtable){.base = IDT, .limit = VEC_FD * 8 + 7};
    s.cr0 = 0x11; /* ET, PE */
    if (ioctl(t->vcpu, KVM_SET_SREGS, &s) < 0 || ioctl(t->vcpu, KVM_SET_REGS, &r) < 0 ||
        kvm_apic_page_get(t->vcpu, page) < 0)
        return -errno;
    le32_put(page + SVR, 0x1ff); /* enabled */
    return kvm_apic_page_set(t->vcpu, page);
}

static int messages_send(struct trial *t)
{
    struct kvm_routes r = {
        .at = {[GSI_LEVEL] = {KVM_APIC_MSI, VEC_LEVEL | KVM_APIC_MSI_LEVEL, true},
               [GSI_FD] = {KVM_APIC_MSI, VEC_FD, true}},
    };
    struct kvm_msi level = {.address_lo = KVM_APIC_MSI, .data = VEC_LEVEL | KVM_APIC_MSI_LEVEL};
    uint64_t one = 1;

    t->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (t->event < 0 || kvm_routes_give(&r, t->vm) < 0 ||
        kvm_apic_irqfd(t->vm, GSI_FD, t->event, true) < 0 ||
        write(t->event, &one, sizeof(one)) != sizeof(one))
        return -EIO;
    return ioctl(t->vm, KVM_SIGNAL_MSI, &level) > 0 ? 0 : -EIO;
}

static bool exit_is(struct trial *t, unsigned reason)
{
    return ioctl(t->vcpu, KVM_RUN, 0) == 0 && t->run->exit_reason == reason;
}

/* Is the level-triggered vector in service? Its handler has begun, its EOI is still to come. */
static bool in_service(struct trial *t)
{
    uint8_t page[INTR_LAPIC_PAGE];

    return kvm_apic_page_get(t->vcpu, page) == 0 &&
           (le32_get(page + ISR + VEC_LEVEL / 32 * 16) >> VEC_LEVEL % 32 & 1);
}

static int judge(struct trial *t, struct error *err)
{
    bool serving;

    if (messages_send(t) < 0)
        return error_set(err, -EIO, "this kernel's local APIC takes no messages");
    for (int i = 0; i < 2; i++)
        if (!exit_is(t, KVM_EXIT_IO) || t->run->io.port != PORT)
            return error_set(err, -EIO, "this kernel's local APIC delivers no interrupts");
    serving = in_service(t);
    if (!exit_is(t, KVM_EXIT_IOAPIC_EOI) || t->run->eoi.vector != VEC_LEVEL)
        return error_set(err, -EIO, "this kernel doesn't tell of an EOI");
    if (!serving)
        return error_set(err, -EAGAIN, "this kernel's local APIC forgets what is in service");
    return 0;
}

int kvm_apic_probe(struct error *err)
{
    struct trial t = {.kvm = -1, .vm = -1, .vcpu = -1, .event = -1};
    timer_t timer;
    int rc = trial_open(&t, err);

    if (rc == 0) {
        guest_write(t.mem);
        if (cpu_set(&t) < 0)
            rc = error_set(err, -EIO, "this kernel's local APIC can't be set up");
    }
    if (rc == 0 && (kvm_signal_setup() < 0 || kvm_watchdog_start(&timer, WATCHDOG_S) < 0))
        rc = error_set(err, -EIO, "no timer for the probe of /dev/kvm: %s", strerror(errno));
    else if (rc == 0) {
        rc = judge(&t, err);
        timer_delete(timer);
    }
    trial_close(&t);
    return rc;
}
