/*
 * Drives the hypercall devices (pv/abi.h) in every form, by VMCALL and by the port: a disk written,
 * read back and verified, its errors; two NICs on one switch (net) that speak to each other; a
 * console (con). Hypercalls are counted and printed, so that the ledger can be compared with it.
 *
 * Options: port: by the port even if VMCALL is seen; apic: interrupts by the APICs; sectors=N
 * (default 64). Instead of all that: form=call, batch, ring, intr or poll with n=N and depth=D
 * reads N sectors in that form: D units a batch or in flight, ends found by looking (intr: by
 * interrupt; poll: the host looks too), of size=BYTES each (default 512), or writes them (write);
 * time says what a request takes.
 */
#include "hcall.h"

#define SPINS          400000000u
#define ENTRIES        64
#define SIZE_MAX_BYTES 4096 /* of a request that is counted or timed */
#define RING           2    /* any number would do */

static struct {
    volatile struct pv_ring head;
    volatile uint16_t submit[ENTRIES], done[ENTRIES];
    volatile struct pv_unit unit[ENTRIES];
} ring __attribute__((aligned(4096)));

static volatile struct pv_unit batch[PV_BATCH_MAX] __attribute__((aligned(64)));
static volatile struct pv_device about;
static uint8_t buf[ENTRIES * SIZE_MAX_BYTES] __attribute__((aligned(4096)));
static uint8_t other[4096] __attribute__((aligned(4096)));
static volatile unsigned irqs;
static bool apic; /* no PIC: I/O APIC and local APIC */
static unsigned nics, first_nic, disks, first_disk, console, consoles;
static uint8_t mac[2][6];
static uint32_t taken;           /* of ring.head.used */
static uint32_t lean_size = 512; /* bytes of a request that is counted or timed */
static unsigned lean_y = PV_READ;

static bool on_irq(struct frame *f)
{
    (void)f;
    irqs++;
    if (apic)
        lapic_set(LAPIC_EOI, 0);
    else
        pic_eoi(MAP_IRQ_PV);
    return true;
}

static void irq_open(bool by_apic)
{
    apic = by_apic;
    trap_hook[PIC_BASE + MAP_IRQ_PV] = on_irq;
    if (apic) {
        lapic_enable();
        ioapic_set(0x11 + 2 * MAP_IRQ_PV, 0); /* to the first CPU */
        ioapic_set(0x10 + 2 * MAP_IRQ_PV, PIC_BASE + MAP_IRQ_PV);
    } else {
        pic_init();
        pic_unmask(MAP_IRQ_PV);
    }
}

static void fill(uint8_t *p, uint64_t sector, unsigned salt)
{
    for (unsigned i = 0; i < 512; i++)
        p[i] = (uint8_t)(sector * 31 + i * 7 + salt);
}

static bool same(const uint8_t *p, uint64_t sector, unsigned salt)
{
    for (unsigned i = 0; i < 512; i++)
        if (p[i] != (uint8_t)(sector * 31 + i * 7 + salt))
            return false;
    return true;
}

static void unit_set(volatile struct pv_unit *u, uint64_t x, unsigned y, void *z, uint32_t len,
                     unsigned devid)
{
    u->x = x;
    u->z = (uintptr_t)z;
    u->len = len;
    u->cmd = PV_CMD_START;
    u->y = (uint8_t)y;
    u->devid = (uint16_t)devid;
    u->status = -PV_E_PENDING;
    u->moved = 0;
}

/* ---- the ring ---- */

static bool ring_open(unsigned flags)
{
    mem_set((void *)&ring, 0, sizeof(ring));
    taken = 0;
    return hcall(PV_CALL_RING, RING, (uintptr_t)&ring, ENTRIES, flags, 0) == 0;
}

/* Slots [0, n), all of which are free. Kicks if the other side asked for it. */
static void ring_submit(unsigned n)
{
    uint32_t old = ring.head.avail;

    for (unsigned s = 0; s < n; s++)
        ring.submit[(old + s) % ENTRIES] = (uint16_t)s;
    asm volatile("" ::: "memory");
    ring.head.avail = old + n;
    __sync_synchronize();
    if (pv_passed(ring.head.kick_at, old + n, old))
        hcall_kick(RING);
}

static bool ring_wait(uint32_t n)
{
    for (unsigned i = 0; i < SPINS && ring.head.used - taken < n && !ring.head.state; i++)
        asm volatile("pause" ::: "memory");
    if (ring.head.used - taken != n)
        return false;
    taken += n;
    return true;
}

