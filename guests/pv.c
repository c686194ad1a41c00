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
#include "pv_drive.h"

static volatile struct pv_device about;
static struct pv_nics nics;
static unsigned disks, first_disk, console, consoles;
static uint32_t lean_size = 512; /* bytes of a request that is counted or timed */
static unsigned lean_y = PV_READ;

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

/* ---- the disk ---- */

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
                ring_intr(n / 2);
            else
                ring_intr(0);
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

/* ---- counting and timing ---- */

static bool some(unsigned form, unsigned depth)
{
    if (form == 'c')
        return device_io(8, lean_y, buf, PV_CMD_START, first_disk, lean_size) == lean_size;
    if (form == 'b')
        return hcall(PV_CALL_BATCH, (uintptr_t)batch, depth, 0, 0, 0) == depth &&
               !batch[depth - 1].status;
    if (form == 'i')
        ring_intr(depth);
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
        ring_intr(0);
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
        if (nics.n < 2)
            mem_copy(nics.mac[nics.n], (const void *)about.mac, 6);
        if (!nics.n++)
            nics.first = i;
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
    if (guest_has(mbi, "net") && check("two NICs", nics.n >= 2))
        net_forms(&nics);
    if (guest_has(mbi, "con") && check("a console", consoles))
        con_forms(console);
    check_eq("reset", (uint64_t)hcall(PV_CALL_RESET, 0, 0, 0, 0, 0), 0);
    say("%lu calls, %u interrupts\n", hcalls, irqs);
}