/* The interrupt comes when the last of them has ended, or is pending by now: hlt ends at once. */
static bool ring_sleep(uint32_t n)
{
    unsigned before = irqs;

    while (irqs == before && !ring.head.state)
        sti_hlt_cli();
    while (ring.head.used - taken < n && !ring.head.state)
        sti_hlt_cli();
    return ring_wait(n);
}

static void never(void)
{
    ring.head.intr_at = taken - 1;
}

/* ---- the disk ---- */

static bool moved_all(volatile struct pv_unit *u, unsigned n)
{
    bool ok = true;

    for (unsigned i = 0; i < n; i++)
        ok &= u[i].status == 0 && u[i].moved == u[i].len;
    return ok;
}

static void call_trip(unsigned sectors)
{
    bool ok = true;

    for (unsigned s = 0; s < sectors; s++) {
        fill(buf, s, 1);
        ok &= device_io(s, PV_WRITE, buf, PV_CMD_START, first_disk, 512) == 512;
    }
    for (unsigned s = 0; s < sectors; s++) {
        mem_set(buf, 0, 512);
        ok &= device_io(s, PV_READ, buf, PV_CMD_START | PV_CMD_WAIT, first_disk, 512) == 512;
        ok &= same(buf, s, 1);
    }
    check("disk, in registers", ok);
}

static void units_make(volatile struct pv_unit *u, unsigned n, unsigned y)
{
    for (unsigned i = 0; i < n; i++)
        unit_set(&u[i], i, y, buf + 512 * i, 512, first_disk);
}

static void buf_fill(unsigned n, unsigned salt)
{
    for (unsigned i = 0; i < n; i++)
        fill(buf + 512 * i, i, salt);
}

static bool buf_same(unsigned n, unsigned salt)
{
    bool ok = true;

    for (unsigned i = 0; i < n; i++)
        ok &= same(buf + 512 * i, i, salt);
    return ok;
}

static void batch_trip(void)
{
    const unsigned n = ENTRIES;
    word before = hcalls;

    buf_fill(n, 2);
    units_make(batch, n, PV_WRITE);
    check_eq("a batch of writes", (uint64_t)hcall(PV_CALL_BATCH, (uintptr_t)batch, n, 1, 0, 0), n);
    check("each of them moved", moved_all(batch, n));
    mem_set(buf, 0, ENTRIES * 512);
    units_make(batch, n, PV_READ);
    batch[7].x = ~0ull;
    batch[9].devid = 999;
    hcall(PV_CALL_BATCH, (uintptr_t)batch, n, PV_BATCH_WAIT, 0, 0);
    check("a bad unit is a bad unit",
          batch[7].status == -PV_E_RANGE && batch[9].status == -PV_E_DEVICE && !buf[7 * 512]);
    units_make(batch + 7, 1, PV_READ);
    units_make(batch + 8, 1, PV_READ);
    batch[7].x = 7, batch[7].z += 7 * 512;
    batch[8].x = 9, batch[8].z += 9 * 512;
    hcall(PV_CALL_BATCH, (uintptr_t)(batch + 7), 2, PV_BATCH_WAIT, 0, 0);
    check("what was read is what was written", buf_same(n, 2));
    check_eq("three calls did all that", hcalls - before, 3);
}

static void ring_trip(const char *name, bool by_irq)
{
    const unsigned n = ENTRIES;
    unsigned before = irqs;
    bool ok = true;

    buf_fill(n, 3 + by_irq);
    for (unsigned y = PV_WRITE + 1; y-- > 0;) { /* write, then read */
        for (unsigned half = 0; half < 2; half++) {
            for (unsigned i = 0; i < n / 2; i++)
                unit_set(&ring.unit[i], half * n / 2 + i, y, buf + 512 * (half * n / 2 + i), 512,
                         first_disk);
            if (by_irq)
                ring.head.intr_at = taken + n / 2 - 1;
            else
                never();
            ring_submit(n / 2);
            ok &= by_irq ? ring_sleep(n / 2) : ring_wait(n / 2);
            ok &= moved_all(ring.unit, n / 2);
        }
        if (y == PV_WRITE)
            mem_set(buf, 0, ENTRIES * 512);
    }
    check(name, ok && buf_same(n, 3 + by_irq));
    if (by_irq)
        check_eq("one interrupt for all that was asked at once", irqs - before, 4);
    else
        check_eq("no interrupt that nobody asked for", irqs - before, 0);
}

static void ring_breaks(void)
{
    check("a ring anew", ring_open(0));
    unit_set(&ring.unit[0], 0, PV_READ, buf, 512, first_disk);
    ring.head.avail = ENTRIES + 1;
    hcall_kick(RING);
    check("more in flight than there are slots breaks the ring", ring.head.state == PV_RING_BROKEN);
    check("nothing moved", ring.head.used == 0 && ring.unit[0].status == -PV_E_PENDING);
    check("again", ring_open(0) && ring.head.state == 0);
    ring.submit[0] = ENTRIES;
    ring.head.avail = 1;
    hcall_kick(RING);
    check("a slot that is none breaks it", ring.head.state == PV_RING_BROKEN);
    hcall(PV_CALL_RING, RING, 0, 0, 0, 0);
    check_eq("a ring that is gone", (uint64_t)hcall(PV_CALL_KICK, RING, 0, 0, 0, 0),
             (uint64_t)-PV_E_DEVICE);
}

static void refuse(const char *name, uint64_t x, unsigned y, uint64_t z, unsigned cmd, uint32_t len,
                   int error)
{
    unit_set(batch, x, y, NULL, len, first_disk);
    batch->z = z;
    batch->cmd = (uint8_t)cmd;
    hcall(PV_CALL_BATCH, (uintptr_t)batch, 1, PV_BATCH_WAIT, 0, 0);
    check_eq(name, (uint64_t)batch->status, (uint64_t)-error);
}

static void errors(uint64_t capacity)
{
    uint64_t z = (uintptr_t)buf;

    refuse("behind the end", capacity, PV_READ, z, 1, 512, PV_E_RANGE);
    refuse("across the end", capacity - 1, PV_READ, z, 1, 1024, PV_E_RANGE);
    refuse("a sector number that wraps", ~0ull, PV_READ, z, 1, 1024, PV_E_RANGE);
    refuse("nothing", 0, PV_READ, z, 1, 0, PV_E_LENGTH);
    refuse("far too much", 0, PV_READ, z, 1, 0xfffffe00, PV_E_LENGTH);
    refuse("half a sector", 0, PV_READ, z, 1, 256, PV_E_ALIGN);
    refuse("no memory", 0, PV_READ, 0x7ffffffffffff000, 1, 512, PV_E_ADDRESS);
    refuse("an address that wraps", 0, PV_READ, 0xffffffffffffff00, 1, 512, PV_E_ADDRESS);
    refuse("a device's registers", 0, PV_READ, MAP_LAPIC, 1, 512, PV_E_ADDRESS);
    refuse("no direction", 0, 2, z, 1, 512, PV_E_COMMAND);
    refuse("no command", 0, PV_READ, z, 9, 512, PV_E_COMMAND);
    check_eq("too large a batch",
             (uint64_t)hcall(PV_CALL_BATCH, (uintptr_t)batch, PV_BATCH_MAX + 1, 0, 0, 0),
             (uint64_t)-PV_E_ARGUMENT);
    check_eq("no such call", (uint64_t)hcall(PV_CALL + PV_CALLS, 0, 0, 0, 0, 0),
             (uint64_t)-PV_E_CALL);
    check_eq("flush", (uint64_t)device_io(0, 0, NULL, PV_CMD_FLUSH | PV_CMD_WAIT, first_disk, 0),
             0);
}

/* An odd address, and the bytes that a transfer must not touch. */
static void exact(void)
{
    mem_set(other, 0xa5, sizeof(other));
    fill(buf, 3, 9);
    device_io(3, PV_WRITE, buf, PV_CMD_START | PV_CMD_WAIT, first_disk, 512);
    device_io(3, PV_READ, other + 513, PV_CMD_START | PV_CMD_WAIT, first_disk, 512);
    check("an odd address", same(other + 513, 3, 9));
    check("nothing before or behind is touched", other[512] == 0xa5 && other[1025] == 0xa5);
}

/* ---- the network: two NICs of this machine on one switch ---- */

static uint32_t frame_make(uint8_t *p, unsigned to, uint32_t tag)
{
    mem_copy(p, mac[to], 6);
    mem_copy(p + 6, mac[!to], 6);
    p[12] = 0x88, p[13] = 0xb5; /* for experiments (IEEE 802) */
    for (unsigned i = 14; i < 100; i++)
        p[i] = (uint8_t)(tag + i);
    return 100;
}

static bool frame_is(const uint8_t *p, unsigned to, uint32_t tag)
{
    uint8_t want[100];

    frame_make(want, to, tag);
    return mem_eq(p, want, sizeof(want));
}

/* A frame crosses another process: ask until it is there. */
static int64_t nic_read(unsigned nic, uint8_t *p)
{
    int64_t n = -PV_E_AGAIN;

    for (unsigned i = 0; i < 2000000 && n == -PV_E_AGAIN; i++)
        n = device_io(0, PV_READ, p, PV_CMD_START, first_nic + nic, 1518);
    return n;
}

static void net_calls(void)
{
    bool ok = true;

    for (unsigned i = 0; i < 8; i++) {
        uint32_t len = frame_make(buf, 1, i);

        ok &= device_io(0, PV_WRITE, buf, PV_CMD_START, first_nic, len) == len;
        ok &= nic_read(1, other) == len && frame_is(other, 1, i);
    }
    check("frames, in registers", ok);
    for (unsigned i = 0; i < 8; i++)
        unit_set(&batch[i], 0, PV_WRITE, buf + 512 * i, frame_make(buf + 512 * i, 0, 50 + i),
                 first_nic + 1);
    hcall(PV_CALL_BATCH, (uintptr_t)batch, 8, 0, 0, 0);
    ok = moved_all(batch, 8);
    for (unsigned i = 0; i < 8; i++)
        ok &= nic_read(0, other) == 100 && frame_is(other, 0, 50 + i);
    check("frames, in a batch", ok);
    check_eq("a frame that is none",
             (uint64_t)device_io(0, PV_WRITE, buf, PV_CMD_START, first_nic, 13),
             (uint64_t)-PV_E_LENGTH);
}

/* Eight reads wait in the ring; eight frames are sent behind them; interrupts tell of them. */
static void net_ring(void)
{
    unsigned before = irqs;
    bool ok = ring_open(0);

    for (unsigned i = 0; i < 8; i++) {
        unit_set(&ring.unit[i], 0, PV_READ, buf + 2048 * i, 1518, first_nic);
        unit_set(&ring.unit[8 + i], 0, PV_WRITE, other + 128 * i,
                 frame_make(other + 128 * i, 0, 90 + i), first_nic + 1);
    }
    ring.head.intr_at = 15;
    ring_submit(16);
    ok &= ring_sleep(16) && moved_all(ring.unit + 8, 8);
    for (unsigned i = 0; i < 8; i++)
        ok &= ring.unit[i].status == 0 && ring.unit[i].moved == 100 &&
              frame_is(buf + 2048 * i, 0, 90 + i);
    check("frames, in a ring", ok);
    check("by interrupt", irqs > before);
}

/* ---- the console ---- */

static void con_forms(void)
{
    static char text[3][32] = {"in registers\n", "in a batch\n", "in a ring\n"};
    static const uint32_t len[3] = {13, 11, 10};

    check_eq("console, in registers",
             (uint64_t)device_io(0, PV_WRITE, text[0], PV_CMD_START, console, len[0]), len[0]);
    unit_set(batch, 0, PV_WRITE, text[1], len[1], console);
    hcall(PV_CALL_BATCH, (uintptr_t)batch, 1, 0, 0, 0);
    check_eq("console, in a batch", batch->moved, len[1]);
    ring_open(0);
    unit_set(&ring.unit[0], 0, PV_WRITE, text[2], len[2], console);
    never();
    ring_submit(1);
    check("console, in a ring", ring_wait(1) && ring.unit[0].moved == len[2]);
    check_eq("nobody typed",
             (uint64_t)device_io(0, PV_READ, other, PV_CMD_START, console, sizeof(other)),
             (uint64_t)-PV_E_AGAIN);
}

/* ---- counting and timing ---- */

static bool some(unsigned form, unsigned depth)
{
    if (form == 'c')
        return device_io(8, lean_y, buf, PV_CMD_START, first_disk, lean_size) == lean_size;
    if (form == 'b')
        return hcall(PV_CALL_BATCH, (uintptr_t)batch, depth, 0, 0, 0) == depth &&
               !batch[depth - 1].status;
    if (form == 'i')
        ring.head.intr_at = taken + depth - 1;
    ring_submit(depth);
    return form == 'i' ? ring_sleep(depth) : ring_wait(depth);
}

static void lean_units(volatile struct pv_unit *u, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        unit_set(&u[i], i * 8, lean_y, buf + lean_size * i, lean_size, first_disk);
}

static void lean(unsigned form, uint64_t n, unsigned depth, bool timed)
{
    uint64_t t;
    bool ok = true;

    if (depth < 1 || depth > ENTRIES)
        depth = ENTRIES;
    lean_units(batch, depth);
    if (form == 'r' || form == 'i' || form == 'p') {
        ok = ring_open(form == 'p' ? PV_RING_POLL : 0);
        lean_units(ring.unit, depth);
        never();
    }
    t = rdtsc();
    for (uint64_t i = 0; i < n; i += form == 'c' ? 1 : depth)
        ok &= some(form, depth);
    t = rdtsc() - t;
    check("each request", ok);
    if (timed)
        say("bench %lu requests, %lu calls, ticks %08x%08x\n", (word)n, hcalls, (uint32_t)(t >> 32),
            (uint32_t)t);
}

/* ---- what there is ---- */

static bool discover(bool port)
{
    uint32_t r[4];

    cpuid(PV_CPUID, 0, r);
    if (!check("CPUID tells of it",
               r[1] == PV_CPUID_EBX && r[2] == PV_CPUID_ECX && r[3] == PV_CPUID_EDX))
        return false;
    check_eq("its last leaf", r[0], PV_CPUID + 1);
    cpuid(PV_CPUID + 1, 0, r);
    check_eq("version", r[0], PV_VERSION);
    check("the port is a way", r[1] & PV_FEATURE_PORT);
    check_eq("port", r[2], MAP_PV);
    check_eq("interrupt", r[3], MAP_IRQ_PV);
    hcall_port = port || !(r[1] & PV_FEATURE_VMCALL);
    check_eq("the port says what it is", inl(MAP_PV + PV_PORT_CALL), PV_ID);
    check_eq("version, asked for", (uint64_t)hcall(PV_CALL_VERSION, 0, 0, 0, 0, 0), PV_VERSION);
    if (!hcall_port) {
        hcall_amd = true;
        check_eq("the other opcode", (uint64_t)hcall(PV_CALL_VERSION, 0, 0, 0, 0, 0), PV_VERSION);
        hcall_amd = false;
    }
    return true;
}

static void devices(void)
{
    unsigned n = (unsigned)hcall(PV_CALL_DEVICES, 0, 0, 0, 0, 0);

    for (unsigned i = 0; i < n; i++) {
        check_eq("a device", (uint64_t)hcall(PV_CALL_DEVICE, i, (uintptr_t)&about, 0, 0, 0), 0);
        if (about.kind == PV_KIND_DISK && !disks++)
            first_disk = i;
        if (about.kind == PV_KIND_CONSOLE && !consoles++)
            console = i;
        if (about.kind != PV_KIND_NET)
            continue;
        if (nics < 2)
            mem_copy(mac[nics], (const void *)about.mac, 6);
        if (!nics++)
            first_nic = i;
    }
    check_eq("one device too many", (uint64_t)hcall(PV_CALL_DEVICE, n, (uintptr_t)&about, 0, 0, 0),
             (uint64_t)-PV_E_DEVICE);
    check_eq("nowhere to write to", (uint64_t)hcall(PV_CALL_DEVICE, 0, MAP_LAPIC, 0, 0, 0),
             (uint64_t)-PV_E_ADDRESS);
}

static void disk_all(unsigned sectors)
{
    hcall(PV_CALL_DEVICE, first_disk, (uintptr_t)&about, 0, 0, 0);
    if (!check("the disk is large enough", about.sectors >= sectors && about.sectors >= ENTRIES))
        return;
    call_trip(sectors);
    batch_trip();
    check("a ring", ring_open(0));
    ring_trip("disk, in a ring, polled", false);
    ring_trip("disk, in a ring, by interrupt", true);
    ring_breaks();
    exact();
    errors(about.sectors);
}

void guest_main(const uint8_t *mbi)
{
    static const struct {
        const char *word;
        unsigned form;
    } forms[] = {{"form=call", 'c'},
                 {"form=batch", 'b'},
                 {"form=ring", 'r'},
                 {"form=intr", 'i'},
                 {"form=poll", 'p'}};

    if (!discover(guest_has(mbi, "port")))
        return;
    devices();
    irq_open(guest_has(mbi, "apic"));
    lean_size = (uint32_t)guest_opt(mbi, "size", 512);
    lean_y = guest_has(mbi, "write") ? PV_WRITE : PV_READ;
    if (lean_size > SIZE_MAX_BYTES)
        lean_size = SIZE_MAX_BYTES;
    for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (guest_has(mbi, forms[i].word)) {
            lean(forms[i].form, guest_opt(mbi, "n", 0), (unsigned)guest_opt(mbi, "depth", 32),
                 guest_has(mbi, "time"));
            return;
        }
    if (disks)
        disk_all((unsigned)guest_opt(mbi, "sectors", 64));
    if (guest_has(mbi, "net") && check("two NICs", nics >= 2)) {
        net_calls();
        net_ring();
    }
    if (guest_has(mbi, "con") && check("a console", consoles))
        con_forms();
    check_eq("reset", (uint64_t)hcall(PV_CALL_RESET, 0, 0, 0, 0, 0), 0);
    say("%lu calls, %u interrupts\n", hcalls, irqs);
}
